-- Members from whom it is hidden what was said in a group before they came in: they see only messages after this one.
ALTER TABLE members ADD COLUMN sees_after bigint NOT NULL DEFAULT 0;

-- What write_changes leaves to be written of them, of chats that are held: the list `newcomers`. Called in the same statement, after the
-- members are written, and only where there is something.
CREATE FUNCTION write_newcomers(in_held bigint[], in_apart jsonb) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    UPDATE members m SET sees_after = i.after
    FROM jsonb_to_recordset(in_apart -> 'newcomers') AS i (chat bigint, usr bigint, after bigint)
    WHERE m.chat_id = i.chat AND m.user_id = i.usr AND i.chat = ANY (in_held);
END
$$;
