//! Calls everything that the store can do. What is new in the store is added here.

use std::sync::Arc;

use chapar_domain::{
    Principal,
    change::{Asked, Change, NewChat, NewInfo, NewInvite, NewMessage},
    readers::Move,
    rights::Rights,
};
use chapar_protocol::{
    Body, ChatCursor, ChatId, ChatKind, DeviceId, ErrorCode, FileId, InviteId, InviteToken, OwnItem, Resume, Role, Seq,
    SettingsChange, Timestamp, UserId, Version,
    call::{CallId, CallMedia, EndReason},
    call_report::CallsBy,
    command::{Report, ReportReason, Send},
    item::Block,
    media::{Caption, PhotoBody, StoredFile},
    message::NewBody,
};
use chapar_server::store::{
    Store,
    chats::{
        change::{Locks, Outcome},
        feed::Cursor,
        readers::{Reader, Reading},
    },
    people::{
        accounts::Which,
        budgets::{self, BudgetKind, Charge, Repute, Toll},
        lists::ComingBack,
        scheduled::{Ended, When},
    },
    resume::Resumed,
};
use chapar_signaling::{
    call::{CallLog, Record},
    satisfaction::Rating,
};
use serde_json::json;
use sqlx::{ConnectOptions as _, postgres::PgConnectOptions};
use time::{Duration, OffsetDateTime, UtcOffset};
use uuid::Uuid;

use crate::fill::{CHANNEL, DIRECT, GROUP, OWNER, PERSON, SMALL, Size};

const ME: UserId = UserId(PERSON);
const THE_OWNER: UserId = UserId(OWNER);
const CHATS: [ChatId; 4] = [ChatId(CHANNEL), ChatId(GROUP), ChatId(DIRECT), ChatId(SMALL)];

fn soon() -> tokio::time::Instant {
    tokio::time::Instant::now() + std::time::Duration::from_secs(10)
}

fn text(text: &str) -> Body {
    Body::text(text)
}

pub async fn everything(store: &Store, size: Size, round: i64) {
    accounts(store, round).await;
    reading(store, size).await;
    writing(store, size, round).await;
    calls(store).await;
    crate::files::files(store, round).await;
    crate::threads::threads(store).await;
    crate::polls::polls(store, round).await;
    crate::polls::mentions(store).await;
    store.takes_changes().await.expect("answers");
    store.statistics().await.expect("counted");
    store.new_epoch().await.expect("a new epoch");
    store.epochs().await.expect("an epoch");
}

async fn accounts(store: &Store, round: i64) {
    let handle = format!("new_{}", Uuid::new_v4().simple());
    let new = store.people.create_user(&handle[..20], "New", Some("hash")).await.expect("made");
    assert!(store.people.create_user("u7", "Taken", None).await.is_err());
    store.people.credentials(&new.handle, &[7; 8]).await.expect("read").expect("there");
    store.people.set_password(new.id, "other hash").await.expect("set");
    let (device, _) =
        store.people.create_device(new.id, &[round.to_le_bytes()[0]; 32], "telephone").await.expect("made");
    store.people.caller(new.id, &[round.to_le_bytes()[0]; 32]).await.expect("known");
    assert_eq!(store.people.devices(new.id, None).await.expect("read").len(), 1);
    assert!(store.people.owns_device(new.id, device).await.expect("read"));
    store.people.seen(&[(new.id, device)]).await.expect("noted");
    store.people.know_network(new.id, &[7; 8]).await.expect("kept");
    let connected: Vec<_> = (1..=1000).map(|n| (UserId(n), DeviceId(n))).collect();
    assert_eq!(store.people.standing(&connected).await.expect("read").len(), 1000);
    store.people.revoke_devices(new.id, Which::AllBut(device)).await.expect("revoked");
    store.people.revoke_devices(new.id, Which::All).await.expect("revoked");
    store.people.went_offline(&[new.id]).await.expect("noted");
    let charge = Charge::quarters(BudgetKind::Lookups, 1, 8);
    store.people.spend(new.id, charge).await.expect("the first is let through");
    assert!(store.people.spend(new.id, charge).await.is_err(), "nothing is left");
    let free = Charge::quarters(BudgetKind::Contacts, 1_000_000, 1);
    store.people.find(ME, UserId(800_000 + round), free).await.expect("found");
    let some: Vec<_> = (5000..5200).map(UserId).collect();
    store.people.last_seen(&some).await.expect("read");
    store.people.set_name(new.id, "Newer").await.expect("set");
    store.people.chats_that_know(new.id).await.expect("chats");
    assert_eq!(store.people.users(&some).await.expect("read").len(), 200);
    store.people.user_versions(&some).await.expect("read");
    let handles: Vec<_> = (0..20).map(|n| format!("bulk_{n}_{}", &handle[4..16])).collect();
    let token = |user: UserId| (user.to_string(), vec![7; 32]);
    store.create_users_in_bulk(&handles, token).await.expect("made");
}

