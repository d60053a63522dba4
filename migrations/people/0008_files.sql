-- Files: uploads, what becomes of them, and what is stored once for all who have sent the same.
--
--   uploading ──the last byte──▶ preparing ──▶ ready | refused | held
--
-- The bytes lie outside: what is being received in part files on the disk of the node that receives it (`place`), what is complete in
-- objects, on disk or S3, named by `blobs.key` and not by the hash: so that an object that is being taken away is never that of
-- somebody who stores the same content again meanwhile.

-- What is stored, once for each content.
CREATE TABLE blobs (
    sha256  bytea PRIMARY KEY CHECK (length(sha256) = 32),
    key     uuid NOT NULL UNIQUE,             -- the name of the object
    size    bigint NOT NULL,
    -- Since when it is not known whether a file names it: it is new, or somebody is about to name it, or what named it is gone. An hour
    -- later somebody looks. In the same row, so that a collector that waited for the row sees that it was moved. Null: it is named.
    doubted_at timestamptz DEFAULT now()
);
CREATE INDEX blobs_in_doubt ON blobs (doubted_at) WHERE doubted_at IS NOT NULL;

-- Objects that nothing names: written down before the object is, and taken off with the transaction that names it; and those whose
-- blob was taken away. What stands here after its time is deleted.
CREATE TABLE blob_trash (
    key uuid PRIMARY KEY,
    due timestamptz NOT NULL
);
CREATE INDEX blob_trash_by_time ON blob_trash (due);

CREATE TABLE files (
    id           uuid PRIMARY KEY,            -- that of the upload; not to be guessed
    user_id      bigint NOT NULL,             -- whose
    kind         text NOT NULL,               -- as what it was sent: photo, voice …
    state        text NOT NULL DEFAULT 'uploading',
    refused      text,                        -- why, in a few words; null where it was not
    size         bigint,                      -- of the upload; null: not told yet
    received     bigint NOT NULL DEFAULT 0,   -- at least so much of it; the part file knows exactly
    metadata     text NOT NULL DEFAULT '',    -- of the upload, as it was given
    parts        text,                        -- '': a part of another upload (tus: partial); else the ids of which this is made
    place        uuid,                        -- of the part file; null when that is no longer needed
    created_at   timestamptz NOT NULL DEFAULT now(),
    -- Of an upload: when it is given up. Of a complete file: till then it is kept without a use. Null: it has a use.
    kept_until   timestamptz,
    blob         bytea,                       -- what is given out as the original
    name         text,
    mime         text,
    width        integer,
    height       integer,
    duration_ms  integer,
    preview      text,
    waveform     text,
    animated     boolean NOT NULL DEFAULT false
);
CREATE INDEX files_by_time ON files (kept_until) WHERE kept_until IS NOT NULL;
CREATE INDEX files_uploading ON files (user_id) WHERE state = 'uploading';
CREATE INDEX files_by_blob ON files (blob) WHERE blob IS NOT NULL;
CREATE INDEX files_by_user ON files (user_id, created_at);
CREATE INDEX files_by_place ON files (place) WHERE place IS NOT NULL;

-- A photo in smaller sizes.
CREATE TABLE file_variants (
    file_id uuid NOT NULL,
    longer  smallint NOT NULL,                -- the longer side in pixels
    blob    bytea NOT NULL,
    PRIMARY KEY (file_id, longer)
);
CREATE INDEX file_variants_by_blob ON file_variants (blob);

-- Which messages name which files. Follows the feed of the chats' side.
CREATE TABLE file_uses (
    file_id uuid NOT NULL,
    chat_id bigint NOT NULL,
    seq     bigint NOT NULL,
    PRIMARY KEY (file_id, chat_id, seq)
);
CREATE INDEX file_uses_by_message ON file_uses (chat_id, seq);

-- A use that ends puts the file in doubt, whoever ends it.
CREATE FUNCTION file_use_ended() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE files f SET kept_until = now() WHERE f.kept_until IS NULL AND f.id IN (SELECT o.file_id FROM ended o);
    RETURN NULL;
END
$$;
CREATE TRIGGER file_use_ended AFTER DELETE ON file_uses REFERENCING OLD TABLE AS ended
    FOR EACH STATEMENT EXECUTE FUNCTION file_use_ended();

-- With what links to files are signed: the same for all nodes.
CREATE TABLE file_keys (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    key      bytea NOT NULL DEFAULT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())
);
INSERT INTO file_keys DEFAULT VALUES;

ALTER TABLE users ADD COLUMN photo uuid;
CREATE INDEX users_by_photo ON users (photo) WHERE photo IS NOT NULL;
CREATE FUNCTION photo_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE files f SET kept_until = now() WHERE f.id = OLD.photo AND f.kept_until IS NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER photo_changed AFTER UPDATE OF photo ON users
    FOR EACH ROW WHEN (OLD.photo IS NOT NULL AND OLD.photo IS DISTINCT FROM NEW.photo) EXECUTE FUNCTION photo_changed();
