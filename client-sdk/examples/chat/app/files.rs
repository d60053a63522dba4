//! Files: sent from the disk, and saved there.

use std::path::PathBuf;

use chapar_client::{
    FileOf, FileOptions,
    protocol::{FileKind, media::Caption},
};

use super::{App, ClientEvent, Outcome, first_word, seq_and_rest};

impl App {
    /// Puts a file into the outbox: its path, and the text under it.
    pub(super) async fn send_file(&mut self, kind: FileKind, rest: &str) -> Outcome {
        let (path, text) = first_word(rest);
        let caption = Caption { text: text.to_owned(), entities: Vec::new() };
        let options = FileOptions { kind: Some(kind), caption, ..FileOptions::default() };
        self.client.post_file(self.here()?, PathBuf::from(path), options).await?;
        if !self.client.phase().is_live() {
            self.screen.line("… waits for the network");
        }
        Ok(())
    }

    /// Brings the file of a message onto the disk, while the chat goes on.
    pub(super) fn save(&mut self, rest: &str) -> Outcome {
        let (seq, path) = seq_and_rest(rest)?;
        let chat_id = self.here()?;
        let messages = self.client.messages(chat_id);
        let message = messages.iter().find(|view| view.message.seq == seq).ok_or("that message is not shown here")?;
        let file = message.message.body.file().ok_or("that message has no file")?;
        let path = match (path, &file.name) {
            ("", Some(name)) => PathBuf::from(name),
            ("", None) => return Err("under which name?".into()),
            (path, _) => PathBuf::from(path),
        };
        let of = FileOf { chat_id, seq, file_id: file.id, size: None };
        let client = self.client.clone();
        self.saving.spawn(async move {
            match client.save(of, &path, |_, _| {}).await {
                Ok(()) => format!("— saved {} —", path.display()),
                Err(error) => format!("✗ {}: {error}", path.display()),
            }
        });
        Ok(())
    }

    /// Tells of each quarter of a file that has gone up.
    pub(super) fn uploading(&mut self, event: &ClientEvent) {
        let ClientEvent::Uploading { client_id, sent, size, .. } = event else { return };
        let quarter = sent * 4 / (*size).max(1);
        if self.quarters.insert(*client_id, quarter) != Some(quarter) {
            self.screen.line(&format!("… {} % of the file is at the server", quarter * 25));
        }
    }
}