async fn missed(store: &Store, who: ComingBack) -> Resumed {
    let own = store.people.own_things(std::slice::from_ref(&who)).await.expect("read").remove(0).expect("signed in");
    store.chats.missed(vec![(who, own)]).await.expect("read").remove(0)
}

async fn reading(store: &Store, size: Size) {
    // They have no devices.
    let (device, _) = store.people.create_device(ME, Uuid::new_v4().as_bytes(), "telephone").await.expect("made");
    let back = |resume| ComingBack { user: ME, device, resume };
    let all = missed(store, back(None)).await;
    assert_eq!(all.versions.len(), 2002);
    let epochs = all.sync.epochs;
    // All known; then twenty changed; then all changed.
    for behind in [0, 20, 2002] {
        let chats = all
            .versions
            .iter()
            .enumerate()
            .map(|(n, (chat, version))| ChatCursor(*chat, Version(version.0 - i64::from(n < behind)), Seq(0)));
        let resume = Resume { epochs: epochs.clone(), user_version: all.user_version, chats: chats.collect() };
        let answer = missed(store, back(Some(Arc::new(resume)))).await.sync;
        assert!(answer.reset.is_empty());
        assert_eq!(answer.chats.len() + answer.behind.len(), behind);
    }
    let versions = store.chats.chat_versions(&CHATS).await.expect("read");
    for (chat, version) in versions {
        for from in [Version(0), Version(version.0 - 1), Version(version.0 - 300), Version(version.0 - 1900)] {
            let from = from.max(Version(0));
            store.chats.differences(ME, &[(chat, from)]).await.expect("read");
            store.chats.chat_changes(chat, from).await.expect("read");
        }
        store.chats.chat_snapshot(ME, chat).await.expect("read");
        store.chats.inside_as(chat, ME).await.expect("in it");
        store.chats.seen_stretch(chat, ME).await.expect("in it");
    }
    for seq in [1, 100, size.messages / 10 - 50, size.messages / 10] {
        for (before, after) in [(200, 0), (0, 200), (50, 50), (0, 1)] {
            store.chats.history(ME, ChatId(CHANNEL), Seq(seq), before, after).await.expect("read");
            store.chats.history(ME, ChatId(GROUP), Seq(seq), before, after).await.expect("read");
        }
    }
    for from in [0, 1000, 1990] {
        store.people.difference(ME, Version(from)).await.expect("read");
    }
    for after in [0, 500_000, 999_990] {
        store.chats.members(ChatId(CHANNEL), ChatKind::Channel, UserId(after), 201).await.expect("read");
        store.chats.members(ChatId(GROUP), ChatKind::Group, UserId(after), 201).await.expect("read");
    }
    for handle in ["u777777", "channel", "nobody"] {
        store.people.resolve(handle).await.expect("read");
        store.people.credentials(handle, &[7; 8]).await.expect("read");
    }
    let handles = ["u777777", "channel", "nobody"].map(str::to_owned);
    assert_eq!(store.people.public_chats(&handles).await.expect("read").len(), 1);
    let some: Vec<_> = (100..300).map(UserId).collect();
    store.people.known_among(ME, &some, false).await.expect("read");
    let pairs: Vec<_> = some.iter().map(|other| (ME, *other)).collect();
    store.people.may_see(&pairs).await.expect("read");
    store.chats.inside(ChatId(CHANNEL), &some).await.expect("read");
}

