-- Messages are stored without waiting for chats that somebody else has locked, unless `in_wait` says so: one busy chat is
-- not to hold up those that share a batch with it. Outcomes as in `send_messages`, and
--           6 the chat is locked just now: nothing was done
--
-- The time of a message is read after the lock, and is never before that of the last change of its chat. The settings of
-- the planner are those of the session now (server/src/store/send.rs): set and taken back by each call they cost more than
-- the call's own work, when it stores one message. Nodes of the version before still call `send_messages`.
CREATE FUNCTION send_messages_2(
    in_wait boolean,
    in_chat bigint[], in_sender bigint[], in_client uuid[], in_hash bigint[], in_reply bigint[], in_body text[]
) RETURNS TABLE (ord bigint, outcome smallint, seq bigint, version bigint, sent_at timestamptz)
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    held   bigint[];
    moment timestamptz;
BEGIN
    IF in_wait THEN
        held := ARRAY(SELECT id FROM chats WHERE id = ANY (in_chat) ORDER BY id FOR NO KEY UPDATE);
    ELSE
        held := ARRAY(SELECT id FROM chats WHERE id = ANY (in_chat) ORDER BY id FOR NO KEY UPDATE SKIP LOCKED);
    END IF;
    moment := clock_timestamp();

    RETURN QUERY
    WITH judged AS MATERIALIZED (
        SELECT i.*, c.seq AS last_seq, c.version AS last_version, greatest(moment, c.changed_at) AS at,
               e.seq AS old_seq, e.version AS old_version, e.sent_at AS old_sent_at,
               (CASE
                    WHEN c.id IS NULL THEN 2
                    WHEN i.chat <> ALL (held) THEN 6
                    WHEN m.role IS NULL THEN 2
                    WHEN e.seq IS NOT NULL THEN CASE WHEN e.client_hash = i.hash THEN 1 ELSE 4 END
                    WHEN c.kind = 2 AND m.role = 0 THEN 3
                    WHEN i.reply > c.seq OR i.reply < 1 THEN 5
                    ELSE 0
                END)::smallint AS outcome
        FROM unnest(in_chat, in_sender, in_client, in_hash, in_reply, in_body) WITH ORDINALITY
                 AS i (chat, sender, client, hash, reply, body, ord)
        LEFT JOIN chats c ON c.id = i.chat
        LEFT JOIN members m ON m.chat_id = i.chat AND m.user_id = i.sender
        LEFT JOIN messages e ON e.chat_id = i.chat AND e.sender_id = i.sender AND e.client_id = i.client
    ),
    numbered AS MATERIALIZED (
        SELECT j.*, row_number() OVER (PARTITION BY j.chat ORDER BY j.ord) AS n FROM judged j WHERE j.outcome = 0
    ),
    stored AS (
        INSERT INTO messages (chat_id, seq, version, sender_id, client_id, client_hash, sent_at, reply_to, body)
        SELECT n.chat, n.last_seq + n.n, n.last_version + n.n, n.sender, n.client, n.hash, n.at, n.reply, n.body::jsonb
        FROM numbered n
    ),
    counted AS (
        UPDATE chats c SET seq = c.seq + k.n, version = c.version + k.n, changed_at = k.at
        FROM (SELECT chat, max(n) AS n, max(at) AS at FROM numbered GROUP BY chat) k
        WHERE c.id = k.chat
    )
    SELECT n.ord, n.outcome, n.last_seq + n.n, n.last_version + n.n, n.at FROM numbered n
    UNION ALL
    SELECT j.ord, j.outcome, j.old_seq, j.old_version, j.old_sent_at FROM judged j WHERE j.outcome <> 0;
END
$$;
