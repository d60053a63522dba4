//! Random people ask anything of random chats over three nodes, several at once, allowed or not, while Redis is cut, nodes are
//! killed, backends of Postgres are frozen, either database is away, batches are refused and connections break. A reference that was
//! written from the documents says what must have been accepted, what must have been refused and why, and what the tables must hold;
//! in the end every client equals them. Once over one database, once over two. `CHAPAR_TEST_SEED` replays a run's choices.

mod lane;
mod reference;
mod tables;
mod wishes;

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use chapar_protocol::{
    ChatKind, ErrorCode, FileId, OwnItem, UserId,
    command::{CreateChat, SetItems},
};
use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use tokio::task::JoinHandle;
use uuid::Uuid;

use self::{
    lane::{Lane, Life, live, near},
    reference::Room,
};
use crate::support::{
    Device, World,
    audit::knows_everything,
    http,
    postgres::{Cluster, Database, Frozen},
    within,
    world::{Plan, Routes},
};

const PEOPLE: usize = 6;
/// How long people do things in one round.
const ROUND: Duration = Duration::from_secs(3);
/// A change whose outcome nobody knows is tried for 3.8 s: after this it is done or never will be.
const SETTLED: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_one_database() {
    everything(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_two_databases() {
    everything(true).await;
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Nothing,
    RedisIsGone,
    ANodeDies(usize),
    BackendsFreeze,
    ConnectionsBreak,
    /// The database of the chats, which may be that of the people as well.
    TheChatsAreAway,
    /// Where they have a database of their own.
    ThePeopleAreAway,
}

async fn everything(apart: bool) {
    let seed = std::env::var("CHAPAR_TEST_SEED").ok().map_or_else(rand::random, |seed| seed.parse().expect("a number"));
    println!("seed {seed}: replay with CHAPAR_TEST_SEED={seed}");
    let mut fate = StdRng::seed_from_u64(seed);
    let mut stage = Stage::start(apart).await;
    let mut faults = vec![
        Fault::Nothing,
        Fault::RedisIsGone,
        Fault::ANodeDies(fate.random_range(0..3)),
        Fault::BackendsFreeze,
        Fault::ConnectionsBreak,
        Fault::TheChatsAreAway,
    ];
    faults.extend(apart.then_some(Fault::ThePeopleAreAway));
    while !faults.is_empty() {
        let fault = faults.swap_remove(fate.random_range(0..faults.len()));
        stage.round(fault, &mut fate).await;
    }
    join_all(stage.people.iter().flatten().map(|device| knows_everything(device, stage.world.at(0)))).await;
    stage.end();
}

/// The one picture that somebody has to give to a chat.
fn photo_of(user: UserId) -> FileId {
    FileId(Uuid::from_u128(u128::try_from(user.0).expect("ids are positive")))
}

struct Stage {
    world: World,
    /// The database of the people, when it is another.
    people_in: Option<Database>,
    /// Each person at two places.
    people: Vec<[Device; 2]>,
    rooms: Vec<Lane>,
    /// Chats of earlier rounds, in which nothing more is done.
    past: Vec<Lane>,
    keepers: Vec<JoinHandle<()>>,
}

impl Stage {
    async fn start(apart: bool) -> Self {
        let cluster = Cluster::start();
        let people_in = apart.then(|| Cluster::start().database());
        let mut plan = Plan::pair().over_postgres(cluster);
        if let Some(database) = &people_in {
            plan = plan.flags(&["--people-database-url", &database.url()]);
        }
        let mut world = plan.start().await;
        world.join().await;
        let accounts = world.accounts(u32::try_from(PEOPLE).expect("few")).await;
        let both = accounts.into_iter().map(|it| [Device::new(it.clone()), Device::new(it)]);
        let people: Vec<[Device; 2]> = both.collect();
        let files = people_in.as_ref().unwrap_or(&world.database);
        for [device, _] in &people {
            let (id, user) = (photo_of(device.id()), device.id());
            files.sql(&format!(
                "INSERT INTO files (id, user_id, kind, state, size, received, kept_until)
                 VALUES ('{id}', {user}, 'avatar', 'ready', 1, 1, now() + interval '1 day')"
            ));
        }
        let [a, b] = [&people[0][0], &people[1][0]];
        let direct = world.direct(a, b).await;
        let rooms = vec![Lane::new(direct, None, Room::new(ChatKind::Direct, false, None, a.id(), &[b.id()]))];
        // Refuses poison, and with it the batch that it came in. Known by its client id: what is edited or deleted in the same
        // batch comes to the table with another text.
        world.database.sql(
            "CREATE FUNCTION chats.poison() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN
                 IF NEW.client_id::text LIKE 'dead0000-%' THEN RAISE EXCEPTION 'refused by the test'; END IF;
                 RETURN NEW;
             END $$;
             CREATE TRIGGER poison BEFORE INSERT ON chats.messages FOR EACH ROW EXECUTE FUNCTION chats.poison()",
        );
        let keepers = people.iter().enumerate().flat_map(|(n, both)| {
            let routes = world.routes();
            both.iter().enumerate().map(move |(m, device)| tokio::spawn(keep(device.clone(), n + m, routes.clone())))
        });
        let keepers = keepers.collect();
        let stage = Self { world, people_in, people, rooms, past: Vec::new(), keepers };
        stage.all_connected().await;
        stage
    }

    fn lists(&self) -> &Database {
        self.people_in.as_ref().unwrap_or(&self.world.database)
    }

    async fn all_connected(&self) {
        for device in self.people.iter().flatten() {
            let connected = async {
                while !device.connected() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            within("everybody to be connected", connected).await;
        }
    }

    /// New chats, since people who have left and were taken out never come back: all but the direct chat.
    async fn open_rooms(&mut self, fate: &mut StdRng) {
        self.past.extend(self.rooms.drain(1..));
        for (kind, public) in [(ChatKind::Group, false), (ChatKind::Group, true), (ChatKind::Channel, true)] {
            let first = fate.random_range(0..PEOPLE);
            let inside: Vec<&Device> = (0..PEOPLE - 1).map(|n| &self.people[(first + n) % PEOPLE][0]).collect();
            let members: Vec<UserId> = inside[1..].iter().map(|it| it.id()).collect();
            let handle = public.then(|| format!("open_{}", self.past.len() + self.rooms.len()));
            let (client_id, title) = (Uuid::new_v4(), "کاروان".to_owned());
            let room = Room::new(kind, public, Some(&title), inside[0].id(), &members);
            let create = CreateChat { client_id, kind, title, handle: handle.clone(), members };
            let made = http::call(self.world.at(0), inside[0].token(), &create).await.expect("made");
            self.rooms.push(Lane::new(made.chat.id, handle, room));
        }
    }

    /// The two of the direct chat block each other no longer: nobody can be brought together with whom they have blocked.
    async fn make_peace(&mut self) {
        let [one, other] = [0, 1].map(|n| self.people[n][0].clone());
        for (by, of) in [(&one, &other), (&other, &one)] {
            let items = vec![OwnItem::Block { user_id: of.id(), value: None }];
            http::call(self.world.at(0), by.token(), &SetItems { items }).await.expect("unblocked");
        }
        for stand in self.rooms[0].rooms[0].people.values_mut() {
            stand.banned = false;
        }
    }

    async fn round(&mut self, fault: Fault, fate: &mut StdRng) {
        self.make_peace().await;
        self.open_rooms(fate).await;
        let before: usize = self.rooms.iter().map(|lane| lane.done).sum();
        let until = Instant::now() + ROUND;
        let (chats_in, lists_in) = (self.world.database.clone(), self.lists().clone());
        let devices = Arc::new(self.people.iter().flatten().cloned().collect::<Vec<_>>());
        let near = near(&devices);
        let there = !matches!(fault, Fault::TheChatsAreAway | Fault::ThePeopleAreAway);
        let life = Life { devices, chats_in, lists_in, there, until };
        let rooms = std::mem::take(&mut self.rooms).into_iter();
        let lives = rooms.map(|lane| tokio::spawn(live(lane, life.clone(), StdRng::seed_from_u64(fate.random()))));
        let lives: Vec<JoinHandle<Lane>> = lives.collect();
        tokio::time::sleep(Duration::from_millis(fate.random_range(300..900))).await;
        self.strike(fault, fate).await;
        for life in lives {
            self.rooms.push(within("a chat to come to rest", life).await.expect("no panic"));
        }
        if self.rooms.iter().any(|lane| !lane.open.is_empty()) {
            tokio::time::sleep(SETTLED).await;
        }
        if !there {
            // A connection that has rested for a second is looked at before it is used: nothing more fails of those that broke.
            tokio::time::sleep(Duration::from_millis(1500)).await;
        }
        self.all_connected().await;
        for lane in &mut self.rooms {
            lane.set_again(&self.people).await;
            lane.settle(&near, &life.chats_in, &life.lists_in).await;
        }
        let now: usize = self.rooms.iter().map(|lane| lane.done).sum();
        println!("{fault:?}: {} changes", now - before);
        assert!(now > before, "nothing was done under {fault:?}");
        // One device of each now, all of them in the end.
        let some: Vec<&Device> = self.people.iter().map(|both| &both[fate.random_range(0..2)]).collect();
        let looks = some.into_iter().map(|device| knows_everything(device, self.world.at(fate.random_range(0..3))));
        join_all(looks).await;
    }

    async fn strike(&mut self, fault: Fault, fate: &mut StdRng) {
        match fault {
            Fault::Nothing => {}
            Fault::RedisIsGone => {
                self.world.redis().kill();
                tokio::time::sleep(Duration::from_millis(fate.random_range(200..1500))).await;
                self.world.redis().up().await;
            }
            Fault::ANodeDies(node) => {
                tokio::task::block_in_place(|| self.world.restart(node));
            }
            Fault::BackendsFreeze => {
                let mut backends = self.world.database.backends();
                backends.extend(self.people_in.iter().flat_map(Database::backends));
                let some = (0..3).map(|_| Frozen::backend(backends[fate.random_range(0..backends.len())]));
                let frozen: Vec<Frozen> = some.collect();
                tokio::time::sleep(Duration::from_millis(fate.random_range(500..3000))).await;
                drop(frozen);
            }
            Fault::TheChatsAreAway => away(&self.world.database, fate).await,
            Fault::ThePeopleAreAway => away(self.lists(), fate).await,
            Fault::ConnectionsBreak => {
                for _ in 0..12 {
                    let [one, other] = &self.people[fate.random_range(0..PEOPLE)];
                    if fate.random() { one } else { other }.cut().await;
                    tokio::time::sleep(Duration::from_millis(fate.random_range(0..120))).await;
                }
            }
        }
    }

    fn end(self) {
        for keeper in &self.keepers {
            keeper.abort();
        }
        let all = || self.past.iter().chain(&self.rooms);
        let refused: BTreeSet<_> = all().flat_map(|lane| lane.refused.iter().copied()).collect();
        println!("refused with {refused:?}");
        let codes = [
            ErrorCode::Forbidden,
            ErrorCode::ChatNotFound,
            ErrorCode::MessageNotFound,
            ErrorCode::Internal,
            ErrorCode::RefusedByUser,
            ErrorCode::BadRequest,
        ];
        for code in codes {
            assert!(refused.contains(code.name()), "nothing was refused with {}", code.name());
        }
        for lane in all() {
            let stored = lane.room().stored(lane.chat, &self.world.database, self.lists()).expect("whole");
            assert_eq!(&stored, lane.room(), "chat {}", lane.chat);
        }
    }
}

/// A server of databases is killed, and comes back.
async fn away(database: &Database, fate: &mut StdRng) {
    tokio::task::block_in_place(|| database.cluster().kill());
    tokio::time::sleep(Duration::from_millis(fate.random_range(200..2500))).await;
    tokio::task::block_in_place(|| database.cluster().restart());
}

/// Keeps a device connected, now here, now there.
async fn keep(device: Device, mut turn: usize, routes: Routes) {
    loop {
        if device.connected() {
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        }
        let address = {
            let routes = routes.lock().expect("not poisoned");
            routes[turn % routes.len()]
        };
        turn += 1;
        if device.try_connect(address).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
