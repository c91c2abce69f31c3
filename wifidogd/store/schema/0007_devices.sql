-- Which device a guest has is believed only of a gateway that nobody else can speak for.

ALTER TABLE gateways ADD COLUMN trust_macs boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN gateways.trust_macs IS 'Whether the MACs it reports are believed although it has no key, so that anybody can report them';

ALTER TABLE sessions ADD COLUMN by_mac boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN sessions.by_mac IS 'True if the guest was let in by the MAC alone, so that nothing of the account is shown';
UPDATE sessions SET by_mac = true WHERE device_id IS NOT NULL AND claimed_mac IS NOT NULL;

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

-- Names under which nobody can be adopted wait as well, so that their owners learn what to change.
ALTER TABLE waiting_gateways
    DROP CONSTRAINT waiting_gateways_gw_id_check,
    ADD CONSTRAINT waiting_gateways_gw_id_check CHECK (length(gw_id) BETWEEN 1 AND 64),
    ADD COLUMN shared_at timestamptz;
COMMENT ON COLUMN waiting_gateways.gw_id IS 'As it names itself, without what cannot be shown; perhaps a name that gateways cannot have';
COMMENT ON COLUMN waiting_gateways.shared_at IS 'When two gateways last seemed to use the name; NULL for never';
ALTER TABLE heartbeats ADD COLUMN shared_at timestamptz;
COMMENT ON COLUMN heartbeats.shared_at IS 'When two gateways last seemed to use the name; NULL for never';
