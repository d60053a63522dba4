-- Messages that are sent later. Whose time has come is taken by some node, which sends it as its writer would, under the client id that it
-- has had from the start: taken twice, it is sent once. What is sent is gone from here; what is refused stays, and says why.
CREATE TABLE scheduled (
    user_id   bigint NOT NULL,                -- who sends it
    client_id uuid NOT NULL,
    chat_id   bigint NOT NULL,
    message   text NOT NULL,                  -- what is sent, as JSON
    at        timestamptz,                    -- when; null: when the other one is online
    peer_id   bigint,                         -- who that is, until they were
    due_at    timestamptz,                    -- when some node takes it, or takes it over; null: it waits for somebody, or was refused
    taken     boolean NOT NULL DEFAULT false, -- some node sends it until `due_at`: nobody else changes it
    failed    text,                           -- why it was refused
    PRIMARY KEY (user_id, client_id)
) WITH (fillfactor = 80);
CREATE INDEX scheduled_due ON scheduled (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX scheduled_for ON scheduled (peer_id) WHERE peer_id IS NOT NULL;
CREATE INDEX scheduled_in ON scheduled (user_id, chat_id);

-- Tells people's devices that something of what they have scheduled in some chats has changed: an item for each chat, which says how many
-- there are, and is taken back when there are none. Whoever calls it has locked the people, in the order of their ids.
CREATE FUNCTION tell_scheduled(in_user bigint[], in_chat bigint[])
RETURNS TABLE (user_id bigint, kind text, key text, value text, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH moved AS MATERIALIZED (
        SELECT DISTINCT i.usr, i.chat FROM unnest(in_user, in_chat) AS i (usr, chat)
    ), counted AS MATERIALIZED (
        SELECT m.usr, m.chat, s.count, s.failed, k.value AS before, k.user_id IS NOT NULL AS known
        FROM moved m
        CROSS JOIN LATERAL (
            SELECT count(*) AS count, count(s.failed) AS failed FROM scheduled s WHERE s.user_id = m.usr AND s.chat_id = m.chat
        ) s
        LEFT JOIN LATERAL (
            SELECT * FROM items k WHERE k.user_id = m.usr AND k.kind = 'scheduled' AND k.key = m.chat::text LIMIT 1
        ) k ON true
    ), told AS MATERIALIZED (
        SELECT c.usr, c.chat, c.before, c.known,
            u.version + row_number() OVER (PARTITION BY c.usr ORDER BY c.chat) AS version,
            CASE WHEN c.count > 0 THEN json_strip_nulls(json_build_object(
                'count', c.count, 'failed', nullif(c.failed, 0),
                'changed_at', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
            ))::text END AS value
        FROM counted c
        CROSS JOIN LATERAL (SELECT u.version FROM users u WHERE u.id = c.usr LIMIT 1) u
        WHERE c.count > 0 OR c.before IS NOT NULL
    ), counts AS (
        UPDATE users u SET version = t.version, item_bytes = u.item_bytes + t.more, taken_back = u.taken_back + t.back
        FROM (
            SELECT t.usr, max(t.version) AS version,
                sum(coalesce(octet_length(t.value), 0) - coalesce(octet_length(t.before), 0)) AS more,
                count(*) FILTER (WHERE t.value IS NULL) - count(*) FILTER (WHERE t.known AND t.before IS NULL) AS back
            FROM told t GROUP BY t.usr
        ) t
        WHERE u.id = t.usr
    )
    INSERT INTO items AS k (user_id, kind, key, value, version)
    SELECT t.usr, 'scheduled', t.chat::text, t.value, t.version FROM told t ORDER BY t.usr, t.version
    ON CONFLICT (user_id, kind, key) DO UPDATE SET value = excluded.value, version = excluded.version
    RETURNING k.user_id, k.kind, k.key, k.value, k.version;
END
$$;

-- Schedules a message, or says anew what stands under its client id. Whoever is not in the chat any more schedules nothing there.
CREATE FUNCTION schedule_message(
    in_user bigint, in_client uuid, in_chat bigint, in_message text, in_at timestamptz, in_online boolean, in_most bigint
) RETURNS TABLE (user_id bigint, kind text, key text, value text, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    peer   bigint;
    inside boolean;
    before scheduled;
BEGIN
    PERFORM 1 FROM users u WHERE u.id = in_user FOR NO KEY UPDATE;
    SELECT c.role IS NOT NULL, CASE WHEN c.kind = 0 THEN c.peer_id END INTO inside, peer
    FROM user_chats c WHERE c.user_id = in_user AND c.chat_id = in_chat;
    IF inside IS NOT TRUE THEN
        RAISE EXCEPTION 'not in the chat' USING ERRCODE = 'no_data_found';
    END IF;
    IF in_online AND (peer IS NULL OR peer = in_user) THEN
        RAISE EXCEPTION 'nobody to wait for' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT * INTO before FROM scheduled s WHERE s.user_id = in_user AND s.client_id = in_client;
    IF before.taken AND before.due_at > now() THEN
        RAISE EXCEPTION 'it is being sent' USING ERRCODE = 'object_in_use';
    END IF;
    IF before.client_id IS NULL AND (SELECT count(*) FROM scheduled s WHERE s.user_id = in_user) >= in_most THEN
        RAISE EXCEPTION 'too many are scheduled' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    INSERT INTO scheduled AS s (user_id, client_id, chat_id, message, at, peer_id, due_at)
    VALUES (in_user, in_client, in_chat, in_message, CASE WHEN NOT in_online THEN in_at END, CASE WHEN in_online THEN peer END,
            CASE WHEN NOT in_online THEN in_at END)
    ON CONFLICT (user_id, client_id) DO UPDATE
    SET chat_id = excluded.chat_id, message = excluded.message, at = excluded.at, peer_id = excluded.peer_id, due_at = excluded.due_at,
        taken = false, failed = NULL;
    RETURN QUERY SELECT * FROM tell_scheduled(
        CASE WHEN before.chat_id <> in_chat THEN ARRAY[in_user, in_user] ELSE ARRAY[in_user] END,
        CASE WHEN before.chat_id <> in_chat THEN ARRAY[in_chat, before.chat_id] ELSE ARRAY[in_chat] END
    );
END
$$;

-- What was sent, or taken back, is gone; what was refused stays and says why (`in_failed`; null for what is gone). With `in_waiting` it is
-- the writer who takes it back, which comes too late for what is being sent.
CREATE FUNCTION end_scheduled(in_user bigint[], in_client uuid[], in_failed text[], in_waiting boolean)
RETURNS TABLE (user_id bigint, kind text, key text, value text, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    users_moved bigint[];
    chats_moved bigint[];
BEGIN
    PERFORM 1 FROM users u WHERE u.id = ANY (in_user) ORDER BY u.id FOR NO KEY UPDATE;
    IF in_waiting AND EXISTS (
        SELECT FROM unnest(in_user, in_client) AS i (usr, client)
        CROSS JOIN LATERAL (SELECT * FROM scheduled s WHERE s.user_id = i.usr AND s.client_id = i.client LIMIT 1) s
        WHERE s.taken AND s.due_at > now()
    ) THEN
        RAISE EXCEPTION 'it is being sent' USING ERRCODE = 'object_in_use';
    END IF;
    WITH gone AS (
        DELETE FROM scheduled s USING unnest(in_user, in_client, in_failed) AS i (usr, client, failed)
        WHERE s.user_id = i.usr AND s.client_id = i.client AND i.failed IS NULL RETURNING s.user_id, s.chat_id
    ), refused AS (
        UPDATE scheduled s SET failed = i.failed, due_at = NULL, peer_id = NULL, taken = false
        FROM unnest(in_user, in_client, in_failed) AS i (usr, client, failed)
        WHERE s.user_id = i.usr AND s.client_id = i.client AND i.failed IS NOT NULL RETURNING s.user_id, s.chat_id
    )
    SELECT array_agg(m.user_id), array_agg(m.chat_id) INTO users_moved, chats_moved
    FROM (SELECT * FROM gone UNION ALL SELECT * FROM refused) m;
    RETURN QUERY SELECT * FROM tell_scheduled(users_moved, chats_moved);
END
$$;

-- Some of a person's messages are sent as soon as a node comes to it.
CREATE FUNCTION hurry_scheduled(in_user bigint, in_client uuid[])
RETURNS TABLE (user_id bigint, kind text, key text, value text, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    chats_moved bigint[];
BEGIN
    PERFORM 1 FROM users u WHERE u.id = in_user FOR NO KEY UPDATE;
    WITH hurried AS (
        UPDATE scheduled s SET at = now(), due_at = now(), peer_id = NULL, failed = NULL
        FROM unnest(in_client) AS i (client)
        WHERE s.user_id = in_user AND s.client_id = i.client AND NOT (s.taken AND s.due_at > now()) RETURNING s.chat_id
    )
    SELECT array_agg(h.chat_id) INTO chats_moved FROM hurried h;
    RETURN QUERY SELECT * FROM tell_scheduled(array_fill(in_user, ARRAY[coalesce(cardinality(chats_moved), 0)]), chats_moved);
END
$$;
