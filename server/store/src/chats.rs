//! What belongs to chats. Every function here names a chat, and touches the chats' side only.

mod admin_log;
mod apart;
mod audience;
pub mod change;
mod delta;
mod entry;
mod expiring;
pub mod feed;
mod files;
mod forwards;
pub(crate) mod hidden;
pub mod invites;
mod load;
pub mod pages;
mod polls;
pub mod readers;
mod snapshot;
pub mod threads;
mod untold;
mod write;

use std::ops::Deref;

pub use files::Shown;
pub use forwards::{Original, Originals};

use sqlx::postgres::PgConnectOptions;

use super::{
    BATCH, ChatChange, Result, Shares, Side, StoreError,
    pool::{Bounds, Pace, Pool, Tx},
    row,
};

/// The chats' side. Clones share their connections.
#[derive(Clone)]
pub struct Chats {
    pub(super) side: Side,
    commit: Pool,
}

/// Settings of the sessions that change chats. The planner is held to index scans, and to one plan for all batches: a
/// plan made when the tables were empty would last as long as the session, and one made anew for each message costs more
/// than storing it.
const COMMIT_SESSION: &str = "SET search_path = chats; SET enable_seqscan = off; SET enable_hashjoin = off;
    SET enable_mergejoin = off; SET enable_bitmapscan = off; SET plan_cache_mode = force_generic_plan;";

impl Chats {
    pub(super) fn new(options: PgConnectOptions, shares: Shares, pace: &Pace) -> Self {
        // Not checked before use: whoever uses it tries again anyway.
        let bounds =
            Bounds { connections: shares.commit, place: super::PLACE, statement: BATCH, lock: BATCH / 2, check: false };
        let commit = Pool::new(options.clone().statement_cache_capacity(256), bounds, COMMIT_SESSION, None);
        Self { side: Side::new(options, "chats", shares, shares.chats, pace), commit }
    }

    pub(super) async fn close(&self) {
        tokio::join!(self.side.close(), self.commit.close());
    }
}

impl Deref for Chats {
    type Target = Side;

    fn deref(&self) -> &Side {
        &self.side
    }
}
