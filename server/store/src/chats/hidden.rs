//! What was said in a group before somebody came in from whom that is hidden.

use std::collections::HashMap;

use chapar_protocol::{ChatId, ChatRow, Seq};

use super::pages::Head;

/// Up to which message something is hidden in some chats from one who is in them.
pub(crate) type Hidden = HashMap<ChatId, Seq>;

/// What is hidden in those of some chats in which anything is.
pub(crate) fn hidden_in<'a>(heads: impl IntoIterator<Item = &'a Head>) -> Hidden {
    heads.into_iter().filter(|it| it.sees_after > Seq(0)).map(|it| (it.chat, it.sees_after)).collect()
}

/// Takes out of rows what is hidden from their reader.
pub(crate) fn hide(rows: &mut Vec<ChatRow>, upto: Option<&Seq>) {
    let Some(upto) = upto else { return };
    rows.retain(|row| is_about(row).is_none_or(|seq| seq > *upto));
}

/// The message that a row is about.
pub(crate) fn is_about(row: &ChatRow) -> Option<Seq> {
    let of_message = row.message().map(|it| it.seq);
    of_message.or_else(|| row.reaction().map(|it| it.seq)).or_else(|| row.vote().map(|it| it.seq))
}
