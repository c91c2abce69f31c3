-- Whose an allowance is stands in columns of their own instead of in a text such as 'account 4 default'.

ALTER TABLE allowances
    ADD COLUMN voucher_id    bigint REFERENCES vouchers (voucher_id) ON DELETE SET NULL,
    ADD COLUMN account_id    bigint REFERENCES accounts (account_id) ON DELETE SET NULL,
    ADD COLUMN mac           macaddr,
    ADD COLUMN address_hash  bytea CHECK (length(address_hash) = 32);

-- What was of an account that has been removed since, or of a device that was erased, is nobody's.
UPDATE allowances
   SET voucher_id = (SELECT voucher_id
                       FROM vouchers
                      WHERE vouchers.voucher_id = CASE WHEN owner ~ '^voucher [0-9]{1,18}$' THEN split_part(owner, ' ', 2)::bigint END),
       account_id = (SELECT account_id
                       FROM accounts
                      WHERE accounts.account_id = CASE WHEN owner ~ '^account [0-9]{1,18} ' THEN split_part(owner, ' ', 2)::bigint END),
       mac = CASE WHEN owner ~ '^device [^ ]+ ([0-9a-f]{2}:){5}[0-9a-f]{2}$' THEN split_part(owner, ' ', 3)::macaddr END,
       address_hash = CASE WHEN owner ~ '^address [0-9a-f]{64} ' THEN decode(split_part(owner, ' ', 2), 'hex') END;

DROP INDEX allowances_of_devices;
ALTER TABLE allowances
    DROP COLUMN owner,
    ADD CONSTRAINT allowances_have_one_owner CHECK (num_nonnulls(voucher_id, account_id, mac, address_hash) <= 1);
CREATE UNIQUE INDEX allowances_by_voucher ON allowances (voucher_id) WHERE voucher_id IS NOT NULL;
CREATE UNIQUE INDEX allowances_by_account ON allowances (account_id, network) WHERE account_id IS NOT NULL;
CREATE UNIQUE INDEX allowances_by_mac ON allowances (mac, network) WHERE mac IS NOT NULL;
CREATE UNIQUE INDEX allowances_by_address ON allowances (address_hash, network) WHERE address_hash IS NOT NULL;
CREATE INDEX allowances_to_forget ON allowances (claimed_at)
    WHERE voucher_id IS NULL AND account_id IS NULL AND address_hash IS NULL;
COMMENT ON COLUMN allowances.voucher_id IS 'The voucher whose it is; of the four owners one at most, none for an allowance that is nobody''s any more';
COMMENT ON COLUMN allowances.account_id IS 'The account whose it is: an account has one in each network';
COMMENT ON COLUMN allowances.mac IS 'The device whose it is, in its network, if its guest has neither voucher nor account';
COMMENT ON COLUMN allowances.address_hash IS 'SHA-256 of the e-mail address whose it is, in its network: somebody signed up with it who has not shown that it is theirs';
COMMENT ON COLUMN allowances.claimed_at IS 'When somebody last wanted to sign in on it; those of devices and nobody''s are forgotten some time after';