async fn writing(store: &Store, size: Size, round: i64) {
    let id = Uuid::new_v4;
    let send = |chat: i64, by: UserId, said: &str, reply: Option<Seq>| {
        let new = NewMessage::new(id(), &NewBody::text(said), text(said), reply);
        Asked { by: Principal::User(by), chat: ChatId(chat), change: Change::Send(new) }
    };
    let batch: Vec<_> = (0..200)
        .map(|n| match n % 4 {
            0 => send(CHANNEL, THE_OWNER, "post", None),
            1 => send(GROUP, UserId(3 + n), "to the group", Some(Seq(1))),
            2 => send(DIRECT - n, ME, "to one", None),
            _ => send(SMALL - n % 100, ME, "to ten", None),
        })
        .collect();
    let all: Vec<&Asked> = batch.iter().collect();
    for _ in ["new", "again"] {
        done(store, &all, Locks::Skip).await;
    }
    done(store, &[&send(DIRECT, ME, "alone", None)], Locks::Skip).await;
    done(store, &[&send(DIRECT, ME, "waits", None)], Locks::Wait(ChatId(DIRECT))).await;

    // Changes, by those who may.
    let by = |user: UserId, chat: i64, change: Change| Asked { by: Principal::User(user), chat: ChatId(chat), change };
    let seq = Seq(size.messages / 10 - round);
    let reader = UserId(900_000 + round);
    let changes = [
        by(ME, CHANNEL, Change::React(seq, Some("🌹".into()))),
        by(THE_OWNER, CHANNEL, Change::Edit(seq, NewBody::text("better"))),
        by(THE_OWNER, CHANNEL, Change::SetRole(UserId(1000 + round), Role::Admin)),
        by(THE_OWNER, CHANNEL, Change::Remove(UserId(2000 + round))),
    ];
    done(store, &changes.iter().collect::<Vec<_>>(), Locks::Skip).await;
    let changes = [
        by(THE_OWNER, SMALL - round, Change::SetRights(Rights::WRITE)),
        by(THE_OWNER, CHANNEL, Change::Restrict(UserId(3000 + round), Rights::REACT, None)),
        by(THE_OWNER, CHANNEL, Change::Unban(UserId(2000 + round))),
    ];
    done(store, &changes.iter().collect::<Vec<_>>(), Locks::Skip).await;
    store.chats.banned(ChatId(CHANNEL), ChatKind::Channel, UserId(0), 201).await.expect("read");
    let seen = Reader { chat: ChatId(CHANNEL), user: UserId(4000 + round) };
    store.chats.count_views(&[(seen, seq)].into()).await.expect("counted");
    // Of the newest post as well: who comes in is told which reactions of theirs are counted.
    let mine = Reader { chat: ChatId(CHANNEL), user: ME };
    let newest = store.chats.places(&[mine]).await.expect("read")[&mine].last_seq;
    done(store, &[&by(ME, CHANNEL, Change::React(newest, Some("🌹".into())))], Locks::Skip).await;
    assert!(store.chats.stale_channels().await.expect("read").len() <= 100);
    // Perhaps not yet: once a second.
    let count = Asked { by: Principal::System(UserId(0)), chat: ChatId(CHANNEL), change: Change::Count };
    store.chats.change(&[&count], Locks::Skip, soon()).await.expect("judged");
    let some: Vec<_> = (0..200).map(|n| UserId(2000 + 200 * round + n)).collect();
    let back = some.clone();
    done(store, &[&by(THE_OWNER, SMALL - round, Change::Add(some, back.clone()))], Locks::Skip).await;
    groups(store, round).await;
    // A reader of the channel goes and comes.
    let reader = Reader { chat: ChatId(CHANNEL), user: reader };
    for wish in [Move::Leave, Move::Join] {
        let (readings, moved) = store.chats.move_readers(&[(reader, wish)]).await.expect("moved");
        assert!(matches!(readings[0], Reading::Done), "{readings:?}");
        store.people.apply(&moved, 0).await.expect("applied");
    }
    let who: Vec<_> = CHATS.iter().map(|chat| Reader { chat: *chat, user: ME }).collect();
    let (standing, first) = store.chats.memberships(&who).await.expect("read");
    store.people.apply(&standing, first).await.expect("nothing to apply");
    store.chats.places(&who).await.expect("read");
    let readers = [Reader { chat: ChatId(CHANNEL), user: ME }, reader];
    let seen = store.chats.channel_snapshots(&readers).await.expect("read");
    assert!(seen.iter().all(Option::is_some), "both are in it");
    let marks = who.iter().map(|it| (*it, Seq(10 + round))).collect();
    store.people.mark_read(&marks).await.expect("read");
    store.people.note_marks(&marks).await.expect("written down");
    let lease = std::time::Duration::from_secs(1);
    let rushes = store.people.take_rushed_marks(4, lease).await.expect("taken");
    assert_eq!(rushes.iter().flat_map(|it| &it.1).count(), marks.len());
    let done: Vec<_> = rushes.iter().map(|it| it.0).collect();
    store.people.drop_rushed_marks(&done).await.expect("done");
    store.chats.show_read(&marks).await.expect("shown");
    store.chats.tend_feed().await.expect("tended");
    let mut turn = store.people.follow("a test", "a history").await.expect("read").expect("nobody else");
    let moves = store.chats.moved_since(turn.at(), 500).await.expect("read");
    turn.put_job("no_such_job", &json!({})).await.expect("put");
    turn.end(moves.upto.max(Cursor { xid: 1, id: 1 })).await.expect("noted");
    let from = Reader { user: UserId(0), chat: ChatId(0) };
    let listed = store.people.listed_after(from, 1000).await.expect("read");
    assert!(!listed.is_empty());
    store.chats.memberships(&[]).await.expect("read");
    store.people.put_job("no_such_job", &json!({})).await.expect("put");
    for job in store.people.take_jobs(4, std::time::Duration::from_secs(1), 8).await.expect("taken") {
        store.people.job_done(&job).await.expect("noted");
    }

    jobs(store).await;
    new_chats(store, round).await;
    store.people.doors(ME, &back, true).await.expect("read");
    personal(store, round).await;
    files(store, size, round).await;
    store.settle_claim("channel").await.expect("looked");
}

