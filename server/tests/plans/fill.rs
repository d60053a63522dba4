//! A database of the size that plans must hold at: a channel of a million, a person in two thousand chats, messages by the
//! million. Made fast: nothing is logged, and indexes come after the rows.

use crate::support::postgres::Database;

/// The channel of a million members, and its owner.
pub const CHANNEL: i64 = 1;
/// A group of a thousand, in which half of all messages stand.
pub const GROUP: i64 = 2;
/// The last of the direct chats of person 1: with person of the same number.
pub const DIRECT: i64 = 1502;
/// The last of the small groups of person 1.
pub const SMALL: i64 = 2002;
/// The person who is in all of them.
pub const PERSON: i64 = 1;
/// The owner of the channel and the groups.
pub const OWNER: i64 = 2;

/// How much there is.
#[derive(Clone, Copy)]
pub struct Size {
    pub messages: i64,
    /// To each of the last 100 posts of the channel.
    pub reactions: i64,
    pub calls: i64,
}

const PREPARE: &str = "
ALTER SYSTEM SET autovacuum = off;
";

const DROP_INDEXES: &str = "
CREATE TABLE kept (place serial, statement text);
DO $$
DECLARE it record;
BEGIN
    FOR it IN SELECT c.oid::regclass AS name FROM pg_class c
              WHERE c.relnamespace IN ('chats'::regnamespace, 'people'::regnamespace) AND c.relkind = 'r'
                AND c.relname NOT LIKE '%sqlx%' AND c.relname NOT LIKE 'feed%' AND c.relname <> 'meta' LOOP
        EXECUTE format('ALTER TABLE %s SET UNLOGGED', it.name);
    END LOOP;
    FOR it IN SELECT k.conname, k.conrelid::regclass AS name, pg_get_constraintdef(k.oid) AS definition FROM pg_constraint k
              WHERE k.contype IN ('p', 'u') AND k.conrelid::regclass::text IN ('users', 'handles', 'devices', 'members', 'user_chats', 'messages', 'reactions') LOOP
        INSERT INTO kept (statement) VALUES (format('ALTER TABLE %s ADD CONSTRAINT %I %s', it.name, it.conname, it.definition));
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', it.name, it.conname);
    END LOOP;
    FOR it IN SELECT i.indexrelid::regclass AS name, pg_get_indexdef(i.indexrelid) AS definition FROM pg_index i
              WHERE i.indrelid::regclass::text IN ('members', 'user_chats', 'messages', 'reactions') LOOP
        INSERT INTO kept (statement) VALUES (it.definition);
        EXECUTE format('DROP INDEX %s', it.name);
    END LOOP;
END
$$;
";

const BUILD_INDEXES: &str = "
SET maintenance_work_mem = '512MB';
DO $$
DECLARE it record;
BEGIN
    FOR it IN SELECT statement FROM kept ORDER BY place LOOP
        EXECUTE it.statement;
    END LOOP;
END
$$;
DROP TABLE kept;
";

