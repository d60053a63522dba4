//! Deadlines and records, fired by a node that did not carry the call. That node runs in this process, and its clock is
//! ahead, so that nobody waits a minute.

use std::{sync::Arc, time::Duration};

use chapar_protocol::{
    ChatId, DeviceId, UserId,
    call::{CallAsk, CallEntry, CallId, CallMedia, EndReason, Party, Standing},
};
use chapar_server::{
    bus::Bus,
    calls::{CallRules, CallStore, Calls, Clock, Parts, RedisCalls},
    committer::{self, Committer},
    fanout::Fanout,
    health::DiskWatch,
    lists::Lists,
    metrics::Metrics,
    store::Store,
};
use chapar_signaling::{
    call::{Ask, Call, Fate, Input, Invite},
    sdp::CandidatePolicy,
};
use tokio::{sync::mpsc, task::JoinHandle};
use uuid::Uuid;

use crate::{
    phone::{self, Phone, accept, recorded},
    support::{Device, World, world::Plan},
};

/// A node without connections of its own.
struct Ahead {
    calls: Arc<Calls>,
    tasks: Vec<JoinHandle<()>>,
}

impl Ahead {
    async fn start(world: &mut World, millis: i64) -> Self {
        let clock = Clock::default();
        clock.advance_ms(millis);
        Self::with(world, clock).await
    }

