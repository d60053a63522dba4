//! Deadlines and records, fired by a node that did not carry the call. That node runs in this process, and its clock is
//! ahead, so that nobody waits a minute.

use std::{sync::Arc, time::Duration};

use chapar_protocol::{
    ChatId, DeviceId, UserId,
    call::{CallAsk, CallId, CallMedia, EndReason, Party},
};
use chapar_server::{
    bus::Bus,
    calls::{CallRules, CallStore, Calls, Clock, Parts, RedisCalls},
    committer::Committer,
    fanout::Fanout,
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
    support::{World, world::Plan},
};

/// A node without connections of its own.
struct Ahead {
    calls: Arc<Calls>,
    tasks: Vec<JoinHandle<()>>,
}

impl Ahead {
    async fn start(world: &mut World, millis: i64) -> Self {
        let url = world.redis().url();
        let options = world.database.url().parse().expect("a URL");
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
        let (committer, workers) = Committer::start(1, &store, &fanout, &metrics);
        tasks.extend(workers);
        let clock = Clock::default();
        clock.advance_ms(millis);
        let (calls, more) = Calls::start(Parts {
            calls: CallStore::Redis(RedisCalls::new(&url).expect("a URL")),
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

#[tokio::test]
async fn it_rang_for_a_minute_and_nobody_answered() {
    let mut world = Plan::pair().start().await;
    let [leila, reza] = world.people().await;
    let chat = world.direct(&leila, &reza).await;
    leila.connect(world.at(0)).await;
    reza.connect(world.at(1)).await;
    let call = leila.calls(reza.id()).await;
    reza.rings(call).await;
    reza.asks(call, CallAsk::Ringing).await;
    let almost = Ahead::start(&mut world, 50_000).await;
    almost.calls.fire().await;
    drop(almost);
    assert!(
        phone::state(&reza.model(), call)
            .is_some_and(|state| matches!(state.standing, chapar_protocol::call::Standing::Ringing { .. }))
    );
    let _ahead = Ahead::start(&mut world, 61_000).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::Missed);
    assert_eq!(reza.hears_the_end(call).await, EndReason::Missed);
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::Missed);
    reza.until("the counter", |model| model.missed_calls == 1).await;
}

#[tokio::test]
async fn no_device_of_the_callee_was_there() {
    let mut world = Plan::pair().start().await;
    let [leila, reza] = world.people().await;
    let chat = world.direct(&leila, &reza).await;
    leila.connect(world.at(0)).await;
    let call = leila.calls(reza.id()).await;
    let _ahead = Ahead::start(&mut world, 61_000).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::Unreachable);
    reza.connect(world.at(1)).await;
    assert_eq!(recorded(&leila, &reza, chat, call).await.reason, EndReason::Unreachable);
    assert_eq!(reza.model().missed_calls, 1);
    // A push that came too late: the device asks what it was, and is told the end.
    reza.asks(call, CallAsk::Look).await;
    assert_eq!(reza.hears_the_end(call).await, EndReason::Unreachable);
}

#[tokio::test]
async fn it_was_answered_and_no_media_came() {
    let mut world = Plan::pair().start().await;
    let [leila, reza] = world.people().await;
    let chat = world.direct(&leila, &reza).await;
    leila.connect(world.at(0)).await;
    reza.connect(world.at(1)).await;
    let call = leila.calls(reza.id()).await;
    reza.rings(call).await;
    reza.asks(call, accept()).await;
    let _ahead = Ahead::start(&mut world, 31_000).await;
    assert_eq!(leila.hears_the_end(call).await, EndReason::NotConnected);
    let entry = recorded(&leila, &reza, chat, call).await;
    assert_eq!((entry.reason, entry.seconds), (EndReason::NotConnected, 0));
}

/// A node died between the end of a call and its record. The others find it by its timer; whoever is first records it, and
/// it stands there once, also when two records of it cross.
#[tokio::test]
async fn the_node_died_before_the_record() {
    let mut world = Plan::pair().start().await;
    let [leila, reza] = world.people().await;
    let chat = world.direct(&leila, &reza).await;
    leila.connect(world.at(0)).await;
    reza.connect(world.at(1)).await;
    let call = ended_call(leila.id(), leila.account().device_id, reza.id(), reza.account().device_id, chat);
    let (id, json) = (call.id(), serde_json::to_string(&call).expect("serialises"));
    let key = format!("chapar:{{call}}:c:{id}");
    world.redis().ask::<()>(&["HSET", &key, "r", &call.revision().to_string(), "v", &json]).await;
    world.redis().ask::<()>(&["ZADD", "chapar:{call}:due", "1", &id.to_string()]).await;
    let entry = recorded(&leila, &reza, chat, id).await;
    assert_eq!(entry.reason, EndReason::Cancelled);
    reza.until("the counter", |model| model.missed_calls == 1).await;
    // The same record again, as from a node that never learned that it is stored.
    world.redis().ask::<()>(&["HSET", &key, "r", &call.revision().to_string(), "v", &json]).await;
    world.redis().ask::<()>(&["ZADD", "chapar:{call}:due", "1", &id.to_string()]).await;
    let deadline = std::time::Instant::now() + crate::support::PATIENCE;
    while world.redis().ask::<Option<String>>(&["ZSCORE", "chapar:{call}:due", &id.to_string()]).await.is_some() {
        assert!(std::time::Instant::now() < deadline, "the timer is still there");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    recorded(&leila, &reza, chat, id).await;
    assert_eq!(phone::notes(&leila.model(), chat).len(), 1);
    assert_eq!(reza.model().missed_calls, 1, "counted once");
    let calls = world.database.sql("SELECT count(*) FROM calls");
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
