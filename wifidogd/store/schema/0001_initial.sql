-- The first schema.  Instants are parameters everywhere: no default here calls now().

CREATE TABLE networks (
    name          text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,31}$'),
    title         text NOT NULL CHECK (length(title) BETWEEN 1 AND 100),
    sign_in       text NOT NULL DEFAULT 'splash' CHECK (sign_in IN ('splash', 'account')),
    time_limit    interval CHECK (time_limit > interval '0'),
    quota_octets  bigint CHECK (quota_octets > 0),
    stale_after   interval NOT NULL DEFAULT interval '10 minutes' CHECK (stale_after >= interval '1 minute'),
    terms         text NOT NULL DEFAULT '' CHECK (length(terms) <= 4000),
    retention     interval DEFAULT interval '365 days' CHECK (retention > interval '0')
);
COMMENT ON TABLE networks IS 'What a group of gateways offers to guests';
COMMENT ON COLUMN networks.name IS 'Key, chosen by the operator';
COMMENT ON COLUMN networks.title IS 'What guests read';
COMMENT ON COLUMN networks.sign_in IS 'How guests sign in: splash (accept the terms) or account';
COMMENT ON COLUMN networks.time_limit IS 'Of one stay; NULL for no limit';
COMMENT ON COLUMN networks.quota_octets IS 'Of one stay, both directions together; NULL for no limit';
COMMENT ON COLUMN networks.stale_after IS 'A session without a report for this long has ended, never sooner than 3 intervals of its gateway';
COMMENT ON COLUMN networks.terms IS 'Terms of use, plain text; empty for none';
COMMENT ON COLUMN networks.retention IS 'How long past sessions are kept; NULL for ever';

INSERT INTO networks (name, title) VALUES ('default', 'Free Wi-Fi');

CREATE TABLE gateways (
    gw_id           text PRIMARY KEY CHECK (gw_id ~ '^[A-Za-z0-9._:-]{1,64}$'),
    network         text NOT NULL REFERENCES networks (name),
    address         inet NOT NULL,
    port            integer NOT NULL CHECK (port BETWEEN 1 AND 65535),
    check_interval  interval NOT NULL DEFAULT interval '60 seconds' CHECK (check_interval BETWEEN interval '1 second' AND interval '1 day'),
    key_hashes      bytea[] NOT NULL DEFAULT '{}' CHECK (cardinality(key_hashes) <= 2),
    adopted_at      timestamptz NOT NULL
);
COMMENT ON TABLE gateways IS 'Routers that the operator has adopted';
COMMENT ON COLUMN gateways.gw_id IS 'GatewayID of its wifidog.conf';
COMMENT ON COLUMN gateways.network IS 'What it offers';
COMMENT ON COLUMN gateways.address IS 'Of the gateway in the guests'' network: the only place where guests are sent';
COMMENT ON COLUMN gateways.port IS 'GatewayPort of its wifidog.conf';
COMMENT ON COLUMN gateways.check_interval IS 'CheckInterval of its wifidog.conf';
COMMENT ON COLUMN gateways.key_hashes IS 'SHA-256 of the keys in its ping and auth paths, newest first; empty for none';
COMMENT ON COLUMN gateways.adopted_at IS 'When the operator adopted it';

CREATE TABLE waiting_gateways (
    gw_id       text PRIMARY KEY CHECK (gw_id ~ '^[A-Za-z0-9._:-]{1,64}$'),
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    source      inet NOT NULL,
    address     inet,
    port        integer,
    version     text CHECK (length(version) <= 100)
);
COMMENT ON TABLE waiting_gateways IS 'Gateways that called or sent a guest without having been adopted; bounded by the server';
COMMENT ON COLUMN waiting_gateways.gw_id IS 'As it names itself';
COMMENT ON COLUMN waiting_gateways.first_seen IS 'First ping or guest';
COMMENT ON COLUMN waiting_gateways.last_seen IS 'Last ping or guest';
COMMENT ON COLUMN waiting_gateways.source IS 'Address it called from';
COMMENT ON COLUMN waiting_gateways.address IS 'gw_address of its guests'' redirects; NULL until it sent a guest';
COMMENT ON COLUMN waiting_gateways.port IS 'gw_port of its guests'' redirects';
COMMENT ON COLUMN waiting_gateways.version IS 'User-Agent';

