-- The running server is the one that knows where it is: it says so here, and wifidogctl reads it.

CREATE TABLE server_address (
    sole         boolean PRIMARY KEY DEFAULT true CHECK (sole),
    url          text NOT NULL CHECK (url ~ '^https?://[^/?#@]+$' AND length(url) <= 300),
    path         text NOT NULL CHECK (path ~ '^/(.*/)?$' AND length(path) <= 1000),
    is_guess     boolean NOT NULL,
    recorded_at  timestamptz NOT NULL
);
COMMENT ON TABLE server_address IS 'One row, or none before the first start: where guests and gateways reach the server that was started last';
COMMENT ON COLUMN server_address.sole IS 'Keeps it one row';
COMMENT ON COLUMN server_address.url IS 'Scheme, host and port: its --public-url, or what it guesses from --listen';
COMMENT ON COLUMN server_address.path IS 'Its --path, with slashes around it';
COMMENT ON COLUMN server_address.is_guess IS 'True when the server was started without --public-url';
COMMENT ON COLUMN server_address.recorded_at IS 'When that server started';