/// Invite links, requests, slow mode, removals and the log.
async fn groups(store: &Store, round: i64) {
    let chat = ChatId(SMALL - round);
    let by = |user: UserId, change: Change| Asked { by: Principal::User(user), chat, change };
    let link = |n: i64, approval| {
        let id = InviteId(Uuid::from_u128(u128::try_from(100 * round + n).expect("small")));
        NewInvite { id, title: None, expires_at: None, max_uses: None, approval }
    };
    let links: Vec<_> = (0..50).map(|n| by(THE_OWNER, Change::SetInvite(link(n, n == 1)))).collect();
    done(store, &links.iter().collect::<Vec<_>>(), Locks::Skip).await;
    let invites = store.chats.invites(chat).await.expect("read");
    assert_eq!(invites.len(), 50);
    let token = |n: usize| {
        let id = link(i64::try_from(n).expect("small"), false).id;
        let invite = invites.iter().find(|it| it.id == id).expect("made");
        InviteToken::parse(&invite.token).expect("a token")
    };
    let comes = |n: i64| UserId(300_000 + 1000 * round + n);
    let enters: Vec<_> = (0..40).map(|n| by(comes(n), Change::Enter(token(usize::from(n % 2 == 1)).secret))).collect();
    done(store, &enters.iter().collect::<Vec<_>>(), Locks::Skip).await;
    store.chats.preview(&token(0), comes(99)).await.expect("read");
    assert_eq!(store.chats.invite_uses(chat, link(0, false).id, UserId(0), 201).await.expect("read").len(), 20);
    assert_eq!(store.chats.join_requests(chat, UserId(0), 201).await.expect("read").len(), 20);
    store.people.meet(THE_OWNER, &[comes(1), comes(3)]).await.expect("noted");
    let answers: Vec<_> = (0..20).map(|n| by(THE_OWNER, Change::AnswerRequest(comes(2 * n + 1), n < 10))).collect();
    done(store, &answers.iter().collect::<Vec<_>>(), Locks::Skip).await;
    done(store, &[&by(THE_OWNER, Change::RevokeInvite(link(2, false).id))], Locks::Skip).await;
    done(store, &[&by(THE_OWNER, Change::Ban(comes(0), "spam".into()))], Locks::Skip).await;
    done(store, &[&by(THE_OWNER, Change::SetSlow(3))], Locks::Skip).await;
    let post = NewMessage::new(Uuid::new_v4(), &NewBody::text("slowly"), text("slowly"), None);
    done(store, &[&by(comes(2), Change::Send(post))], Locks::Skip).await;
    done(store, &[&by(THE_OWNER, Change::SetSlow(0))], Locks::Skip).await;
    // Messages that delete themselves: two are due at once.
    let vanish = |delete_after| {
        Change::SetSettings(SettingsChange { delete_after: Some(delete_after), ..SettingsChange::default() })
    };
    done(store, &[&by(THE_OWNER, vanish(5))], Locks::Skip).await;
    let sends = [1, 2].map(|n| {
        let text_of = format!("gone soon {n}");
        by(THE_OWNER, Change::Send(NewMessage::new(Uuid::new_v4(), &NewBody::text(&text_of), text(&text_of), None)))
    });
    done(store, &sends.iter().collect::<Vec<_>>(), Locks::Skip).await;
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    let (due, more) = store.chats.due_messages().await.expect("read");
    assert!(due.len() >= 2 && !more, "{due:?}");
    let expire = |(chat, seq)| Asked { by: Principal::System(UserId(0)), chat, change: Change::Expire(seq) };
    let expired: Vec<_> = due.into_iter().map(expire).collect();
    done(store, &expired.iter().collect::<Vec<_>>(), Locks::Skip).await;
    assert!(store.chats.due_messages().await.expect("read").0.is_empty());
    done(store, &[&by(THE_OWNER, vanish(0))], Locks::Skip).await;
    assert!(store.chats.admin_log(chat, i64::MAX, 101).await.expect("read").len() > 50);
    store.chats.tend_admin_log().await.expect("tended");
}

