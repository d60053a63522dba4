-- Requests from strangers, and reports.

ALTER TABLE user_chats
    ADD COLUMN peer_id bigint,                      -- of a direct chat: the other one
    ADD COLUMN request smallint NOT NULL DEFAULT 0; -- 1: a stranger has begun the chat; 2: and was declined

-- Gives out the id of the direct chat of two people; always the same for the same two. Both lists know of it from here on, before the
-- chat is made: whose request it is, and that whoever opens it has done something in it.
CREATE FUNCTION claim_direct(in_user bigint, in_other bigint, in_request boolean) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    chat bigint;
BEGIN
    INSERT INTO direct_chats AS d (low_user_id, high_user_id) VALUES (least(in_user, in_other), greatest(in_user, in_other))
    ON CONFLICT (low_user_id, high_user_id) DO UPDATE SET chat_id = d.chat_id RETURNING chat_id INTO chat;
    INSERT INTO user_chats (user_id, chat_id, kind, engaged, turn, version, peer_id, request)
    SELECT i.usr, chat, 0, i.usr = in_user, 0, 0, i.peer, CASE WHEN in_request AND i.usr <> in_user THEN 1 ELSE 0 END
    FROM (SELECT DISTINCT * FROM (VALUES (in_user, in_other), (in_other, in_user)) AS v (usr, peer)) i ORDER BY i.usr
    ON CONFLICT (user_id, chat_id) DO NOTHING;
    RETURN chat;
END
$$;

