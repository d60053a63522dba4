-- What belongs to chats: the chats, who is in them, messages, reactions, and the feed of what has changed.
--
-- Every table but the feed leads with chat_id. There are no foreign keys: on the hot path each would lock a row of another table
-- per message. Nothing here is touched together with what belongs to people (../people).
--
-- Invariant: `version` and `seq` of a chat are dense and move only in write_changes, under the chat's row lock.

CREATE TABLE meta (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch    uuid NOT NULL DEFAULT gen_random_uuid(),
    turns    bigint NOT NULL DEFAULT 0        -- where turns of memberships begin, see first_turn
);
INSERT INTO meta DEFAULT VALUES;

-- In each history turns begin above all that an earlier one may have given out and lost since, in a failover (another timeline) or in a
-- restore (the operator names a new epoch): people's lists, which may know those, follow the highest.
CREATE FUNCTION first_turn() RETURNS bigint LANGUAGE sql STABLE
RETURN (SELECT m.turns + CASE WHEN pg_is_in_recovery() THEN 0 ELSE
            (('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::bigint - 1) << 32 END FROM meta m);

CREATE TABLE chats (
    id           bigint PRIMARY KEY,          -- given out by the people's side
    kind         smallint NOT NULL,           -- 0 direct, 1 group, 2 channel
    title        text,
    handle       text,
    rights       integer NOT NULL,            -- what everybody in it may
    created_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,        -- for the order of a chat list; not indexed, so that it stays cheap
    seq          bigint NOT NULL DEFAULT 0,   -- of the last message
    version      bigint NOT NULL DEFAULT 0,   -- of the last change
    info_version bigint NOT NULL DEFAULT 0,   -- of the last change of title, handle or rights, and in a channel of how many are told to be in it
    told_members bigint NOT NULL DEFAULT 0    -- in a channel: how many are told to be in it
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

-- How many are in a chat. Apart from the chat's own row, because readers of a channel come and go without its lock.
--
-- What moves the counters of a channel (readers, reactions, views) marks it as stale in the same transaction; they are told at most once
-- a second, and what is to be told comes from the rows, so that nothing is lost with the node that was about to do it.
CREATE TABLE counts (
    chat_id bigint PRIMARY KEY,
    members bigint NOT NULL,
    stale   boolean NOT NULL DEFAULT false,
    told_at timestamptz
) WITH (fillfactor = 50);
CREATE INDEX counts_stale ON counts (told_at) WHERE stale;

-- role: 0 member, 1 admin, 2 owner, null gone. rights and denied: bits, see server/domain/src/rights.rs.
CREATE TABLE members (
    chat_id      bigint NOT NULL,
    user_id      bigint NOT NULL,
    role         smallint,
    rights       integer NOT NULL DEFAULT 0,  -- of an admin, beside those of everybody
    denied       integer NOT NULL DEFAULT 0,  -- to a member, of those of everybody
    denied_until timestamptz,                 -- null: for good
    banned       boolean NOT NULL DEFAULT false, -- cannot come back by themselves
    shut         bigint NOT NULL DEFAULT 0,   -- in a direct chat: when the other one blocked them, in microseconds; negative: ended it
    went         boolean NOT NULL DEFAULT false, -- by themselves: others cannot bring them back
    engaged      boolean NOT NULL DEFAULT false, -- has opened the chat, or written in it
    read_seq     bigint NOT NULL DEFAULT 0,   -- in channels nobody sees it: by it views are counted
    turn         bigint NOT NULL,             -- counts the changes of this standing, but for the read mark
    version      bigint NOT NULL DEFAULT 0,   -- the chat's version at the last change that others see; 0 for readers of a channel
    PRIMARY KEY (chat_id, user_id)
) WITH (fillfactor = 80);
CREATE INDEX members_by_version ON members (chat_id, version) WHERE version > 0;
CREATE INDEX members_banned ON members (chat_id, user_id) WHERE banned;
-- Readers of a channel have version 0 and no read mark that anybody sees: the index holds those who have one.
CREATE INDEX members_by_read ON members (chat_id, read_seq DESC, user_id) WHERE role IS NOT NULL AND version > 0;

CREATE TABLE messages (
    chat_id     bigint NOT NULL,
    seq         bigint NOT NULL,
    version     bigint NOT NULL,              -- the chat's version at the last change
    sender_id   bigint NOT NULL,
    client_id   uuid NOT NULL,
    client_hash bigint NOT NULL,              -- of what was first sent under that client id
    sent_at     timestamptz NOT NULL,
    edited_at   timestamptz,
    reply_to    bigint,
    body        jsonb NOT NULL,
    reactions   jsonb,                        -- counts, most frequent first
    views       bigint,                       -- in a channel, as last told; null: none
    PRIMARY KEY (chat_id, seq),
    UNIQUE (chat_id, sender_id, client_id)
) WITH (autovacuum_vacuum_insert_scale_factor = 0.1);
-- With a condition of its own it serves those statements only that name it: where most messages are in a few chats, the planner
-- else takes it for as good as the primary key. Versions begin at 1. So with the others.
CREATE INDEX messages_by_version ON messages (chat_id, version) WHERE version > 0;

CREATE TABLE reactions (
    chat_id bigint NOT NULL,
    seq     bigint NOT NULL,
    user_id bigint NOT NULL,
    emoji   text,                             -- null: taken back
    version bigint NOT NULL,                  -- 0: not told yet, see `counts`
    counted text,                             -- what stands for it in the message's counts
    PRIMARY KEY (chat_id, seq, user_id)
);
CREATE INDEX reactions_by_version ON reactions (chat_id, version) WHERE version > 0;
CREATE INDEX reactions_untold ON reactions (chat_id) WHERE version = 0;

-- By how many people a message of a channel was seen: how many read marks have passed it.
CREATE TABLE views (
    chat_id bigint NOT NULL,
    seq     bigint NOT NULL,
    seen    bigint NOT NULL,
    told    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (chat_id, seq)
) WITH (fillfactor = 50);
-- Where it is news: a sixty-fourth more than was told.
CREATE INDEX views_untold ON views (chat_id, seq) WHERE (seen - told) * 64 > told;

-- What has changed, one row for each commit, for all who follow: search, push, bots, people's lists. Kept for a week.
--
-- Rows do not become visible in the order of their ids. Whoever follows reads those whose transaction is older than the oldest
-- that runs (xid < pg_snapshot_xmin(pg_current_snapshot())), by (xid, id): then none is missed.
CREATE TABLE feed (
    id     bigint GENERATED ALWAYS AS IDENTITY,
    xid    xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at     timestamptz NOT NULL DEFAULT now(),
    chats  bigint[] NOT NULL,                 -- which
    froms  bigint[] NOT NULL,                 -- from which version; equal to the next where only readers came or went
    tos    bigint[] NOT NULL,                 -- to which
    kinds  smallint[] NOT NULL,               -- of rows, bits: 1 info, 2 members, 4 messages new, 8 messages changed, 16 reactions
    people jsonb                              -- [[chat, user], ...] whose membership has changed
) PARTITION BY RANGE (at);
CREATE INDEX feed_by_order ON feed (xid, id);
CREATE TABLE feed_rest PARTITION OF feed DEFAULT;

-- Makes room for today and the days that follow, and drops what is older than a week. It locks the whole feed for a moment, so it
-- does not wait for whoever reads it for long: all commits would wait behind it.
CREATE FUNCTION tend_feed() RETURNS void LANGUAGE plpgsql SET lock_timeout = '100ms' AS $$
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
$$;
SELECT tend_feed();

-- Writes what was judged, in one call. A chat that somebody else has locked, or whose version is no longer `in_from`, is left out with
-- all its rows: the ids of the others come back. What was judged holds for the version that was read, so what the judgement
-- rests on must move the version, or be checked here: the `turn` of a member.
--
-- `in_more` holds the rarer rows, each list optional: created, info, messages (changed ones), members, counts, reactions, counted and viewed
-- and told (of a channel's counters), shut, people.
CREATE FUNCTION write_changes(
    in_chat bigint[], in_from bigint[], in_seq bigint[], in_version bigint[], in_at timestamptz[], in_kinds smallint[],
    in_m_chat bigint[], in_m_seq bigint[], in_m_version bigint[], in_m_sender bigint[], in_m_client uuid[],
    in_m_hash bigint[], in_m_at timestamptz[], in_m_reply bigint[], in_m_body text[],
    in_more jsonb
) RETURNS bigint[]
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

-- The rarer rows of write_changes, of chats that are held.
CREATE FUNCTION write_rare_rows(in_held bigint[], in_more jsonb) RETURNS void
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

-- Notes what the counters of some channels have told, of channels that are held.
CREATE FUNCTION write_counters(in_held bigint[], in_more jsonb) RETURNS void
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

-- Notes how far people have read channels, and counts by it: a message was seen by as many as there are read marks that have passed it. Who
-- passes many at once has not seen them all: the last fifty count. No (chat, user) twice. Returns the channels where something is news.
CREATE FUNCTION count_views(in_chat bigint[], in_user bigint[], in_seq bigint[]) RETURNS SETOF bigint
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
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

-- Readers who come into channels or go: no lock of the channel, no version. No (chat, user) twice. `in_before` is the turn that was
-- read, `in_turn` the next; whose turn has moved is left out. Returns the places, from 1, of those that were written.
CREATE FUNCTION move_readers(
    in_chat bigint[], in_user bigint[], in_before bigint[], in_turn bigint[], in_role smallint[], in_read bigint[]
) RETURNS SETOF bigint
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
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
