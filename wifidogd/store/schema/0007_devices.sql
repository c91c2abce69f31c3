-- What a gateway says of devices is believed only where nobody else can say it.

-- A report without a MAC says nothing about the device.
CREATE OR REPLACE FUNCTION meet_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM devices AS others
     USING devices AS met
     WHERE met.device_id = NEW.device_id
       AND others.network = met.network
       AND others.mac = NEW.mac
       AND others.device_id <> met.device_id;
    UPDATE devices SET mac = coalesce(NEW.mac, mac), seen = true WHERE device_id = NEW.device_id;
    RETURN NULL;
END
$$;
COMMENT ON COLUMN devices.mac IS 'As a gateway last reported it; NULL until one has';
COMMENT ON COLUMN sessions.claimed_mac IS 'The MAC that the login page was opened with, which must turn out to be the guest''s; NULL if it named none';