async fn new_chats(store: &Store, round: i64) {
    let id = Uuid::new_v4;
    let made = |kind, chat: ChatId, members: &[UserId]| {
        let new = NewChat { kind, title: Some("new".into()), handle: None, members: members.to_vec() };
        Asked { by: Principal::User(ME), chat, change: Change::Create(new) }
    };
    let handle = format!("public_{}", &id().simple().to_string()[..8]);
    let client_id = id();
    assert_eq!(store.people.created_chat(ME, client_id, ChatKind::Group).await.expect("read"), None);
    let free = Charge::quarters(BudgetKind::Contacts, 1_000_000, 1);
    let (each, share) = budgets::reaching(ME, 5_000_000, Repute::default());
    let toll = Toll { own: free, each, share, strangers: vec![UserId(600_000 + round)] };
    for name in [Some(handle.as_str()), None] {
        let chat = store.people.claim_chat(ME, client_id, ChatKind::Group, name, &toll).await.expect("claimed");
        done(store, &[&made(ChatKind::Group, chat, &[])], Locks::Skip).await;
        store.people.confirm_handle(&handle, chat).await.expect("confirmed");
    }
    store.people.pay(ME, &toll).await.expect("paid");
    store.people.give_back(ME, &toll).await.expect("given back");
    let (each, share) = budgets::reaching(ME, 5, Repute::default());
    let dear = Toll { own: free, each, share, strangers: vec![UserId(650_000 + round)] };
    store.people.pay(ME, &dear).await.expect("paid");
    assert!(store.people.pay(ME, &dear).await.is_err(), "a fifth of five is one");
    assert!(store.people.direct_chat(ME, UserId(700)).await.expect("read").is_some());
    let stranger = UserId(600_000 + round);
    let chat = store.people.claim_direct(ME, stranger, true, &toll).await.expect("claimed");
    done(store, &[&made(ChatKind::Direct, chat, &[UserId(600_000 + round)])], Locks::Skip).await;
    store.people.engage(ME, chat).await.expect("noted");
    let both = [Reader { chat, user: ME }, Reader { chat, user: stranger }];
    store.people.apply(&store.chats.memberships(&both[1..]).await.expect("read").0, 0).await.expect("applied");
    assert_eq!(store.people.requests_among(&both).await.expect("read"), both[1..].iter().copied().collect());
    assert!(store.people.is_request(ME, chat).await.expect("read"));
    store.people.decline(stranger, chat).await.expect("declined").expect("it was a request");
    store.people.engage(stranger, chat).await.expect("accepted").expect("it was declined");
    store.chats.info(chat).await.expect("read").expect("there");
    store.chats.ever_inside(chat, &[ME]).await.expect("read");
}

