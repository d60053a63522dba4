-- Strangers: what somebody may do to them in a day, whom they have found, and what the operator was told.

-- What somebody has used of a budget, as the moment at which it will be full again: a token bucket in one value. Here
-- and not in a node's memory, so that more nodes, devices or connections bring nothing.
CREATE TABLE budgets (
    user_id bigint NOT NULL,
    kind    smallint NOT NULL,                -- 0 new contacts, 1 look-ups, 2 reached by strangers
    full_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, kind)
) WITH (fillfactor = 70);

-- Whom somebody has found by handle, at most the latest thousand. An id alone opens nothing.
CREATE TABLE found_people (
    user_id  bigint NOT NULL,
    other_id bigint NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, other_id)
);
CREATE INDEX found_people_by_time ON found_people (user_id, found_at);

-- Who has told the operator of whom. Once for each two people; the last word counts.
CREATE TABLE reports (
    user_id     bigint NOT NULL,              -- of whom it is told
    by_id       bigint NOT NULL,
    chat_id     bigint,
    seq         bigint,
    reason      text NOT NULL,
    note        text,
    reported_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, by_id)
);
CREATE INDEX reports_by_time ON reports (reported_at DESC);
