-- Plans, allowances, vouchers, accounts with e-mail, remembered devices, languages and looks.

CREATE TABLE plans (
    name             text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,31}$'),
    title            text NOT NULL CHECK (length(title) BETWEEN 1 AND 100),
    time_limit       interval CHECK (time_limit > interval '0'),
    time_counts      text NOT NULL DEFAULT 'wall' CHECK (time_counts IN ('wall', 'used')),
    incoming_octets  bigint CHECK (incoming_octets > 0),
    outgoing_octets  bigint CHECK (outgoing_octets > 0),
    total_octets     bigint CHECK (total_octets > 0),
    devices          integer CHECK (devices BETWEEN 1 AND 100),
    when_full        text NOT NULL DEFAULT 'refuse' CHECK (when_full IN ('refuse', 'replace')),
    valid_from       timestamptz,
    valid_until      timestamptz CHECK (valid_until > valid_from),
    hours            text NOT NULL DEFAULT '' CHECK (length(hours) <= 400),
    day_time         interval CHECK (day_time > interval '0'),
    day_octets       bigint CHECK (day_octets > 0),
    span             interval CHECK (span BETWEEN interval '1 hour' AND interval '31 days'),
    span_time        interval CHECK (span_time > interval '0'),
    span_octets      bigint CHECK (span_octets > 0),
    CHECK ((span IS NULL) = (span_time IS NULL AND span_octets IS NULL))
);
COMMENT ON TABLE plans IS 'What an allowance allows, over all sessions that draw on it';
COMMENT ON COLUMN plans.name IS 'Key, chosen by the operator';
COMMENT ON COLUMN plans.title IS 'What guests read';
COMMENT ON COLUMN plans.time_limit IS 'In all; NULL for no limit, as for all that follow';
COMMENT ON COLUMN plans.time_counts IS 'wall: from first use on; used: stops while offline';
COMMENT ON COLUMN plans.incoming_octets IS 'To the guest';
COMMENT ON COLUMN plans.outgoing_octets IS 'From the guest';
COMMENT ON COLUMN plans.total_octets IS 'Both directions together';
COMMENT ON COLUMN plans.devices IS 'Online at the same time';
COMMENT ON COLUMN plans.when_full IS 'What becomes of one device more: refuse it, or replace the one online longest';
COMMENT ON COLUMN plans.valid_from IS 'Not to be used before';
COMMENT ON COLUMN plans.valid_until IS 'Not to be used from then on';
COMMENT ON COLUMN plans.hours IS 'Opening hours in the network''s time zone, such as mon-fri 08:00-18:00, sat 10:00-14:00; empty for always';
COMMENT ON COLUMN plans.day_time IS 'Time online in a day of the network''s time zone';
COMMENT ON COLUMN plans.day_octets IS 'Both directions together in such a day';
COMMENT ON COLUMN plans.span IS 'Length of the sliding window of the next two';
COMMENT ON COLUMN plans.span_time IS 'Time online in any window';
COMMENT ON COLUMN plans.span_octets IS 'Both directions together in any window';

ALTER TABLE networks
    ADD COLUMN methods         text[] NOT NULL DEFAULT '{splash}' CHECK (methods <@ '{splash,account,voucher}' AND cardinality(methods) BETWEEN 1 AND 3),
    ADD COLUMN plan            text REFERENCES plans (name),
    ADD COLUMN time_zone       text NOT NULL DEFAULT 'UTC' CHECK (length(time_zone) <= 64),
    ADD COLUMN sign_up         boolean NOT NULL DEFAULT false,
    ADD COLUMN grace           interval NOT NULL DEFAULT interval '20 minutes' CHECK (grace BETWEEN interval '1 minute' AND interval '1 day'),
    ADD COLUMN remember        interval CHECK (remember BETWEEN interval '1 hour' AND interval '366 days'),
    ADD COLUMN remember_random interval CHECK (remember_random BETWEEN interval '1 hour' AND interval '366 days'),
    ADD COLUMN remember_mac    boolean NOT NULL DEFAULT false,
    ADD COLUMN terms_version   integer NOT NULL DEFAULT 1,
    ADD COLUMN colour          text NOT NULL DEFAULT '' CHECK (colour ~ '^(#[0-9a-f]{6})?$'),
    ADD COLUMN logo            bytea CHECK (length(logo) <= 4096);
