SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
CREATE SCHEMA chats;
CREATE SCHEMA people;
CREATE TYPE chats.paged_message AS (
	place integer,
	seq bigint,
	version bigint,
	sender_id bigint,
	client_id uuid,
	sent_at timestamp with time zone,
	edited_at timestamp with time zone,
	reply_to bigint,
	body jsonb,
	reactions jsonb,
	views bigint,
	mine text,
	mine_version bigint
);
CREATE FUNCTION chats.changed_messages(in_chat bigint[], in_from bigint[], in_upto bigint[], in_user bigint, in_rows integer, in_each bigint, in_bytes bigint) RETURNS SETOF chats.paged_message
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
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
CREATE FUNCTION chats.count_views(in_chat bigint[], in_user bigint[], in_seq bigint[]) RETURNS SETOF bigint
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
DECLARE
    channels bigint[];
BEGIN
    WITH there AS MATERIALIZED (
        SELECT m.chat_id, m.user_id, m.read_seq AS before, i.seq
        FROM unnest(in_chat, in_user, in_seq) AS i (chat, usr, seq)
        CROSS JOIN LATERAL (
            SELECT * FROM members m
            WHERE m.chat_id = i.chat AND m.user_id = i.usr AND m.role IS NOT NULL AND m.read_seq < i.seq LIMIT 1
            FOR NO KEY UPDATE
        ) m
    ),
    moved AS (
        UPDATE members m SET read_seq = t.seq
        FROM there t WHERE m.chat_id = t.chat_id AND m.user_id = t.user_id AND m.read_seq < t.seq
        RETURNING m.chat_id, t.before, t.seq
    ),
    counted AS (
        INSERT INTO views AS v (chat_id, seq, seen)
        SELECT m.chat_id, s.seq, count(*)
        FROM moved m CROSS JOIN LATERAL generate_series(greatest(m.before, m.seq - 50) + 1, m.seq) AS s (seq)
        GROUP BY m.chat_id, s.seq ORDER BY m.chat_id, s.seq
        ON CONFLICT (chat_id, seq) DO UPDATE SET seen = v.seen + excluded.seen
        RETURNING v.chat_id, (v.seen - v.told) * 64 > v.told AS news
    )
    SELECT array_agg(DISTINCT c.chat_id ORDER BY c.chat_id) INTO channels FROM counted c WHERE c.news;
    PERFORM 1 FROM counts k WHERE k.chat_id = ANY (channels) ORDER BY k.chat_id FOR NO KEY UPDATE;
    UPDATE counts k SET stale = true WHERE k.chat_id = ANY (channels);
    RETURN QUERY SELECT unnest(channels);
END
$$;
SET default_tablespace = '';
SET default_table_access_method = heap;
CREATE TABLE chats.meta (
    only_row boolean DEFAULT true NOT NULL,
    epoch uuid DEFAULT gen_random_uuid() NOT NULL,
    turns bigint DEFAULT 0 NOT NULL,
    CONSTRAINT meta_only_row_check CHECK (only_row)
);
CREATE FUNCTION chats.first_turn() RETURNS bigint
    LANGUAGE sql STABLE
    RETURN (SELECT (m.turns + CASE WHEN pg_is_in_recovery() THEN (0)::bigint ELSE ((((('x'::text || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)))::bit(32))::bigint - 1) << 32) END) FROM chats.meta m);
CREATE FUNCTION chats.last_messages(in_chat bigint[], in_user bigint, in_members integer, in_rows integer, in_each bigint, in_bytes bigint) RETURNS SETOF chats.paged_message
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
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
CREATE FUNCTION chats.message_bytes(body jsonb, reactions jsonb, mine text) RETURNS integer
    LANGUAGE sql STABLE
    RETURN (((288 + octet_length((body)::text)) + COALESCE(octet_length((reactions)::text), 0)) + CASE WHEN (mine IS NULL) THEN 0 ELSE 160 END);
CREATE FUNCTION chats.messages_around(in_chat bigint, in_place bigint, in_before bigint, in_after bigint, in_user bigint, in_bytes bigint) RETURNS SETOF chats.paged_message
    LANGUAGE plpgsql STABLE
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET enable_bitmapscan TO 'off'
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
CREATE FUNCTION chats.move_readers(in_chat bigint[], in_user bigint[], in_before bigint[], in_turn bigint[], in_role smallint[], in_read bigint[]) RETURNS SETOF bigint
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
DECLARE
    places       bigint[];
    nobody_there boolean;
BEGIN
    WITH i AS MATERIALIZED (
        SELECT * FROM unnest(in_chat, in_user, in_before, in_turn, in_role, in_read) WITH ORDINALITY
            AS i (chat, usr, before, turn, role, read_seq, place) ORDER BY i.chat, i.usr
    ),
    there AS MATERIALIZED (
        SELECT m.chat_id, m.user_id, m.role FROM i JOIN members m ON m.chat_id = i.chat AND m.user_id = i.usr
        WHERE i.before > 0 AND m.turn = i.before ORDER BY m.chat_id, m.user_id FOR NO KEY UPDATE OF m
    ),
    moved AS (
        UPDATE members m SET role = i.role, turn = i.turn, rights = 0, went = i.role IS NULL,
               banned = m.banned AND i.role IS NULL,
               read_seq = CASE WHEN m.role IS NULL THEN i.read_seq ELSE m.read_seq END
        FROM there t JOIN i ON i.chat = t.chat_id AND i.usr = t.user_id
        WHERE m.chat_id = t.chat_id AND m.user_id = t.user_id AND m.turn = i.before
        RETURNING i.place, i.chat, (i.role IS NOT NULL)::integer - (t.role IS NOT NULL)::integer AS more
    ),
    came AS (
        INSERT INTO members (chat_id, user_id, role, read_seq, turn)
        SELECT i.chat, i.usr, i.role, i.read_seq, i.turn FROM i WHERE i.before = 0 ORDER BY i.chat, i.usr
        ON CONFLICT (chat_id, user_id) DO NOTHING RETURNING chat_id, user_id
    ),
    written AS MATERIALIZED (
        SELECT place, chat, more FROM moved
        UNION ALL
        SELECT i.place, i.chat, 1 FROM came c JOIN i ON i.chat = c.chat_id AND i.usr = c.user_id
    ),
    counted AS (
        INSERT INTO counts AS c (chat_id, members, stale)
        SELECT w.chat, sum(w.more), true FROM written w GROUP BY w.chat ORDER BY w.chat
        ON CONFLICT (chat_id) DO UPDATE SET members = c.members + excluded.members, stale = true
        RETURNING c.chat_id, c.members
    ),
    fed AS (
        INSERT INTO feed (chats, froms, tos, kinds, people)
        SELECT (SELECT array_agg(DISTINCT w.chat) FROM written w), '{}', '{}', '{}',
               (SELECT jsonb_agg(jsonb_build_array(i.chat, i.usr)) FROM written w JOIN i ON i.place = w.place)
        WHERE EXISTS (SELECT FROM written)
    )
    SELECT array_agg(w.place),
           EXISTS (SELECT FROM counted c
                   WHERE c.members <= (SELECT sum(x.more) FROM written x WHERE x.chat = c.chat_id AND x.more > 0))
    INTO places, nobody_there FROM written w;
    IF nobody_there THEN
        -- Its owner has just gone, and with them everybody.
        RAISE EXCEPTION 'everybody has left' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN QUERY SELECT unnest(places);
END
$$;
CREATE FUNCTION chats.tend_feed() RETURNS void
    LANGUAGE plpgsql
    SET lock_timeout TO '100ms'
    AS $_$
DECLARE
    day   date;
    name  text;
    stale text;
BEGIN
    FOR ahead IN 0 .. 2 LOOP
        day := (now() AT TIME ZONE 'UTC')::date + ahead;
        name := 'feed_' || to_char(day, 'YYYYMMDD');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        -- What has come into the rest for that day already would be in the way.
        CONTINUE WHEN EXISTS (SELECT FROM feed_rest f WHERE f.at >= day::timestamp AT TIME ZONE 'UTC'
                                  AND f.at < (day + 1)::timestamp AT TIME ZONE 'UTC');
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF feed FOR VALUES FROM (%L) TO (%L)', name,
                       day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
    END LOOP;
    FOR stale IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'feed'::regclass AND c.relname ~ '^feed_[0-9]{8}$'
          AND to_date(substr(c.relname, 6), 'YYYYMMDD') < (now() AT TIME ZONE 'UTC')::date - 7
    LOOP
        EXECUTE format('DROP TABLE IF EXISTS %I', stale);
    END LOOP;
    DELETE FROM feed_rest WHERE ctid = ANY (ARRAY(
        SELECT f.ctid FROM feed_rest f WHERE f.at < now() - interval '7 days' LIMIT 10000));
END
$_$;
CREATE FUNCTION chats.write_changes(in_chat bigint[], in_from bigint[], in_seq bigint[], in_version bigint[], in_at timestamp with time zone[], in_kinds smallint[], in_m_chat bigint[], in_m_seq bigint[], in_m_version bigint[], in_m_sender bigint[], in_m_client uuid[], in_m_hash bigint[], in_m_at timestamp with time zone[], in_m_reply bigint[], in_m_body text[], in_more jsonb) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
DECLARE
    held bigint[];
    made bigint[];
    full_batch boolean;
