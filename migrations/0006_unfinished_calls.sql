-- The calls of a node without Redis while they live: what is to be recorded of each if the node dies. A node that starts
-- closes what others have left. Where Redis keeps the calls, nothing stands here.

CREATE TABLE unfinished_calls (
    call_id uuid PRIMARY KEY,
    node    bigint NOT NULL,      -- a number that each start of a node draws
    record  json NOT NULL,        -- as if it had ended when it was written
    seen_at timestamptz NOT NULL  -- then it lived
);
CREATE INDEX unfinished_calls_by_node ON unfinished_calls (node);

-- When such a node was last alive: one row for all its calls.
CREATE TABLE lone_nodes (
    node    bigint PRIMARY KEY,
    seen_at timestamptz NOT NULL
);