CREATE TABLE heartbeats (
    gw_id           text PRIMARY KEY REFERENCES gateways (gw_id) ON DELETE CASCADE,
    seen_at         timestamptz NOT NULL,
    source          inet NOT NULL,
    version         text CHECK (length(version) <= 100),
    sys_uptime      interval,
    memory_free     bigint,
    load            double precision,
    wifidog_uptime  interval,
    restarted_at    timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE heartbeats IS 'The last ping of each adopted gateway';
COMMENT ON COLUMN heartbeats.gw_id IS 'Whose it is; it goes when the gateway is removed';
COMMENT ON COLUMN heartbeats.seen_at IS 'When it came';
COMMENT ON COLUMN heartbeats.source IS 'Address it came from';
COMMENT ON COLUMN heartbeats.version IS 'User-Agent';
COMMENT ON COLUMN heartbeats.sys_uptime IS 'Of the router; NULL when not told, as below';
COMMENT ON COLUMN heartbeats.memory_free IS 'Octets';
COMMENT ON COLUMN heartbeats.load IS 'One-minute average';
COMMENT ON COLUMN heartbeats.wifidog_uptime IS 'Of the gateway software';
COMMENT ON COLUMN heartbeats.restarted_at IS 'When it last restarted, as wifidog_uptime tells; NULL when never seen to';

CREATE TABLE accounts (
    account_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE CHECK (name = lower(name) AND length(name) BETWEEN 1 AND 100),
    password_hash  text NOT NULL,
    disabled       boolean NOT NULL DEFAULT false,
    created_at     timestamptz NOT NULL
);
COMMENT ON TABLE accounts IS 'Guests who sign in with name and password';
COMMENT ON COLUMN accounts.account_id IS 'For sessions and the history, where a name could be changed';
COMMENT ON COLUMN accounts.name IS 'User name, lower-case; compared without regard to case';
COMMENT ON COLUMN accounts.password_hash IS 'argon2id, in its own PHC string format';
COMMENT ON COLUMN accounts.disabled IS 'True when the operator has locked it';
COMMENT ON COLUMN accounts.created_at IS 'When the operator added it';

CREATE TABLE attempts (
    subject     text PRIMARY KEY CHECK (length(subject) <= 200),
    tries       integer NOT NULL,
    started_at  timestamptz NOT NULL
) WITH (fillfactor = 70);
CREATE INDEX attempts_by_start ON attempts (started_at);
COMMENT ON TABLE attempts IS 'Sign-in tries that have not succeeded, to limit guessing; shared by all servers on this database';
COMMENT ON COLUMN attempts.subject IS 'What is limited: an account, or a device at a gateway';
COMMENT ON COLUMN attempts.tries IS 'Tries since started_at';
COMMENT ON COLUMN attempts.started_at IS 'When the window opened';

CREATE TABLE sessions (
    token_hash     bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    session_id     bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    gw_id          text NOT NULL REFERENCES gateways (gw_id),
    account_id     bigint REFERENCES accounts (account_id),
    mac            macaddr,
    ip             inet,
    url            text CHECK (length(url) <= 1000),
    opened_at      timestamptz NOT NULL,
    activated_at   timestamptz,
    reported_at    timestamptz,
    incoming       bigint NOT NULL DEFAULT 0 CHECK (incoming >= 0),
    outgoing       bigint NOT NULL DEFAULT 0 CHECK (outgoing >= 0),
    last_incoming  bigint NOT NULL DEFAULT 0 CHECK (last_incoming >= 0),
    last_outgoing  bigint NOT NULL DEFAULT 0 CHECK (last_outgoing >= 0),
    time_limit     interval,
    quota_octets   bigint,
    expires_at     timestamptz,
    ending         text
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX sessions_online ON sessions (gw_id, mac) WHERE activated_at IS NOT NULL;
CREATE INDEX sessions_by_account ON sessions (account_id) WHERE account_id IS NOT NULL;
COMMENT ON TABLE sessions IS 'Open sessions only; what ends moves to past_sessions in the same transaction';
COMMENT ON COLUMN sessions.token_hash IS 'SHA-256 of the token';
COMMENT ON COLUMN sessions.session_id IS 'For people and wifidogctl';
COMMENT ON COLUMN sessions.gw_id IS 'The gateway it was minted for; no other may use it';
COMMENT ON COLUMN sessions.account_id IS 'Who signed in; NULL for splash';
COMMENT ON COLUMN sessions.mac IS 'The one the gateway reports; NULL while pending: what a URL claims is never stored';
COMMENT ON COLUMN sessions.ip IS 'Last reported address of the guest';
COMMENT ON COLUMN sessions.url IS 'The page the guest first wanted';
COMMENT ON COLUMN sessions.opened_at IS 'When the token was minted';
COMMENT ON COLUMN sessions.activated_at IS 'When a gateway first asked about it; NULL while pending';
COMMENT ON COLUMN sessions.reported_at IS 'When a gateway last reported it';
COMMENT ON COLUMN sessions.incoming IS 'Octets to the guest';
COMMENT ON COLUMN sessions.outgoing IS 'Octets from the guest';
COMMENT ON COLUMN sessions.last_incoming IS 'The gateway''s raw total at the last report';
COMMENT ON COLUMN sessions.last_outgoing IS 'The gateway''s raw total at the last report';
COMMENT ON COLUMN sessions.time_limit IS 'How long the stay may last; NULL for no limit';
COMMENT ON COLUMN sessions.quota_octets IS 'Both directions together; NULL for no limit';
COMMENT ON COLUMN sessions.expires_at IS 'When the time limit is over; NULL while pending and for no limit';
COMMENT ON COLUMN sessions.ending IS 'Why the next report must end it; NULL normally';

CREATE TABLE past_sessions (
    session_id    bigint NOT NULL,
    network       text NOT NULL,
    gw_id         text NOT NULL,
    account_id    bigint,
    mac           macaddr,
    ip            inet,
    opened_at     timestamptz NOT NULL,
    activated_at  timestamptz,
    ended_at      timestamptz NOT NULL,
    reason        text NOT NULL,
    incoming      bigint NOT NULL,
    outgoing      bigint NOT NULL
);
CREATE INDEX past_sessions_by_end ON past_sessions (network, ended_at);
COMMENT ON TABLE past_sessions IS 'History, append-only; nothing that answers a request reads it';
COMMENT ON COLUMN past_sessions.session_id IS 'As it was in sessions';
COMMENT ON COLUMN past_sessions.network IS 'Of the gateway when the session ended';
COMMENT ON COLUMN past_sessions.gw_id IS 'Where the guest was; may since have been removed';
COMMENT ON COLUMN past_sessions.account_id IS 'Who signed in; NULL for splash';
COMMENT ON COLUMN past_sessions.mac IS 'The guest''s device';
COMMENT ON COLUMN past_sessions.ip IS 'Last reported address';
COMMENT ON COLUMN past_sessions.opened_at IS 'When the token was minted';
COMMENT ON COLUMN past_sessions.activated_at IS 'When the guest got online; NULL if never';
COMMENT ON COLUMN past_sessions.ended_at IS 'When the stay ended: the last report where nobody said';
COMMENT ON COLUMN past_sessions.reason IS 'Why it ended';
COMMENT ON COLUMN past_sessions.incoming IS 'Octets to the guest';
COMMENT ON COLUMN past_sessions.outgoing IS 'Octets from the guest';

CREATE TABLE signing_keys (
    sole     boolean PRIMARY KEY DEFAULT true CHECK (sole),
    secret   text NOT NULL
);
INSERT INTO signing_keys (secret) VALUES (gen_random_uuid()::text || gen_random_uuid()::text);
COMMENT ON TABLE signing_keys IS 'One row: the secret that signs the state of forms, shared by all servers on this database';
COMMENT ON COLUMN signing_keys.sole IS 'Keeps it one row';
COMMENT ON COLUMN signing_keys.secret IS '244 random bits, as text';

CREATE TABLE directory_revision (
    sole      boolean PRIMARY KEY DEFAULT true CHECK (sole),
    revision  bigint NOT NULL
);
INSERT INTO directory_revision (revision) VALUES (1);
COMMENT ON TABLE directory_revision IS 'One row: counts changes of networks and gateways, so that servers know when to read them again';
COMMENT ON COLUMN directory_revision.sole IS 'Keeps it one row';
COMMENT ON COLUMN directory_revision.revision IS 'Grows with every change';

CREATE FUNCTION count_directory_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE directory_revision SET revision = revision + 1;
    RETURN NULL;
END
$$;
CREATE TRIGGER networks_changed AFTER INSERT OR UPDATE OR DELETE ON networks
    FOR EACH STATEMENT EXECUTE FUNCTION count_directory_change();
CREATE TRIGGER gateways_changed AFTER INSERT OR UPDATE OR DELETE ON gateways
    FOR EACH STATEMENT EXECUTE FUNCTION count_directory_change();
