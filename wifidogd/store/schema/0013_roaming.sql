-- What shows how far the installation of a router has come, and guests who walk from router to router.

CREATE TABLE gateway_activity (
    gw_id    text NOT NULL REFERENCES gateways (gw_id) ON DELETE CASCADE,
    kind     text NOT NULL CHECK (length(kind) <= 40),
    seen_at  timestamptz NOT NULL,
    PRIMARY KEY (gw_id, kind)
) WITH (fillfactor = 70);
COMMENT ON TABLE gateway_activity IS 'What an adopted gateway has done, for the check-list of its installation';
COMMENT ON COLUMN gateway_activity.gw_id IS 'Which gateway';
COMMENT ON COLUMN gateway_activity.kind IS 'What: a guest was sent, a login was confirmed and so on; one row for each';
COMMENT ON COLUMN gateway_activity.seen_at IS 'When it last did, within ten minutes';

ALTER TABLE sessions ADD COLUMN roamed_from bytea CHECK (length(roamed_from) = 32);
CREATE INDEX sessions_by_mac ON sessions (mac) WHERE activated_at IS NOT NULL;
CREATE INDEX sessions_by_origin ON sessions (roamed_from) WHERE roamed_from IS NOT NULL;
COMMENT ON COLUMN sessions.roamed_from IS 'token_hash of the session at another gateway that it continues, which may have ended since; NULL for none';
COMMENT ON COLUMN sessions.expires_at IS 'When the time limit is over; NULL for no limit, and while pending unless it continues another';

ALTER TABLE networks
    ADD COLUMN roaming            boolean NOT NULL DEFAULT true,
    ADD COLUMN lets_known_through boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN networks.roaming IS 'Whether a guest who is online at one gateway is let in at another without a form';
COMMENT ON COLUMN networks.lets_known_through IS 'Whether the login page of a gateway with a key lets devices that are known through without a tap';
