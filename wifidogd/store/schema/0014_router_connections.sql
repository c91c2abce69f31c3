-- Routers that keep a connection open are told at once when a session is over, by whichever process they are connected to.

CREATE TABLE router_connections (
    gw_id         text PRIMARY KEY REFERENCES gateways (gw_id) ON DELETE CASCADE,
    device_id     text NOT NULL CHECK (device_id ~ '^[A-Za-z0-9._:-]{1,64}$'),
    server        text NOT NULL CHECK (length(server) <= 300),
    source        inet NOT NULL,
    connected_at  timestamptz NOT NULL
);
CREATE INDEX router_connections_by_server ON router_connections (server);
COMMENT ON TABLE router_connections IS 'Which process the router of a gateway is connected to; none for those that are not';
COMMENT ON COLUMN router_connections.gw_id IS 'Whose router it is';
COMMENT ON COLUMN router_connections.device_id IS 'As the router names itself';
COMMENT ON COLUMN router_connections.server IS 'Name of the process, the same after a restart';
COMMENT ON COLUMN router_connections.source IS 'Address it comes from';
COMMENT ON COLUMN router_connections.connected_at IS 'Since when';

CREATE INDEX sessions_ending ON sessions (gw_id) WHERE ending IS NOT NULL;
CREATE INDEX sessions_by_expiry ON sessions (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE router_commands (
    command_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    gw_id       text NOT NULL REFERENCES gateways (gw_id) ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('auth', 'tmp_pass')),
    mac         macaddr NOT NULL,
    ip          inet,
    token       text CHECK (length(token) <= 64),
    seconds     integer CHECK (seconds BETWEEN 1 AND 3600),
    asked_at    timestamptz NOT NULL,
    outcome     text
);
COMMENT ON TABLE router_commands IS 'What routers are to be told by the process that they are connected to; a row lives for seconds';
COMMENT ON COLUMN router_commands.command_id IS 'For the process that asks';
COMMENT ON COLUMN router_commands.gw_id IS 'Whose router';
COMMENT ON COLUMN router_commands.kind IS 'What it is called there';
COMMENT ON COLUMN router_commands.mac IS 'The guest''s device';
COMMENT ON COLUMN router_commands.ip IS 'Its address; NULL where it does not matter';
COMMENT ON COLUMN router_commands.token IS 'For the router to report; removed when the command is taken';
COMMENT ON COLUMN router_commands.seconds IS 'For how long; NULL where it does not matter';
COMMENT ON COLUMN router_commands.asked_at IS 'When';
COMMENT ON COLUMN router_commands.outcome IS 'What became of it; empty while it is being sent, NULL before';

ALTER TABLE networks ADD COLUMN mail_access interval CHECK (mail_access BETWEEN interval '1 minute' AND interval '30 minutes');
COMMENT ON COLUMN networks.mail_access IS 'How long a guest who is not signed in may have the internet, to read their mail; NULL for never';

CREATE TABLE mail_accesses (
    network   text NOT NULL REFERENCES networks (name),
    mac       macaddr NOT NULL,
    gw_id     text NOT NULL REFERENCES gateways (gw_id) ON DELETE CASCADE,
    source    text NOT NULL CHECK (length(source) <= 100),
    given_at  timestamptz NOT NULL,
    PRIMARY KEY (network, mac)
);
CREATE INDEX mail_accesses_by_gateway ON mail_accesses (gw_id, given_at);
CREATE INDEX mail_accesses_by_time ON mail_accesses (given_at);
COMMENT ON TABLE mail_accesses IS 'Devices that had the internet for some minutes without signing in, within the last hour';
COMMENT ON COLUMN mail_accesses.network IS 'Where, once an hour';
COMMENT ON COLUMN mail_accesses.mac IS 'As the login page was opened with';
COMMENT ON COLUMN mail_accesses.gw_id IS 'At which gateway';
COMMENT ON COLUMN mail_accesses.source IS 'Address of the connection, or its IPv6 network of 64 bits';
COMMENT ON COLUMN mail_accesses.given_at IS 'When';