/// Which messages name which files.
async fn files(store: &Store, size: Size, round: i64) {
    let file = StoredFile { id: FileId(Uuid::new_v4()), size: 1, mime: "image/jpeg".into(), name: None };
    let caption = Caption::default();
    let (preview, sizes, spoiler, album) = (None, Vec::new(), false, None);
    let body = Body::Photo(PhotoBody { file, width: 1, height: 1, preview, sizes, caption, spoiler, album });
    let sent = NewMessage::new(Uuid::new_v4(), &NewBody::text("a photo"), body, None);
    let shown = Asked { by: Principal::User(ME), chat: ChatId(SMALL - round), change: Change::Send(sent) };
    done(store, &[&shown], Locks::Skip).await;
    let photo = FileId(Uuid::new_v4());
    let pictured = NewInfo { photo: Some(Some(photo)), ..NewInfo::default() };
    let pictured =
        Asked { by: Principal::User(THE_OWNER), chat: ChatId(SMALL - round), change: Change::SetInfo(pictured) };
    done(store, &[&pictured], Locks::Skip).await;
    assert!(store.chats.is_photo(photo).await.expect("read"));
    let turn = store.people.follow("files of a test", "a history").await.expect("read").expect("nobody else");
    let page = store.chats.files_moved_since(turn.at(), 1000).await.expect("read");
    assert!(page.messages.iter().any(|it| it.seq == Seq(0) && it.files == [photo]));
    store.people.set_file_uses(&page.messages).await.expect("noted");
    turn.end(page.upto).await.expect("noted");
    let seqs: Vec<Seq> = (1..=100).map(|n| Seq(size.messages / 10 - n)).collect();
    assert_eq!(store.chats.originals(ME, ChatId(CHANNEL), &seqs).await.expect("read").messages.len(), 100);
    assert_eq!(store.chats.shown(ME, ChatId(CHANNEL), &seqs).await.expect("read").len(), 100);
    let copies: Vec<_> = (0..20).map(|_| (FileId(Uuid::new_v4()), FileId(Uuid::new_v4()))).collect();
    assert_eq!(store.people.copy_files(ME, &copies).await.expect("copied"), []);
    store.people.set_photo(UserId(5000 + round), None).await.expect("set");
}

