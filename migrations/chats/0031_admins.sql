-- What admins do: a log of it, why people were removed, and a time between two posts.

-- Kept for 30 days. action: see protocol/src/admin_log.rs.
CREATE TABLE admin_log (
    chat_id bigint NOT NULL,
    id      bigint GENERATED ALWAYS AS IDENTITY,
    at      timestamptz NOT NULL DEFAULT now(),
    by_id   bigint NOT NULL,
    action  jsonb NOT NULL,
    PRIMARY KEY (chat_id, id)
);
CREATE INDEX admin_log_by_time ON admin_log (at);

-- How somebody was removed the last time. It counts while they are banned.
CREATE TABLE removals (
    chat_id bigint NOT NULL,
    user_id bigint NOT NULL,
    by_id   bigint NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    reason  text,
    PRIMARY KEY (chat_id, user_id)
);

-- When members posted last, in groups where posts have a time between them.
CREATE TABLE last_posts (
    chat_id bigint NOT NULL,
    user_id bigint NOT NULL,
    at      timestamptz NOT NULL,
    PRIMARY KEY (chat_id, user_id)
) WITH (fillfactor = 80);

-- What few batches have, of chats that are held: in the statement that calls write_changes, and after it. The list `entry` holds those
-- of write_entry, `polls` those of write_polls (0050_polls.sql).
CREATE FUNCTION write_apart(in_held bigint[], in_apart jsonb) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    IF in_apart ? 'entry' THEN
        PERFORM write_entry(in_held, in_apart -> 'entry');
    END IF;
    IF in_apart ? 'posted' THEN
        INSERT INTO last_posts AS k (chat_id, user_id, at)
        SELECT i.chat, i.usr, i.at FROM jsonb_to_recordset(in_apart -> 'posted') AS i (chat bigint, usr bigint, at timestamptz)
        WHERE i.chat = ANY (in_held) ORDER BY i.chat, i.usr
        ON CONFLICT (chat_id, user_id) DO UPDATE SET at = excluded.at;
    END IF;
    IF in_apart ? 'removals' THEN
        INSERT INTO removals AS k (chat_id, user_id, by_id, reason)
        SELECT i.chat, i.usr, i.by, i.reason
        FROM jsonb_to_recordset(in_apart -> 'removals') AS i (chat bigint, usr bigint, by bigint, reason text)
        WHERE i.chat = ANY (in_held) ORDER BY i.chat, i.usr
        ON CONFLICT (chat_id, user_id) DO UPDATE SET by_id = excluded.by_id, at = excluded.at, reason = excluded.reason;
    END IF;
    IF in_apart ? 'log' THEN
        INSERT INTO admin_log (chat_id, by_id, action)
        SELECT i.chat, i.by, i.action FROM jsonb_to_recordset(in_apart -> 'log') AS i (chat bigint, by bigint, action jsonb)
        WHERE i.chat = ANY (in_held);
    END IF;
    IF in_apart ? 'polls' THEN
        PERFORM write_polls(in_held, in_apart -> 'polls');
    END IF;
END
$$;
