//! Files as the people's side knows them, put there without an upload.

use chapar_protocol::{
    ChatId, FileId, FileKind, Seq,
    command::Send,
    media::{Caption, FileSource, NamedFile, NewPhoto},
    message::NewBody,
};
use uuid::Uuid;

use super::{Device, World};

impl World {
    /// A file of somebody's that messages can name, with its content and two smaller sizes.
    pub fn file(&self, owner: &Device, kind: FileKind) -> FileId {
        self.file_in(owner, kind, "ready")
    }

    /// The same in another state.
    pub fn file_in(&self, owner: &Device, kind: FileKind, state: &str) -> FileId {
        let (id, owner, kind) = (Uuid::new_v4(), owner.id(), kind.name());
        self.database.sql(&format!(
            "WITH stored AS (
                 INSERT INTO blobs (sha256, key, size) SELECT sha256(('{id}' || n)::bytea), gen_random_uuid(), 1000 + n
                 FROM generate_series(0, 2) AS s (n) RETURNING sha256, size
             ), made AS (
                 INSERT INTO files (id, user_id, kind, state, size, received, kept_until, blob, name, mime, width, height, preview)
                 SELECT '{id}', {owner}, '{kind}', '{state}', 1000, 1000, now() + interval '1 day', s.sha256, 'حرم.jpg',
                     'image/jpeg', 4000, 3000, 'AAAAAAA' FROM stored s WHERE s.size = 1000
             )
             INSERT INTO file_variants (file_id, longer, blob)
             SELECT '{id}', CASE s.size WHEN 1001 THEN 320 ELSE 1280 END, s.sha256 FROM stored s WHERE s.size > 1000"
        ));
        FileId(id)
    }

    /// Which messages the people's side knows to name a file: by seq.
    pub fn uses(&self, file: FileId) -> Vec<i64> {
        let rows = self.database.sql(&format!(
            "SELECT coalesce(jsonb_agg(seq ORDER BY seq), '[]') FROM file_uses WHERE file_id = '{file}'"
        ));
        serde_json::from_str(&rows).expect("seqs")
    }
}

/// A message with a file, under a new client id.
pub fn with_file(chat_id: ChatId, file: FileId, caption: &str) -> Send {
    Send::new(chat_id, Uuid::new_v4(), photo(file, caption))
}

/// A photo with a text under it.
pub fn photo(file_id: FileId, caption: &str) -> NewBody {
    let caption = Caption { text: caption.to_owned(), entities: Vec::new() };
    NewBody::Photo(NewPhoto { file: NamedFile { file_id, from: None }, caption, spoiler: false, album: None })
}

/// The photo of another message.
pub fn forwarded(file_id: FileId, chat_id: ChatId, seq: Seq) -> NewBody {
    let mut body = photo(file_id, "");
    if let NewBody::Photo(photo) = &mut body {
        photo.file.from = Some(FileSource { chat_id, seq });
    }
    body
}
