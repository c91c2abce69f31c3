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
