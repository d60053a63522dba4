-- Whom messages of groups call: by a mention, or as the answer to a message of theirs. A row for each who is called, and none for messages
-- that call nobody. What somebody has read already may be missing here.
CREATE TABLE mentions (
    chat_id bigint NOT NULL,
    user_id bigint NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (chat_id, user_id, seq)
);

-- Writes whom messages call, or do no longer, of chats that are held: in the statement that calls write_changes, and after it.
CREATE FUNCTION write_mentions(in_held bigint[], in_apart jsonb) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    IF in_apart ? 'called' THEN
        -- Each by its own look into the index, whatever the planner takes their number for.
        DELETE FROM mentions WHERE ctid = ANY (ARRAY(
            SELECT k.ctid
            FROM jsonb_to_recordset(in_apart -> 'called') AS i (chat bigint, seq bigint, usr bigint, called boolean)
            CROSS JOIN LATERAL (
                SELECT k.ctid FROM mentions k WHERE k.chat_id = i.chat AND k.user_id = i.usr AND k.seq = i.seq LIMIT 1
            ) k
            WHERE NOT i.called AND i.chat = ANY (in_held)));
        -- What was read is looked for by nobody.
        DELETE FROM mentions WHERE ctid = ANY (ARRAY(
            SELECT k.ctid
            FROM jsonb_to_recordset(in_apart -> 'called') AS i (chat bigint, usr bigint, called boolean)
            CROSS JOIN LATERAL (
                SELECT m.read_seq FROM members m WHERE m.chat_id = i.chat AND m.user_id = i.usr LIMIT 1
            ) m
            CROSS JOIN LATERAL (
                SELECT k.ctid FROM mentions k
                WHERE k.chat_id = i.chat AND k.user_id = i.usr AND k.seq <= m.read_seq ORDER BY k.seq LIMIT 100
            ) k
            WHERE i.called AND i.chat = ANY (in_held)));
        INSERT INTO mentions (chat_id, user_id, seq)
        SELECT i.chat, i.usr, i.seq
        FROM jsonb_to_recordset(in_apart -> 'called') AS i (chat bigint, seq bigint, usr bigint, called boolean)
        JOIN members m ON m.chat_id = i.chat AND m.user_id = i.usr
        WHERE i.called AND m.role IS NOT NULL AND i.chat = ANY (in_held) ORDER BY i.chat, i.usr, i.seq
        ON CONFLICT DO NOTHING;
    END IF;
END
$$;
