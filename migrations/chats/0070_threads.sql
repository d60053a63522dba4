-- Threads: in a group that belongs to a channel, the comments on each of its posts. Messages in threads have a mark in their bodies; here
-- stands what finds them. A message without a thread has no row here.

-- root: the message with which it begins, the post as it was carried into the group.
CREATE TABLE threads (
    chat_id    bigint NOT NULL,
    root       bigint NOT NULL,
    channel_id bigint NOT NULL,
    post       bigint NOT NULL,               -- the seq of the post in its channel
    count      integer NOT NULL DEFAULT 0,    -- of messages in it
    told       integer NOT NULL DEFAULT -1,   -- what the post says of it; -1: it says nothing of it yet
    told_at    timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (chat_id, root)
) WITH (fillfactor = 70);
CREATE INDEX threads_untold ON threads (told_at) WHERE count <> told;

CREATE TABLE thread_messages (
    chat_id bigint NOT NULL,
    root    bigint NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (chat_id, root, seq)
);

-- Up to which post a channel was carried into its group.
CREATE TABLE carried (
    channel_id bigint NOT NULL,
    group_id   bigint NOT NULL,
    upto       bigint NOT NULL,
    PRIMARY KEY (channel_id, group_id)
);

-- What is new in threads and what is gone, of chats that are held: in the statement that calls write_changes, and after it.
CREATE FUNCTION write_threads(in_held bigint[], in_threads jsonb) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    INSERT INTO threads (chat_id, root, channel_id, post)
    SELECT i.chat, i.root, i.channel, i.post
    FROM jsonb_to_recordset(in_threads -> 'roots') AS i (chat bigint, root bigint, channel bigint, post bigint)
    WHERE i.chat = ANY (in_held) ORDER BY i.chat, i.root ON CONFLICT DO NOTHING;
    -- One after the other: what is said and deleted in one batch is there, and gone again.
    WITH said AS (
        INSERT INTO thread_messages (chat_id, root, seq)
        SELECT i.chat, i.root, i.seq FROM jsonb_to_recordset(in_threads -> 'said') AS i (chat bigint, root bigint, seq bigint)
        WHERE i.chat = ANY (in_held) ORDER BY i.chat, i.root, i.seq ON CONFLICT DO NOTHING
        RETURNING chat_id, root
    ), moved AS (
        SELECT k.chat_id, k.root, count(*) AS n FROM said k GROUP BY k.chat_id, k.root
    )
    UPDATE threads t SET count = t.count + m.n FROM moved m WHERE t.chat_id = m.chat_id AND t.root = m.root;
    WITH gone AS (
        DELETE FROM thread_messages t USING jsonb_to_recordset(in_threads -> 'gone') AS i (chat bigint, root bigint, seq bigint)
        WHERE t.chat_id = i.chat AND t.root = i.root AND t.seq = i.seq AND i.chat = ANY (in_held)
        RETURNING t.chat_id, t.root
    ), moved AS (
        SELECT k.chat_id, k.root, count(*) AS n FROM gone k GROUP BY k.chat_id, k.root
    )
    UPDATE threads t SET count = t.count - m.n FROM moved m WHERE t.chat_id = m.chat_id AND t.root = m.root;
END
$$;
