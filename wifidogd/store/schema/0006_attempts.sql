-- Tries are limited by what they refer to, in columns of its own instead of a text that says so.

ALTER TABLE attempts
    ADD COLUMN attempt_id  bigint GENERATED ALWAYS AS IDENTITY,
    ADD COLUMN kind        text,
    ADD COLUMN gw_id       text REFERENCES gateways (gw_id) ON DELETE CASCADE,
    ADD COLUMN mac         macaddr,
    ADD COLUMN source      text CHECK (length(source) <= 100),
    ADD COLUMN account_id  bigint REFERENCES accounts (account_id) ON DELETE CASCADE,
    ADD COLUMN name        text CHECK (length(name) <= 254);

-- Of a gateway that is gone nobody needs them any more, and no window is longer than a quarter of an hour.
WITH read AS (
    SELECT subject,
           CASE WHEN subject ~ '^device \S+ [0-9a-f:]{17}$' THEN 'device'
                WHEN subject ~ '^sign-up device \S+ [0-9a-f:]{17}$' THEN 'sign-ups on device'
                WHEN subject ~ '^sign-up gateway \S+$' THEN 'sign-ups at gateway'
                WHEN subject LIKE 'sign-up source _%' THEN 'sign-ups from source'
                WHEN subject ~ '^gateway \S+$' THEN 'codes at gateway'
                WHEN subject ~ '^codes at \S+ from .' THEN 'codes from source'
                WHEN subject LIKE 'passwords from _%' THEN 'passwords from source'
                WHEN subject LIKE 'account %' THEN 'passwords of account'
                WHEN subject LIKE 'mail _%' THEN 'mails to address'
                WHEN subject LIKE 'source _%' THEN 'mails from source' END AS kind
      FROM attempts
), parted AS (
    SELECT subject, kind,
           CASE kind WHEN 'device' THEN split_part(subject, ' ', 2)
                     WHEN 'codes at gateway' THEN split_part(subject, ' ', 2)
                     WHEN 'sign-ups on device' THEN split_part(subject, ' ', 3)
                     WHEN 'sign-ups at gateway' THEN split_part(subject, ' ', 3)
                     WHEN 'codes from source' THEN split_part(subject, ' ', 3) END AS gw_id,
           CASE kind WHEN 'device' THEN split_part(subject, ' ', 3)
                     WHEN 'sign-ups on device' THEN split_part(subject, ' ', 4) END AS mac,
           CASE kind WHEN 'sign-ups from source' THEN substr(subject, length('sign-up source ') + 1)
                     WHEN 'passwords from source' THEN substr(subject, length('passwords from ') + 1)
                     WHEN 'codes from source' THEN substring(subject FROM ' from (.+)$')
                     WHEN 'mails from source' THEN substr(subject, length('source ') + 1) END AS source,
           CASE kind WHEN 'passwords of account' THEN substr(subject, length('account ') + 1)
                     WHEN 'mails to address' THEN substr(subject, length('mail ') + 1) END AS name
      FROM read
)
UPDATE attempts
   SET kind = parted.kind,
       gw_id = gateways.gw_id,
       mac = parted.mac::macaddr,
       source = parted.source,
       account_id = accounts.account_id,
       name = CASE WHEN accounts.account_id IS NULL THEN parted.name END
  FROM parted
  LEFT JOIN gateways ON gateways.gw_id = parted.gw_id
  LEFT JOIN accounts ON accounts.name = parted.name AND parted.kind = 'passwords of account'
 WHERE attempts.subject = parted.subject
   AND (parted.gw_id IS NULL OR gateways.gw_id IS NOT NULL);
DELETE FROM attempts WHERE kind IS NULL;

ALTER TABLE attempts
    DROP COLUMN subject,
    ADD PRIMARY KEY (attempt_id),
    ALTER COLUMN kind SET NOT NULL,
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
        WHEN 'mails to address' THEN num_nonnulls(name) = 1 AND num_nonnulls(gw_id, mac, source, account_id) = 0
        WHEN 'mails from source' THEN num_nonnulls(source) = 1 AND num_nonnulls(gw_id, mac, account_id, name) = 0
        ELSE false END);
CREATE UNIQUE INDEX attempts_by_subject ON attempts (
    kind, coalesce(gw_id, ''), coalesce(mac, '00:00:00:00:00:00'::macaddr), coalesce(source, ''),
    coalesce(account_id, 0), coalesce(name, ''));
CREATE INDEX attempts_by_device ON attempts (gw_id, mac) WHERE gw_id IS NOT NULL;
CREATE INDEX attempts_by_account ON attempts (account_id) WHERE account_id IS NOT NULL;
COMMENT ON COLUMN attempts.attempt_id IS 'To forgive a try that turned out right';
COMMENT ON COLUMN attempts.kind IS 'Which limit; it says which of the next five columns are set';
COMMENT ON COLUMN attempts.gw_id IS 'The gateway that the try is made at';
COMMENT ON COLUMN attempts.mac IS 'The device, as its guest''s URL claims';
COMMENT ON COLUMN attempts.source IS 'Address of the connection, or the IPv6 network of 64 bits that it is in';
COMMENT ON COLUMN attempts.account_id IS 'The account whose password was tried';
COMMENT ON COLUMN attempts.name IS 'What was typed: a name that no account has, or the address that a mail goes to';
