//! `chapar admin`: what operators do on the server's machine. It speaks with the database, and needs no running node.

use std::{
    io::{self, Write},
    net::Ipv4Addr,
};

use chapar_protocol::{DeviceId, User, text};
use time::OffsetDateTime;

use crate::{
    call_report::{self, Asked, Question},
    cli::{AdminCommand, read_password},
    passwords::{Guest, Passwords},
    serve::Failure,
    store::{Store, people::accounts::Which},
};

/// Does what was typed.
///
/// # Errors
/// A sentence for the operator.
pub async fn run(store: &Store, command: AdminCommand) -> Result<(), Failure> {
    let mut out = io::stdout();
    match command {
        AdminCommand::CreateUser { handle, name, password } => {
            let handle = text::check_handle(&handle)?;
            let name = text::check_title(name.as_deref().unwrap_or(&handle))?;
            let hash = hash_of_typed(password.password_stdin).await?;
            let user = store.people.create_user(&handle, &name, Some(&hash)).await?;
            writeln!(out, "made @{} with id {}", user.handle, user.id)?;
        }
        AdminCommand::ResetPassword { handle, password } => {
            let user = find(store, &handle).await?;
            let hash = hash_of_typed(password.password_stdin).await?;
            store.people.set_password(user.id, &hash).await?;
            let ended = store.people.revoke_devices(user.id, Which::All).await?;
            writeln!(
                out,
                "@{} has a new password; {} sessions ended; nodes close their connections within 15 seconds",
                user.handle,
                ended.len()
            )?;
        }
        AdminCommand::Sessions { handle } => {
            let user = find(store, &handle).await?;
            for device in store.people.devices(user.id, None).await? {
                writeln!(
                    out,
                    "{}\t{}\tsince {}\tlast seen {}",
                    device.id, device.name, device.created_at, device.last_seen_at
                )?;
            }
        }
        AdminCommand::Revoke { handle, which } => {
            let user = find(store, &handle).await?;
            let only = match which.session {
                Some(id) => Which::Only(DeviceId(
                    id.parse().map_err(|_| "a session's id is a number: see chapar admin sessions")?,
                )),
                None => Which::All,
            };
            let ended = store.people.revoke_devices(user.id, only).await?;
            if let (Which::Only(id), true) = (only, ended.is_empty()) {
                let handle = user.handle;
                return Err(format!("@{handle} has no session {id}: see chapar admin sessions {handle}").into());
            }
            writeln!(
                out,
                "{} sessions of @{} ended; nodes close their connections within 15 seconds",
                ended.len(),
                user.handle
            )?;
        }
        AdminCommand::NewEpoch => {
            store.new_epoch().await?;
            writeln!(out, "a new epoch has begun: every client takes a fresh snapshot")?;
        }
        AdminCommand::Jobs => {
            for it in store.people.dead_jobs().await? {
                let why = it.last_error.unwrap_or_default().replace(['\n', '\t'], " ");
                writeln!(out, "{}\t{}\t{} tries\tdead since {}\t{why}", it.id, it.kind, it.attempts, it.dead_at)?;
            }
        }
        AdminCommand::RetryJob { id } => {
            if !store.people.retry_job(id).await? {
                return Err(format!("there is no dead letter {id}: see chapar admin jobs").into());
            }
            writeln!(out, "job {id} is tried anew")?;
        }
        AdminCommand::Calls(asked) => {
            let question =
                Asked { from: asked.from, to: asked.to, by: Some(asked.by), utc_offset: Some(asked.utc_offset) };
            let report = Question::read(&question, OffsetDateTime::now_utc())?.answer(store).await?;
            let text = if asked.csv { call_report::csv(&report)? } else { call_report::table(&report) };
            out.write_all(text.as_bytes())?;
        }
        AdminCommand::Reports => {
            for it in store.people.latest_reports(200).await? {
                // Control characters of somebody's note do nothing to the operator's terminal.
                let note: String = it.note.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                writeln!(out, "{}\t@{}\tby @{}\t{}\t{}\t{note}", it.at, it.of, it.by, it.reason, it.place)?;
            }
        }
        AdminCommand::Statistics => {
            let it = store.statistics().await?;
            writeln!(
                out,
                "users\t{}\nsessions\t{}\nchats\t{}\nmessages\t{}\ndatabase_bytes\t{}",
                it.users, it.devices, it.chats, it.messages, it.database_bytes
            )?;
        }
    }
    Ok(())
}

async fn find(store: &Store, handle: &str) -> Result<User, Failure> {
    let handle = text::check_handle(handle)?;
    Ok(store.people.credentials(&handle, &[]).await?.ok_or_else(|| format!("there is no user @{handle}"))?.user)
}

async fn hash_of_typed(from_stdin: bool) -> Result<String, Failure> {
    let password = tokio::task::spawn_blocking(move || read_password(from_stdin)).await??;
    text::check_password(&password)?;
    let guest = Guest { network: Ipv4Addr::LOCALHOST.into(), known: true };
    Ok(Passwords::new(1, 1, prometheus_client::metrics::gauge::Gauge::default()).hash(password, guest).await?)
}
