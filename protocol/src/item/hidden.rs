//! Messages that a person has deleted for themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Seq;

/// See [`super::OwnItem::Hidden`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, TS)]
pub struct Hidden {
    /// The messages as stretches, each with its first and its last one, by seq. Between two of them there is at least one other message.
    pub seqs: Vec<(Seq, Seq)>,
}

impl Hidden {
    /// Whether a message is among them.
    pub fn has(&self, seq: Seq) -> bool {
        let next = self.seqs.partition_point(|(_, last)| *last < seq);
        self.seqs.get(next).is_some_and(|(first, _)| *first <= seq)
    }
}
