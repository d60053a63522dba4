-- Pages that end by bytes as well as by rows.
--
-- Written in plpgsql, because a page must be able to stop reading: a window function would unpack all rows that the page
-- may have before it says where it ends. The planner is held to index scans and to one plan, as it would else plan anew for each
-- chat: it cannot know how few rows are asked for.

-- A message of a page, with the asking user's reaction to it. A row without seq ends what was read of a chat: its version
-- is the one that the page leads to.
CREATE TYPE paged_message AS (
    place        integer,                     -- which of the chats that were asked for
    seq          bigint,
    version      bigint,
    sender_id    bigint,
    client_id    uuid,
    sent_at      timestamptz,
    edited_at    timestamptz,
    reply_to     bigint,
    body         jsonb,
    reactions    jsonb,
    views        bigint,
    mine         text,
    mine_version bigint
);

-- What a message takes on the wire with the asking user's reaction, or a little more.
CREATE FUNCTION message_bytes(body jsonb, reactions jsonb, mine text) RETURNS integer LANGUAGE sql STABLE
RETURN 288 + octet_length(body::text) + coalesce(octet_length(reactions::text), 0) + CASE WHEN mine IS NULL THEN 0 ELSE 160 END;

-- Messages with a seq from in_place - in_before to in_place + in_after - 1. When they are too many bytes, those that are
-- the nearest to the place, without holes; at least one on either side.
CREATE FUNCTION messages_around(
    in_chat bigint, in_place bigint, in_before bigint, in_after bigint, in_user bigint, in_bytes bigint
) RETURNS SETOF paged_message
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
AS $$
DECLARE
    it    paged_message;
    size  integer;
    spent bigint := 0;
    taken integer := 0;
    upto  bigint := CASE WHEN in_after > 0 THEN in_bytes / 2 ELSE in_bytes END;
BEGIN
    FOR it IN
        SELECT 1, m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions, m.views,
               r.emoji, r.version
        FROM messages m
        LEFT JOIN reactions r ON r.chat_id = m.chat_id AND r.seq = m.seq AND r.user_id = in_user
        WHERE m.chat_id = in_chat AND m.seq < in_place AND m.seq >= in_place - in_before ORDER BY m.seq DESC LIMIT in_before
    LOOP
        size := message_bytes(it.body, it.reactions, it.mine);
        EXIT WHEN taken > 0 AND spent + size > upto;
        spent := spent + size;
        taken := taken + 1;
        RETURN NEXT it;
    END LOOP;
    taken := 0;
    FOR it IN
        SELECT 1, m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions, m.views,
               r.emoji, r.version
        FROM messages m
        LEFT JOIN reactions r ON r.chat_id = m.chat_id AND r.seq = m.seq AND r.user_id = in_user
        WHERE m.chat_id = in_chat AND m.seq >= in_place AND m.seq < in_place + in_after ORDER BY m.seq LIMIT in_after
    LOOP
        size := message_bytes(it.body, it.reactions, it.mine);
        EXIT WHEN taken > 0 AND spent + size > in_bytes;
        spent := spent + size;
        taken := taken + 1;
        RETURN NEXT it;
    END LOOP;
END
$$;

-- The messages that changed in some stretches of versions, for each chat by version and then the row that ends it. A chat
-- gets at most in_rows messages and in_each bytes, all together in_bytes: chats that find no room are not told at all, save
-- the first. A stretch ends between two versions, never within one, and such that it holds at most 400 rows of members,
-- and without a user at most 500 reactions; one version has 201 and one at most.
CREATE FUNCTION changed_messages(
    in_chat bigint[], in_from bigint[], in_upto bigint[], in_user bigint, in_rows integer, in_each bigint, in_bytes bigint
) RETURNS SETOF paged_message
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
AS $$
DECLARE
    it     paged_message;
    cut    bigint;
    last   bigint;
    taken  integer;
    others integer;
    special integer;
    size   integer;
    spent  bigint := 0;
    here   bigint;