async fn jobs(store: &Store) {
    store.people.keep_job("a_job", std::time::Duration::from_mins(1)).await.expect("kept");
    let lease = std::time::Duration::ZERO;
    for job in store.people.take_jobs(4, lease, 8).await.expect("taken") {
        store.people.extend_job(&job, lease).await.expect("extended");
        store.people.job_failed(&job, "why", None).await.expect("noted");
        assert_eq!(store.people.dead_jobs().await.expect("read").len(), 1);
        assert!(store.people.retry_job(job.id).await.expect("noted"));
    }
    for job in store.people.take_jobs(4, lease, 8).await.expect("taken") {
        store.people.job_done(&job).await.expect("noted");
    }
    assert_eq!(store.people.count_dead_jobs().await.expect("counted"), 0);
    store.expire_claims(100).await.expect("looked");
    store.people.forget_full_shares(100).await.expect("forgotten");
}

async fn scheduled(store: &Store, round: i64) {
    let message = |n: u128| {
        Send::new(ChatId(DIRECT), Uuid::from_u128(u128::from(round.unsigned_abs()) * 10 + n), NewBody::text("later"))
    };
    let past = When::At(Timestamp::from_millis(1_700_000_000_000).expect("a time"));
    for n in 0..3 {
        store.people.schedule(ME, &message(n), past).await.expect("scheduled");
    }
    let future = When::At(Timestamp::from_millis(4_000_000_000_000).expect("a time"));
    store.people.schedule(ME, &message(3), future).await.expect("scheduled");
    store.people.peer(ME, ChatId(DIRECT)).await.expect("read");
    assert!(store.people.scheduled(ME, message(1).client_id).await.expect("read").is_some());
    assert_eq!(store.people.scheduled_in(ME, ChatId(DIRECT)).await.expect("read").messages.len(), 4);
    let lease = std::time::Duration::ZERO;
    assert_eq!(store.people.take_scheduled(100, lease, lease).await.expect("taken").len(), 3);
    store.people.waited_for(100).await.expect("read");
    store.people.waiting_for(&[ME]).await.expect("read");
    store.people.wake_scheduled(&[(ME, THE_OWNER)]).await.expect("woken");
    store.people.hurry_scheduled(ME, &[message(3).client_id]).await.expect("hurried");
    let until = Timestamp::from_millis(1_700_000_000_000).expect("a time");
    store.people.keep_files(ME, &[Uuid::from_u128(1)], until).await.expect("kept");
    let ended = |n, failed| Ended { user: ME, client_id: message(n).client_id, failed };
    let refused = ended(0, Some(ErrorCode::Forbidden));
    store.people.end_scheduled(&[refused, ended(1, None), ended(2, None), ended(3, None)], false).await.expect("noted");
    store.people.end_scheduled(&[ended(0, None)], true).await.expect("taken back");
    assert_eq!(store.people.scheduled_in(ME, ChatId(DIRECT)).await.expect("read").messages, []);
}

async fn personal(store: &Store, round: i64) {
    let block = |n: i64, value| OwnItem::Block { user_id: UserId(1000 + 100 * round + n), value };
    let set: Vec<_> = (0..100).map(|n| block(n, Some(Block {}))).collect();
    let first = store.people.set_items(ME, &set).await.expect("set");
    let again = store.people.set_items(ME, &set).await.expect("so already");
    assert_eq!((again.version, again.delta, again.blocks.len()), (first.version, None, 100));
    let blocked = UserId(1000 + 100 * round);
    assert_eq!(store.people.closed_between(ME, blocked).await.expect("read"), [(ME, blocked)]);
    assert!(store.people.closed_since(ME, blocked).await.expect("read") > 0);
    assert!(!store.people.peers(ME, ChatId(0), 500).await.expect("read").is_empty());
    scheduled(store, round).await;
    let back: Vec<_> = (0..90).map(|n| block(n, None)).collect();
    let last = store.people.set_items(ME, &back).await.expect("taken back");
    for written in [first.blocks, again.blocks, last.blocks] {
        let jobs: Vec<_> = written.iter().map(|it| it.1).collect();
        store.people.take_back_jobs(&jobs).await.expect("done already");
    }
    let (user_id, reason) = (UserId(5000 + round), ReportReason::Spam);
    let report = Report { user_id, reason, chat_id: None, seq: None, note: None };
    store.people.report(ME, &report).await.expect("kept");
    assert!(!store.people.latest_reports(200).await.expect("read").is_empty());
    assert_eq!(store.people.doors(user_id, &[ME], true).await.expect("read").asker.reports, 1);
}

