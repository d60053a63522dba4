//! Pictures that the server has fetched for somebody: stored and looked at as if they had uploaded them.

use chapar_protocol::{
    FileKind, UserId,
    media::{FileId, FileState},
};
use uuid::Uuid;

use crate::{
    Files, UPLOAD_LASTS,
    receive::blocking,
    store::people::{files::KnownFile, uploads::NewUpload},
};

impl Files {
    /// Makes a photo of what was fetched. `None`: it is none, or the scanner has something against it.
    ///
    /// # Errors
    /// What was met, for the log.
    pub async fn take_photo(&self, user: UserId, bytes: Vec<u8>) -> Result<Option<KnownFile>, String> {
        let id = FileId(Uuid::new_v4());
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if self.parts.free().is_ok_and(|free| free < size + crate::tus::RESERVE) {
            return Err("the disk for files is full".to_owned());
        }
        let new = NewUpload {
            id,
            user,
            kind: FileKind::Photo,
            size: Some(size),
            metadata: "",
            name: None,
            parts: None,
            place: self.parts.place(),
            within: UPLOAD_LASTS,
        };
        let people = &self.store.people;
        let parts = self.parts.clone();
        let written = move || {
            parts.create(id)?;
            let mut part = parts.append(id)?.ok_or(std::io::ErrorKind::WouldBlock)?;
            part.write(&bytes)?;
            part.sync()
        };
        let written = blocking(written).await;
        let begun = people.begin_upload(&new, i64::MAX).await;
        if let (Err(_), _) | (_, Err(_)) = (&written, &begun) {
            let _ = self.parts.remove(id);
        }
        written.map_err(|error| error.to_string())?;
        begun.map_err(|error| error.to_string())?;
        people.upload_complete(id).await.map_err(|error| error.to_string())?;
        self.store_and_prepare(id).await?;
        let file = people.file_info(user, id).await.map_err(|error| error.to_string())?;
        Ok(Some(file).filter(|it| it.state == FileState::Ready))
    }
}
