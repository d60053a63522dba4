-- What one account has used of what strangers may reach one person: its share of that person's budget (`budgets`, kind 2), so that a few
-- accounts do not use all of it up. As there, the moment at which it will be full again; a row that is full says nothing, and goes.
CREATE TABLE reached_by (
    user_id bigint NOT NULL,                  -- who was reached
    by_id   bigint NOT NULL,                  -- by whom
    full_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, by_id)
) WITH (fillfactor = 70);
CREATE INDEX reached_by_time ON reached_by (full_at);