BEGIN
    held := ARRAY(
        SELECT c.id FROM unnest(in_chat, in_from) AS i (chat, version) JOIN chats c ON c.id = i.chat
        WHERE c.version = i.version ORDER BY c.id FOR NO KEY UPDATE OF c SKIP LOCKED);
    IF in_more ? 'created' THEN
        WITH fresh AS (
            INSERT INTO chats (id, kind, title, handle, rights, created_at, changed_at, info_version, told_members)
            SELECT i.id, i.kind, i.title, i.handle, i.rights, i.created_at, i.created_at, i.info_version, i.told_members
            FROM jsonb_to_recordset(in_more -> 'created') AS i (
                id bigint, kind smallint, title text, handle text, rights integer, created_at timestamptz, info_version bigint,
                told_members bigint)
            ORDER BY i.id ON CONFLICT (id) DO NOTHING RETURNING id
        )
        SELECT array_agg(id) INTO made FROM fresh;
        held := held || coalesce(made, '{}');
    END IF;
    IF cardinality(held) = 0 THEN
        RETURN held;
    END IF;
    full_batch := cardinality(held) = cardinality(in_chat);
    INSERT INTO messages (chat_id, seq, version, sender_id, client_id, client_hash, sent_at, reply_to, body)
    SELECT i.chat, i.seq, i.version, i.sender, i.client, i.hash, i.at, i.reply, i.body::jsonb
    FROM unnest(in_m_chat, in_m_seq, in_m_version, in_m_sender, in_m_client, in_m_hash, in_m_at, in_m_reply, in_m_body)
             AS i (chat, seq, version, sender, client, hash, at, reply, body)
    WHERE full_batch OR i.chat = ANY (held);
    UPDATE chats c SET seq = i.seq, version = i.version, changed_at = i.at
    FROM unnest(in_chat, in_from, in_seq, in_version, in_at) AS i (chat, from_version, seq, version, at)
    WHERE c.id = i.chat AND i.version > i.from_version AND (full_batch OR i.chat = ANY (held));
    IF in_more IS NOT NULL THEN
        PERFORM write_rare_rows(held, in_more);
    END IF;
    INSERT INTO feed (chats, froms, tos, kinds, people)
    SELECT array_agg(i.chat), array_agg(i.from_version), array_agg(i.version), array_agg(i.kind), in_more -> 'people'
    FROM unnest(in_chat, in_from, in_version, in_kinds) AS i (chat, from_version, version, kind)
    -- Also standings that nobody else sees and that moved no version: people's own lists follow the feed.
    WHERE (i.version > i.from_version OR i.kind & 2 <> 0) AND (full_batch OR i.chat = ANY (held))
    HAVING count(*) > 0;
    RETURN held;
