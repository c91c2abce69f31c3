-- TLS at ports of plain HTTP needs a certificate: one that the server has made, where the operator has none.

CREATE TABLE server_certificates (
    host         text PRIMARY KEY CHECK (length(host) BETWEEN 1 AND 253),
    certificate  text NOT NULL,
    private_key  text NOT NULL,
    expires_at   timestamptz NOT NULL
);
COMMENT ON TABLE server_certificates IS 'What servers have made themselves, to speak TLS where guests are sent by https to a port of plain HTTP; shared by all servers on this database';
COMMENT ON COLUMN server_certificates.host IS 'Name or address by which guests reach the server';
COMMENT ON COLUMN server_certificates.certificate IS 'X.509 in PEM, signed with its own key';
COMMENT ON COLUMN server_certificates.private_key IS 'PKCS #8 in PEM, not encrypted';
COMMENT ON COLUMN server_certificates.expires_at IS 'When browsers take it no longer; it is replaced a month before';
