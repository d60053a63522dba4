-- What was found behind links, by the one form that a link has. Kept for a day, so that a message can name it; asked anew after an hour.
CREATE TABLE link_previews (
    link       bytea PRIMARY KEY,             -- SHA-256 of it
    at         timestamptz NOT NULL DEFAULT now(),
    found      jsonb,                         -- see server/store/src/people/link_previews.rs; null: there was nothing
    image      jsonb                          -- the picture: a file of whoever asked first
);
CREATE INDEX link_previews_by_time ON link_previews (at);
