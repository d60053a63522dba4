-- People's lists of chats, and what chats are given before they are made.

-- The chat of two people. The id is given out here, and the chat made with it afterwards: whoever finds no chat makes it.
CREATE TABLE direct_chats (
    low_user_id  bigint NOT NULL,
    high_user_id bigint NOT NULL,
    chat_id      bigint NOT NULL DEFAULT with_slot(nextval('chat_numbers')),
    PRIMARY KEY (low_user_id, high_user_id)
);

-- Makes the creation of a chat repeatable: a retry finds what the first try made, or was about to make.
CREATE TABLE created_chats (
    user_id   bigint NOT NULL,
    client_id uuid NOT NULL,
    chat_id   bigint NOT NULL DEFAULT with_slot(nextval('chat_numbers')),
    kind      smallint NOT NULL,              -- 1 group, 2 channel
    PRIMARY KEY (user_id, client_id)
);

-- A person's list of chats. role: 0 member, 1 admin, 2 owner, null gone.
CREATE TABLE user_chats (
    user_id  bigint NOT NULL,
    chat_id  bigint NOT NULL,
    kind     smallint NOT NULL,               -- 0 direct, 1 group, 2 channel
    role     smallint,
    read_seq bigint NOT NULL DEFAULT 0,
    engaged  boolean NOT NULL DEFAULT false,  -- has opened the chat, or written in it
    turn     bigint NOT NULL,                 -- of the membership that this repeats
    version  bigint NOT NULL,                 -- the user's version at the last change
    peer_id  bigint,                          -- of a direct chat: the other one
    request  smallint NOT NULL DEFAULT 0,     -- 1: a stranger has begun the chat; 2: and was declined
    PRIMARY KEY (user_id, chat_id)
) WITH (fillfactor = 80);
-- With a condition of its own it serves those statements only that name it: the planner else takes it for as good as the primary
-- key, and reads all chats of a person for one row.
CREATE INDEX user_chats_by_version ON user_chats (user_id, version) WHERE version > 0;

-- How far what follows the chats' feed has come.
CREATE TABLE feed_cursors (
    consumer text PRIMARY KEY,
    history  text NOT NULL DEFAULT '',        -- the epoch of the chats' side that the cursor belongs to
    xid      xid8 NOT NULL DEFAULT '0',
    id       bigint NOT NULL DEFAULT 0
);

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

-- A direct chat is opened or accepted, which is an answer and may come before the list knows of the chat; or a request is declined:
-- then it is gone from the list, and what happens in it does not bring it back. Returns the line of the list, if that has changed.
CREATE FUNCTION answer_direct(in_user bigint, in_chat bigint, in_accept boolean)
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
    IF NOT FOUND THEN
        INSERT INTO user_chats (user_id, chat_id, kind, engaged, turn, version)
        SELECT in_user, in_chat, 0, true, 0, 0 WHERE in_accept;
    ELSIF in_accept AND (before.request = 0 OR before.turn = 0) THEN
        UPDATE user_chats k SET engaged = true, request = 0
        WHERE k.user_id = in_user AND k.chat_id = in_chat AND (NOT k.engaged OR k.request <> 0);
    ELSIF in_accept OR before.request = 1 THEN
        UPDATE users u SET version = u.version + 1 WHERE u.id = in_user RETURNING u.version INTO bumped;
        RETURN QUERY
        UPDATE user_chats k SET engaged = k.engaged OR in_accept, version = bumped,
               request = CASE WHEN in_accept THEN 0 ELSE 2 END,
               role = CASE WHEN in_accept THEN coalesce(k.role, 0::smallint) END
        WHERE k.user_id = in_user AND k.chat_id = in_chat
        RETURNING k.user_id, k.chat_id, k.role, k.read_seq, false, k.version;
    END IF;
END
$$;

-- Brings people's lists into line with who is in which chat. No (user, chat) twice; what is older than what stands there is left
-- out, so that it may come again and in any order. Whoever writes in a request has accepted it, and one that was declined stays
-- away until then. Turns below `in_first` belong to an earlier history of the chats' side: what is newer than what stands there now was
-- lost. Returns what has changed, each with a version of its own.
--
-- A function, because its second statement must see what was committed while its first waited for the locks.
CREATE FUNCTION apply_memberships(
    in_user bigint[], in_chat bigint[], in_kind smallint[], in_role smallint[], in_read bigint[], in_engaged boolean[],
    in_turn bigint[], in_first bigint
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
        WHERE k.turn IS NULL OR k.turn < i.turn OR (k.turn < in_first AND k.turn > i.turn)
    ) ORDER BY u.id FOR NO KEY UPDATE;
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT i.*, u.version + row_number() OVER (PARTITION BY i.usr ORDER BY i.ord) AS version
        FROM unnest(in_user, in_chat, in_kind, in_role, in_read, in_engaged, in_turn) WITH ORDINALITY
                 AS i (usr, chat, kind, role, read_seq, engaged, turn, ord)
        JOIN users u ON u.id = i.usr
        LEFT JOIN user_chats k ON k.user_id = i.usr AND k.chat_id = i.chat
        WHERE k.turn IS NULL OR k.turn < i.turn OR (k.turn < in_first AND k.turn > i.turn)
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

-- Moves read marks forward, never back. No (user, chat) twice. Returns those that moved; and without a version those of people whom
-- somebody else has locked: they are passed over, so that nobody waits for another's lock.
CREATE FUNCTION mark_read(in_user bigint[], in_chat bigint[], in_seq bigint[])
RETURNS TABLE (user_id bigint, chat_id bigint, role smallint, read_seq bigint, request boolean, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    held bigint[];
BEGIN
    held := ARRAY(SELECT u.id FROM users u WHERE u.id = ANY (in_user) ORDER BY u.id FOR NO KEY UPDATE SKIP LOCKED);
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT i.*, u.version + row_number() OVER (PARTITION BY i.usr ORDER BY i.ord) AS version
        FROM unnest(in_user, in_chat, in_seq) WITH ORDINALITY AS i (usr, chat, seq, ord)
        JOIN users u ON u.id = i.usr
        CROSS JOIN LATERAL (SELECT * FROM user_chats k WHERE k.user_id = i.usr AND k.chat_id = i.chat LIMIT 1) k
        WHERE k.role IS NOT NULL AND k.read_seq < i.seq AND i.usr = ANY (held)
    ),
    bumped AS (
        UPDATE users u SET version = d.last
        FROM (SELECT usr, max(version) AS last FROM due GROUP BY usr) d WHERE u.id = d.usr
    )
    UPDATE user_chats k SET read_seq = d.seq, version = d.version
    FROM due d WHERE k.user_id = d.usr AND k.chat_id = d.chat
    RETURNING k.user_id, k.chat_id, k.role, k.read_seq, k.request = 1, k.version;
    RETURN QUERY
    SELECT i.usr, i.chat, NULL::smallint, i.seq, NULL::boolean, NULL::bigint
    FROM unnest(in_user, in_chat, in_seq) AS i (usr, chat, seq) WHERE i.usr <> ALL (held);
END
$$;