/// Fills a database that has the schema and no rows.
pub fn fill(database: &Database, size: Size) {
    let Size { messages, reactions, calls } = size;
    let (posts, in_group, each) = (messages / 10, messages / 2, messages / 5000);
    database.sql(PREPARE);
    database.sql("SELECT pg_reload_conf()");
    database.sql(DROP_INDEXES);
    database.sql(&format!(
        r#"
INSERT INTO users (id, handle, name, version) SELECT n, 'u' || n, 'Person ' || n, 4000 FROM generate_series(1, 1000000) n;
INSERT INTO handles (handle, user_id) SELECT 'u' || n, n FROM generate_series(1, 1000000) n;
INSERT INTO handles (handle, chat_id) VALUES ('channel', 1);
INSERT INTO identities (kind, subject, user_id, secret) SELECT 'password', 'u' || n, n, 'hash' FROM generate_series(1, 100000) n;
INSERT INTO reports (user_id, by_id, reason) SELECT n, n + 1, 'spam' FROM generate_series(100000, 200000) n;
INSERT INTO items (user_id, kind, key, value, version)
SELECT n, k.kind, k.key, '{{}}', k.version FROM generate_series(1, 50000) n
CROSS JOIN (VALUES ('mute', '7', 1), ('pin', '7', 2), ('block', '999999', 3), ('contact', '7', 4)) AS k (kind, key, version);
INSERT INTO devices (user_id, id, token_hash, name) SELECT n, n, decode(lpad(to_hex(n), 64, '0'), 'hex'), 'telephone' FROM generate_series(1, 1000000) n;
INSERT INTO chats (id, kind, title, handle, rights, created_at, changed_at, seq, version, info_version)
SELECT n, CASE WHEN n = 1 THEN 2 WHEN n BETWEEN 3 AND 1502 THEN 0 ELSE 1 END, 'chat ' || n, CASE n WHEN 1 THEN 'channel' END,
       CASE n WHEN 1 THEN 2 ELSE 35 END, now(), now(),
       CASE n WHEN 1 THEN {posts} WHEN 2 THEN {in_group} ELSE {each} END,
       CASE n WHEN 1 THEN {posts} + 100 * {reactions} WHEN 2 THEN {in_group} ELSE {each} END, 1
FROM generate_series(1, 2002) n;
INSERT INTO members (turn, chat_id, user_id, role, version)
SELECT 1, 1, n, CASE n WHEN 2 THEN 2 ELSE 0 END, CASE n WHEN 2 THEN 1 ELSE 0 END FROM generate_series(1, 1000000) n
UNION ALL SELECT 1, 2, n, CASE n WHEN 2 THEN 2 ELSE 0 END, {in_group} - 1000 + n FROM generate_series(1, 1000) n
UNION ALL SELECT 1, c, u, 0, 1 FROM generate_series(3, 1502) c CROSS JOIN LATERAL (VALUES (1), (c)) AS p (u)
UNION ALL SELECT 1, c, u, CASE u WHEN 2 THEN 2 ELSE 0 END, 1 FROM generate_series(1503, 2002) c CROSS JOIN generate_series(1, 10) u;
UPDATE members SET read_seq = 5 WHERE chat_id > 1;
INSERT INTO mentions (chat_id, user_id, seq) SELECT 2, u, 3 * s FROM generate_series(1, 1000) u CROSS JOIN generate_series(1, 100) s;
INSERT INTO counts SELECT chat_id, count(*) FROM members GROUP BY chat_id;
INSERT INTO user_chats (user_id, chat_id, kind, role, engaged, turn, version)
SELECT m.user_id, m.chat_id, c.kind, m.role, true, 1, row_number() OVER (PARTITION BY m.user_id ORDER BY m.chat_id)
FROM members m JOIN chats c ON c.id = m.chat_id;
INSERT INTO direct_chats SELECT 1, c, c FROM generate_series(3, 1502) c;
INSERT INTO direct_chats SELECT n, n + 1, 10000 + n FROM generate_series(10000, 110000) n;
INSERT INTO messages (chat_id, seq, version, sender_id, client_id, client_hash, sent_at, body)
SELECT c.id, s, s, CASE c.id WHEN 1 THEN 2 ELSE 1 END, gen_random_uuid(), 0, now(), '{{"kind": "text", "text": "سلام، حالت چطور است؟"}}'
FROM chats c CROSS JOIN LATERAL generate_series(1, c.seq) s;
INSERT INTO views SELECT 1, s, 1000, 1000 FROM generate_series(1, {posts}) s;
INSERT INTO reactions (chat_id, seq, user_id, emoji, counted, version)
SELECT 1, {posts} - 100 + s, u, '👍', '👍', {posts} + (s - 1) * {reactions} + u FROM generate_series(1, 100) s CROSS JOIN generate_series(1, {reactions}) u;
"#
    ));
    database.sql(&format!(
        "INSERT INTO calls SELECT gen_random_uuid(), 3 + n % 1500, 1, 3 + n % 1500, 'voice', false, t, t, t, t, 'hung_up', NULL, 1, 1
         FROM (SELECT n, now() - n * interval '5 seconds' AS t FROM generate_series(1, {calls}) n) k;
         INSERT INTO user_calls
         SELECT u, call_id, chat_id, caller_id, callee_id, media, reason, winner, invited_at, ended_at, 60
         FROM calls CROSS JOIN LATERAL (VALUES (caller_id), (callee_id)) AS p (u);
         INSERT INTO call_slots (slot, closed_at, rolled_at)
         SELECT date_bin('30 minutes', now(), '2000-01-01') - {calls} * interval '5 seconds' - n * interval '30 minutes', now(), now()
         FROM generate_series(4, 20000) n;
         INSERT INTO call_rollup
         SELECT slot, d, '', 1, 1, 1, 1, 4, 0, 0, 0, 0, '{{}}', '{{}}' FROM call_slots CROSS JOIN (VALUES ('day'), ('reason')) AS v (d);
         SELECT setval('user_numbers', 2000000), setval('chat_numbers', 2000000),
                setval(pg_get_serial_sequence('devices', 'id'), 2000000)"
    ));
    database.sql(
        "INSERT INTO blobs (sha256, key, size, doubted_at)
         SELECT sha256(n::text::bytea), gen_random_uuid(), 1000, NULL FROM generate_series(1, 200000) n;
         INSERT INTO files (id, user_id, kind, state, size, received, kept_until, blob, name, mime)
         SELECT gen_random_uuid(), 1 + n % 100, 'photo', 'ready', 1000, 1000, NULL, sha256(n::text::bytea), 'a.jpg', 'image/jpeg'
         FROM generate_series(1, 200000) n;
         INSERT INTO file_variants (file_id, longer, blob) SELECT id, 320, blob FROM files;
         INSERT INTO file_uses (file_id, chat_id, seq) SELECT id, 2, row_number() OVER () FROM files;
         INSERT INTO sticker_packs (id, user_id, title)
         SELECT lpad(to_hex(n), 32, '0')::uuid, 1 + n, 'Cats' FROM generate_series(1, 5000) n;
         INSERT INTO stickers (pack_id, file_id, place, emoji)
         SELECT lpad(to_hex(1 + n % 5000), 32, '0')::uuid, f.id, n / 5000, '😺'
         FROM (SELECT id, row_number() OVER () - 1 AS n FROM files LIMIT 150000) f;
         UPDATE files f SET published = true FROM stickers s WHERE s.file_id = f.id AND s.pack_id < lpad('a', 32, '0')::uuid",
    );
    database.sql(BUILD_INDEXES);
    database.sql(&format!(
        "UPDATE messages SET version = {posts} + (seq - ({posts} - 100)) * {reactions} WHERE chat_id = 1 AND seq > {posts} - 100"
    ));
    database.sql("ANALYZE");
}
