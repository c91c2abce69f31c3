-- Links that say kindly that they were used, and mails counted by whom they go to and who has them sent.

ALTER TABLE email_links ADD COLUMN used_at timestamptz;
COMMENT ON COLUMN email_links.used_at IS 'When it was used; NULL until then';

ALTER TABLE mails ADD COLUMN source text CHECK (length(source) <= 100);
CREATE INDEX mails_by_recipient ON mails (recipient);
CREATE INDEX mails_by_source ON mails (source) WHERE source IS NOT NULL;
COMMENT ON COLUMN mails.source IS 'Address of the connection that had it written, or the IPv6 network of 48 bits that it is in; NULL when unknown';

CREATE TABLE mail_limits (
    subject_hash  bytea PRIMARY KEY CHECK (length(subject_hash) = 32),
    spent_until   timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX mail_limits_by_end ON mail_limits (spent_until);
COMMENT ON TABLE mail_limits IS 'How many mails an address has been sent, or an account has had sent to addresses that are not its own, lately';
COMMENT ON COLUMN mail_limits.subject_hash IS 'SHA-256 of what the mails are counted by';
COMMENT ON COLUMN mail_limits.spent_until IS 'Each mail moves this on by an hour, from now at least; while it is too far ahead, no more are sent';

CREATE TABLE probations (
    address_hash  bytea NOT NULL CHECK (length(address_hash) = 32),
    device_hash   bytea NOT NULL CHECK (length(device_hash) = 32),
    source_hash   bytea CHECK (length(source_hash) = 32),
    began_at      timestamptz NOT NULL,
    PRIMARY KEY (address_hash, device_hash)
);
CREATE INDEX probations_by_device ON probations (device_hash, began_at);
CREATE INDEX probations_by_source ON probations (source_hash, began_at) WHERE source_hash IS NOT NULL;
CREATE INDEX probations_by_beginning ON probations (began_at);
COMMENT ON TABLE probations IS 'Sign-ups with addresses that nobody has shown to be theirs yet: each device gets the grace once for an address';
COMMENT ON COLUMN probations.address_hash IS 'SHA-256 of the address';
COMMENT ON COLUMN probations.device_hash IS 'SHA-256 of the MAC that the guest''s URL claimed, or of nothing';
COMMENT ON COLUMN probations.source_hash IS 'SHA-256 of the address of the connection, or of the IPv6 network of 48 bits that it is in; NULL when unknown';
COMMENT ON COLUMN probations.began_at IS 'When the grace began, which nothing prolongs';

-- Tries no longer count mails to an address, which have limits of their own.
DELETE FROM attempts WHERE kind = 'mails to address';
ALTER TABLE attempts
    DROP CONSTRAINT attempts_subject_check,
    ADD CONSTRAINT attempts_subject_check CHECK (
        CASE kind
        WHEN 'passwords of account' THEN num_nonnulls(account_id, name) = 1 AND num_nonnulls(gw_id, mac, source) = 0
        WHEN 'passwords from source' THEN num_nonnulls(source) = 1 AND num_nonnulls(gw_id, mac, account_id, name) = 0
        WHEN 'device' THEN num_nonnulls(gw_id, mac) = 2 AND num_nonnulls(source, account_id, name) = 0
        WHEN 'codes at gateway' THEN num_nonnulls(gw_id) = 1 AND num_nonnulls(mac, source, account_id, name) = 0
        WHEN 'codes from source' THEN num_nonnulls(gw_id, source) = 2 AND num_nonnulls(mac, account_id, name) = 0
        WHEN 'sign-ups on device' THEN num_nonnulls(gw_id, mac) = 2 AND num_nonnulls(source, account_id, name) = 0
        WHEN 'sign-ups at gateway' THEN num_nonnulls(gw_id) = 1 AND num_nonnulls(mac, source, account_id, name) = 0
        WHEN 'sign-ups from source' THEN num_nonnulls(source) = 1 AND num_nonnulls(gw_id, mac, account_id, name) = 0
        WHEN 'mails from source' THEN num_nonnulls(source) = 1 AND num_nonnulls(gw_id, mac, account_id, name) = 0
        ELSE false END);
COMMENT ON COLUMN attempts.name IS 'What was typed: a name that no account has';

-- Names are folded by wifidogd.domain.tokens.fold_name, which knows more letters than lower() does in any locale.
ALTER TABLE accounts
    DROP CONSTRAINT accounts_name_check,
    ADD CONSTRAINT accounts_name_check CHECK (length(name) BETWEEN 1 AND 100);
COMMENT ON COLUMN accounts.name IS 'User name, folded; compared without regard to case, width and spelling of accents';

-- Where two accounts would be called the same, and in databases in another encoding, names stay: they are found as they are, too.
DO $$
BEGIN
    IF current_setting('server_encoding') = 'UTF8' AND current_setting('server_version_num')::integer >= 130000 THEN
        WITH folded AS (
            SELECT account_id, name,
                   replace(replace(replace(replace(lower(normalize(name, NFKC)), 'ß', 'ss'), 'ς', 'σ'), 'ı', 'i'),
                           U&'i\0307', 'i') AS new_name
              FROM accounts
        ), counted AS (
            SELECT account_id, name, new_name, count(*) OVER (PARTITION BY new_name) AS called_so FROM folded
        )
        UPDATE accounts
           SET name = counted.new_name
          FROM counted
         WHERE accounts.account_id = counted.account_id
           AND counted.new_name <> counted.name
           AND counted.called_so = 1
           AND length(counted.new_name) BETWEEN 1 AND 100
           AND NOT EXISTS (SELECT 1 FROM accounts AS others WHERE others.name = counted.new_name)
           AND NOT EXISTS (SELECT 1
                             FROM accounts AS others
                            WHERE others.email = counted.new_name
                              AND others.account_id <> counted.account_id);
    END IF;
END
$$;
