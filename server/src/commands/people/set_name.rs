//! `set_name`: changes the caller's own name.

use std::sync::Arc;

use chapar_protocol::{User, command::SetName, text};

use crate::app::App;
use crate::commands::{Asker, Outcome, Result};

pub(in crate::commands) async fn run(app: Arc<App>, asker: Asker, set: SetName) -> Result<User> {
    let name = text::check_title(&set.name)?;
    Ok(Outcome::new(app.store.people.set_name(asker.user, &name).await?))
}
