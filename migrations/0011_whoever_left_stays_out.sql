-- Whoever went from a chat by themselves comes back by themselves: strangers do not bring them back.
--
-- A budget of a third kind beside those of 0005_reach.sql: 2, the chats that strangers have put somebody into.
ALTER TABLE members ADD COLUMN left_by_self boolean NOT NULL DEFAULT false;