END
$$;
CREATE FUNCTION chats.write_counters(in_held bigint[], in_more jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    channels bigint[];
BEGIN
    channels := ARRAY(
        SELECT c.chat_id FROM counts c
        WHERE c.chat_id IN (SELECT i.chat FROM jsonb_to_recordset(in_more -> 'told') AS i (chat bigint)) AND c.chat_id = ANY (in_held)
        ORDER BY c.chat_id FOR NO KEY UPDATE);
    -- With the lock on its counts: whoever moves something meanwhile marks it as stale afterwards.
    UPDATE counts k SET told_at = i.at, stale =
        k.members <> c.told_members
        OR EXISTS (SELECT FROM reactions r WHERE r.chat_id = k.chat_id AND r.version = 0)
        OR EXISTS (SELECT FROM views v WHERE v.chat_id = k.chat_id AND (v.seen - v.told) * 64 > v.told)
    FROM jsonb_to_recordset(in_more -> 'told') AS i (chat bigint, at timestamptz) JOIN chats c ON c.id = i.chat
    WHERE k.chat_id = i.chat AND i.chat = ANY (channels);
END
$$;
CREATE FUNCTION chats.write_rare_rows(in_held bigint[], in_more jsonb) RETURNS void
    LANGUAGE plpgsql
    AS $$
DECLARE
    due  bigint;
    done bigint;
    more bigint;
BEGIN
    IF in_more ? 'info' THEN
        UPDATE chats c SET rights = i.rights, told_members = i.told_members, info_version = i.info_version
        FROM jsonb_to_recordset(in_more -> 'info') AS i (chat bigint, rights integer, told_members bigint, info_version bigint)
        WHERE c.id = i.chat AND i.chat = ANY (in_held);
    END IF;
    IF in_more ? 'messages' THEN
        UPDATE messages m SET version = i.version, body = coalesce(i.body::jsonb, m.body), edited_at = i.edited_at,
               reactions = i.reactions, views = nullif(i.views, 0)
        FROM jsonb_to_recordset(in_more -> 'messages') AS i (
            chat bigint, seq bigint, version bigint, body text, edited_at timestamptz, reactions jsonb, views bigint)
        WHERE m.chat_id = i.chat AND m.seq = i.seq AND i.chat = ANY (in_held);
    END IF;
    IF in_more ? 'members' THEN
        SELECT count(*) INTO due FROM jsonb_to_recordset(in_more -> 'members') AS i (chat bigint) WHERE i.chat = ANY (in_held);
        UPDATE members m SET role = i.role, rights = i.rights, denied = i.denied, denied_until = i.denied_until,
               banned = i.banned, went = i.went, engaged = i.engaged, turn = i.turn,
               version = greatest(m.version, i.version),
               -- A read mark moves without the chat's lock: only who comes back begins anew.
               read_seq = CASE WHEN m.role IS NULL THEN i.read_seq ELSE m.read_seq END
        FROM jsonb_to_recordset(in_more -> 'members') AS i (
            chat bigint, usr bigint, role smallint, rights integer, denied integer, denied_until timestamptz, banned boolean,
            went boolean, engaged boolean, read_seq bigint, before bigint, turn bigint, version bigint)
        WHERE m.chat_id = i.chat AND m.user_id = i.usr AND m.turn = i.before AND i.before > 0 AND i.chat = ANY (in_held);
        GET DIAGNOSTICS done = ROW_COUNT;
        INSERT INTO members (chat_id, user_id, role, rights, denied, denied_until, banned, went, engaged, read_seq, turn, version)
        SELECT i.chat, i.usr, i.role, i.rights, i.denied, i.denied_until, i.banned, i.went, i.engaged, i.read_seq, i.turn,
               i.version
        FROM jsonb_to_recordset(in_more -> 'members') AS i (
            chat bigint, usr bigint, role smallint, rights integer, denied integer, denied_until timestamptz, banned boolean,
            went boolean, engaged boolean, read_seq bigint, before bigint, turn bigint, version bigint)
        WHERE i.before = 0 AND i.chat = ANY (in_held)
        ORDER BY i.chat, i.usr ON CONFLICT (chat_id, user_id) DO NOTHING;
        GET DIAGNOSTICS more = ROW_COUNT;
        IF done + more < due THEN
            -- A reader came or went meanwhile, without the chat's lock: what was judged does not hold.
            RAISE EXCEPTION 'a member has moved' USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    IF in_more ? 'shut' THEN
        -- Without a version: nobody may learn of it. The later one holds, in whatever order they come.
        UPDATE members m SET shut = i.since
        FROM jsonb_to_recordset(in_more -> 'shut') AS i (chat bigint, usr bigint, since bigint)
        WHERE m.chat_id = i.chat AND m.user_id = i.usr AND abs(m.shut) < abs(i.since) AND i.chat = ANY (in_held);
    END IF;
    IF in_more ? 'reactions' THEN
        INSERT INTO reactions AS r (chat_id, seq, user_id, emoji, version, counted)
        SELECT i.chat, i.seq, i.usr, i.emoji, i.version, CASE WHEN i.version > 0 THEN i.emoji END
        FROM jsonb_to_recordset(in_more -> 'reactions') AS i (chat bigint, seq bigint, usr bigint, emoji text, version bigint)
        WHERE i.chat = ANY (in_held) ORDER BY i.chat, i.seq, i.usr
        ON CONFLICT (chat_id, seq, user_id) DO UPDATE SET emoji = excluded.emoji, version = excluded.version,
            counted = CASE WHEN excluded.version > 0 THEN excluded.emoji ELSE r.counted END;
    END IF;
    IF in_more ? 'counted' THEN
        -- A reaction that has changed since it was read is told as it was read, and again later.
        UPDATE reactions r SET counted = i.counted,
               version = CASE WHEN r.emoji IS NOT DISTINCT FROM i.emoji THEN i.version ELSE 0 END
        FROM jsonb_to_recordset(in_more -> 'counted') AS i (
            chat bigint, seq bigint, usr bigint, emoji text, counted text, version bigint)
        WHERE r.chat_id = i.chat AND r.seq = i.seq AND r.user_id = i.usr AND i.chat = ANY (in_held);
    END IF;
    IF in_more ? 'viewed' THEN
        UPDATE views v SET told = i.told
        FROM jsonb_to_recordset(in_more -> 'viewed') AS i (chat bigint, seq bigint, told bigint)
        WHERE v.chat_id = i.chat AND v.seq = i.seq AND i.chat = ANY (in_held);
    END IF;
    IF in_more ? 'counts' THEN
        INSERT INTO counts AS c (chat_id, members, stale)
        SELECT i.chat, i.more, i.stale FROM jsonb_to_recordset(in_more -> 'counts') AS i (chat bigint, more bigint, stale boolean)
        WHERE i.chat = ANY (in_held) ORDER BY i.chat
        ON CONFLICT (chat_id) DO UPDATE SET members = c.members + excluded.members, stale = c.stale OR excluded.stale;
        IF EXISTS (SELECT FROM jsonb_to_recordset(in_more -> 'counts') AS i (chat bigint, left_over bigint)
                   JOIN counts c ON c.chat_id = i.chat
                   WHERE i.left_over = 0 AND c.members <> 0 AND i.chat = ANY (in_held)) THEN
            -- The last one goes, and a reader has just come in: who went must first name another owner.
            RAISE EXCEPTION 'somebody has come in' USING ERRCODE = 'serialization_failure';
        END IF;
    END IF;
    IF in_more ? 'reactions' THEN
        UPDATE counts c SET stale = true
        WHERE NOT c.stale AND c.chat_id = ANY (in_held) AND c.chat_id IN (
            SELECT i.chat FROM jsonb_to_recordset(in_more -> 'reactions') AS i (chat bigint, version bigint) WHERE i.version = 0);
    END IF;
    IF in_more ? 'told' THEN
        PERFORM write_counters(in_held, in_more);
    END IF;
END
$$;
CREATE FUNCTION people.answer_direct(in_user bigint, in_chat bigint, in_accept boolean) RETURNS TABLE(user_id bigint, chat_id bigint, role smallint, read_seq bigint, request boolean, version bigint)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
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
CREATE FUNCTION people.apply_memberships(in_user bigint[], in_chat bigint[], in_kind smallint[], in_role smallint[], in_read bigint[], in_engaged boolean[], in_turn bigint[], in_first bigint) RETURNS TABLE(user_id bigint, chat_id bigint, role smallint, read_seq bigint, request boolean, version bigint)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
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
CREATE FUNCTION people.call_slot(moment timestamp with time zone) RETURNS timestamp with time zone
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN date_bin('00:30:00'::interval, moment, '2000-01-01 00:00:00+00'::timestamp with time zone);
CREATE FUNCTION people.call_sums(from_time timestamp with time zone, to_time timestamp with time zone) RETURNS TABLE(dimension text, value text, calls bigint, answered bigint, connected bigint, scored bigint, mos_sum double precision, poor bigint, rated bigint, satisfied bigint, stars bigint, setup_steps smallint[], setup_counts bigint[])
    LANGUAGE sql STABLE
    AS $$
WITH ended AS MATERIALIZED (
    SELECT c.call_id, c.caller_id, c.callee_id, c.reason, c.answered_at IS NOT NULL AS answered,
           c.answered_at IS NOT NULL AND c.connected_at IS NOT NULL AS connected,
           extract(epoch FROM c.connected_at - c.answered_at)::double precision AS setup_s
    FROM calls c WHERE c.ended_at >= from_time AND c.ended_at < to_time
),
measured AS (
    SELECT q.call_id, q.user_id, sum(q.mos) / nullif(sum(q.covered_ms), 0) AS mos,
           (array_agg(q.path ORDER BY q.reported_at DESC))[1] AS path,
           (array_agg(q.network ORDER BY q.reported_at DESC))[1] AS network,
           (array_agg(q.relay ORDER BY q.reported_at DESC))[1] AS relay,
           (array_agg(q.region ORDER BY q.reported_at DESC))[1] AS region
    FROM ended e JOIN call_quality q ON q.call_id = e.call_id GROUP BY q.call_id, q.user_id
),
sides AS (
    SELECT p.side, e.reason, e.answered, e.connected, m.mos, r.stars,
           CASE WHEN e.connected
                THEN least(119, greatest(0, floor(ln(greatest(e.setup_s, 0.01) / 0.01) / ln(1.1::double precision))))::smallint
           END AS step,
           coalesce(m.path, '') AS path, coalesce(m.network, '') AS network,
           coalesce(m.relay, '') AS relay, coalesce(m.region, '') AS region
    FROM ended e
    CROSS JOIN LATERAL (VALUES (0, e.caller_id), (1, e.callee_id)) AS p (side, user_id)
    LEFT JOIN measured m ON m.call_id = e.call_id AND m.user_id = p.user_id
    LEFT JOIN call_ratings r ON r.call_id = e.call_id AND r.user_id = p.user_id
),
grouped AS (
    SELECT GROUPING(s.reason, s.region, s.relay, s.network, s.path) AS mask,
           s.reason, s.region, s.relay, s.network, s.path, s.step,
           count(*) AS sides, count(*) FILTER (WHERE s.answered) AS answered, count(*) FILTER (WHERE s.connected) AS connected,
           count(s.mos) AS scored, coalesce(sum(s.mos), 0) AS mos_sum, count(*) FILTER (WHERE s.mos < 3.1) AS poor,
           count(s.stars) AS rated, count(*) FILTER (WHERE s.stars >= 4) AS satisfied, coalesce(sum(s.stars), 0) AS stars
    FROM sides s
    GROUP BY GROUPING SETS ((s.step), (s.step, s.reason), (s.step, s.region), (s.step, s.relay), (s.step, s.network), (s.step, s.path))
),
named AS (
    SELECT g.*,
           CASE g.mask WHEN 31 THEN 'day' WHEN 15 THEN 'reason' WHEN 23 THEN 'region' WHEN 27 THEN 'relay'
                       WHEN 29 THEN 'network' ELSE 'path' END AS dimension,
           CASE g.mask WHEN 31 THEN '' WHEN 15 THEN g.reason WHEN 23 THEN g.region WHEN 27 THEN g.relay
                       WHEN 29 THEN g.network ELSE g.path END AS value,
           -- By day and by reason a call counts once; by what its two sides may differ in, each side counts.
           CASE WHEN g.mask IN (31, 15) THEN 2 ELSE 1 END AS sides_each
    FROM grouped g
)
SELECT n.dimension, n.value, (sum(n.sides) / min(n.sides_each))::bigint, (sum(n.answered) / min(n.sides_each))::bigint,
       (sum(n.connected) / min(n.sides_each))::bigint, sum(n.scored)::bigint, sum(n.mos_sum), sum(n.poor)::bigint,
       sum(n.rated)::bigint, sum(n.satisfied)::bigint, sum(n.stars)::bigint,
       coalesce(array_agg(n.step ORDER BY n.step) FILTER (WHERE n.step IS NOT NULL), '{}'),
       coalesce(array_agg(n.connected / n.sides_each ORDER BY n.step) FILTER (WHERE n.step IS NOT NULL), '{}')
FROM named n GROUP BY n.dimension, n.value
$$;
CREATE FUNCTION people.claim_direct(in_user bigint, in_other bigint, in_request boolean) RETURNS bigint
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
CREATE FUNCTION people.mark_late_calls() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    INSERT INTO call_stale (slot)
    SELECT s.slot FROM (SELECT DISTINCT call_slot(f.ended_at) AS slot FROM fresh f) d JOIN call_slots s ON s.slot = d.slot;
    RETURN NULL;
END
$$;
CREATE FUNCTION people.mark_read(in_user bigint[], in_chat bigint[], in_seq bigint[]) RETURNS TABLE(user_id bigint, chat_id bigint, role smallint, read_seq bigint, request boolean, version bigint)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
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
CREATE FUNCTION people.record_calls(in_calls json) RETURNS TABLE(user_id bigint, version bigint, missed integer)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
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
CREATE FUNCTION people.set_items(in_user bigint, in_kind text[], in_key text[], in_value text[], in_most bigint[], in_bytes bigint, in_taken_back bigint) RETURNS TABLE(kind text, key text, value text, version bigint)
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    AS $$
#variable_conflict use_column
DECLARE
    grown  text[];
    bytes  bigint;
    more   bigint;
    back   bigint;
    base   bigint;
    oldest bigint;
BEGIN
    SELECT u.version INTO base FROM users u WHERE u.id = in_user FOR NO KEY UPDATE;
    SELECT array_agg(DISTINCT i.kind) FILTER (WHERE k.value IS NULL AND i.value IS NOT NULL),
           sum(coalesce(octet_length(i.value), 0) - coalesce(octet_length(k.value), 0)),
           count(*) FILTER (WHERE k.value IS NOT NULL AND i.value IS NULL)
               - count(*) FILTER (WHERE k.kind IS NOT NULL AND k.value IS NULL AND i.value IS NOT NULL)
    INTO grown, more, back
    FROM unnest(in_kind, in_key, in_value) AS i (kind, key, value)
    LEFT JOIN LATERAL (
        SELECT * FROM items k WHERE k.user_id = in_user AND k.kind = i.kind AND k.key = i.key LIMIT 1
    ) k ON true;
    RETURN QUERY
    WITH due AS MATERIALIZED (
        SELECT i.*, base + row_number() OVER (ORDER BY i.ord) AS version
        FROM unnest(in_kind, in_key, in_value) WITH ORDINALITY AS i (kind, key, value, ord)
        LEFT JOIN LATERAL (
            SELECT * FROM items k WHERE k.user_id = in_user AND k.kind = i.kind AND k.key = i.key LIMIT 1
        ) k ON true
        WHERE k.value IS DISTINCT FROM i.value
    )
    INSERT INTO items AS k (user_id, kind, key, value, version)
    SELECT in_user, d.kind, d.key, d.value, d.version FROM due d ORDER BY d.version
    ON CONFLICT (user_id, kind, key) DO UPDATE SET value = excluded.value, version = excluded.version
    RETURNING k.kind, k.key, k.value, k.version;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT max(k.version) INTO base FROM items k WHERE k.user_id = in_user AND k.version > base AND k.version > 0;
    UPDATE users u SET version = base, item_bytes = u.item_bytes + more, taken_back = u.taken_back + back
    WHERE u.id = in_user RETURNING u.item_bytes, u.taken_back INTO bytes, back;
    -- Only what grows can be too much: whoever is at a bound can still take back.
    IF more > 0 AND bytes > in_bytes OR EXISTS (
        SELECT FROM (SELECT DISTINCT i.kind, i.most FROM unnest(in_kind, in_most) AS i (kind, most)
                     WHERE i.kind = ANY (grown)) i
        WHERE (SELECT count(*) FROM items k WHERE k.user_id = in_user AND k.kind = i.kind AND k.value IS NOT NULL) > i.most
    ) THEN
        RAISE EXCEPTION 'too many items' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    -- What was taken back is remembered for devices that are away, but not for ever. Not each time: it looks at them all.
    IF back > in_taken_back + in_taken_back / 4 THEN
        SELECT k.version INTO oldest FROM items k WHERE k.user_id = in_user AND k.value IS NULL AND k.version > 0
        ORDER BY k.version DESC OFFSET in_taken_back LIMIT 1;
        DELETE FROM items k WHERE k.user_id = in_user AND k.value IS NULL AND k.version <= oldest AND k.version > 0;
        UPDATE users u SET forgotten_version = oldest, taken_back = in_taken_back WHERE u.id = in_user;
    END IF;
END
$$;
CREATE FUNCTION people.with_slot(n bigint) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    RETURN ((n << 10) | (n & (1023)::bigint));
CREATE FUNCTION people.write_call_quality(in_parts jsonb) RETURNS void
    LANGUAGE sql
    AS $$
WITH given AS MATERIALIZED (
    SELECT * FROM jsonb_populate_recordset(NULL::call_quality, in_parts)
),
late AS (
    INSERT INTO call_stale (slot)
    SELECT DISTINCT s.slot FROM given g JOIN calls c ON c.call_id = g.call_id JOIN call_slots s ON s.slot = call_slot(c.ended_at)
)
INSERT INTO call_quality AS q SELECT * FROM given g ORDER BY g.call_id, g.user_id, g.part
ON CONFLICT (call_id, user_id, part) DO UPDATE SET
    covered_ms = excluded.covered_ms, reports = excluded.reports, mos = excluded.mos, poor_ms = excluded.poor_ms,
    worst_mos = excluded.worst_mos, round_trip = excluded.round_trip, jitter = excluded.jitter, lost = excluded.lost,
    lost_there = excluded.lost_there, concealed = excluded.concealed, bits_in = excluded.bits_in,
    bits_out = excluded.bits_out, relayed_ms = excluded.relayed_ms, path = excluded.path, network = excluded.network,
    local_end = excluded.local_end, remote_end = excluded.remote_end, codec = excluded.codec, relay = excluded.relay,
    region = excluded.region, reported_at = excluded.reported_at
WHERE q.reports <= excluded.reports
$$;
CREATE TABLE chats._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
CREATE TABLE chats.chats (
    id bigint NOT NULL,
    kind smallint NOT NULL,
    title text,
    handle text,
    rights integer NOT NULL,
    created_at timestamp with time zone NOT NULL,
    changed_at timestamp with time zone NOT NULL,
    seq bigint DEFAULT 0 NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    info_version bigint DEFAULT 0 NOT NULL,
    told_members bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0.05');
CREATE TABLE chats.counts (
    chat_id bigint NOT NULL,
    members bigint NOT NULL,
    stale boolean DEFAULT false NOT NULL,
    told_at timestamp with time zone
)
WITH (fillfactor='50');
CREATE TABLE chats.feed (
    id bigint NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    chats bigint[] NOT NULL,
    froms bigint[] NOT NULL,
    tos bigint[] NOT NULL,
    kinds smallint[] NOT NULL,
    people jsonb
)
PARTITION BY RANGE (at);
CREATE TABLE chats.feed_20261128 (
    id bigint NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    chats bigint[] NOT NULL,
    froms bigint[] NOT NULL,
    tos bigint[] NOT NULL,
    kinds smallint[] NOT NULL,
    people jsonb
);
CREATE TABLE chats.feed_20261129 (
    id bigint NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    chats bigint[] NOT NULL,
    froms bigint[] NOT NULL,
    tos bigint[] NOT NULL,
    kinds smallint[] NOT NULL,
    people jsonb
);
CREATE TABLE chats.feed_20261130 (
    id bigint NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    chats bigint[] NOT NULL,
    froms bigint[] NOT NULL,
    tos bigint[] NOT NULL,
    kinds smallint[] NOT NULL,
    people jsonb
);
ALTER TABLE chats.feed ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME chats.feed_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE chats.feed_rest (
    id bigint NOT NULL,
    xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
    at timestamp with time zone DEFAULT now() NOT NULL,
    chats bigint[] NOT NULL,
    froms bigint[] NOT NULL,
    tos bigint[] NOT NULL,
    kinds smallint[] NOT NULL,
    people jsonb
);
CREATE TABLE chats.members (
    chat_id bigint NOT NULL,
    user_id bigint NOT NULL,
    role smallint,
    rights integer DEFAULT 0 NOT NULL,
    denied integer DEFAULT 0 NOT NULL,
    denied_until timestamp with time zone,
    banned boolean DEFAULT false NOT NULL,
    shut bigint DEFAULT 0 NOT NULL,
    went boolean DEFAULT false NOT NULL,
    engaged boolean DEFAULT false NOT NULL,
    read_seq bigint DEFAULT 0 NOT NULL,
    turn bigint NOT NULL,
    version bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE chats.messages (
    chat_id bigint NOT NULL,
    seq bigint NOT NULL,
    version bigint NOT NULL,
    sender_id bigint NOT NULL,
    client_id uuid NOT NULL,
    client_hash bigint NOT NULL,
    sent_at timestamp with time zone NOT NULL,
    edited_at timestamp with time zone,
    reply_to bigint,
    body jsonb NOT NULL,
    reactions jsonb,
    views bigint
)
WITH (autovacuum_vacuum_insert_scale_factor='0.1');
CREATE TABLE chats.reactions (
    chat_id bigint NOT NULL,
    seq bigint NOT NULL,
    user_id bigint NOT NULL,
    emoji text,
    version bigint NOT NULL,
    counted text
);
CREATE TABLE chats.views (
    chat_id bigint NOT NULL,
    seq bigint NOT NULL,
    seen bigint NOT NULL,
    told bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');
CREATE TABLE people._sqlx_migrations (
    version bigint NOT NULL,
    description text NOT NULL,
    installed_on timestamp with time zone DEFAULT now() NOT NULL,
    success boolean NOT NULL,
    checksum bytea NOT NULL,
    execution_time bigint NOT NULL
);
CREATE TABLE people.budgets (
    user_id bigint NOT NULL,
    kind smallint NOT NULL,
    full_at timestamp with time zone NOT NULL
)
WITH (fillfactor='70');
CREATE TABLE people.call_quality (
    call_id uuid NOT NULL,
    user_id bigint NOT NULL,
    part bigint NOT NULL,
    covered_ms bigint NOT NULL,
    reports integer NOT NULL,
    mos double precision NOT NULL,
    poor_ms bigint NOT NULL,
    worst_mos double precision,
    round_trip double precision NOT NULL,
    jitter double precision NOT NULL,
    lost double precision NOT NULL,
    lost_there double precision NOT NULL,
    concealed double precision NOT NULL,
    bits_in double precision NOT NULL,
    bits_out double precision NOT NULL,
    relayed_ms bigint NOT NULL,
    path text NOT NULL,
    network text NOT NULL,
    local_end text NOT NULL,
    remote_end text NOT NULL,
    codec text NOT NULL,
    relay text NOT NULL,
    region text NOT NULL,
    reported_at timestamp with time zone NOT NULL
)
WITH (fillfactor='85');
CREATE TABLE people.call_ratings (
    call_id uuid NOT NULL,
    user_id bigint NOT NULL,
    stars smallint NOT NULL,
    issues text[] NOT NULL,
    rated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT call_ratings_stars_check CHECK (((stars >= 1) AND (stars <= 5)))
);
CREATE TABLE people.call_rollup (
    slot timestamp with time zone NOT NULL,
    dimension text NOT NULL,
    value text NOT NULL,
    calls bigint NOT NULL,
    answered bigint NOT NULL,
    connected bigint NOT NULL,
    scored bigint NOT NULL,
    mos_sum double precision NOT NULL,
    poor bigint NOT NULL,
    rated bigint NOT NULL,
    satisfied bigint NOT NULL,
    stars bigint NOT NULL,
    setup_steps smallint[] NOT NULL,
    setup_counts bigint[] NOT NULL
);
CREATE TABLE people.call_slots (
    slot timestamp with time zone NOT NULL,
    closed_at timestamp with time zone DEFAULT now() NOT NULL,
    rolled_at timestamp with time zone
);
CREATE TABLE people.call_stale (
    id bigint NOT NULL,
    slot timestamp with time zone NOT NULL
);
ALTER TABLE people.call_stale ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME people.call_stale_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE people.calls (
    call_id uuid NOT NULL,
    chat_id bigint NOT NULL,
    caller_id bigint NOT NULL,
    callee_id bigint NOT NULL,
    media text NOT NULL,
    relay_only boolean NOT NULL,
    invited_at timestamp with time zone NOT NULL,
    answered_at timestamp with time zone,
    connected_at timestamp with time zone,
    ended_at timestamp with time zone NOT NULL,
    reason text NOT NULL,
    winner uuid,
    by_user_id bigint,
    generations integer NOT NULL
);
CREATE SEQUENCE people.chat_numbers
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE people.created_chats (
    user_id bigint NOT NULL,
    client_id uuid NOT NULL,
    chat_id bigint DEFAULT people.with_slot(nextval('people.chat_numbers'::regclass)) NOT NULL,
    kind smallint NOT NULL
);
CREATE TABLE people.devices (
    user_id bigint NOT NULL,
    id bigint NOT NULL,
    token_hash bytea NOT NULL,
    name text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE people.devices ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY (
    SEQUENCE NAME people.devices_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE people.direct_chats (
    low_user_id bigint NOT NULL,
    high_user_id bigint NOT NULL,
    chat_id bigint DEFAULT people.with_slot(nextval('people.chat_numbers'::regclass)) NOT NULL
);
CREATE TABLE people.feed_cursors (
    consumer text NOT NULL,
    history text DEFAULT ''::text NOT NULL,
    xid xid8 DEFAULT '0'::xid8 NOT NULL,
    id bigint DEFAULT 0 NOT NULL
);
CREATE TABLE people.found_people (
    user_id bigint NOT NULL,
    other_id bigint NOT NULL,
    found_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE people.handles (
    handle text NOT NULL,
    user_id bigint,
    chat_id bigint,
    confirmed boolean DEFAULT true NOT NULL,
    claimed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT handles_check CHECK ((num_nonnulls(user_id, chat_id) = 1))
);
CREATE TABLE people.identities (
    kind text NOT NULL,
    subject text NOT NULL,
    user_id bigint NOT NULL,
    secret text,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE people.items (
    user_id bigint NOT NULL,
    kind text NOT NULL,
    key text NOT NULL,
    value text,
    version bigint NOT NULL
)
WITH (fillfactor='80');
CREATE TABLE people.jobs (
    id bigint NOT NULL,
    kind text NOT NULL,
    about jsonb,
    every interval,
    run_at timestamp with time zone DEFAULT now() NOT NULL,
    attempts integer DEFAULT 0 NOT NULL,
    lease uuid,
    last_error text,
    dead_at timestamp with time zone
)
WITH (fillfactor='50');
ALTER TABLE people.jobs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME people.jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE people.known_networks (
    user_id bigint NOT NULL,
    network bytea NOT NULL,
    seen_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE people.lone_nodes (
    node bigint NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE people.meta (
    only_row boolean DEFAULT true NOT NULL,
    epoch uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT meta_only_row_check CHECK (only_row)
);
CREATE TABLE people.reports (
    user_id bigint NOT NULL,
    by_id bigint NOT NULL,
    chat_id bigint,
    seq bigint,
    reason text NOT NULL,
    note text,
    reported_at timestamp with time zone DEFAULT now() NOT NULL
);
CREATE TABLE people.unfinished_calls (
    call_id uuid NOT NULL,
    node bigint NOT NULL,
    record json NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE people.user_calls (
    user_id bigint NOT NULL,
    call_id uuid NOT NULL,
    chat_id bigint NOT NULL,
    caller_id bigint NOT NULL,
    callee_id bigint NOT NULL,
    media text NOT NULL,
    reason text NOT NULL,
    winner uuid,
    began_at timestamp with time zone NOT NULL,
    ended_at timestamp with time zone NOT NULL,
    seconds integer NOT NULL
);
CREATE TABLE people.user_chats (
    user_id bigint NOT NULL,
    chat_id bigint NOT NULL,
    kind smallint NOT NULL,
    role smallint,
    read_seq bigint DEFAULT 0 NOT NULL,
    engaged boolean DEFAULT false NOT NULL,
    turn bigint NOT NULL,
    version bigint NOT NULL,
    peer_id bigint,
    request smallint DEFAULT 0 NOT NULL
)
WITH (fillfactor='80');
CREATE SEQUENCE people.user_numbers
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE TABLE people.users (
    id bigint DEFAULT people.with_slot(nextval('people.user_numbers'::regclass)) NOT NULL,
    handle text NOT NULL,
    name text NOT NULL,
    version bigint DEFAULT 0 NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    last_seen_at timestamp with time zone,
    missed_calls integer DEFAULT 0 NOT NULL,
    missed_version bigint DEFAULT 0 NOT NULL,
    item_bytes bigint DEFAULT 0 NOT NULL,
    taken_back bigint DEFAULT 0 NOT NULL,
    forgotten_version bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='70');
ALTER TABLE ONLY chats.feed ATTACH PARTITION chats.feed_20261128 FOR VALUES FROM ('2026-11-28 00:00:00+00') TO ('2026-11-29 00:00:00+00');
ALTER TABLE ONLY chats.feed ATTACH PARTITION chats.feed_20261129 FOR VALUES FROM ('2026-11-29 00:00:00+00') TO ('2026-11-30 00:00:00+00');
ALTER TABLE ONLY chats.feed ATTACH PARTITION chats.feed_20261130 FOR VALUES FROM ('2026-11-30 00:00:00+00') TO ('2026-12-01 00:00:00+00');
ALTER TABLE ONLY chats.feed ATTACH PARTITION chats.feed_rest DEFAULT;
INSERT INTO chats._sqlx_migrations VALUES
	(1, 'chats', '2026-11-28 07:20:52.885065+00', true, '\xf528dab4154fa84312d215557f0ca312a78836f3e2e1e7f5817e8cd8ccde2146929383dc1ebf2bb1f814dca7cfd8efb6', 33773289),
	(2, 'pages', '2026-11-28 07:20:52.919685+00', true, '\xb7ee5f41e3c90be3f17ec8a4d8889c1a0a068dd01569b93cda658eb0836284ac0092dddf78b92acc01fd2b2f8c50b6ea', 2185944);
INSERT INTO chats.chats VALUES
	(4100, 0, NULL, NULL, 35, '2026-11-28 07:20:53.32+00', '2026-11-28 07:20:53.328+00', 1, 2, 1, 0),
	(3075, 2, 'News', 'dump_news', 2, '2026-11-28 07:20:53.127+00', '2026-11-28 07:20:53.215+00', 3, 9, 9, 3),
	(2050, 1, 'کاروان', NULL, 35, '2026-11-28 07:20:53.117+00', '2026-11-28 07:20:54.217+00', 16, 24, 1, 0),
	(1025, 0, NULL, NULL, 35, '2026-11-28 07:20:53.084+00', '2026-11-28 07:20:53.221+00', 3, 5, 1, 0);
INSERT INTO chats.counts VALUES
	(1025, 2, false, NULL),
	(2050, 3, false, NULL),
	(4100, 2, false, NULL),
	(3075, 3, false, '2026-11-28 07:20:54.134+00');
INSERT INTO chats.feed_20261128 VALUES
	(1, '759', '2026-11-28 07:20:53.084835+00', '{1025}', '{0}', '{1}', '{3}', '[[1025, 1025], [1025, 2050]]'),
	(2, '764', '2026-11-28 07:20:53.117845+00', '{2050}', '{0}', '{1}', '{7}', '[[2050, 1025], [2050, 2050], [2050, 3075], [2050, 5125]]'),
	(3, '767', '2026-11-28 07:20:53.127487+00', '{3075}', '{0}', '{1}', '{3}', '[[3075, 1025]]'),
	(4, '770', '2026-11-28 07:20:53.138+00', '{3075}', '{}', '{}', '{}', '[[3075, 2050]]'),
	(5, '772', '2026-11-28 07:20:53.147568+00', '{3075}', '{}', '{}', '{}', '[[3075, 3075]]'),
	(6, '774', '2026-11-28 07:20:53.156663+00', '{3075}', '{}', '{}', '{}', '[[3075, 4100]]'),
	(7, '776', '2026-11-28 07:20:53.164224+00', '{2050}', '{1}', '{2}', '{4}', NULL),
	(8, '777', '2026-11-28 07:20:53.167576+00', '{2050}', '{2}', '{3}', '{6}', '[[2050, 2050]]'),
	(9, '779', '2026-11-28 07:20:53.172379+00', '{2050}', '{3}', '{4}', '{6}', '[[2050, 3075]]'),
	(10, '781', '2026-11-28 07:20:53.176893+00', '{2050}', '{4}', '{5}', '{4}', NULL),
	(11, '782', '2026-11-28 07:20:53.179813+00', '{2050}', '{5}', '{6}', '{4}', NULL),
	(12, '783', '2026-11-28 07:20:53.183082+00', '{2050}', '{6}', '{7}', '{4}', NULL),
	(13, '784', '2026-11-28 07:20:53.186133+00', '{2050}', '{7}', '{8}', '{4}', NULL),
	(14, '785', '2026-11-28 07:20:53.18901+00', '{2050}', '{8}', '{9}', '{4}', NULL),
	(15, '786', '2026-11-28 07:20:53.191698+00', '{2050}', '{9}', '{10}', '{4}', NULL),
	(16, '787', '2026-11-28 07:20:53.194527+00', '{2050}', '{10}', '{11}', '{4}', NULL),
	(17, '788', '2026-11-28 07:20:53.19732+00', '{2050}', '{11}', '{12}', '{4}', NULL),
	(18, '789', '2026-11-28 07:20:53.200047+00', '{2050}', '{12}', '{13}', '{4}', NULL),
	(19, '790', '2026-11-28 07:20:53.202867+00', '{3075}', '{1}', '{2}', '{4}', NULL),
	(20, '791', '2026-11-28 07:20:53.205677+00', '{1025}', '{1}', '{2}', '{6}', '[[1025, 2050]]'),
	(21, '793', '2026-11-28 07:20:53.210102+00', '{3075}', '{2}', '{3}', '{4}', NULL),
	(22, '794', '2026-11-28 07:20:53.213223+00', '{1025}', '{2}', '{3}', '{4}', NULL),
	(23, '795', '2026-11-28 07:20:53.21605+00', '{3075}', '{3}', '{4}', '{4}', NULL),
	(24, '796', '2026-11-28 07:20:53.218833+00', '{1025}', '{3}', '{4}', '{4}', NULL),
	(25, '797', '2026-11-28 07:20:53.221907+00', '{1025}', '{4}', '{5}', '{24}', NULL),
	(26, '798', '2026-11-28 07:20:53.252806+00', '{2050}', '{13}', '{14}', '{8}', NULL),
	(27, '799', '2026-11-28 07:20:53.256144+00', '{2050}', '{14}', '{15}', '{8}', NULL),
	(28, '800', '2026-11-28 07:20:53.259285+00', '{2050}', '{15}', '{16}', '{24}', NULL),
	(29, '801', '2026-11-28 07:20:53.262437+00', '{2050}', '{16}', '{17}', '{24}', NULL),
	(30, '802', '2026-11-28 07:20:53.265616+00', '{2050}', '{17}', '{18}', '{24}', NULL),
	(31, '803', '2026-11-28 07:20:53.268655+00', '{2050}', '{18}', '{19}', '{24}', NULL),
	(32, '804', '2026-11-28 07:20:53.271682+00', '{2050}', '{19}', '{20}', '{4}', NULL),
	(33, '805', '2026-11-28 07:20:53.274414+00', '{2050}', '{20}', '{21}', '{2}', '[[2050, 3075]]'),
	(34, '807', '2026-11-28 07:20:53.278775+00', '{2050}', '{21}', '{22}', '{2}', '[[2050, 2050]]'),
	(35, '809', '2026-11-28 07:20:53.28322+00', '{2050}', '{22}', '{23}', '{6}', '[[2050, 5125]]'),
	(36, '820', '2026-11-28 07:20:53.312849+00', '{3075}', '{}', '{}', '{}', '[[3075, 4100]]'),
	(37, '823', '2026-11-28 07:20:53.320612+00', '{4100}', '{0}', '{1}', '{3}', '[[4100, 1025], [4100, 4100]]'),
	(38, '826', '2026-11-28 07:20:53.328793+00', '{4100}', '{1}', '{2}', '{4}', NULL),
	(39, '835', '2026-11-28 07:20:54.135779+00', '{3075}', '{4}', '{9}', '{25}', NULL),
	(40, '836', '2026-11-28 07:20:54.218044+00', '{2050}', '{23}', '{24}', '{4}', NULL);
INSERT INTO chats.members VALUES
	(3075, 1025, 2, 0, 0, NULL, false, 0, false, true, 0, 1, 1),
	(3075, 2050, 0, 0, 0, NULL, false, 0, false, false, 0, 1, 0),
	(1025, 2050, 0, 0, 0, NULL, false, 0, false, true, 0, 2, 1),
	(2050, 3075, 0, 0, 2, NULL, false, 0, false, true, 0, 3, 21),
	(2050, 5125, NULL, 0, 0, NULL, true, 0, false, false, 0, 3, 23),
	(2050, 1025, 2, 0, 0, NULL, false, 0, false, true, 9, 1, 1),
	(2050, 2050, 1, 63, 0, NULL, false, 0, false, true, 13, 3, 22),
	(3075, 3075, 0, 0, 0, NULL, false, 0, false, false, 3, 1, 0),
	(1025, 1025, 0, 0, 0, NULL, false, 0, false, true, 2, 1, 1),
	(3075, 4100, NULL, 0, 0, NULL, false, 0, true, false, 0, 2, 0),
	(4100, 1025, 0, 0, 0, NULL, false, 0, false, false, 0, 1, 1),
	(4100, 4100, 0, 0, 0, NULL, false, 0, false, true, 0, 1, 1);
INSERT INTO chats.messages VALUES
	(2050, 1, 1, 1025, '77aa115a-6750-431e-967b-5e50ebec608e', 0, '2026-11-28 07:20:53.117+00', NULL, NULL, '{"kind": "service", "action": {"type": "created"}}', NULL, NULL),
	(2050, 2, 2, 1025, '72e03a41-cdc0-43cc-89fb-320d8219d7a0', 5079877986014117793, '2026-11-28 07:20:53.163+00', NULL, NULL, '{"kind": "text", "text": "message 0, سلام"}', NULL, NULL),
	(2050, 3, 3, 2050, '50a20201-5330-43ba-85b6-bed12051673e', -8719699433769394383, '2026-11-28 07:20:53.167+00', NULL, NULL, '{"kind": "text", "text": "message 1, سلام"}', NULL, NULL),
	(2050, 6, 6, 2050, '900b3b30-2331-4f7f-bf1a-1ef938bf1af8', -7483791487987367233, '2026-11-28 07:20:53.179+00', NULL, NULL, '{"kind": "text", "text": "message 4, سلام"}', NULL, NULL),
	(2050, 7, 7, 3075, 'b98bb249-24f1-472b-81eb-e58b0d3221ed', -3541230902914958415, '2026-11-28 07:20:53.182+00', NULL, NULL, '{"kind": "text", "text": "message 5, سلام"}', NULL, NULL),
	(2050, 10, 10, 3075, 'ba4aaa65-134d-4f7d-a467-b48024691263', 2851096242110168487, '2026-11-28 07:20:53.191+00', NULL, NULL, '{"kind": "text", "text": "message 8, سلام"}', NULL, NULL),
	(2050, 11, 11, 1025, 'f5c70d6a-f526-4c59-8e6e-88487ae85269', 8490647316977933641, '2026-11-28 07:20:53.194+00', NULL, NULL, '{"kind": "text", "text": "message 9, سلام"}', NULL, NULL),
	(2050, 12, 12, 2050, '2c8d4a02-ad1a-42e4-bf2a-ae16a12c9c96', 3538985763286130844, '2026-11-28 07:20:53.196+00', NULL, NULL, '{"kind": "text", "text": "message 10, سلام"}', NULL, NULL),
	(2050, 13, 13, 3075, 'f3ddd415-9032-4aca-aeb4-b7bef0ee343c', 2852641451821669395, '2026-11-28 07:20:53.199+00', NULL, NULL, '{"kind": "text", "text": "message 11, سلام"}', NULL, NULL),
	(1025, 2, 3, 2050, 'e5fd0d62-2d56-4b88-970c-743b9ac8ced1', 3779675756033172949, '2026-11-28 07:20:53.212+00', NULL, NULL, '{"kind": "text", "text": "to you 2"}', NULL, NULL),
	(1025, 3, 4, 2050, 'c4f099fc-b2da-44db-a910-1ec1939490d7', -8735503909936183740, '2026-11-28 07:20:53.218+00', NULL, NULL, '{"kind": "text", "text": "to you 3"}', NULL, NULL),
	(1025, 1, 5, 2050, '35d87a29-7182-43dd-8add-5c5833042197', 1475193577795634245, '2026-11-28 07:20:53.205+00', NULL, NULL, '{"kind": "text", "text": "to you 1"}', '[{"count": 1, "emoji": "👍"}]', NULL),
	(2050, 5, 14, 1025, '7725046d-ad46-4a2e-a1ae-54610effb09b', 5600371283883937384, '2026-11-28 07:20:53.176+00', '2026-11-28 07:20:53.252+00', NULL, '{"kind": "text", "text": "edited"}', NULL, NULL),
	(2050, 4, 15, 3075, '2b298e5e-6ddd-498e-ad86-7fb505347202', -5201757629930221284, '2026-11-28 07:20:53.171+00', NULL, NULL, '{"kind": "deleted"}', NULL, NULL),
	(2050, 8, 17, 1025, '28ad3e02-4f20-47a4-96ea-f177c532aa0c', 6720065975138937502, '2026-11-28 07:20:53.185+00', NULL, NULL, '{"kind": "text", "text": "message 6, سلام"}', '[{"count": 2, "emoji": "🌹"}]', NULL),
	(2050, 9, 19, 2050, 'f232d02b-278a-42ec-bb7e-2404c6743d76', -7662564929809497490, '2026-11-28 07:20:53.188+00', NULL, NULL, '{"kind": "text", "text": "message 7, سلام"}', NULL, NULL),
	(2050, 14, 20, 2050, '40c9214e-7528-4ae2-aab9-ad456b420b7d', -763455644811483531, '2026-11-28 07:20:53.271+00', NULL, 5, '{"kind": "text", "text": "an answer"}', NULL, NULL),
	(2050, 15, 23, 1025, 'b79ce3ba-12eb-4343-8c8d-9a44840b7c0f', 0, '2026-11-28 07:20:53.282+00', NULL, NULL, '{"kind": "service", "action": {"type": "removed", "user_id": 5125}}', NULL, NULL),
	(4100, 1, 2, 4100, '692ce124-ccb8-4bd7-b112-a2fdb0529dd3', -4588267735438730652, '2026-11-28 07:20:53.328+00', NULL, NULL, '{"kind": "text", "text": "hello, it is me"}', NULL, NULL),
	(3075, 1, 6, 1025, '532c1154-866b-43c7-88e3-d06dc2e586d0', -1381307544300824848, '2026-11-28 07:20:53.202+00', NULL, NULL, '{"kind": "text", "text": "post 1"}', NULL, 1),
	(3075, 2, 7, 1025, '9cb9fbe7-76b1-4d8d-b053-a17e63542dcd', 5842486131526898265, '2026-11-28 07:20:53.209+00', NULL, NULL, '{"kind": "text", "text": "post 2"}', '[{"count": 1, "emoji": "👍"}]', 1),
	(3075, 3, 8, 1025, 'aef17cc6-bd08-4329-81d1-2749f272fb58', 4355296110260215819, '2026-11-28 07:20:53.215+00', NULL, NULL, '{"kind": "text", "text": "post 3"}', NULL, 1),
	(2050, 16, 24, 2050, 'f180d314-e230-4444-9a05-382c528292d3', 1424961009048055088, '2026-11-28 07:20:54.217+00', NULL, NULL, '{"kind": "text", "text": "sent once"}', NULL, NULL);
INSERT INTO chats.meta VALUES
	(true, 'ac001e9f-a453-40de-b06e-4fe69becd5f2', 0);
INSERT INTO chats.reactions VALUES
	(1025, 1, 1025, '👍', 5, '👍'),
	(2050, 8, 2050, '🌹', 16, '🌹'),
	(2050, 8, 1025, '🌹', 17, '🌹'),
	(2050, 9, 3075, NULL, 19, NULL),
	(3075, 2, 3075, '👍', 5, '👍');
INSERT INTO chats.views VALUES
	(3075, 1, 1, 1),
	(3075, 2, 1, 1),
	(3075, 3, 1, 1);
INSERT INTO people._sqlx_migrations VALUES
	(1, 'accounts', '2026-11-28 07:20:52.82506+00', true, '\x6d652499090f0b74f4958251f9ea695dfbfb992d5024048c7fcae44368580b3d82ec590e3d901f8c26071bd4e3db83eb', 11927666),
	(2, 'lists', '2026-11-28 07:20:52.837614+00', true, '\x1f5b584b3030552df50b4743ebc44fe8d9924056af77e67a66633e803a3064d7f04fd1571292acd153fdca358e38695a', 7017976),
	(3, 'items', '2026-11-28 07:20:52.844968+00', true, '\x15e24cf95f855678668782e9f97d9da701f71843ac7ff8b26770b4a00fe8c3ed9c72d340ecd6ff0d33a1dd93f9a90d1c', 3207159),
	(4, 'strangers', '2026-11-28 07:20:52.848472+00', true, '\x772f941b9ec61a5669fd7e968c09bc7113c5e7fbb7650d3505231bb3c75a9404a62c768e6ee242953798dbfd6d33f14d', 4409978),
	(5, 'calls', '2026-11-28 07:20:52.853211+00', true, '\xcecb0fa717b92ae9e1b2306840046795a69366a4e174a9e17425a83d14537c290057ee1695616b04da63b991e836128b', 6796511),
	(6, 'call quality', '2026-11-28 07:20:52.86033+00', true, '\xfd7ca3df476afdab8fc04b00d1cc322816e57aaf7c08c86c88fe726c0b6349045132f9ec61a02696dfd4a87a4b175489', 9376078),
	(7, 'jobs', '2026-11-28 07:20:52.870177+00', true, '\x5f7e02c5f64ab766090f2d714f7133f07d7772ee4699c7d308b66b59d33e1eb45caf765cc282babb91e6f62a5b41797e', 3870750);
INSERT INTO people.calls VALUES
	('7dd431dd-6bb7-42da-b481-92cee6fe7dc3', 1025, 2050, 1025, 'voice', false, '2026-01-02 03:04:05+00', NULL, NULL, '2026-01-02 03:05:05+00', 'missed', NULL, NULL, 1);
INSERT INTO people.created_chats VALUES
	(1025, '0af2736e-8ba9-406e-b2ad-d05d782d427d', 2050, 1),
	(1025, 'fa45d3fd-a930-482f-a39c-cdf5fa671f52', 3075, 2);
INSERT INTO people.devices VALUES
	(1025, 1, '\xa787fdf58ed2afc798af469b4724911c7472d91e89c5b4725faf8eb4c934b11d', 'telephone', '2026-11-28 07:20:53.035796+00', '2026-11-28 07:20:53.035796+00'),
	(2050, 3, '\x0e202428e0c142ae1d62e173106e47ea660f205afab0a962c3c18b592ed69c56', 'bulk', '2026-11-28 07:20:53.06562+00', '2026-11-28 07:20:53.06562+00'),
	(3075, 4, '\xa544e681bae9e05c931ae3dcf8cc67f6d313995638cb04df8063cdcf85334eb2', 'bulk', '2026-11-28 07:20:53.06562+00', '2026-11-28 07:20:53.06562+00'),
	(4100, 5, '\x1fd454e98f8199abb39508ec27893ce61c975c12552d2493285ee78e60333a78', 'bulk', '2026-11-28 07:20:53.06562+00', '2026-11-28 07:20:53.06562+00'),
	(5125, 6, '\x50db7fc471d658a24248771eb34063bf9561c745590c86a354691f0c92f508ee', 'bulk', '2026-11-28 07:20:53.06562+00', '2026-11-28 07:20:53.06562+00'),
	(1025, 2, '\x81d2a1851c27cff8378de59e6236d5f2146f66068fd6016f9c161598f0ae7563', 'computer', '2026-11-28 07:20:53.061364+00', '2026-11-28 07:20:53.331848+00');
INSERT INTO people.direct_chats VALUES
	(1025, 2050, 1025),
	(1025, 4100, 4100);
INSERT INTO people.feed_cursors VALUES
	('lists', 'ac001e9f-a453-40de-b06e-4fe69becd5f2.00000001', '826', 38);
INSERT INTO people.handles VALUES
	('dump_owner', 1025, NULL, true, '2026-11-28 07:20:53.032186+00'),
	('u0x1', 2050, NULL, true, '2026-11-28 07:20:53.06562+00'),
	('u0x2', 3075, NULL, true, '2026-11-28 07:20:53.06562+00'),
	('u0x3', 4100, NULL, true, '2026-11-28 07:20:53.06562+00'),
	('u0x4', 5125, NULL, true, '2026-11-28 07:20:53.06562+00'),
	('dump_news', NULL, 3075, true, '2026-11-28 07:20:53.12557+00');
INSERT INTO people.identities VALUES
	('password', 'dump_owner', 1025, '$argon2id$v=19$m=19456,t=2,p=1$nyn6G/hVa8ckXA1c+cbbCQ$mo4z11n4YDbKH11jxSkUJAsi+3BfcVq6uuYY6jUFZkw', '2026-11-28 07:20:53.032186+00');
INSERT INTO people.items VALUES
	(1025, 'block', '5125', '{}', 8),
	(1025, 'contact', '2050', '{"name":"Member"}', 9),
	(1025, 'draft', '2050', '{"text":{"text":"not sent yet"}}', 10),
	(1025, 'mute', '3075', NULL, 11);
INSERT INTO people.jobs OVERRIDING SYSTEM VALUE VALUES
	(2, 'expire_claims', NULL, '00:10:00', '2026-11-28 07:30:52.958204+00', 0, NULL, NULL, NULL),
	(1, 'tend_feed', NULL, '01:00:00', '2026-11-28 08:20:52.961898+00', 0, NULL, NULL, NULL);
INSERT INTO people.known_networks VALUES
	(1025, '\xd3bb87e01d9664a90cd606461ae8cfe7858fc9808a921bd528cfb9101c13e2cf', '2026-11-28 07:20:53.06335+00');
INSERT INTO people.meta VALUES
	(true, 'dfa95e14-830b-4912-8f55-cf4aaa26d8f9');
INSERT INTO people.reports VALUES
	(3075, 2050, NULL, NULL, 'spam', 'a test', '2026-11-28 07:20:53.347374+00');
INSERT INTO people.user_calls VALUES
	(2050, '7dd431dd-6bb7-42da-b481-92cee6fe7dc3', 1025, 2050, 1025, 'voice', 'missed', NULL, '2026-01-02 03:04:05+00', '2026-01-02 03:05:05+00', 0),
	(1025, '7dd431dd-6bb7-42da-b481-92cee6fe7dc3', 1025, 2050, 1025, 'voice', 'missed', NULL, '2026-01-02 03:04:05+00', '2026-01-02 03:05:05+00', 0);
INSERT INTO people.user_chats VALUES
	(1025, 3075, 2, 2, 0, true, 1, 3, NULL, 0),
	(2050, 3075, 2, 0, 0, false, 1, 4, NULL, 0),
	(2050, 1025, 0, 0, 0, true, 2, 6, 1025, 0),
	(3075, 2050, 1, 0, 0, true, 3, 4, NULL, 0),
	(5125, 2050, 1, NULL, 0, false, 3, 2, NULL, 0),
	(1025, 2050, 1, 2, 9, true, 1, 4, NULL, 0),
	(2050, 2050, 1, 1, 13, true, 3, 8, NULL, 0),
	(3075, 3075, 2, 0, 3, false, 1, 5, NULL, 0),
	(1025, 1025, 0, 0, 2, true, 1, 5, 2050, 0),
	(4100, 3075, 2, NULL, 0, false, 2, 2, NULL, 0),
	(1025, 4100, 0, 0, 0, false, 1, 6, 4100, 1),
	(4100, 4100, 0, 0, 0, true, 1, 3, 1025, 0);
INSERT INTO people.users VALUES
	(5125, 'u0x4', 'u0x4', 2, '2026-11-28 07:20:53.06562+00', NULL, 0, 0, 0, 0, 0),
	(2050, 'u0x1', 'u0x1', 8, '2026-11-28 07:20:53.06562+00', NULL, 0, 0, 0, 0, 0),
	(3075, 'u0x2', 'u0x2', 5, '2026-11-28 07:20:53.06562+00', NULL, 0, 0, 0, 0, 0),
	(4100, 'u0x3', 'u0x3', 3, '2026-11-28 07:20:53.06562+00', NULL, 0, 0, 0, 0, 0),
	(1025, 'dump_owner', 'dump_owner', 12, '2026-11-28 07:20:53.032186+00', NULL, 1, 12, 51, 1, 0);
SELECT pg_catalog.setval('chats.feed_id_seq', 40, true);
SELECT pg_catalog.setval('people.call_stale_id_seq', 1, false);
SELECT pg_catalog.setval('people.chat_numbers', 4, true);
SELECT pg_catalog.setval('people.devices_id_seq', 6, true);
SELECT pg_catalog.setval('people.jobs_id_seq', 3, true);
SELECT pg_catalog.setval('people.user_numbers', 5, true);
ALTER TABLE ONLY chats._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY chats.chats
    ADD CONSTRAINT chats_pkey PRIMARY KEY (id);
ALTER TABLE ONLY chats.counts
    ADD CONSTRAINT counts_pkey PRIMARY KEY (chat_id);
ALTER TABLE ONLY chats.members
    ADD CONSTRAINT members_pkey PRIMARY KEY (chat_id, user_id);
ALTER TABLE ONLY chats.messages
    ADD CONSTRAINT messages_chat_id_sender_id_client_id_key UNIQUE (chat_id, sender_id, client_id);
ALTER TABLE ONLY chats.messages
    ADD CONSTRAINT messages_pkey PRIMARY KEY (chat_id, seq);
ALTER TABLE ONLY chats.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY chats.reactions
    ADD CONSTRAINT reactions_pkey PRIMARY KEY (chat_id, seq, user_id);
ALTER TABLE ONLY chats.views
    ADD CONSTRAINT views_pkey PRIMARY KEY (chat_id, seq);
ALTER TABLE ONLY people._sqlx_migrations
    ADD CONSTRAINT _sqlx_migrations_pkey PRIMARY KEY (version);
ALTER TABLE ONLY people.budgets
    ADD CONSTRAINT budgets_pkey PRIMARY KEY (user_id, kind);
ALTER TABLE ONLY people.call_quality
    ADD CONSTRAINT call_quality_pkey PRIMARY KEY (call_id, user_id, part);
ALTER TABLE ONLY people.call_ratings
    ADD CONSTRAINT call_ratings_pkey PRIMARY KEY (call_id, user_id);
ALTER TABLE ONLY people.call_rollup
    ADD CONSTRAINT call_rollup_pkey PRIMARY KEY (slot, dimension, value);
ALTER TABLE ONLY people.call_slots
    ADD CONSTRAINT call_slots_pkey PRIMARY KEY (slot);
ALTER TABLE ONLY people.call_stale
    ADD CONSTRAINT call_stale_pkey PRIMARY KEY (id);
ALTER TABLE ONLY people.calls
    ADD CONSTRAINT calls_pkey PRIMARY KEY (call_id);
ALTER TABLE ONLY people.created_chats
    ADD CONSTRAINT created_chats_pkey PRIMARY KEY (user_id, client_id);
ALTER TABLE ONLY people.devices
    ADD CONSTRAINT devices_pkey PRIMARY KEY (user_id, id);
ALTER TABLE ONLY people.devices
    ADD CONSTRAINT devices_user_id_token_hash_key UNIQUE (user_id, token_hash);
ALTER TABLE ONLY people.direct_chats
    ADD CONSTRAINT direct_chats_pkey PRIMARY KEY (low_user_id, high_user_id);
ALTER TABLE ONLY people.feed_cursors
    ADD CONSTRAINT feed_cursors_pkey PRIMARY KEY (consumer);
ALTER TABLE ONLY people.found_people
    ADD CONSTRAINT found_people_pkey PRIMARY KEY (user_id, other_id);
ALTER TABLE ONLY people.handles
    ADD CONSTRAINT handles_pkey PRIMARY KEY (handle);
ALTER TABLE ONLY people.identities
    ADD CONSTRAINT identities_pkey PRIMARY KEY (kind, subject);
ALTER TABLE ONLY people.items
    ADD CONSTRAINT items_pkey PRIMARY KEY (user_id, kind, key);
ALTER TABLE ONLY people.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);
ALTER TABLE ONLY people.known_networks
    ADD CONSTRAINT known_networks_pkey PRIMARY KEY (user_id, network);
ALTER TABLE ONLY people.lone_nodes
    ADD CONSTRAINT lone_nodes_pkey PRIMARY KEY (node);
ALTER TABLE ONLY people.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (only_row);
ALTER TABLE ONLY people.reports
    ADD CONSTRAINT reports_pkey PRIMARY KEY (user_id, by_id);
ALTER TABLE ONLY people.unfinished_calls
    ADD CONSTRAINT unfinished_calls_pkey PRIMARY KEY (call_id);
ALTER TABLE ONLY people.user_calls
    ADD CONSTRAINT user_calls_pkey PRIMARY KEY (user_id, call_id);
ALTER TABLE ONLY people.user_chats
    ADD CONSTRAINT user_chats_pkey PRIMARY KEY (user_id, chat_id);
ALTER TABLE ONLY people.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE INDEX counts_stale ON chats.counts USING btree (told_at) WHERE stale;
CREATE INDEX feed_by_order ON ONLY chats.feed USING btree (xid, id);
CREATE INDEX feed_20261128_xid_id_idx ON chats.feed_20261128 USING btree (xid, id);
CREATE INDEX feed_20261129_xid_id_idx ON chats.feed_20261129 USING btree (xid, id);
CREATE INDEX feed_20261130_xid_id_idx ON chats.feed_20261130 USING btree (xid, id);
CREATE INDEX feed_rest_xid_id_idx ON chats.feed_rest USING btree (xid, id);
CREATE INDEX members_banned ON chats.members USING btree (chat_id, user_id) WHERE banned;
CREATE INDEX members_by_read ON chats.members USING btree (chat_id, read_seq DESC, user_id) WHERE ((role IS NOT NULL) AND (version > 0));
CREATE INDEX members_by_version ON chats.members USING btree (chat_id, version) WHERE (version > 0);
CREATE INDEX messages_by_version ON chats.messages USING btree (chat_id, version) WHERE (version > 0);
CREATE INDEX reactions_by_version ON chats.reactions USING btree (chat_id, version) WHERE (version > 0);
CREATE INDEX reactions_untold ON chats.reactions USING btree (chat_id) WHERE (version = 0);
CREATE INDEX views_untold ON chats.views USING btree (chat_id, seq) WHERE (((seen - told) * 64) > told);
CREATE INDEX call_slots_open ON people.call_slots USING btree (slot) WHERE (rolled_at IS NULL);
CREATE INDEX calls_by_end ON people.calls USING btree (ended_at);
CREATE INDEX calls_by_time ON people.calls USING btree (invited_at);
CREATE INDEX found_people_by_time ON people.found_people USING btree (user_id, found_at);
CREATE INDEX handles_unconfirmed ON people.handles USING btree (claimed_at) WHERE (NOT confirmed);
CREATE INDEX identities_by_user ON people.identities USING btree (user_id);
CREATE INDEX items_by_version ON people.items USING btree (user_id, version) WHERE (version > 0);
CREATE INDEX jobs_dead ON people.jobs USING btree (dead_at) WHERE (dead_at IS NOT NULL);
CREATE INDEX jobs_due ON people.jobs USING btree (run_at) WHERE (dead_at IS NULL);
CREATE UNIQUE INDEX jobs_recurring ON people.jobs USING btree (kind) WHERE (every IS NOT NULL);
CREATE INDEX known_networks_by_time ON people.known_networks USING btree (user_id, seen_at);
CREATE INDEX reports_by_time ON people.reports USING btree (reported_at DESC);
CREATE INDEX unfinished_calls_by_node ON people.unfinished_calls USING btree (node);
CREATE INDEX user_calls_by_time ON people.user_calls USING btree (user_id, began_at DESC, call_id DESC);
CREATE INDEX user_chats_by_version ON people.user_chats USING btree (user_id, version) WHERE (version > 0);
ALTER INDEX chats.feed_by_order ATTACH PARTITION chats.feed_20261128_xid_id_idx;
ALTER INDEX chats.feed_by_order ATTACH PARTITION chats.feed_20261129_xid_id_idx;
ALTER INDEX chats.feed_by_order ATTACH PARTITION chats.feed_20261130_xid_id_idx;
ALTER INDEX chats.feed_by_order ATTACH PARTITION chats.feed_rest_xid_id_idx;
CREATE TRIGGER late_calls AFTER INSERT ON people.calls REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION people.mark_late_calls();
