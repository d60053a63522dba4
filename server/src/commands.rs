//! What clients can ask, one file each. A command checks, stores, and returns its reply and what others must hear;
//! it never writes to a socket.
//!
//! The list of `commands!` is the table of contents. `hello` and `watch_presence` belong to a connection and stand in
//! [`crate::session`].

mod calls;
mod chats;
mod people;

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use chapar_protocol::{
    ChatId, DeviceId, ErrorCode, User, UserDelta, UserId, WireError,
    command::{self as wire, Command},
    event::Typing,
    frame,
};
use tracing::Instrument;
use tungstenite::Utf8Bytes;

use crate::{
    app::App,
    calls::Answered,
    store::{
        StoreError, busy,
        people::{
            accounts::Caller,
            budgets::{self, BudgetKind, Charge, Toll},
            doors::Named,
            known::Known,
        },
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
    /// The caller's own things changed.
    Own(UserDelta),
    /// The caller is writing.
    Typing(Typing),
    /// The caller is called otherwise now, which matters in these chats.
    Named(User, Vec<ChatId>),
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

/// The answer is a few fields.
const SHORT: bool = false;
/// The answer may be long: a page, a snapshot, a list.
const LONG: bool = true;

macro_rules! commands {
    ($($method:literal => $run:path, $length:ident;)+) => {
        /// Begins a command. What must keep the order of the connection's requests (changes of chats) happens before this returns; the
        /// rest goes on by itself, also when nobody waits for the reply any more: what is committed is always told.
        pub fn start(app: &Arc<App>, asker: &Asker, request: &Request<'_>) -> Pending {
            if let Some(method) = wire::METHODS.iter().find(|it| it.name == request.method) {
                app.metrics.requests.get_or_create(&[("method", method.name)]).inc();
            }
            match request.method {
                "send" => chats::send::start(app, asker, request),
                "edit" => chats::change::start(app, asker, request, chats::change::edit),
                "delete" => chats::change::start(app, asker, request, chats::change::delete),
                "delete_messages" => chats::change::start(app, asker, request, chats::change::delete_messages),
                "react" => chats::change::start(app, asker, request, chats::change::react),
                "vote" => chats::change::start(app, asker, request, chats::polls::vote),
                "close_poll" => chats::change::start(app, asker, request, chats::polls::close),
                "remove_member" => chats::remove_member::start(app, asker, request),
                "set_chat_settings" => chats::change::start(app, asker, request, chats::change::set_chat_settings),
                "set_slow_mode" => chats::change::start(app, asker, request, chats::change::set_slow_mode),
                "set_role" => chats::change::start(app, asker, request, chats::change::set_role),
                "set_chat_rights" => chats::change::start(app, asker, request, chats::change::set_chat_rights),
                "set_admin_rights" => chats::change::start(app, asker, request, chats::change::set_admin_rights),
                "restrict_member" => chats::change::start(app, asker, request, chats::change::restrict_member),
                "set_info" => chats::set_info::start(app, asker, request),
                "pin_message" => chats::change::start(app, asker, request, chats::pin_message::pin),
                "unpin_message" => chats::change::start(app, asker, request, chats::pin_message::unpin),
                "unpin_all" => chats::change::start(app, asker, request, chats::pin_message::unpin_all),
                "unban_member" => chats::change::start(app, asker, request, chats::change::unban_member),
                "call_invite" => calls::call_invite::start(app, asker, request),
                "call_ask" => calls::call_ask::start(app, asker, request),
                "call_relays" => calls::call_relays::start(app, asker, request),
                $($method => spawn(app, asker, request, $run),)+
                _ => refused(request.id, &WireError::new(ErrorCode::UnknownMethod, "there is no such method")),
            }
        }

        /// Whether a command's answer may be long.
        pub fn answers_at_length(method: &str) -> bool {
            match method {
                $($method => $length,)+
                _ => SHORT,
            }
        }
    };
}

commands! {
    "ping" => ping, SHORT;
    "send_album" => chats::send_album::run, SHORT;
    "schedule" => chats::schedule::schedule, SHORT;
    "edit_scheduled" => chats::schedule::edit, SHORT;
    "send_scheduled" => chats::schedule::send, SHORT;
    "delete_scheduled" => chats::schedule::delete, SHORT;
    "get_scheduled" => chats::schedule::list, LONG;
    "forward" => chats::forward::run, SHORT;
    "hide_messages" => chats::hide_messages::run, SHORT;
    "preview_link" => chats::previews::look, SHORT;
    "set_discussion" => chats::discussions::set, SHORT;
    "join_discussion" => chats::discussions::join, LONG;
    "get_thread" => chats::discussions::thread, LONG;
    "mark_read" => chats::mark_read::run, SHORT;
    "set_typing" => chats::set_typing::run, SHORT;
    "history" => chats::history::run, LONG;
    "difference" => chats::history::difference, LONG;
    "user_difference" => chats::history::user_difference, LONG;
    "open_direct" => chats::open_direct::run, LONG;
    "answer_request" => people::answer_request::run, SHORT;
    "report" => people::report::run, SHORT;
    "create_chat" => chats::create_chat::run, LONG;
    "get_chat" => chats::history::get_chat, LONG;
    "get_members" => chats::get_members::run, LONG;
    "get_reactions" => chats::audience::reactions, LONG;
    "get_readers" => chats::audience::readers, SHORT;
    "get_voters" => chats::polls::voters, LONG;
    "get_links" => chats::get_links::run, LONG;
    "get_banned" => chats::get_banned::run, LONG;
    "get_admin_log" => chats::get_admin_log::run, LONG;
    "add_members" => chats::add_members::run, SHORT;
    "join" => chats::join::run, LONG;
    "set_invite" => chats::invites::set, SHORT;
    "revoke_invite" => chats::invites::revoke, SHORT;
    "get_invites" => chats::invites::list, LONG;
    "get_invite_uses" => chats::invites::uses, LONG;
    "preview_invite" => chats::invites::preview, SHORT;
    "join_by_invite" => chats::invites::join, LONG;
    "get_join_requests" => chats::join_requests::list, LONG;
    "answer_join_request" => chats::join_requests::answer, SHORT;
    "leave" => chats::leave::run, SHORT;
    "resolve" => people::resolve::run, SHORT;
    "get_users" => people::get_users::run, LONG;
    "get_relays" => calls::get_relays::run, LONG;
    "call_rate" => calls::call_rate::run, SHORT;
    "get_calls" => calls::get_calls::run, LONG;
    "see_calls" => calls::see_calls::run, SHORT;
    "set_items" => people::set_items::run, SHORT;
    "set_name" => people::set_name::run, SHORT;
    "set_avatar" => people::set_avatar::run, SHORT;
    "set_sticker_pack" => people::set_sticker_pack::run, LONG;
    "delete_sticker_pack" => people::delete_sticker_pack::run, SHORT;
    "get_sticker_packs" => people::get_sticker_packs::run, LONG;
    "get_own_sticker_packs" => people::get_own_sticker_packs::run, LONG;
    "get_file" => people::get_file::run, SHORT;
    "get_devices" => people::get_devices::run, LONG;
    "revoke_device" => people::revoke_device::run, SHORT;
    "revoke_other_devices" => people::revoke_other_devices::run, SHORT;
}

async fn ping(_: Arc<App>, _: Asker, _: wire::Ping) -> Result<wire::Done> {
    Ok(Outcome::new(wire::Done {}))
}

/// Sends a message for somebody who has asked for it earlier. Sent twice, it is there once.
///
/// # Errors
/// Why it was not sent, or is not known to be.
pub async fn send_for(app: &Arc<App>, user: UserId, message: wire::Send) -> std::result::Result<(), WireError> {
    chats::send::send_for(app, user, message).await
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
        if let Err(StoreError::InDoubt { users, .. }) = &outcome {
            app.fanout.doubt(None, users.iter().copied());
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
        Effect::Own(delta) => app.fanout.publish_own(asker.user, delta),
        Effect::Typing(typing) => app.fanout.publish_typing(typing),
        Effect::Named(user, chats) => app.fanout.publish_user(user, &chats),
    }
}

/// Counts an error reply by its code.
pub fn count_error(app: &App, error: &WireError) {
    if let Some(code) = ErrorCode::ALL.iter().find(|code| **code == error.code) {
        app.metrics.errors.get_or_create(&[("code", code.name())]).inc();
    }
}

/// Those of some people whom the asker may name. With no bound on look-ups everybody may name everybody.
async fn knows(app: &App, asker: &Asker, among: &[UserId]) -> std::result::Result<Vec<Known>, StoreError> {
    app.store.people.known_among(asker.user, among, app.settings.lookups_per_day == 0).await
}

/// How the people stand to the asker whom a command brings into a chat, if the asker may name all of them.
async fn named(app: &App, asker: &Asker, people: &[UserId]) -> std::result::Result<Named, StoreError> {
    let everybody = app.settings.lookups_per_day == 0;
    app.store.people.doors(asker.user, people, everybody).await?.all(people)
}

/// What it costs to put newcomers into a chat. What the asker may do to strangers grows with the age of their account, and shrinks
/// by reports.
fn toll(app: &App, asker: &Asker, named: &Named, newcomers: &[UserId]) -> Toll {
    let known = named.doors.iter().map(|door| door.of);
    let strangers = known.filter(|it| !it.has_answered() && newcomers.contains(&it.user));
    let quarters = strangers.clone().map(|it| it.quarters).sum();
    let mut per_day = app.settings.new_contacts_per_day;
    if per_day > 0 {
        per_day = named.asker.allows(per_day);
    }
    let (each, share) = budgets::reaching(asker.user, app.settings.stranger_chats_per_day, named.asker);
    Toll {
        own: Charge::quarters(BudgetKind::Contacts, per_day, quarters),
        each,
        share,
        strangers: strangers.map(|it| it.user).collect(),
    }
}

/// Whether some of those named let themselves be brought into chats.
fn all_take_invitations(named: &Named, newcomers: &[UserId]) -> std::result::Result<(), StoreError> {
    let mut doors = named.doors.iter().filter(|door| newcomers.contains(&door.of.user));
    match doors.find(|door| !door.takes_invitations()) {
        None => Ok(()),
        Some(door) => {
            let message = format!("user {} does not let you add them to chats", door.of.user);
            refuse(ErrorCode::RefusedByUser, &message)
        }
    }
}

/// What it costs to look a handle up, by whatever command.
fn lookup(app: &App) -> Charge {
    Charge::quarters(BudgetKind::Lookups, app.settings.lookups_per_day, 4)
}
