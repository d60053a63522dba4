-- Durable work that some node does at its time. A job that is being done stands here with the time at which another node may take it
-- over; one that has failed too often is a dead letter, for an operator to look at.
CREATE TABLE jobs (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL,
    about      jsonb,                         -- what the kind needs to know
    every      interval,                      -- done again and again; null: once
    run_at     timestamptz NOT NULL DEFAULT now(),
    attempts   integer NOT NULL DEFAULT 0,    -- begun since it last succeeded
    lease      uuid,                          -- of whoever does it now
    last_error text,
    dead_at    timestamptz
) WITH (fillfactor = 50);
CREATE INDEX jobs_due ON jobs (run_at) WHERE dead_at IS NULL;
CREATE INDEX jobs_dead ON jobs (dead_at) WHERE dead_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_recurring ON jobs (kind) WHERE every IS NOT NULL;
