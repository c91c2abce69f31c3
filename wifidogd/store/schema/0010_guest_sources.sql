-- What strangers share slows down instead of closing, and spares those whose guests have signed in.

ALTER TABLE attempts ADD COLUMN permitted integer;
COMMENT ON COLUMN attempts.source IS 'Address of the connection, or the block of addresses that it is in';
COMMENT ON COLUMN attempts.permitted IS 'Of a limit that many share: how many tries it permitted at the last one, as it grows with the window; a try beyond it is not one of them';

CREATE TABLE guest_sources (
    gw_id         text NOT NULL REFERENCES gateways (gw_id) ON DELETE CASCADE,
    source        text NOT NULL CHECK (length(source) <= 100),
    signed_in_at  timestamptz NOT NULL,
    PRIMARY KEY (gw_id, source)
);
CREATE INDEX guest_sources_by_time ON guest_sources (signed_in_at);
COMMENT ON TABLE guest_sources IS 'Where guests of a gateway have signed in from with a password or a code: strangers do not use up their tries';
COMMENT ON COLUMN guest_sources.gw_id IS 'Where';
COMMENT ON COLUMN guest_sources.source IS 'Address of the connection, or its IPv6 network of 64 bits';
COMMENT ON COLUMN guest_sources.signed_in_at IS 'When, within an hour; forgotten a day after';
