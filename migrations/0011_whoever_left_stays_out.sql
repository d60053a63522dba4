-- Whoever went from a chat by themselves comes back by themselves: strangers do not bring them back.
--
-- A budget of a third kind beside those of 0005_reach.sql: 2, the chats that strangers have put somebody into.
ALTER TABLE members ADD COLUMN left_by_self boolean NOT NULL DEFAULT false;

-- An account has at most a hundred devices.
DELETE FROM devices d USING (
    SELECT user_id, id, row_number() OVER (PARTITION BY user_id ORDER BY last_seen_at DESC, id DESC) AS place FROM devices
) k
WHERE k.user_id = d.user_id AND k.id = d.id AND k.place > 100;
