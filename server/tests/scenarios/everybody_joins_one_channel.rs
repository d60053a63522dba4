//! A hundred and twenty people join one channel at once, and a hundred react to one post. Each is done or refused in so many
//! words, refused means not done, and posts and other chats go on meanwhile.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chapar_protocol::{
    ChatId, ChatKind, ErrorCode, Role,
    command::{AddMembers, CreateChat, GetMembers, Join, Leave, React, RemoveMember, SetRole},
};
use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use uuid::Uuid;

use crate::support::{
    Device, Failure, World,
    audit::{Audit, all_equal},
    device::message,
    http,
    world::Plan,
};

/// Others' messages while something goes on: how long each took.
struct Meanwhile {
    enough: Arc<AtomicBool>,
    writing: tokio::task::JoinHandle<Vec<Duration>>,
}

impl Meanwhile {
    fn begin(writer: &Device, chats: Vec<ChatId>) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let (until, writer) = (enough.clone(), writer.clone());
        let writing = tokio::spawn(async move {
            let mut took = Vec::new();
            while !until.load(Ordering::Relaxed) {
                for chat in &chats {
                    let asked = Instant::now();
                    writer.say(*chat, "meanwhile").await;
                    took.push(asked.elapsed());
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            took
        });
        Self { enough, writing }
    }

    async fn end(self, what: &str) -> Duration {
        self.enough.store(true, Ordering::Relaxed);
        let mut took = self.writing.await.expect("no panic");
        took.sort_unstable();
        let (half, most) = (took[took.len() / 2], took[took.len() * 99 / 100]);
        println!("{what}: {} messages meanwhile, p50 {half:?}, p99 {most:?}", took.len());
        most
    }
}

async fn channel(world: &World, owner: &Device, handle: &str) -> ChatId {
    let create = CreateChat {
        client_id: Uuid::new_v4(),
        kind: ChatKind::Channel,
        title: "کاروان".to_owned(),
        handle: Some(handle.to_owned()),
        members: Vec::new(),
    };
    http::call(world.at(0), owner.token(), &create).await.expect("made").chat.id
}

/// As slow as a busy machine makes it, but far from the seconds that it took when all waited in one pool.
const BOUND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn joins_are_done_or_refused_and_posts_go_on() {
    // All from one address, at once: a tenth of these may be without `hello`.
    let world = Plan::single().flags(&["--max-connections-per-address", "2000"]).start().await;
    let [owner, friend] = world.people().await;
    let channel = channel(&world, &owner, "everybody").await;
    let other = world.direct(&owner, &friend).await;
    owner.connect(world.at(0)).await;
    let crowd: Vec<Device> = world.accounts(120).await.into_iter().map(Device::new).collect();
    join_all(crowd.iter().map(|person| person.connect(world.at(0)))).await;

    let meanwhile = Meanwhile::begin(&owner, vec![channel, other]);
    let began = Instant::now();
    let join = Join { handle: "everybody".to_owned() };
    let answers = join_all(crowd.iter().map(|person| person.call(&join))).await;
    println!("120 joins in {:?}", began.elapsed());
    let slowest = meanwhile.end("joins").await;

    let page = GetMembers { chat_id: channel, after: None };
    let members = http::call(world.at(0), owner.token(), &page).await.expect("the owner may see them").members;
    let mut refused = 0;
    for (person, answer) in crowd.iter().zip(answers) {
        let in_it = members.iter().any(|member| member.user_id == person.id());
        match answer {
            Ok(_) => assert!(in_it, "told that it joined, and did not"),
            Err(Failure::Refused(error)) => {
                refused += 1;
                assert_eq!(error.code, ErrorCode::Overloaded, "{error:?}");
                assert!(!in_it, "told that it did not join, and did");
            }
            Err(Failure::Lost) => panic!("the connection is lost"),
        }
    }
    println!("{refused} refused");
    assert!(refused <= 30, "{refused} of 120 were not let in, who hold up nobody");
    assert!(slowest < BOUND, "a post waited {slowest:?}");
    let leaves = join_all(crowd.iter().map(|person| async {
        let leave = Leave { chat_id: channel };
        http::call(world.at(0), person.token(), &leave).await
    }))
    .await;
    assert_eq!(leaves.iter().filter(|answer| answer.is_ok()).count(), 120 - refused);
    http::call(world.at(0), owner.token(), &Leave { chat_id: channel }).await.expect("alone again, an owner may leave");
}

#[tokio::test]
async fn reactions_to_one_post_stop_nobody_else() {
    let world = Plan::single().start().await;
    let [owner, friend] = world.people().await;
    let crowd: Vec<Device> = world.accounts(100).await.into_iter().map(Device::new).collect();
    let group = world.group(&owner, &crowd.iter().collect::<Vec<_>>()).await;
    let other = world.direct(&owner, &friend).await;
    owner.connect(world.at(0)).await;
    let post = owner.say(group, "what do you think?").await.seq;
    let react = React { chat_id: group, seq: post, emoji: Some("👍".to_owned()) };
    let meanwhile = Meanwhile::begin(&owner, vec![other, group]);
    let looking = Meanwhile::begin(&owner, vec![other]);
    let began = Instant::now();
    // Over HTTP, each again as long as it is told to come back.
    let answers = join_all(crowd.iter().map(|person| http::call(world.at(0), person.token(), &react))).await;
    println!("100 reactions in {:?}", began.elapsed());
    let slowest = meanwhile.end("reactions, their chat too").await.max(looking.end("reactions").await);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let audit = Audit::read(world.at(0), owner.token(), group).await;
    assert_eq!(audit.messages[&post].reactions[0].count, 100);
    assert!(slowest < BOUND, "somebody waited {slowest:?}");
    all_equal(world.at(0), group, &[owner]).await.agrees_with(&world.database);
}

/// Readers come and go without the channel's lock: whoever is removed in that moment is out all the same.
#[tokio::test]
async fn whoever_is_removed_while_joining_is_out() {
    let world = Plan::single().start().await;
    let [owner, reader] = world.people().await;
    let chat_id = channel(&world, &owner, "a_door").await;
    let node = world.at(0);
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let join = Join { handle: "a_door".to_owned() };
    let remove = RemoveMember { chat_id, user_id: reader.id(), reason: None };
    http::call(node, reader.token(), &join).await.expect("public");
    // Somebody who knows the owner: whoever goes by themselves is brought back by nobody else.
    let direct = world.direct(&reader, &owner).await;
    http::call(node, reader.token(), &message(direct, "hello")).await.expect("said");
    for round in 0..60 {
        http::call(node, reader.token(), &Leave { chat_id }).await.expect("left");
        let pause = Duration::from_micros(rng.random_range(0..3000));
        let joining = async {
            let _ = http::call(node, reader.token(), &join).await;
        };
        let removing = async {
            tokio::time::sleep(pause).await;
            http::call(node, owner.token(), &remove).await.expect("removed");
        };
        futures_util::join!(joining, removing);
        let inside = format!("SELECT count(*) FROM members WHERE chat_id = {chat_id} AND banned AND role IS NOT NULL");
        assert_eq!(world.database.sql(&inside).trim(), "0", "round {round}: removed, and in");
        let add = AddMembers { chat_id, user_ids: vec![reader.id()] };
        http::call(node, owner.token(), &add).await.expect("added");
    }
}

/// A demoted admin of a channel who leaves is gone in the memory of all devices, also of one that was away.
#[tokio::test]
async fn a_demoted_admin_who_leaves_is_an_admin_nowhere() {
    let world = Plan::single().start().await;
    let [owner, admin] = world.people().await;
    let channel = channel(&world, &owner, "quiet").await;
    owner.connect(world.at(0)).await;
    let join = Join { handle: "quiet".to_owned() };
    http::call(world.at(0), admin.token(), &join).await.expect("joined");
    owner.must(SetRole { chat_id: channel, user_id: admin.id(), role: Role::Admin }).await;
    owner
        .until("the admin to be known", |model| {
            model.chats.get(&channel).is_some_and(|chat| {
                chat.members.get(&admin.id()).is_some_and(|member| member.role == Some(Role::Admin))
            })
        })
        .await;
    owner.cut().await;
    let set = SetRole { chat_id: channel, user_id: admin.id(), role: Role::Member };
    http::call(world.at(0), owner.token(), &set).await.expect("demoted");
    http::call(world.at(0), admin.token(), &Leave { chat_id: channel }).await.expect("left");
    owner.connect(world.at(0)).await;
    let known = owner.model().chats[&channel].members.get(&admin.id()).and_then(|member| member.role);
    assert_ne!(known, Some(Role::Admin), "still an admin for a device that was away");
}