UPDATE networks SET methods = ARRAY[sign_in];
ALTER TABLE networks DROP COLUMN sign_in;
COMMENT ON COLUMN networks.methods IS 'How guests may sign in';
COMMENT ON COLUMN networks.plan IS 'What guests without a plan of their own get, each device or account an allowance; NULL for no limits over several stays';
COMMENT ON COLUMN networks.time_zone IS 'IANA name; days and opening hours are counted there';
COMMENT ON COLUMN networks.sign_up IS 'Whether guests may make an account with their e-mail address';
COMMENT ON COLUMN networks.grace IS 'How long a guest may be online before the address is validated';
COMMENT ON COLUMN networks.remember IS 'How long a device may come back without a form; NULL for never';
COMMENT ON COLUMN networks.remember_random IS 'The same for a locally administered MAC; NULL for never';
COMMENT ON COLUMN networks.remember_mac IS 'Whether the MAC that the gateway reports is enough to be remembered by';
COMMENT ON COLUMN networks.terms_version IS 'Grows when the terms change';
COMMENT ON COLUMN networks.colour IS 'Main colour of the pages, #rrggbb; empty for ours';
COMMENT ON COLUMN networks.logo IS 'PNG or SVG shown beside the title; NULL for none';

CREATE TABLE terms (
    network   text NOT NULL REFERENCES networks (name),
    language  text NOT NULL CHECK (language ~ '^[a-z]{2}(-[A-Z][a-z]{3})?$'),
    text      text NOT NULL CHECK (length(text) <= 4000),
    PRIMARY KEY (network, language)
);
INSERT INTO terms (network, language, text) SELECT name, 'en', terms FROM networks WHERE terms <> '';
ALTER TABLE networks DROP COLUMN terms;
COMMENT ON TABLE terms IS 'Terms of use of a network, in the operator''s words';
COMMENT ON COLUMN terms.network IS 'Whose';
COMMENT ON COLUMN terms.language IS 'Such as en or zh-Hans';
COMMENT ON COLUMN terms.text IS 'Plain text';
CREATE TRIGGER terms_changed AFTER INSERT OR UPDATE OR DELETE ON terms
    FOR EACH STATEMENT EXECUTE FUNCTION count_directory_change();