-- Notes that somebody has opened a direct chat, or accepted it: it is an answer. It may come before the list knows of the chat.
-- Returns the line of the list, if that has changed.
CREATE FUNCTION engage(in_user bigint, in_chat bigint)
RETURNS TABLE (user_id bigint, chat_id bigint, role smallint, read_seq bigint, request boolean, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    before user_chats;
    bumped bigint;
BEGIN
    PERFORM 1 FROM users u WHERE u.id = in_user FOR NO KEY UPDATE;
    SELECT * INTO before FROM user_chats k WHERE k.user_id = in_user AND k.chat_id = in_chat;
    IF before IS NULL THEN
        INSERT INTO user_chats (user_id, chat_id, kind, engaged, turn, version) VALUES (in_user, in_chat, 0, true, 0, 0);
    ELSIF before.request = 0 OR before.turn = 0 THEN
        UPDATE user_chats k SET engaged = true, request = 0
        WHERE k.user_id = in_user AND k.chat_id = in_chat AND (NOT k.engaged OR k.request <> 0);
    ELSE
        UPDATE users u SET version = u.version + 1 WHERE u.id = in_user RETURNING u.version INTO bumped;
        RETURN QUERY
        UPDATE user_chats k SET engaged = true, request = 0, role = coalesce(k.role, 0::smallint), version = bumped
        WHERE k.user_id = in_user AND k.chat_id = in_chat
        RETURNING k.user_id, k.chat_id, k.role, k.read_seq, false, k.version;
    END IF;
END
$$;

-- A request is declined: the chat is gone from the list, and what happens in it does not bring it back.
CREATE FUNCTION decline(in_user bigint, in_chat bigint)
RETURNS TABLE (user_id bigint, chat_id bigint, role smallint, read_seq bigint, request boolean, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
    bumped bigint;
BEGIN
    PERFORM 1 FROM users u WHERE u.id = in_user FOR NO KEY UPDATE;
    IF NOT EXISTS (SELECT FROM user_chats k WHERE k.user_id = in_user AND k.chat_id = in_chat AND k.request = 1) THEN
        RETURN;
    END IF;
    UPDATE users u SET version = u.version + 1 WHERE u.id = in_user RETURNING u.version INTO bumped;
    RETURN QUERY
    UPDATE user_chats k SET request = 2, role = NULL, version = bumped
    WHERE k.user_id = in_user AND k.chat_id = in_chat
    RETURNING k.user_id, k.chat_id, k.role, k.read_seq, false, k.version;
END
$$;

-- As before, and: whoever writes in a request has accepted it, and one that was declined stays away until then.
DROP FUNCTION apply_memberships(bigint[], bigint[], smallint[], smallint[], bigint[], boolean[], bigint[]);
CREATE FUNCTION apply_memberships(
    in_user bigint[], in_chat bigint[], in_kind smallint[], in_role smallint[], in_read bigint[], in_engaged boolean[],
    in_turn bigint[]
) RETURNS TABLE (user_id bigint, chat_id bigint, role smallint, read_seq bigint, request boolean, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    -- Only where something is due: what follows the feed finds nearly everything done.
    PERFORM 1 FROM users u WHERE u.id IN (
        SELECT i.usr FROM unnest(in_user, in_chat, in_turn) AS i (usr, chat, turn)
        LEFT JOIN user_chats k ON k.user_id = i.usr AND k.chat_id = i.chat
        WHERE k.turn IS NULL OR k.turn < i.turn
    ) ORDER BY u.id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT i.*, u.version + row_number() OVER (PARTITION BY i.usr ORDER BY i.ord) AS version
        FROM unnest(in_user, in_chat, in_kind, in_role, in_read, in_engaged, in_turn) WITH ORDINALITY
                 AS i (usr, chat, kind, role, read_seq, engaged, turn, ord)
        JOIN users u ON u.id = i.usr
        LEFT JOIN user_chats k ON k.user_id = i.usr AND k.chat_id = i.chat
        WHERE k.turn IS NULL OR k.turn < i.turn
    ),
    bumped AS (
        UPDATE users u SET version = d.last
        FROM (SELECT usr, max(version) AS last FROM due GROUP BY usr) d WHERE u.id = d.usr
    )
    INSERT INTO user_chats AS k (user_id, chat_id, kind, role, read_seq, engaged, turn, version)
    SELECT d.usr, d.chat, d.kind, d.role, d.read_seq, d.engaged, d.turn, d.version FROM due d ORDER BY d.usr, d.chat
    ON CONFLICT (user_id, chat_id) DO UPDATE SET
        role = CASE WHEN k.request = 2 AND NOT excluded.engaged THEN NULL ELSE excluded.role END,
        turn = excluded.turn, version = excluded.version,
        engaged = k.engaged OR excluded.engaged,
        request = CASE WHEN k.engaged OR excluded.engaged THEN 0 ELSE k.request END,
        read_seq = CASE WHEN k.role IS NULL AND k.request <> 2 THEN excluded.read_seq ELSE k.read_seq END
    RETURNING k.user_id, k.chat_id, k.role, k.read_seq, k.request = 1, k.version;
END
$$;

DROP FUNCTION mark_read(bigint[], bigint[], bigint[]);
CREATE FUNCTION mark_read(in_user bigint[], in_chat bigint[], in_seq bigint[])
RETURNS TABLE (user_id bigint, chat_id bigint, role smallint, read_seq bigint, request boolean, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    PERFORM 1 FROM users u WHERE u.id = ANY (in_user) ORDER BY u.id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT i.*, u.version + row_number() OVER (PARTITION BY i.usr ORDER BY i.ord) AS version
        FROM unnest(in_user, in_chat, in_seq) WITH ORDINALITY AS i (usr, chat, seq, ord)
        JOIN users u ON u.id = i.usr
        JOIN user_chats k ON k.user_id = i.usr AND k.chat_id = i.chat
        WHERE k.role IS NOT NULL AND k.read_seq < i.seq
    ),
    bumped AS (
        UPDATE users u SET version = d.last
        FROM (SELECT usr, max(version) AS last FROM due GROUP BY usr) d WHERE u.id = d.usr
    )
    UPDATE user_chats k SET read_seq = d.seq, version = d.version
    FROM due d WHERE k.user_id = d.usr AND k.chat_id = d.chat
    RETURNING k.user_id, k.chat_id, k.role, k.read_seq, k.request = 1, k.version;
END
$$;

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
