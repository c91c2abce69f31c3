-- Several server processes on one database know of each other's trouble.

CREATE TABLE servers (
    name         text PRIMARY KEY CHECK (length(name) BETWEEN 1 AND 300),
    heard_since  timestamptz NOT NULL,
    said_at      timestamptz NOT NULL CHECK (said_at >= heard_since)
) WITH (fillfactor = 50);
COMMENT ON TABLE servers IS 'Processes that take reports: a silent gateway may be one that talks to another process, which cannot store what it hears';
COMMENT ON COLUMN servers.name IS 'Machine, first port, and number of the worker: the same after a restart';
COMMENT ON COLUMN servers.heard_since IS 'Since when it could settle all that gateways reported to it';
COMMENT ON COLUMN servers.said_at IS 'Until when that is known';
