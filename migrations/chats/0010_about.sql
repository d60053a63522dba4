-- What stands above a chat: title and description change, messages are pinned.

-- What few chats have, as JSON: `description`, and `pinned`, the seqs of messages. Small: it is written again with the chat's row.
ALTER TABLE chats ADD COLUMN about jsonb;

-- The rarer rows of write_changes, of chats that are held.
CREATE OR REPLACE FUNCTION write_rare_rows(in_held bigint[], in_more jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    due  bigint;
    done bigint;
    more bigint;
BEGIN
    IF in_more ? 'info' THEN
        -- A node of a version before this one names neither title nor `about`: then they stay.
        UPDATE chats c SET rights = i.rights, told_members = i.told_members, info_version = i.info_version,
               title = coalesce(i.title, c.title), about = nullif(coalesce(i.about, c.about), '{}')
        FROM jsonb_to_recordset(in_more -> 'info') AS i (
            chat bigint, rights integer, told_members bigint, info_version bigint, title text, about jsonb)
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
