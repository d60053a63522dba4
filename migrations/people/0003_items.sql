-- What a person has set: mutes, pins, drafts, folders, contacts, blocks, settings. One table, and one way, for all of them.

CREATE TABLE items (
    user_id bigint NOT NULL,
    kind    text NOT NULL,
    key     text NOT NULL,                    -- an id, or a name
    value   text,                             -- JSON; null: taken back, and told so to devices that were away
    version bigint NOT NULL,                  -- the user's version at the last change
    PRIMARY KEY (user_id, kind, key)
) WITH (fillfactor = 80);
CREATE INDEX items_by_version ON items (user_id, version) WHERE version > 0;

-- Sets some items of one person, none twice; what is so already is left alone. Returns what has changed, each with a version of its
-- own. `in_most` says how many of its kind there may be, `in_bytes` how much all values may be together, `in_taken_back` how many of
-- those without a value are remembered.
--
-- A function, because its second statement must see what was committed while its first waited for the lock.
CREATE FUNCTION set_items(
    in_user bigint, in_kind text[], in_key text[], in_value text[], in_most bigint[], in_bytes bigint, in_taken_back bigint
) RETURNS TABLE (kind text, key text, value text, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
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
