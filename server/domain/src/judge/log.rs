//! What was done by those who may, for the log that admins read. Members hear of most of it as well; the log says who did it, also where
//! nobody else hears.

use chapar_protocol::{AdminAction, ChatKind, UserId};

use super::Judging;

impl Judging {
    /// Notes what somebody has done. In a direct chat two equals need no log.
    pub(super) fn log(&mut self, by: UserId, action: AdminAction) {
        if self.chat.info.kind != ChatKind::Direct {
            self.rows.log.push((by, action));
        }
    }
}
