-- What few batches have, of chats that are held: called in the statement that calls write_changes, and after it. To add more is a line here.
CREATE FUNCTION write_more(in_held bigint[], in_more jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM write_apart(in_held, in_more);
    IF in_more ? 'called' THEN PERFORM write_mentions(in_held, in_more); END IF;
    IF in_more ? 'expiring' THEN PERFORM write_expiring(in_held, in_more); END IF;
    IF in_more ? 'newcomers' THEN PERFORM write_newcomers(in_held, in_more); END IF;
    IF in_more ? 'threads' THEN PERFORM write_threads(in_held, in_more -> 'threads'); END IF;
END
$$;
