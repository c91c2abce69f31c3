-- Lists of clients instead of single reports, and what reports show of the software that sends them.

ALTER TABLE sessions ADD COLUMN missed_at timestamptz;
ALTER TABLE sessions ADD COLUMN listed_from text CHECK (length(listed_from) <= 100);
COMMENT ON COLUMN sessions.missed_at IS 'When a complete list of the gateway''s clients first left it out; void once a report is newer; NULL for never';
COMMENT ON COLUMN sessions.listed_from IS 'At a gateway without a key: the address from which it was last listed, where alone a list may leave it out; NULL for none';

ALTER TABLE gateways ADD COLUMN counters text NOT NULL DEFAULT 'auto' CHECK (counters IN ('auto', 'swapped', 'straight'));
ALTER TABLE gateways ADD COLUMN counters_seen text CHECK (counters_seen IN ('swapped', 'straight'));
ALTER TABLE gateways ADD COLUMN dialect text CHECK (length(dialect) <= 20);
COMMENT ON COLUMN gateways.counters IS 'What its software calls incoming: straight for to the guest, swapped for from the guest, auto for what is known of it';
COMMENT ON COLUMN gateways.counters_seen IS 'The same as the packets of its guests show it; NULL while they do not tell';
COMMENT ON COLUMN gateways.dialect IS 'Of the last report that was accepted; NULL before the first';