    async fn with(world: &mut World, clock: Clock) -> Self {
        let url = world.redis().url();
        let options: sqlx::postgres::PgConnectOptions = world.database.url().parse().expect("a URL");
        let store = Store::connect(options, 4, Duration::from_secs(10)).await.expect("connects");
        let (metrics, _) = Metrics::new();
        let (events, from_bus) = mpsc::channel(1024);
        let node = rand::random();
        let bus = Bus::start(Some(&url), node, events).expect("a URL");
        let fanout = Fanout::new(bus, store.clone(), metrics.clone(), node);
        let mut tasks = vec![tokio::spawn(fanout.clone().run(from_bus))];
        tokio::time::timeout(crate::support::PATIENCE, async {
            while !fanout.bus_connected() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .expect("the bus is there");
        let parts = committer::Parts {
            counters: std::sync::Arc::default(),
            chats: store.chats.clone(),
            lists: Lists::new(store.clone(), fanout.clone()),
            fanout: fanout.clone(),
            metrics: metrics.clone(),
            disk: DiskWatch::default(),
        };
        let (committer, workers) = Committer::start(1, &parts);
        tasks.extend(workers.into_iter().map(tokio::spawn));
        let (shared, pipe) = RedisCalls::start(&url).expect("a URL");
        tasks.push(pipe);
        let (calls, more) = Calls::start(Parts {
            calls: CallStore::Redis(shared),
            quality: chapar_server::calls::quality::CallQualities::new(store.clone(), metrics.clone()),
            store,
            committer: Arc::new(committer),
            fanout,
            relays: None,
            metrics,
            clock,
            rules: CallRules::new(0, CandidatePolicy::default()),
        });
        tasks.extend(more);
        Self { calls, tasks }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Two people with a chat, on two nodes. Leila is connected; Reza is where the story says so.
struct Two {
    world: World,
    leila: Device,
    reza: Device,
    chat: ChatId,
}

impl Two {
    async fn start() -> Self {
        let world = Plan::pair().start().await;
        let [leila, reza] = world.people().await;
        let chat = world.direct(&leila, &reza).await;
        leila.connect(world.at(0)).await;
        Self { world, leila, reza, chat }
    }

    async fn reza_comes(&self) {
        self.reza.connect(self.world.at(1)).await;
    }

    /// Leila calls, and it rings at Reza's.
    async fn ring(&self) -> CallId {
        self.reza_comes().await;
        let call = self.leila.calls(self.reza.id()).await;
        self.reza.rings(call).await;
        call
    }

    /// A third node, whose clock is so far ahead.
    async fn ahead(&mut self, millis: i64) -> Ahead {
        Ahead::start(&mut self.world, millis).await
    }

    /// How the call stands in both lists, once it stands there and in the chat.
    async fn recorded(&self, call: CallId) -> CallEntry {
        recorded(&self.leila, &self.reza, self.chat, call).await
    }

    /// Puts an ended call into Redis as a node leaves it that has not learned that it is recorded.
    async fn leave_unrecorded(&mut self, call: &Call) {
        let (id, json) = (call.id().to_string(), serde_json::to_string(call).expect("serialises"));
        let key = format!("chapar:{{call}}:c:{id}");
        self.world.redis().ask::<()>(&["HSET", &key, "r", &call.revision().to_string(), "v", &json]).await;
        self.world.redis().ask::<()>(&["ZADD", "chapar:{call}:due", "1", &id]).await;
    }
}

#[tokio::test]
async fn it_rang_for_a_minute_and_nobody_answered() {
    let mut two = Two::start().await;
    let call = two.ring().await;
    two.reza.asks(call, CallAsk::Ringing).await;
    let almost = two.ahead(50_000).await;
    almost.calls.fire().await;
    drop(almost);
    let state = phone::state(&two.reza.model(), call).expect("it rings");
    assert!(matches!(state.standing, Standing::Ringing { .. }), "{state:?}");
    let _ahead = two.ahead(61_000).await;
    assert_eq!(two.leila.hears_the_end(call).await, EndReason::Missed);
    assert_eq!(two.reza.hears_the_end(call).await, EndReason::Missed);
    assert_eq!(two.recorded(call).await.reason, EndReason::Missed);
    two.reza.until("the counter", |model| model.missed_calls == 1).await;
}

#[tokio::test]
async fn no_device_of_the_callee_was_there() {
    let mut two = Two::start().await;
    let call = two.leila.calls(two.reza.id()).await;
    let _ahead = two.ahead(61_000).await;
    assert_eq!(two.leila.hears_the_end(call).await, EndReason::Unreachable);
    two.reza_comes().await;
    assert_eq!(two.recorded(call).await.reason, EndReason::Unreachable);
    assert_eq!(two.reza.model().missed_calls, 1);
    // A push that came too late: the device asks what it was, and is told the end.
    two.reza.asks(call, CallAsk::Look).await;
    assert_eq!(two.reza.hears_the_end(call).await, EndReason::Unreachable);
}

#[tokio::test]
async fn it_was_answered_and_no_media_came() {
    let mut two = Two::start().await;
    let call = two.ring().await;
    two.reza.asks(call, accept()).await;
    let _ahead = two.ahead(31_000).await;
    assert_eq!(two.leila.hears_the_end(call).await, EndReason::NotConnected);
    let entry = two.recorded(call).await;
    assert_eq!((entry.reason, entry.seconds), (EndReason::NotConnected, 0));
}

/// A node died between the end of a call and its record. The others find it by its timer; whoever is first records it, and
/// it stands there once, also when two records of it cross.
#[tokio::test]
async fn the_node_died_before_the_record() {
    let mut two = Two::start().await;
    two.reza_comes().await;
    let [her, his] = [&two.leila, &two.reza].map(|device| device.account().device_id);
    let call = ended_call(two.leila.id(), her, two.reza.id(), his, two.chat);
    two.leave_unrecorded(&call).await;
    assert_eq!(two.recorded(call.id()).await.reason, EndReason::Cancelled);
    two.reza.until("the counter", |model| model.missed_calls == 1).await;
    // The same record again.
    two.leave_unrecorded(&call).await;
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    let id = call.id().to_string();
    while two.world.redis().ask::<Option<String>>(&["ZSCORE", "chapar:{call}:due", &id]).await.is_some() {
        assert!(std::time::Instant::now() < deadline, "the timer is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    two.recorded(call.id()).await;
    assert_eq!(phone::notes(&two.leila.model(), two.chat).len(), 1);
    assert_eq!(two.reza.model().missed_calls, 1, "counted once");
    let calls = two.world.database.sql("SELECT count(*) FROM calls");
    assert_eq!(calls.trim(), "1");
}

fn ended_call(her: UserId, from: DeviceId, him: UserId, to: DeviceId, chat_id: ChatId) -> Call {
    let now = Clock::default().now();
    let who = Party { user_id: her, device_id: from };
    let invite = Invite {
        call_id: CallId(Uuid::new_v4()),
        chat_id,
        caller: who,
        callee: him,
        devices: vec![to],
        media: CallMedia::Voice,
        relay_only: false,
        ask_rating: false,
        offer: None,
        fate: Fate::Ring,
    };
    let (call, _) = Call::invite(invite, now).expect("rings");
    call.step(Input::Ask { who, ask: Ask::HangUp }, now).call.expect("ended")
}

/// The clock of one machine is a minute ahead. Redis' clock counts, so it ends nobody's ringing early, neither by its timers
/// nor by what a device asks of it.
#[tokio::test]
async fn the_clock_of_one_node_is_wrong() {
    let mut two = Two::start().await;
    let call = two.ring().await;
    let clock = Clock::default();
    clock.is_wrong_by_ms(61_000);
    let wrong = Ahead::with(&mut two.world, clock.clone()).await;
    wrong.calls.fire().await;
    let real = Clock::default().now().as_millis();
    assert!((clock.now().as_millis() - real).abs() < 5_000, "it follows the clock of Redis");
    for _ in 0..5 {
        wrong.calls.fire().await;
        let who = Party { user_id: two.reza.id(), device_id: two.reza.account().device_id };
        wrong.calls.ask(who, call, CallAsk::Ringing).await.expect("answered").expect("it rings");
    }
    let state = phone::state(&two.leila.model(), call).expect("it rings there");
    assert!(matches!(state.standing, Standing::Calling { .. }), "{state:?}");
    two.reza.asks(call, accept()).await;
}
