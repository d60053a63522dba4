//! What clients can ask, one file each. A command checks, stores, and returns its reply and what others must hear;
//! it never writes to a socket.
//!
//! The list in [`start`] is the table of contents. `hello` and `watch_presence` belong to a connection and stand in
//! [`crate::session`].

mod add_members;
mod call_ask;
mod call_invite;
mod call_rate;
mod call_relays;
mod create_chat;
mod delete;
mod edit;
mod get_calls;
mod get_devices;
mod get_members;
mod get_relays;
mod get_users;
mod history;
mod join;
mod leave;
mod mark_read;
mod open_direct;
mod react;
mod remove_member;
mod resolve;
mod revoke_device;
mod see_calls;
mod send;
mod set_name;
mod set_role;
mod set_typing;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use chapar_protocol::{
    ChatKind, DeviceId, ErrorCode, Role, UserDelta, UserId, WireError,
    command::{self as wire, Command},
    event::{Read, Typing},
    frame,
};
use tracing::Instrument;
use tungstenite::Utf8Bytes;

use crate::{
    app::App,
    calls::Answered,
    store::{
        Changes, StoreError,
        accounts::Caller,
        budgets::{BudgetKind, Charge},
        busy,
        people::Known,
    },
};

/// Commands of one account that are carried out at once, over all its connections; the others wait for these. Messages are no
/// such commands: the committer has their queue.
pub const OF_ACCOUNT: usize = 2;
/// For how long a command waits for those of its own account before it is told to come back.
const OWN_PATIENCE: Duration = Duration::from_secs(5);

/// A reply frame that is on its way.
pub type Pending = Pin<Box<dyn Future<Output = Utf8Bytes> + Send>>;

/// What a command answers, and what others must hear of it.
pub struct Outcome<R> {
    reply: R,
    effects: Vec<Effect>,
}

/// Something that others must hear.
enum Effect {
    /// A chat changed, or who is in it.
    Changed(Changes),
    /// The caller's own things changed.
    Own(UserDelta),
    /// The caller has read.
    Read(Read),
    /// The caller is writing.
    Typing(Typing),
    /// One of the caller's devices was signed out.
    Revoked(DeviceId),
}

impl<R> Outcome<R> {
    fn new(reply: R) -> Self {
        Self { reply, effects: Vec::new() }
    }

    fn and(mut self, effect: Effect) -> Self {
        self.effects.push(effect);
        self
    }
}

type Result<R, E = StoreError> = std::result::Result<Outcome<R>, E>;

fn refuse<T>(code: ErrorCode, message: &str) -> std::result::Result<T, StoreError> {
    Err(StoreError::Refused(WireError::new(code, message)))
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Asker {
    /// The user.
    pub user: UserId,
    /// The user's device.
    pub device: DeviceId,
}

impl From<&Caller> for Asker {
    fn from(caller: &Caller) -> Self {
        Self { user: caller.user.id, device: caller.device_id }
    }
}

/// A request: the method, its params as JSON, and the id under which to answer.
pub struct Request<'a> {
    /// The id of the reply.
    pub id: u64,
    /// Which command.
    pub method: &'a str,
    /// Its params.
    pub params: &'a str,
}

/// Begins a command. What must keep the order of the connection's requests (`send`) happens before this returns; the
/// rest goes on by itself, also when nobody waits for the reply any more: what is committed is always told.
pub fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
    macro_rules! commands {
        ($($method:literal => $run:path,)+) => {
            match request.method {
                "send" => send::start(app, asker, request),
                "call_invite" => call_invite::start(app, asker, request),
                "call_ask" => call_ask::start(app, asker, request),
                "call_relays" => call_relays::start(app, asker, request),
                $($method => spawn(app, asker, request, $run),)+
                _ => refused(request.id, &WireError::new(ErrorCode::UnknownMethod, "there is no such method")),
            }
        };
    }
    if let Some(method) = wire::METHODS.iter().find(|it| it.name == request.method) {
        app.metrics.requests.get_or_create(&[("method", method.name)]).inc();
    }
    commands! {
        "ping" => ping,
        "edit" => edit::run,
        "delete" => delete::run,
        "react" => react::run,
        "mark_read" => mark_read::run,
        "set_typing" => set_typing::run,
        "history" => history::run,
        "difference" => history::difference,
        "user_difference" => history::user_difference,
        "open_direct" => open_direct::run,
        "create_chat" => create_chat::run,
        "get_chat" => history::get_chat,
        "get_members" => get_members::run,
        "add_members" => add_members::run,
        "remove_member" => remove_member::run,
        "set_role" => set_role::run,
        "join" => join::run,
        "leave" => leave::run,
        "resolve" => resolve::run,
        "get_users" => get_users::run,
        "get_relays" => get_relays::run,
        "call_rate" => call_rate::run,
        "get_calls" => get_calls::run,
        "see_calls" => see_calls::run,
        "set_name" => set_name::run,
        "get_devices" => get_devices::run,
        "revoke_device" => revoke_device::run,
    }
}

/// Whether a command's answer may be long: a page, a snapshot, a list.
pub fn answers_at_length(method: &str) -> bool {
    matches!(
        method,
        "history"
            | "difference"
            | "user_difference"
            | "get_chat"
            | "open_direct"
            | "create_chat"
            | "join"
            | "get_members"
            | "get_users"
            | "get_calls"
            | "get_devices"
            | "get_relays"
    )
}

