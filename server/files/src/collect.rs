//! What nobody needs any more is taken away: files that no message names, content that no file names, part files whose upload is over.

use std::time::Duration;

use chapar_live::file_uses::FOLLOWER;
use chapar_protocol::media::FileId;

use crate::{Files, receive::blocking};

/// The recurring job that takes away what the rows say nobody needs.
pub const COLLECT: &str = "collect_files";
/// How often.
pub const COLLECT_EACH: Duration = Duration::from_mins(10);
/// How often a node looks through its own part files.
const SWEEP_EACH: Duration = Duration::from_mins(1);
/// Rows that are looked at in one statement.
const PAGE: i64 = 200;
/// Statements in one try.
const PAGES: usize = 50;
/// While what follows messages is so far behind, no file is taken away: a message may name it. A file is held for a day.
const BEHIND: Duration = Duration::from_hours(12);

impl Files {
    /// Does the job [`COLLECT`].
    ///
    /// # Errors
    /// What was met: it is to be tried again.
    pub async fn collect(&self) -> Result<(), String> {
        let store = self.store.upkeep();
        let say = |error: crate::store::StoreError| error.to_string();
        let behind = store.feed_behind(FOLLOWER).await.map_err(say)?;
        if behind.is_none_or(|behind| behind < BEHIND) {
            for _ in 0..PAGES {
                let (gone, more) = store.people.collect_files(PAGE).await.map_err(say)?;
                self.metrics.files_collected.get_or_create(&[("what", "files")]).inc_by(gone);
                if !more {
                    break;
                }
            }
        } else {
            tracing::warn!(?behind, "what follows messages is behind: no file is taken away meanwhile");
        }
        for _ in 0..PAGES {
            let (gone, more) = store.people.collect_blobs(PAGE).await.map_err(say)?;
            self.metrics.files_collected.get_or_create(&[("what", "blobs")]).inc_by(gone);
            if !more {
                break;
            }
        }
        for _ in 0..PAGES {
            let due = store.people.trash(PAGE).await.map_err(say)?;
            if due.is_empty() {
                break;
            }
            for key in &due {
                self.objects.delete(*key).await.map_err(|error| error.to_string())?;
            }
            store.people.trash_deleted(&due).await.map_err(say)?;
            self.metrics.files_collected.get_or_create(&[("what", "objects")]).inc_by(due.len() as u64);
        }
        Ok(())
    }

    /// Looks through the part files of this node now and then: those that are complete are stored, those that nobody needs removed. Does
    /// not end by itself.
    pub async fn keep_sweeping(self) {
        // What this node was preparing when it died waits for it: nobody else would begin before it is given up for dead.
        match self.store.upkeep().people.prepare_again(self.parts.place()).await {
            Ok(0) => {}
            Ok(files) => tracing::info!(files, "files were being prepared when this node ended: they are prepared now"),
            Err(error) => tracing::warn!(%error, "files that were being prepared wait until their jobs are given up"),
        }
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(error, "part files cannot be looked through now");
            }
            tokio::time::sleep(SWEEP_EACH.mul_f64(rand::random_range(0.8..1.2))).await;
        }
    }

    /// Once.
    ///
    /// # Errors
    /// What was met.
    pub async fn sweep(&self) -> Result<(), String> {
        let parts = self.parts.clone();
        // Read before the rows are asked: a part file is there before its row, but an upload that begins now is not on this list.
        let there = blocking(move || parts.list()).await.map_err(|error| error.to_string())?;
        self.metrics.uploads_open.set(i64::try_from(self.writers.count()).unwrap_or(i64::MAX));
        for page in there.chunks(1000) {
            let young = |file: &FileId| crate::parts::is_young(&self.parts.path(*file));
            let needed = self.store.upkeep().people.parts_needed(self.parts.place(), page).await;
            let needed = needed.map_err(|error| error.to_string())?;
            for file in page {
                match needed.iter().find(|it| it.0 == *file) {
                    Some((_, true)) => self.begin_storing(*file),
                    Some((_, false)) => {}
                    None if self.storing.lock().contains(file) || young(file) => {}
                    None => {
                        let (parts, file) = (self.parts.clone(), *file);
                        blocking(move || parts.remove(file)).await.map_err(|error| error.to_string())?;
                    }
                }
            }
        }
        Ok(())
    }
}
