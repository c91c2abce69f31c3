-- Which session a browser has signed in to, for gateways that do not say so when they send a guest to the portal.

ALTER TABLE sessions
    ADD COLUMN browser_hash  bytea CHECK (length(browser_hash) = 32),
    ADD COLUMN hidden_token  bytea CHECK (length(hidden_token) = 32),
    ADD CHECK ((browser_hash IS NULL) = (hidden_token IS NULL));
CREATE UNIQUE INDEX sessions_by_browser ON sessions (browser_hash) WHERE browser_hash IS NOT NULL;
COMMENT ON COLUMN sessions.browser_hash IS 'SHA-256 of the secret in the cookie of the browser that signed in; NULL where none did';
COMMENT ON COLUMN sessions.hidden_token IS 'The token, readable with that secret alone';

CREATE TABLE ended_sessions (
    browser_hash  bytea PRIMARY KEY,
    gw_id         text NOT NULL,
    reason        text NOT NULL,
    ended_at      timestamptz NOT NULL
);
CREATE INDEX ended_sessions_by_end ON ended_sessions (ended_at);
COMMENT ON TABLE ended_sessions IS 'Why the session of a browser ended, for the next page that its guest sees; kept for an hour or two';
COMMENT ON COLUMN ended_sessions.browser_hash IS 'As it was in sessions';
COMMENT ON COLUMN ended_sessions.gw_id IS 'Where the guest was; may since have been removed';
COMMENT ON COLUMN ended_sessions.reason IS 'As in past_sessions';
COMMENT ON COLUMN ended_sessions.ended_at IS 'As in past_sessions';