CREATE TABLE allowances (
    allowance_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner          text NOT NULL UNIQUE CHECK (length(owner) <= 200),
    network        text NOT NULL REFERENCES networks (name),
    plan           text NOT NULL REFERENCES plans (name),
    first_used_at  timestamptz,
    valid_until    timestamptz,
    used_time      interval NOT NULL DEFAULT interval '0',
    incoming       bigint NOT NULL DEFAULT 0 CHECK (incoming >= 0),
    outgoing       bigint NOT NULL DEFAULT 0 CHECK (outgoing >= 0),
    revoked        boolean NOT NULL DEFAULT false,
    claimed_at     timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX allowances_of_devices ON allowances (claimed_at) WHERE owner LIKE 'device %';
COMMENT ON TABLE allowances IS 'What somebody may still use; sessions draw on it';
COMMENT ON COLUMN allowances.allowance_id IS 'For sessions to refer to';
COMMENT ON COLUMN allowances.owner IS 'Whose: "voucher 17", "account 4 default" or "device default 02:ab:cd:ef:01:01"';
COMMENT ON COLUMN allowances.network IS 'Where it may be used; its time zone counts';
COMMENT ON COLUMN allowances.plan IS 'What it allows; a changed plan holds at once';
COMMENT ON COLUMN allowances.first_used_at IS 'When a session first drew on it; NULL until then';
COMMENT ON COLUMN allowances.valid_until IS 'Not to be used from then on, whatever the plan says; NULL for no end of its own';
COMMENT ON COLUMN allowances.used_time IS 'Of sessions that have ended';
COMMENT ON COLUMN allowances.incoming IS 'Octets to the guest, of sessions that have ended';
COMMENT ON COLUMN allowances.outgoing IS 'Octets from the guest, of sessions that have ended';
COMMENT ON COLUMN allowances.revoked IS 'True when the operator has taken it back';
COMMENT ON COLUMN allowances.claimed_at IS 'When somebody last wanted to sign in on it; those of devices are forgotten some time after';

CREATE TABLE allowance_slots (
    allowance_id  bigint NOT NULL REFERENCES allowances (allowance_id) ON DELETE CASCADE,
    starts_at     timestamptz NOT NULL,
    used_time     interval NOT NULL,
    octets        bigint NOT NULL CHECK (octets >= 0),
    PRIMARY KEY (allowance_id, starts_at)
) WITH (fillfactor = 70);
CREATE INDEX allowance_slots_by_start ON allowance_slots (starts_at);
COMMENT ON TABLE allowance_slots IS 'Recent use, for limits of a day or a sliding window; kept only where the plan has such limits';
COMMENT ON COLUMN allowance_slots.allowance_id IS 'Whose use it is';
COMMENT ON COLUMN allowance_slots.starts_at IS 'The minute, UTC, in which the use was reported';
COMMENT ON COLUMN allowance_slots.used_time IS 'Time online, of all its sessions';
COMMENT ON COLUMN allowance_slots.octets IS 'Both directions together';

CREATE TABLE vouchers (
    voucher_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code_hash    bytea NOT NULL UNIQUE CHECK (length(code_hash) = 32),
    code         text,
    batch        text NOT NULL CHECK (length(batch) BETWEEN 1 AND 40),
    plan         text NOT NULL REFERENCES plans (name),
    network      text NOT NULL REFERENCES networks (name),
    valid_until  timestamptz,
    created_at   timestamptz NOT NULL,
    revoked      boolean NOT NULL DEFAULT false
);
CREATE INDEX vouchers_by_batch ON vouchers (batch);
COMMENT ON TABLE vouchers IS 'Codes on paper that sign guests in';
COMMENT ON COLUMN vouchers.voucher_id IS 'For people and wifidogctl';
COMMENT ON COLUMN vouchers.code_hash IS 'SHA-256 of the code in its plain form';
COMMENT ON COLUMN vouchers.code IS 'The code, for the printed sheet, until its first use; NULL from then on';
COMMENT ON COLUMN vouchers.batch IS 'Made together, printed together';
COMMENT ON COLUMN vouchers.plan IS 'What it allows';
COMMENT ON COLUMN vouchers.network IS 'Where it may be used';
COMMENT ON COLUMN vouchers.valid_until IS 'Not to be used from then on; NULL for no end of its own';
COMMENT ON COLUMN vouchers.created_at IS 'When it was made';
COMMENT ON COLUMN vouchers.revoked IS 'True when the operator has taken it back';

ALTER TABLE accounts
    ADD COLUMN email         text UNIQUE CHECK (email = lower(email) AND length(email) <= 254),
    ADD COLUMN validated_at  timestamptz,
    ADD COLUMN plan          text REFERENCES plans (name),
    ADD COLUMN old_hash      text;
UPDATE accounts SET validated_at = created_at;
ALTER TABLE accounts ALTER COLUMN password_hash DROP NOT NULL;
ALTER TABLE accounts ADD CHECK (password_hash IS NOT NULL OR old_hash IS NOT NULL);
COMMENT ON COLUMN accounts.email IS 'Lower-case; NULL for accounts that the operator made without';
COMMENT ON COLUMN accounts.validated_at IS 'When the guest showed that the address is theirs, or the operator made the account; NULL until then';
COMMENT ON COLUMN accounts.plan IS 'What the account allows; NULL for the plan of the network';
COMMENT ON COLUMN accounts.old_hash IS 'Base64 of MD5, as wifidog-auth stored passwords; NULL once upgraded at a sign-in';

CREATE TABLE email_links (
    link_hash   bytea PRIMARY KEY CHECK (length(link_hash) = 32),
    account_id  bigint NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
    purpose     text NOT NULL CHECK (purpose IN ('validate', 'password', 'address')),
    email       text NOT NULL CHECK (length(email) <= 254),
    expires_at  timestamptz NOT NULL
);
CREATE INDEX email_links_by_expiry ON email_links (expires_at);
CREATE INDEX email_links_by_account ON email_links (account_id);
COMMENT ON TABLE email_links IS 'Links in mails that were sent and not yet followed';
COMMENT ON COLUMN email_links.link_hash IS 'SHA-256 of the secret in the link';
COMMENT ON COLUMN email_links.account_id IS 'Whose';
COMMENT ON COLUMN email_links.purpose IS 'What following it does';
COMMENT ON COLUMN email_links.email IS 'The address it was sent to';
COMMENT ON COLUMN email_links.expires_at IS 'Not good from then on';

CREATE TABLE mails (
    mail_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient   text NOT NULL CHECK (length(recipient) <= 254),
    message     text NOT NULL CHECK (length(message) <= 20000),
    queued_at   timestamptz NOT NULL,
    next_try    timestamptz NOT NULL,
    tries       integer NOT NULL DEFAULT 0
);
CREATE INDEX mails_by_next_try ON mails (next_try);
COMMENT ON TABLE mails IS 'Mails to be sent; what was sent is gone from here';
COMMENT ON COLUMN mails.mail_id IS 'In the order they were queued';
COMMENT ON COLUMN mails.recipient IS 'Address';
COMMENT ON COLUMN mails.message IS 'Head and body, RFC 5322';
COMMENT ON COLUMN mails.queued_at IS 'When it was written';
COMMENT ON COLUMN mails.next_try IS 'When the mail server is asked next';
COMMENT ON COLUMN mails.tries IS 'How often it was asked in vain';

CREATE TABLE devices (
    device_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key_hash    bytea UNIQUE CHECK (length(key_hash) = 32),
    network     text NOT NULL REFERENCES networks (name),
    mac         macaddr,
    account_id  bigint REFERENCES accounts (account_id) ON DELETE CASCADE,
    voucher_id  bigint REFERENCES vouchers (voucher_id) ON DELETE CASCADE,
    remembered_at  timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    seen           boolean NOT NULL DEFAULT false,
    CHECK ((account_id IS NULL) <> (voucher_id IS NULL))
);
CREATE INDEX devices_by_mac ON devices (network, mac) WHERE mac IS NOT NULL;
CREATE INDEX devices_by_expiry ON devices (expires_at);
CREATE INDEX devices_not_seen ON devices (remembered_at) WHERE NOT seen;
CREATE INDEX devices_by_account ON devices (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX devices_by_voucher ON devices (voucher_id) WHERE voucher_id IS NOT NULL;
COMMENT ON TABLE devices IS 'Devices that may come back without a form';
COMMENT ON COLUMN devices.device_id IS 'For the pages that show and forget it';
COMMENT ON COLUMN devices.key_hash IS 'SHA-256 of the secret in its cookie';
COMMENT ON COLUMN devices.network IS 'Where it is remembered';
COMMENT ON COLUMN devices.mac IS 'As a gateway reported it; NULL until then';
COMMENT ON COLUMN devices.account_id IS 'Who signed in on it; NULL for a voucher';
COMMENT ON COLUMN devices.voucher_id IS 'By which voucher; NULL for an account';
COMMENT ON COLUMN devices.remembered_at IS 'When its guest signed in with a form';
COMMENT ON COLUMN devices.expires_at IS 'Not remembered from then on';
COMMENT ON COLUMN devices.seen IS 'True once a gateway has let it in; forgotten soon otherwise';

ALTER TABLE sessions
    ADD COLUMN allowance_id     bigint REFERENCES allowances (allowance_id),
    ADD COLUMN claimed_mac      macaddr,
    ADD COLUMN probation_until  timestamptz,
    ADD COLUMN terms_version    integer,
    ADD COLUMN device_id        bigint;
CREATE INDEX sessions_by_allowance ON sessions (allowance_id) WHERE allowance_id IS NOT NULL;
COMMENT ON COLUMN sessions.allowance_id IS 'What it draws on; NULL for a stay that only its own limits bound';
COMMENT ON COLUMN sessions.claimed_mac IS 'The MAC that must turn out to be the guest''s, because the allowance is of that device; NULL where it does not matter';
COMMENT ON COLUMN sessions.probation_until IS 'Until when the guest is online on trust, their address not yet validated; NULL for others';
COMMENT ON COLUMN sessions.terms_version IS 'Of the terms the guest accepted, at opened_at';
COMMENT ON COLUMN sessions.device_id IS 'The remembered device it is of, which may have been forgotten since; NULL for none';

CREATE FUNCTION meet_device() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM devices AS others
     USING devices AS met
     WHERE met.device_id = NEW.device_id
       AND others.network = met.network
       AND others.mac = NEW.mac
       AND others.device_id <> met.device_id;
    UPDATE devices SET mac = NEW.mac, seen = true WHERE device_id = NEW.device_id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION meet_device IS 'Learn the MAC of a remembered device from the gateway; what was remembered under that MAC before is forgotten';
CREATE TRIGGER device_met AFTER UPDATE OF activated_at ON sessions FOR EACH ROW
    WHEN (OLD.activated_at IS NULL AND NEW.activated_at IS NOT NULL AND NEW.device_id IS NOT NULL)
    EXECUTE FUNCTION meet_device();

ALTER TABLE past_sessions ADD COLUMN allowance_id bigint, ADD COLUMN terms_version integer;
CREATE INDEX past_sessions_by_account ON past_sessions (account_id, ended_at) WHERE account_id IS NOT NULL;
COMMENT ON TABLE past_sessions IS 'History, append-only but for guests who have theirs erased; only "my data" reads it for a request, by account';
COMMENT ON COLUMN past_sessions.allowance_id IS 'What it drew on; NULL for nothing';
COMMENT ON COLUMN past_sessions.terms_version IS 'Of the terms the guest had accepted';

CREATE TABLE farewells (
    gw_id     text NOT NULL REFERENCES gateways (gw_id) ON DELETE CASCADE,
    mac       macaddr NOT NULL,
    reason    text NOT NULL,
    ended_at  timestamptz NOT NULL,
    back_at   timestamptz,
    PRIMARY KEY (gw_id, mac)
);
CREATE INDEX farewells_by_end ON farewells (ended_at);
COMMENT ON TABLE farewells IS 'Why a limit last ended the stay of a device, for the next page its guest sees';
COMMENT ON COLUMN farewells.gw_id IS 'Where';
COMMENT ON COLUMN farewells.mac IS 'Whose';
COMMENT ON COLUMN farewells.reason IS 'Which limit';
COMMENT ON COLUMN farewells.ended_at IS 'When';
COMMENT ON COLUMN farewells.back_at IS 'When they may come back; NULL when that limit never lifts by itself';
