//! What many who come into public chats at the same moment ask: what a handle stands for, and what they see then. Each is asked for all of
//! them at once; what all see of a channel is read once.

use std::collections::HashSet;

use chapar_protocol::{ChatId, ChatSnapshot, ErrorCode, Version, WireError};

use crate::{
    store::{
        Result, Store,
        chats::{pages::once_changed, readers::Reader},
    },
    together::{Question, Together},
};

/// So many are asked for at once.
const BATCH: usize = 256;

/// What handles stand for.
struct Handles(Store);

impl Question for Handles {
    type Ask = String;
    type Answer = Option<ChatId>;

    async fn put(&self, asks: Vec<String>) -> Result<Vec<Option<ChatId>>> {
        let each: HashSet<&String> = asks.iter().collect();
        let each: Vec<String> = each.into_iter().cloned().collect();
        let chats = self.0.people.public_chats(&each).await?;
        Ok(asks.iter().map(|handle| chats.get(handle).copied()).collect())
    }
}

/// What readers of channels see.
struct Snapshots(Store);

impl Question for Snapshots {
    type Ask = Reader;
    type Answer = Option<ChatSnapshot>;

    async fn put(&self, asks: Vec<Reader>) -> Result<Vec<Option<ChatSnapshot>>> {
        self.0.chats.channel_snapshots(&asks).await
    }
}

/// Where a chat stands that somebody is in; none when they are not in it.
pub(crate) struct Inside(pub(crate) Store);

impl Question for Inside {
    type Ask = Reader;
    type Answer = Option<Version>;

    async fn put(&self, asks: Vec<Reader>) -> Result<Vec<Option<Version>>> {
        let places = self.0.chats.places(&asks).await?;
        Ok(asks.iter().map(|it| places.get(it).map(|it| it.version)).collect())
    }
}

/// See the module.
pub struct Joining {
    handles: Together<Handles>,
    inside: Together<Inside>,
    snapshots: Together<Snapshots>,
}

impl Joining {
    /// Over the connections for requests.
    pub fn new(store: &Store) -> Self {
        Self {
            handles: Together::new(Handles(store.clone()), BATCH, 1),
            inside: Together::new(Inside(store.clone()), BATCH, 1),
            snapshots: Together::new(Snapshots(store.clone()), BATCH, 1),
        }
    }

    /// The public chat that a handle stands for.
    ///
    /// # Errors
    /// What the database met.
    pub async fn chat(&self, handle: String) -> Result<Option<ChatId>, WireError> {
        self.handles.ask(handle).await
    }

    /// Whether somebody is in a chat.
    ///
    /// # Errors
    /// What the database met.
    pub async fn is_inside(&self, reader: Reader) -> Result<bool, WireError> {
        Ok(self.inside.ask(reader).await?.is_some())
    }

    /// A channel from scratch for somebody who has come in.
    ///
    /// # Errors
    /// [`ErrorCode::ChatNotFound`] for whoever is out again.
    pub async fn snapshot(&self, reader: Reader) -> Result<ChatSnapshot> {
        let read = once_changed(|| async { Ok(self.snapshots.ask(reader).await?) }).await?;
        read.ok_or(ErrorCode::ChatNotFound.into())
    }
}
