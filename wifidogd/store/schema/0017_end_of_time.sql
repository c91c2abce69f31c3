-- The time of a session is over when its limit is reached, or when its guest was on trust for as long as the network allows.

DROP INDEX sessions_by_expiry;
CREATE INDEX sessions_by_end_of_time ON sessions (least(expires_at, probation_until))
    WHERE least(expires_at, probation_until) IS NOT NULL;