async fn ping(_: Arc<App>, _: Asker, _: wire::Ping) -> Result<wire::Done> {
    Ok(Outcome::new(wire::Done {}))
}

/// An error reply at once.
pub fn refused(id: u64, error: &WireError) -> Pending {
    let reply = frame::error_reply(Some(id), error).into();
    Box::pin(std::future::ready(reply))
}

fn spawn<C, F>(app: &Arc<App>, asker: &Asker, request: &Request<'_>, run: fn(Arc<App>, Asker, C) -> F) -> Pending
where
    C: Command,
    F: Future<Output = Result<C::Reply>> + Send + 'static,
{
    let id = request.id;
    let params = match frame::parse_params::<C>(request.params) {
        Ok(params) => params,
        Err(error) => return refused(id, &error),
    };
    if let Err(error) = app.limits.command(asker.user) {
        return refused(id, &error);
    }
    let work = run(app.clone(), asker.clone(), params);
    apart::<C>(app, asker, id, work)
}

/// Carries a command out in a task of its own, which goes on when nobody waits for the reply any more.
fn apart<C: Command>(
    app: &Arc<App>,
    asker: &Asker,
    id: u64,
    run: impl Future<Output = Result<C::Reply>> + Send + 'static,
) -> Pending {
    let span = tracing::info_span!("request", id, method = C::METHOD, device = asker.device.0);
    let (app, asker) = (app.clone(), asker.clone());
    let work = async move {
        // A heartbeat waits for nothing.
        let outcome = if C::METHOD == wire::Ping::METHOD {
            run.await
        } else if let Some(_share) = app.accounts.take(asker.user, OWN_PATIENCE).await {
            run.await
        } else {
            Err(busy("too many of your requests are under way: nothing was changed, try again"))
        };
        if let Err(StoreError::InDoubt { chat, users, .. }) = &outcome {
            app.fanout.doubt(*chat, users.iter().copied());
        }
        let reply = outcome.map_err(WireError::from).map(|outcome| {
            outcome.effects.into_iter().for_each(|effect| tell(&app, &asker, effect));
            outcome.reply
        });
        if let Err(error) = &reply {
            count_error(&app, error);
        }
        let reply = frame::reply(id, &reply);
        app.limits.answered(asker.user, reply.len());
        reply
    };
    let task = tokio::spawn(work.instrument(span));
    Box::pin(async move {
        match task.await {
            Ok(reply) => reply.into(),
            // A panic: a bug of ours, logged by the panic hook.
            Err(_) => {
                frame::error_reply(Some(id), &WireError::new(ErrorCode::Internal, "a fault of the server")).into()
            }
        }
    })
}

/// The reply to what is carried out elsewhere, also when nobody waits for it any more.
fn answered<R: serde::Serialize + Send + 'static>(app: &Arc<App>, id: u64, answer: Answered<R>) -> Pending {
    let app = app.clone();
    Box::pin(async move {
        // Without an answer: a panic, a bug of ours, logged by the panic hook.
        let fault = || WireError::new(ErrorCode::Internal, "a fault of the server");
        let reply = answer.await.unwrap_or_else(|_| Err(fault()));
        if let Err(error) = &reply {
            count_error(&app, error);
        }
        frame::reply(id, &reply).into()
    })
}

fn tell(app: &App, asker: &Asker, effect: Effect) {
    match effect {
        Effect::Changed(changes) => app.fanout.publish(changes),
        Effect::Own(delta) => app.fanout.publish_own(asker.user, delta),
        Effect::Read(read) => app.fanout.publish_read(read),
        Effect::Typing(typing) => app.fanout.publish_typing(typing),
        Effect::Revoked(device) => app.fanout.publish_revoked(asker.user, device),
    }
}

/// Counts an error reply by its code.
pub fn count_error(app: &App, error: &WireError) {
    if let Some(code) = ErrorCode::ALL.iter().find(|code| **code == error.code) {
        app.metrics.errors.get_or_create(&[("code", code.name())]).inc();
    }
}

/// An error as a client sees it.
pub fn wire_error(error: StoreError) -> WireError {
    error.into()
}

/// Those of some people whom the asker may name. With no bound on look-ups everybody may name everybody.
async fn knows(app: &App, asker: &Asker, among: &[UserId]) -> std::result::Result<Vec<Known>, StoreError> {
    if among.is_empty() {
        return Ok(Vec::new());
    }
    app.store.known_among(asker.user, among, app.settings.lookups_per_day == 0).await
}

/// What it costs to reach people, in quarters of a person.
fn contacts(app: &App, quarters: u32) -> Charge {
    Charge::quarters(BudgetKind::Contacts, app.settings.new_contacts_per_day, quarters)
}

/// What it costs to bring newcomers in.
fn price(known: &[Known], newcomers: &[UserId]) -> u32 {
    known.iter().filter(|it| newcomers.contains(&it.user)).map(|it| it.quarters).sum()
}

/// Whether a role may add, remove and delete what is of others.
fn may_moderate(kind: ChatKind, role: Option<Role>) -> bool {
    kind != ChatKind::Direct && role >= Some(Role::Admin)
}
