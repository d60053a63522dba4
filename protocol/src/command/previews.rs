use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::preview::LinkPreview;

params! {
    /// Has the server look what stands behind a link that is about to be sent. It asks the site in its own name, and tells it nothing of who
    /// asks. Refused with `forbidden` where the operator does not allow it.
    PreviewLink {
        /// `http` or `https`, at most 2048 bytes.
        url: String,
    }
    /// The answer to [`PreviewLink`]. A message names it by its link (see [`Send::preview`](crate::command::Send)) within a day.
    LinkPreviewed {
        /// Absent when there is nothing to show.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        preview: Option<LinkPreview>,
    }
}