/// Carries out what nobody refuses.
async fn done(store: &Store, asked: &[&Asked], locks: Locks) {
    let changed = store.chats.change(asked, locks, soon()).await.expect("stored");
    for (outcome, asked) in changed.outcomes.iter().zip(asked) {
        assert!(matches!(outcome, Outcome::Judged(Ok(_))), "{asked:?}: {outcome:?}");
    }
}

async fn calls(store: &Store) {
    let pairs: Vec<_> = (3..103).map(|n| (ME, UserId(n))).collect();
    store.people.reach(&pairs).await.expect("read");
    let now = OffsetDateTime::now_utc();
    let at: Timestamp = now.into();
    let call_id = CallId(Uuid::new_v4());
    let log = CallLog {
        call_id,
        chat_id: ChatId(DIRECT),
        caller: ME,
        callee: UserId(DIRECT),
        media: CallMedia::Voice,
        relay_only: false,
        invited_at: at,
        answered_at: None,
        connected_at: None,
        ended_at: at,
        reason: EndReason::Missed,
        by: None,
        generations: 1,
    };
    let record = Record { note: None, log, missed_by: Some(UserId(DIRECT)) };
    store.people.record_calls(std::slice::from_ref(&record)).await.expect("recorded");
    store.people.see_calls(UserId(DIRECT)).await.expect("seen");
    store.people.put_unfinished_calls(7, std::slice::from_ref(&record), at).await.expect("written");
    store.people.lone_node_lives(7, at).await.expect("written");
    store.people.left_calls(8, 10).await.expect("read");
    store.people.forget_lone_nodes(8).await.expect("forgotten");
    store.people.write_call_quality(&[]).await.expect("written");
    let stars = Rating::new(5).expect("1 to 5");
    assert!(store.people.rate_call(call_id, ME, stars, &[]).await.expect("rated"));
    let (mut before, mut pages) = (None, 0);
    while pages < 5 {
        let (calls, more) = store.people.calls(ME, before, 100).await.expect("read");
        assert!(more);
        before = calls.last().map(|it| it.call_id);
        pages += 1;
    }
    store.people.roll_up_calls().await.expect("summed up");
    for by in [CallsBy::Day, CallsBy::Relay] {
        store.people.call_report(by, now - Duration::hours(3), now, UtcOffset::UTC).await.expect("read");
    }
}

/// What the store cannot be brought to do from here.
pub async fn functions(store: &Store, options: &PgConnectOptions) {
    let mut connection = options.clone().options([("search_path", "people")]).connect().await.expect("connected");
    // Half hours are summed up a while after they are closed.
    sqlx::query("UPDATE call_slots SET closed_at = now() - interval '1 minute'")
        .execute(&mut connection)
        .await
        .expect("closed");
    store.people.roll_up_calls().await.expect("summed up");
    let part =
        "[{\"call_id\": \"00000000-0000-4000-8000-000000000001\", \"user_id\": 1, \"part\": 1, \"covered_ms\": 1,
        \"reports\": 1, \"mos\": 4, \"poor_ms\": 0, \"round_trip\": 1, \"jitter\": 1, \"lost\": 0, \"lost_there\": 0,
        \"concealed\": 0, \"bits_in\": 1, \"bits_out\": 1, \"relayed_ms\": 0, \"path\": \"\", \"network\": \"\",
        \"local_end\": \"\", \"remote_end\": \"\", \"codec\": \"\", \"relay\": \"\", \"region\": \"\",
        \"reported_at\": \"2026-01-01T00:00:00Z\"}]";
    sqlx::query("SELECT write_call_quality($1::text::jsonb)")
        .bind(part)
        .execute(&mut connection)
        .await
        .expect("written");
}
