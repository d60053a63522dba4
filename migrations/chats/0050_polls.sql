-- Polls. What all see of a poll, its counts among that, stands in its message's body; here stands what only some see, and when it closes.
CREATE TABLE polls (
    chat_id     bigint NOT NULL,
    seq         bigint NOT NULL,
    closes_at   timestamptz,                  -- null: when its author closes it
    open        boolean NOT NULL DEFAULT true,
    gone        boolean NOT NULL DEFAULT false, -- its message was deleted: the votes go in portions, then this row
    right_place smallint,                     -- of a quiz: which option is right, from 0
    explanation text,
    PRIMARY KEY (chat_id, seq)
);
CREATE INDEX polls_due ON polls (closes_at) WHERE open AND closes_at IS NOT NULL;
CREATE INDEX polls_gone ON polls (chat_id, seq) WHERE gone;

-- One row for each who has voted. Written with the lock of the chat's row.
CREATE TABLE votes (
    chat_id bigint NOT NULL,
    seq     bigint NOT NULL,
    user_id bigint NOT NULL,
    choice  smallint NOT NULL,                -- a bit for each option; 0: taken back
    counted smallint NOT NULL,                -- what stands for it in the poll's counts
    turn    bigint NOT NULL,                  -- counts its changes
    PRIMARY KEY (chat_id, seq, user_id)
) WITH (fillfactor = 80);
CREATE INDEX votes_untold ON votes (chat_id) WHERE choice <> counted;

-- What write_changes leaves to be written of polls, of chats that are held; called with what it returns, in the same statement, and only where
-- there is something: messages do not pay for it. Each list of `in_polls` is optional: polls (new ones), ended, votes, tallied and told.
CREATE FUNCTION write_polls(in_held bigint[], in_polls jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    due  bigint;
    done bigint;
    more bigint;
BEGIN
    IF in_polls ? 'polls' THEN
        INSERT INTO polls (chat_id, seq, closes_at, right_place, explanation)
        SELECT i.chat, i.seq, i.closes_at, i.right_place, i.explanation
        FROM jsonb_to_recordset(in_polls -> 'polls') AS i (
            chat bigint, seq bigint, closes_at timestamptz, right_place smallint, explanation text)
        WHERE i.chat = ANY (in_held);
    END IF;
    IF in_polls ? 'ended' THEN
        UPDATE polls p SET open = false, gone = p.gone OR i.gone
        FROM jsonb_to_recordset(in_polls -> 'ended') AS i (chat bigint, seq bigint, gone boolean)
        WHERE p.chat_id = i.chat AND p.seq = i.seq AND i.chat = ANY (in_held);
    END IF;
    IF in_polls ? 'votes' THEN
        SELECT count(*) INTO due FROM jsonb_to_recordset(in_polls -> 'votes') AS i (chat bigint) WHERE i.chat = ANY (in_held);
        UPDATE votes v SET choice = i.choice, turn = i.turn, counted = CASE WHEN i.quiet THEN v.counted ELSE i.choice END
        FROM jsonb_to_recordset(in_polls -> 'votes') AS i (
            chat bigint, seq bigint, usr bigint, choice smallint, before bigint, turn bigint, quiet boolean)
        WHERE v.chat_id = i.chat AND v.seq = i.seq AND v.user_id = i.usr AND v.turn = i.before AND i.before > 0
          AND i.chat = ANY (in_held);
        GET DIAGNOSTICS done = ROW_COUNT;
        INSERT INTO votes (chat_id, seq, user_id, choice, counted, turn)
        SELECT i.chat, i.seq, i.usr, i.choice, CASE WHEN i.quiet THEN 0 ELSE i.choice END, i.turn
        FROM jsonb_to_recordset(in_polls -> 'votes') AS i (
            chat bigint, seq bigint, usr bigint, choice smallint, before bigint, turn bigint, quiet boolean)
        WHERE i.before = 0 AND i.chat = ANY (in_held)
        ORDER BY i.chat, i.seq, i.usr ON CONFLICT (chat_id, seq, user_id) DO NOTHING;
        GET DIAGNOSTICS more = ROW_COUNT;
        IF done + more < due THEN
            -- In a channel a vote moves no version: somebody has voted on two nodes at once, and what was judged does not hold.
            RAISE EXCEPTION 'a vote has moved' USING ERRCODE = 'serialization_failure';
        END IF;
        UPDATE counts c SET stale = true
        WHERE NOT c.stale AND c.chat_id = ANY (in_held) AND c.chat_id IN (
            SELECT i.chat FROM jsonb_to_recordset(in_polls -> 'votes') AS i (chat bigint, quiet boolean) WHERE i.quiet);
    END IF;
    IF in_polls ? 'tallied' THEN
        -- A vote that has changed since it was read stands in the counts as it was read, and is counted again later.
        UPDATE votes v SET counted = i.choice
        FROM jsonb_to_recordset(in_polls -> 'tallied') AS i (chat bigint, seq bigint, usr bigint, choice smallint)
        WHERE v.chat_id = i.chat AND v.seq = i.seq AND v.user_id = i.usr AND i.chat = ANY (in_held);
    END IF;
    IF in_polls ? 'told' THEN
        -- write_counters knows nothing of votes.
        UPDATE counts c SET stale = true
        WHERE NOT c.stale AND c.chat_id = ANY (in_held)
          AND c.chat_id IN (SELECT i.chat FROM jsonb_to_recordset(in_polls -> 'told') AS i (chat bigint))
          AND EXISTS (SELECT FROM votes v WHERE v.chat_id = c.chat_id AND v.choice <> v.counted);
    END IF;
END
$$;

-- What a message takes on the wire with the asking user's reaction and vote, or a little more.
CREATE OR REPLACE FUNCTION message_bytes(body jsonb, reactions jsonb, mine text) RETURNS integer LANGUAGE sql STABLE
RETURN 288 + octet_length(body::text) + coalesce(octet_length(reactions::text), 0) + CASE WHEN mine IS NULL THEN 0 ELSE 160 END
    + CASE WHEN body ->> 'kind' = 'poll' THEN 1024 ELSE 0 END;
