-- A device of apfree-wifidog pings in its own name and may have several gateways.

CREATE TABLE gateway_devices (
    gw_id      text NOT NULL REFERENCES gateways (gw_id) ON DELETE CASCADE,
    device_id  text NOT NULL CHECK (device_id ~ '^[A-Za-z0-9._:-]{1,64}$'),
    heard_at   timestamptz NOT NULL,
    PRIMARY KEY (gw_id, device_id)
);
COMMENT ON TABLE gateway_devices IS 'Which devices have named an adopted gateway as theirs, four at most: their pings are its pings';
COMMENT ON COLUMN gateway_devices.gw_id IS 'Whose device it is';
COMMENT ON COLUMN gateway_devices.device_id IS 'As the device names itself';
COMMENT ON COLUMN gateway_devices.heard_at IS 'When this was learnt';
CREATE TRIGGER gateway_devices_changed AFTER INSERT OR UPDATE OR DELETE ON gateway_devices
    FOR EACH STATEMENT EXECUTE FUNCTION count_directory_change();

ALTER TABLE waiting_gateways ADD COLUMN device_id text CHECK (device_id ~ '^[A-Za-z0-9._:-]{1,64}$');
COMMENT ON COLUMN waiting_gateways.device_id IS 'The device that it is on, which may have others; NULL where none was named';