BEGIN
    FOR i IN 1 .. cardinality(in_chat) LOOP
        cut := in_upto[i];
        SELECT count(*), max(k.version), count(*) FILTER (WHERE k.special) INTO others, last, special FROM (
            SELECT m.version, m.rights <> 0 OR m.denied <> 0 AS special FROM members m
            WHERE m.chat_id = in_chat[i] AND m.version > 0 AND m.version > in_from[i] AND m.version <= cut
            ORDER BY m.version LIMIT 401
        ) k;
        IF others > 400 THEN
            cut := last - 1;
        END IF;
        here := 512 + 128 * others + 200 * special;
        IF in_user IS NULL THEN
            SELECT count(*), max(k.version) INTO others, last FROM (
                SELECT r.version FROM reactions r
                WHERE r.chat_id = in_chat[i] AND r.version > 0 AND r.version > in_from[i] AND r.version <= cut
                ORDER BY r.version LIMIT 501
            ) k;
            IF others > 500 THEN
                cut := last - 1;
            END IF;
            here := here + 176 * others;
        END IF;
        IF i > 1 AND spent + here > in_bytes THEN
            RETURN;
        END IF;
        taken := 0;
        FOR it IN
            SELECT i, m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions, m.views,
                   r.emoji, r.version
            FROM messages m
            LEFT JOIN reactions r ON r.chat_id = m.chat_id AND r.seq = m.seq AND r.user_id = in_user
            WHERE m.chat_id = in_chat[i] AND m.version > 0 AND m.version > in_from[i] AND m.version <= cut
            ORDER BY m.version FETCH FIRST (in_rows + 1) ROWS WITH TIES
        LOOP
            size := message_bytes(it.body, it.reactions, it.mine);
            IF taken = 0 THEN
                IF i > 1 AND spent + here + size > in_bytes THEN
                    RETURN;
                END IF;
            ELSIF it.version > last AND (taken >= in_rows OR here + size > in_each OR spent + here + size > in_bytes) THEN
                cut := it.version - 1;
                EXIT;
            END IF;
            here := here + size;
            taken := taken + 1;
            last := it.version;
            RETURN NEXT it;
        END LOOP;
        -- The last rows share a version, and none was read behind them: there may be more.
        IF taken > in_rows THEN
            cut := last;
        END IF;
        spent := spent + here;
        it := NULL;
        it.place := i;
        it.version := cut;
        RETURN NEXT it;
    END LOOP;
END
$$;

-- The last messages of some chats, for each chat by seq backwards and then the row that ends it. Bounds as above; a chat's
-- first in_members members are counted in.
CREATE FUNCTION last_messages(
    in_chat bigint[], in_user bigint, in_members integer, in_rows integer, in_each bigint, in_bytes bigint
) RETURNS SETOF paged_message
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_bitmapscan = off
AS $$
DECLARE
    it    paged_message;
    chat  record;
    taken integer;
    size  integer;
    spent bigint := 0;
    here  bigint;
BEGIN
    FOR i IN 1 .. cardinality(in_chat) LOOP
        SELECT c.kind, c.seq, c.version INTO chat FROM chats c WHERE c.id = in_chat[i];
        CONTINUE WHEN NOT FOUND;
        here := 1024;
        IF chat.kind <> 2 THEN
            SELECT here + 128 * count(*) + 200 * count(*) FILTER (WHERE k.special) INTO here FROM (
                SELECT m.rights <> 0 OR m.denied <> 0 AS special FROM members m WHERE m.chat_id = in_chat[i] AND m.role IS NOT NULL ORDER BY m.user_id LIMIT in_members
            ) k;
        END IF;
        taken := 0;
        IF i > 1 AND spent + here > in_bytes THEN
            RETURN;
        END IF;
        FOR it IN
            SELECT i, m.seq, m.version, m.sender_id, m.client_id, m.sent_at, m.edited_at, m.reply_to, m.body, m.reactions, m.views,
                   r.emoji, r.version
            FROM messages m
            LEFT JOIN reactions r ON r.chat_id = m.chat_id AND r.seq = m.seq AND r.user_id = in_user
            WHERE m.chat_id = in_chat[i] AND m.seq > chat.seq - in_rows ORDER BY m.seq DESC LIMIT in_rows
        LOOP
            size := message_bytes(it.body, it.reactions, it.mine);
            IF taken = 0 THEN
                IF i > 1 AND spent + here + size > in_bytes THEN
                    RETURN;
                END IF;
            ELSE
                EXIT WHEN here + size > in_each OR spent + here + size > in_bytes;
            END IF;
            here := here + size;
            taken := taken + 1;
            RETURN NEXT it;
        END LOOP;
        spent := spent + here;
        it := NULL;
        it.place := i;
        it.version := chat.version;
        RETURN NEXT it;
    END LOOP;
END
$$;
