-- Hides messages of a chat from one person: the item `hidden` of that chat holds them as ranges. `in_most`, `in_bytes` and `in_taken_back` as in
-- set_items, `in_each` says how long such an item may be. Returns the item, if it has changed.
--
-- A function, because what is added must be added to what was committed while it waited for the lock.
CREATE FUNCTION hide_messages(
    in_user bigint, in_chat bigint, in_seqs bigint[], in_most bigint, in_each bigint, in_bytes bigint, in_taken_back bigint
) RETURNS TABLE (kind text, key text, value text, version bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    before jsonb;
    ranges int8multirange;
    after  text;
BEGIN
    PERFORM 1 FROM users u WHERE u.id = in_user FOR NO KEY UPDATE;
    SELECT k.value::jsonb -> 'seqs' INTO before FROM items k
    WHERE k.user_id = in_user AND k.kind = 'hidden' AND k.key = in_chat::text;
    SELECT range_agg(h.range) INTO ranges FROM (
        SELECT int8range((i.pair ->> 0)::bigint, (i.pair ->> 1)::bigint, '[]') AS range
        FROM jsonb_array_elements(coalesce(before, '[]')) AS i (pair)
        UNION ALL
        SELECT int8range(i.seq, i.seq, '[]') FROM unnest(in_seqs) AS i (seq)
    ) h;
    SELECT '{"seqs":[' || string_agg('[' || lower(r.range) || ',' || upper(r.range) - 1 || ']', ',' ORDER BY r.range) || ']}'
    INTO after FROM unnest(ranges) AS r (range);
    IF octet_length(after) > in_each THEN
        RAISE EXCEPTION 'too many ranges' USING ERRCODE = 'program_limit_exceeded';
    END IF;
    RETURN QUERY
    SELECT * FROM set_items(in_user, ARRAY['hidden'], ARRAY[in_chat::text], ARRAY[after], ARRAY[in_most], in_bytes, in_taken_back);
END
$$;
