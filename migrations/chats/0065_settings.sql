-- Messages that delete themselves: when. What is to be deleted stands in the message too; here it is found when it is time.
CREATE TABLE expiring (
    chat_id bigint NOT NULL,
    seq     bigint NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (chat_id, seq)
);
CREATE INDEX expiring_due ON expiring (at);

-- What write_changes leaves to be written of them, of chats that are held: the list `expiring`, in which those without a time are done.
-- Called in the same statement, only where there is something.
CREATE FUNCTION write_expiring(in_held bigint[], in_apart jsonb) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    INSERT INTO expiring (chat_id, seq, at)
    SELECT i.chat, i.seq, i.at FROM jsonb_to_recordset(in_apart -> 'expiring') AS i (chat bigint, seq bigint, at timestamptz)
    WHERE i.at IS NOT NULL AND i.chat = ANY (in_held) ORDER BY i.chat, i.seq
    ON CONFLICT (chat_id, seq) DO NOTHING;
    DELETE FROM expiring k USING jsonb_to_recordset(in_apart -> 'expiring') AS i (chat bigint, seq bigint, at timestamptz)
    WHERE k.chat_id = i.chat AND k.seq = i.seq AND i.at IS NULL AND i.chat = ANY (in_held);
END
$$;
