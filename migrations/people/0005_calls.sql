-- Calls: the log, each person's list, the counter of missed calls.
--
-- Laid out like the foundation: what belongs to a call leads with call_id, what belongs to a person with user_id, and
-- every unique key contains that column. The state of a call that lives is not here: it is in the store that the nodes
-- share, and comes here when it ends.

CREATE TABLE calls (
    call_id      uuid PRIMARY KEY,
    chat_id      bigint NOT NULL,
    caller_id    bigint NOT NULL,
    callee_id    bigint NOT NULL,
    media        text NOT NULL,               -- at its most: voice, video
    relay_only   boolean NOT NULL,
    invited_at   timestamptz NOT NULL,
    answered_at  timestamptz,
    connected_at timestamptz,                 -- media first flowed on both sides
    ended_at     timestamptz NOT NULL,
    reason       text NOT NULL,               -- as on the wire
    winner       uuid,                        -- of a glare: the call that went on
    by_user_id   bigint,                      -- whose doing; null: a timer's
    generations  integer NOT NULL             -- exchanges of offer and answer
);
CREATE INDEX calls_by_time ON calls (invited_at);

-- A person's call list. It repeats what a line shows, so that reading it touches nothing else.
CREATE TABLE user_calls (
    user_id   bigint NOT NULL,
    call_id   uuid NOT NULL,
    chat_id   bigint NOT NULL,
    caller_id bigint NOT NULL,
    callee_id bigint NOT NULL,
    media     text NOT NULL,
    reason    text NOT NULL,
    winner    uuid,
    began_at  timestamptz NOT NULL,
    ended_at  timestamptz NOT NULL,
    seconds   integer NOT NULL,
    PRIMARY KEY (user_id, call_id)
);
CREATE INDEX user_calls_by_time ON user_calls (user_id, began_at DESC, call_id DESC);

-- Records a batch of ended calls in one call and one commit. What was recorded before is left alone, so a batch may
-- come again. Returns whose counter of missed calls has moved.
CREATE FUNCTION record_calls(in_calls json) RETURNS TABLE (user_id bigint, version bigint, missed integer)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM users u
    WHERE u.id IN (SELECT (c ->> 'missed_by')::bigint FROM json_array_elements(in_calls) c)
    ORDER BY u.id FOR NO KEY UPDATE;

    RETURN QUERY
    WITH given AS MATERIALIZED (
        SELECT * FROM json_to_recordset(in_calls) AS c (
            call_id uuid, chat_id bigint, caller_id bigint, callee_id bigint, media text, relay_only boolean,
            invited_at timestamptz, answered_at timestamptz, connected_at timestamptz, ended_at timestamptz,
            reason text, winner uuid, by_user_id bigint, generations integer, seconds integer, missed_by bigint
        )
    ),
    fresh AS (
        INSERT INTO calls (call_id, chat_id, caller_id, callee_id, media, relay_only, invited_at, answered_at,
                           connected_at, ended_at, reason, winner, by_user_id, generations)
        SELECT g.call_id, g.chat_id, g.caller_id, g.callee_id, g.media, g.relay_only, g.invited_at, g.answered_at,
               g.connected_at, g.ended_at, g.reason, g.winner, g.by_user_id, g.generations
        FROM given g ORDER BY g.call_id
        ON CONFLICT (call_id) DO NOTHING RETURNING calls.call_id
    ),
    listed AS (
        INSERT INTO user_calls (user_id, call_id, chat_id, caller_id, callee_id, media, reason, winner, began_at,
                                ended_at, seconds)
        SELECT p.user_id, g.call_id, g.chat_id, g.caller_id, g.callee_id, g.media, g.reason, g.winner, g.invited_at,
               g.ended_at, g.seconds
        FROM given g JOIN fresh f ON f.call_id = g.call_id
        CROSS JOIN LATERAL (VALUES (g.caller_id), (g.callee_id)) AS p (user_id)
        ON CONFLICT DO NOTHING
    ),
    counted AS (
        SELECT g.missed_by, count(*)::integer AS n FROM given g JOIN fresh f ON f.call_id = g.call_id
        WHERE g.missed_by IS NOT NULL GROUP BY g.missed_by
    )
    UPDATE users u
    SET missed_calls = u.missed_calls + k.n, version = u.version + 1, missed_version = u.version + 1
    FROM counted k WHERE u.id = k.missed_by
    RETURNING u.id, u.version, u.missed_calls;
END
$$;

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
