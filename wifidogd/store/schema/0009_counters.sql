-- Guests behind one repeater share its MAC: they are told apart by their addresses, as gateways do.

ALTER TABLE sessions
    ADD COLUMN left_ip            inet,
    ADD COLUMN doubtful_incoming  bigint CHECK (doubtful_incoming >= 0),
    ADD COLUMN doubtful_outgoing  bigint CHECK (doubtful_outgoing >= 0),
    ADD CHECK ((doubtful_incoming IS NULL) = (doubtful_outgoing IS NULL));
COMMENT ON COLUMN sessions.left_ip IS 'The address before the present one, under which a gateway may still have the guest on its list; NULL for none';
COMMENT ON COLUMN sessions.doubtful_incoming IS 'A total lower than the last that came after it, and may have been late; NULL normally';
COMMENT ON COLUMN sessions.doubtful_outgoing IS 'Likewise';

DROP INDEX sessions_online;
CREATE UNIQUE INDEX sessions_online ON sessions (gw_id, mac, coalesce(ip, '0.0.0.0'::inet)) WHERE activated_at IS NOT NULL;
