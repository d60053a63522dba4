-- Who may reach whom, and how often.
--
-- Laid out like the foundation: what belongs to a person leads with user_id, what belongs to a chat with chat_id.

-- What somebody has used of a budget, as the moment at which it will be full again: a token bucket in one value. Here
-- and not in a node's memory, so that more nodes, devices or connections bring nothing.
CREATE TABLE budgets (
    user_id bigint NOT NULL,
    kind    smallint NOT NULL,                -- 0 new contacts, 1 look-ups
    full_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, kind)
) WITH (fillfactor = 70);

-- Whom somebody has found by handle, at most the latest thousand. Ids are dense, so an id alone opens nothing.
CREATE TABLE found_people (
    user_id  bigint NOT NULL,
    other_id bigint NOT NULL,
    found_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, other_id)
);
CREATE INDEX found_people_by_time ON found_people (user_id, found_at);

-- Who of the two has opened the chat. Who has written in it is read from the messages.
ALTER TABLE direct_chats
    ADD COLUMN low_opened  boolean NOT NULL DEFAULT false,
    ADD COLUMN high_opened boolean NOT NULL DEFAULT false;

-- Who was taken out of a chat and cannot join it again until an admin adds them.
CREATE TABLE bans (
    chat_id    bigint NOT NULL,
    user_id    bigint NOT NULL,
    by_user_id bigint NOT NULL,
    banned_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (chat_id, user_id)
);

-- From which networks somebody has signed in, as hashes: those are not locked out by what strangers try.
CREATE TABLE known_networks (
    user_id bigint NOT NULL,
    network bytea NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, network)
);
CREATE INDEX known_networks_by_time ON known_networks (user_id, seen_at);
