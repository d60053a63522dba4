-- Packs of stickers. Who has added which, and which stickers somebody wants at hand, stands in `items`.

CREATE TABLE sticker_packs (
    id         uuid PRIMARY KEY,              -- made by the client; who knows it can read the pack
    user_id    bigint NOT NULL,               -- who has made it
    title      text NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sticker_packs_by_user ON sticker_packs (user_id);

CREATE TABLE stickers (
    pack_id uuid NOT NULL,
    file_id uuid NOT NULL,                    -- the owner's; kept as long as it stands here
    place   smallint NOT NULL,                -- in the pack: 0, 1, 2 …
    emoji   text,
    PRIMARY KEY (pack_id, file_id)
);
CREATE INDEX stickers_by_file ON stickers (file_id);

-- A sticker that leaves its pack puts its file in doubt, as a message does that is deleted.
CREATE TRIGGER sticker_gone AFTER DELETE ON stickers REFERENCING OLD TABLE AS ended
    FOR EACH STATEMENT EXECUTE FUNCTION file_use_ended();

-- It stands in a pack, or stood in one: whoever knows its id is given it, under one address for all, also by messages that outlive the pack.
ALTER TABLE files ADD COLUMN published boolean NOT NULL DEFAULT false;
