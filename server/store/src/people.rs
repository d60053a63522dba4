//! What belongs to people. Every function here names people, and touches their side only.

pub mod accounts;
pub mod blobs;
pub mod budgets;
pub mod call_quality;
pub mod call_report;
pub mod calls;
pub mod doors;
pub mod file_uses;
pub mod files;
pub mod items;
pub mod jobs;
pub mod known;
pub mod link_previews;
pub mod lists;
pub mod names;
pub mod reports;
pub mod rushed_marks;
pub mod scheduled;
pub mod stickers;
pub mod unfinished_calls;
pub mod uploads;

use std::{ops::Deref, sync::Arc};

use sqlx::postgres::PgConnectOptions;

use super::{Result, Shares, Side, StoreError, pool, pool::Pace, row};

/// The people's side. Clones share their connections.
#[derive(Clone)]
pub struct People {
    pub(super) side: Side,
    refusals: Arc<budgets::Refusals>,
}

impl People {
    pub(super) fn new(options: PgConnectOptions, shares: Shares, pace: &Pace) -> Self {
        Self { side: Side::new(options, "people", shares, shares.people, pace), refusals: Arc::default() }
    }
}

impl Deref for People {
    type Target = Side;

    fn deref(&self) -> &Side {
        &self.side
    }
}
