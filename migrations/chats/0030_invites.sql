-- Links by which people come into groups and channels, and those who ask to be let in.

CREATE TABLE invites (
    chat_id    bigint NOT NULL,
    id         uuid NOT NULL,                 -- made by the client
    secret     text NOT NULL,                 -- what opens the chat
    title      text,
    made_by    bigint NOT NULL,
    made_at    timestamptz NOT NULL,
    expires_at timestamptz,
    max_uses   integer,
    uses       integer NOT NULL,
    approval   boolean NOT NULL,              -- whoever comes through it asks first
    revoked    boolean NOT NULL,
    turn       bigint NOT NULL,               -- counts the changes
    PRIMARY KEY (chat_id, id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX invites_by_secret ON invites (chat_id, secret);

-- Who came through which link, and when the last time.
CREATE TABLE invite_uses (
    chat_id   bigint NOT NULL,
    invite_id uuid NOT NULL,
    user_id   bigint NOT NULL,
    at        timestamptz NOT NULL,
    PRIMARY KEY (chat_id, invite_id, user_id)
);

-- turn: of their membership when they asked, 0 for none. Whoever has come in since, was removed or has gone asks no more.
CREATE TABLE join_requests (
    chat_id   bigint NOT NULL,
    user_id   bigint NOT NULL,
    invite_id uuid NOT NULL,
    at        timestamptz NOT NULL,
    turn      bigint NOT NULL,
    PRIMARY KEY (chat_id, user_id)
);

-- Writes what changed of links and of those who ask, of chats that are held: in the statement that calls write_changes, and after it. What
-- was judged by a link is written only where that is still at its turn: it moves no version of the chat.
CREATE FUNCTION write_entry(in_held bigint[], in_entry jsonb) RETURNS void
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    due  bigint;
    done bigint;
    more bigint;
BEGIN
    DELETE FROM invites k USING jsonb_to_recordset(in_entry -> 'forgotten') AS i (chat bigint, id uuid)
    WHERE k.chat_id = i.chat AND k.id = i.id AND i.chat = ANY (in_held);
    DELETE FROM invite_uses k USING jsonb_to_recordset(in_entry -> 'forgotten') AS i (chat bigint, id uuid)
    WHERE k.chat_id = i.chat AND k.invite_id = i.id AND i.chat = ANY (in_held);

    SELECT count(*) INTO due FROM jsonb_to_recordset(in_entry -> 'invites') AS i (chat bigint) WHERE i.chat = ANY (in_held);
    UPDATE invites k SET title = i.title, expires_at = i.expires_at, max_uses = i.max_uses, uses = i.uses, approval = i.approval,
           revoked = i.revoked, turn = i.turn
    FROM jsonb_to_recordset(in_entry -> 'invites') AS i (
        chat bigint, id uuid, title text, expires_at timestamptz, max_uses integer, uses integer, approval boolean, revoked boolean,
        before bigint, turn bigint)
    WHERE k.chat_id = i.chat AND k.id = i.id AND k.turn = i.before AND i.before > 0 AND i.chat = ANY (in_held);
    GET DIAGNOSTICS done = ROW_COUNT;
    INSERT INTO invites (chat_id, id, secret, title, made_by, made_at, expires_at, max_uses, uses, approval, revoked, turn)
    SELECT i.chat, i.id, i.secret, i.title, i.made_by, i.made_at, i.expires_at, i.max_uses, i.uses, i.approval, i.revoked, i.turn
    FROM jsonb_to_recordset(in_entry -> 'invites') AS i (
        chat bigint, id uuid, secret text, title text, made_by bigint, made_at timestamptz, expires_at timestamptz, max_uses integer,
        uses integer, approval boolean, revoked boolean, before bigint, turn bigint)
    WHERE i.before = 0 AND i.chat = ANY (in_held) ORDER BY i.chat, i.id
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS more = ROW_COUNT;
    IF done + more < due THEN
        RAISE EXCEPTION 'a link has been used' USING ERRCODE = 'serialization_failure';
    END IF;

    INSERT INTO invite_uses AS k (chat_id, invite_id, user_id, at)
    SELECT i.chat, i.id, i.usr, i.at
    FROM jsonb_to_recordset(in_entry -> 'uses') AS i (chat bigint, id uuid, usr bigint, at timestamptz)
    WHERE i.chat = ANY (in_held) ORDER BY i.chat, i.id, i.usr
    ON CONFLICT (chat_id, invite_id, user_id) DO UPDATE SET at = excluded.at;

    SELECT count(*) INTO due FROM jsonb_to_recordset(in_entry -> 'answered') AS i (chat bigint) WHERE i.chat = ANY (in_held);
    DELETE FROM join_requests k USING jsonb_to_recordset(in_entry -> 'answered') AS i (chat bigint, usr bigint)
    WHERE k.chat_id = i.chat AND k.user_id = i.usr AND i.chat = ANY (in_held);
    GET DIAGNOSTICS done = ROW_COUNT;
    IF done < due THEN
        RAISE EXCEPTION 'somebody else has answered' USING ERRCODE = 'serialization_failure';
    END IF;
    INSERT INTO join_requests AS k (chat_id, user_id, invite_id, at, turn)
    SELECT i.chat, i.usr, i.id, i.at, i.turn
    FROM jsonb_to_recordset(in_entry -> 'asking') AS i (chat bigint, usr bigint, id uuid, at timestamptz, turn bigint)
    WHERE i.chat = ANY (in_held) ORDER BY i.chat, i.usr
    ON CONFLICT (chat_id, user_id) DO UPDATE SET invite_id = excluded.invite_id, at = excluded.at, turn = excluded.turn;
END
$$;
