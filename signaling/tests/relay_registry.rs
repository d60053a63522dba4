//! `chapar-relay` processes and a real Redis: who is there is known, who died is not handed out, who may not relay is told.
#![forbid(unsafe_code)]

#[path = "../../server/tests/support/redis.rs"]
mod redis;

use std::{
    net::SocketAddr,
    process::Stdio,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use chapar_protocol::{Timestamp, UserId, call::CallId};
use chapar_signaling::{
    credentials::{Credentials, Secret},
    relay::{
        directory::Entry,
        registry::{Part, Registry, Revoked},
        secrets::Secrets,
    },
};
use redis::{Cluster, Redis};
use rustix::process::{Pid, Signal, kill_process};
use stun_types::{
    attribute::{ErrorCode, Nonce, Realm, Username},
    message::{
        IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials, MessageWrite,
        MessageWriteExt, MessageWriteVec, Method,
    },
    prelude::AttributeWrite,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::UdpSocket,
    process::{Child, Command},
    time::{sleep, timeout},
};
use turn_types::{
    attribute::RequestedTransport,
    message::{ALLOCATE, REFRESH},
};
use uuid::Uuid;

const PATIENCE: Duration = Duration::from_secs(30);

/// A `chapar-relay` that takes its secret from Redis.
struct Process(Child, SocketAddr);

impl Process {
    async fn start(redis: &str, name: &str, first_port: u16) -> Self {
        let last_port = (first_port + 99).to_string();
        let mut child = Command::new(env!("CARGO_BIN_EXE_chapar-relay"))
            .args(["--udp", "127.0.0.1:0", "--tcp", "127.0.0.1:0", "--address", "127.0.0.1", "--shards", "1"])
            .args(["--first-port", &first_port.to_string(), "--last-port", &last_port])
            .args(["--redis-url", redis, "--name", name, "--region", "Qom"])
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.unwrap().unwrap().unwrap();
        let at = line.split_once("udp=[").unwrap().1.split_once(']').unwrap().0.parse().unwrap();
        // Read to its end, so that the relay never waits for a reader.
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                eprintln!("{line}");
            }
        });
        Self(child, at)
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }
}

/// A node's side: it reads, and its secret is the one that all share.
fn node(redis: &str) -> (Registry, Arc<Secrets>) {
    let secrets = Arc::new(Secrets::new(Secret::new(format!("the secret of a node {}", any_call()), None).unwrap()));
    let part = Part { share_secret: Some(secrets.clone()), reads: true, ..Part::default() };
    (Registry::start(redis, part).unwrap(), secrets)
}

fn any_call() -> CallId {
    CallId(Uuid::from_u128(rand::random()))
}

async fn until<T>(what: &str, mut is: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = is() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "still not after {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn sees(node: &Registry, name: &str) -> Entry {
    until(name, || node.entries().into_iter().find(|entry| entry.name == name)).await
}

async fn sees_no_longer(node: &Registry, name: &str) {
    until("it is gone", || node.entries().iter().all(|entry| entry.name != name).then_some(())).await;
}

fn credentials(secrets: &Secrets, user: i64, call: CallId) -> Credentials {
    let unix = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let now = Timestamp::from_millis(i64::try_from(unix).unwrap() * 1_000).unwrap();
    secrets.current().issue(UserId(user), call, now, 300)
}

/// A client by UDP.
struct Client(UdpSocket, Credentials, String);

impl Client {
    async fn new(relay: &Process, credentials: Credentials) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(relay.1).await.unwrap();
        Self(socket, credentials, String::new())
    }

    /// The code of the answer; 0 is success.
    async fn ask(&mut self, method: Method, attributes: &[&dyn AttributeWrite]) -> u16 {
        let mut code = 0;
        for _ in 0..2 {
            let mut message = Message::builder_request(method, MessageWriteVec::new());
            for attribute in attributes {
                message.add_attribute(*attribute).unwrap();
            }
            if !self.2.is_empty() {
                message.add_attribute(&Username::new(&self.1.username).unwrap()).unwrap();
                message.add_attribute(&Realm::new("chapar").unwrap()).unwrap();
                message.add_attribute(&Nonce::new(&self.2).unwrap()).unwrap();
                let (username, password) = (self.1.username.clone(), self.1.password.clone());
                let key = LongTermKeyCredentials::new(username, password, "chapar".to_owned());
                let key = MessageIntegrityCredentials::LongTerm(key);
                message.add_message_integrity(&key, IntegrityAlgorithm::Sha1).unwrap();
            }
            self.0.send(&message.finish()).await.unwrap();
            let mut buffer = [0; 2_048];
            let length = timeout(PATIENCE, self.0.recv(&mut buffer)).await.unwrap().unwrap();
            let reply = Message::from_bytes(&buffer[..length]).unwrap();
            code = reply.attribute::<ErrorCode>().map_or(0, |error| error.code());
            match reply.attribute::<Nonce>() {
                Ok(nonce) => nonce.nonce().clone_into(&mut self.2),
                Err(_) => break,
            }
        }
        code
    }

    async fn allocate(&mut self) -> u16 {
        self.ask(ALLOCATE, &[&RequestedTransport::new(17)]).await
    }
}

/// Until the relay has taken the secret over, it knows no credentials.
async fn is_let_in(relay: &Process, secrets: &Secrets, user: i64, call: CallId) -> Client {
    let began = Instant::now();
    loop {
        let mut client = Client::new(relay, credentials(secrets, user, call)).await;
        let code = client.allocate().await;
        if code == 0 {
            return client;
        }
        assert!(code == 401 && began.elapsed() < PATIENCE, "{code}");
        sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_registers_and_is_out_within_ten_seconds_of_its_death() {
    let redis = Redis::start().await;
    let (node, secrets) = node(&redis.url());
    let (mut first, second) =
        (Process::start(&redis.url(), "qom-1", 36_000).await, Process::start(&redis.url(), "qom-2", 36_100).await);
    let entry = sees(&node, "qom-1").await;
    assert_eq!((entry.region.as_str(), entry.draining), ("Qom", false));
    let at = first.1;
    assert_eq!(entry.stun, [format!("stun:{at}")]);
    assert_eq!(entry.turn[0], format!("turn:{at}?transport=udp"));
    assert!(entry.turn[1].ends_with("?transport=tcp"), "{entry:?}");
    sees(&node, "qom-2").await;
    // The relay was given no secret: it has the node's.
    is_let_in(&first, &secrets, 42, any_call()).await;
    until("its load is told", || (sees_load(&node, "qom-1") > 0).then_some(())).await;

    first.0.kill().await.unwrap();
    let died = Instant::now();
    sees_no_longer(&node, "qom-1").await;
    let took = died.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(node.entries().len(), 1, "the other one is still there");

    second.signal(Signal::TERM);
    sees_no_longer(&node, "qom-2").await;
}

fn sees_load(node: &Registry, name: &str) -> u16 {
    node.entries().iter().find(|entry| entry.name == name).map_or(0, |entry| entry.load_per_mille)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_drains_says_so_and_keeps_its_calls() {
    let redis = Redis::start().await;
    let (node, secrets) = node(&redis.url());
    let mut relay = Process::start(&redis.url(), "qom-3", 36_200).await;
    sees(&node, "qom-3").await;
    let mut client = is_let_in(&relay, &secrets, 42, any_call()).await;
    relay.signal(Signal::TERM);
    until("it drains", || node.entries().iter().any(|entry| entry.draining).then_some(())).await;
    assert_eq!(client.ask(REFRESH, &[]).await, 0, "the running call goes on");
    let mut late = Client::new(&relay, credentials(&secrets, 43, any_call())).await;
    assert_eq!(late.allocate().await, 508);
    let at_once = turn_types::attribute::Lifetime::new(0);
    assert_eq!(client.ask(REFRESH, &[&at_once]).await, 0);
    assert!(timeout(PATIENCE, relay.0.wait()).await.unwrap().unwrap().success(), "it ends with its last call");
    sees_no_longer(&node, "qom-3").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_reaches_relays_that_run_and_those_that_begin_later() {
    let redis = Redis::start().await;
    let (node, secrets) = node(&redis.url());
    let relay = Process::start(&redis.url(), "qom-4", 36_300).await;
    let (ended, other) = (any_call(), any_call());
    let mut in_it = is_let_in(&relay, &secrets, 42, ended).await;
    let mut elsewhere = is_let_in(&relay, &secrets, 42, other).await;
    let mut banned = is_let_in(&relay, &secrets, 66, other).await;
    let until_unix = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() + 400;
    node.revoke(Revoked::Call(ended.0.as_simple().to_string()), until_unix);
    node.revoke(Revoked::User("66".to_owned()), until_unix);
    for client in [&mut in_it, &mut banned] {
        let began = Instant::now();
        while client.ask(REFRESH, &[]).await == 0 {
            assert!(began.elapsed() < PATIENCE, "it still has its allocation");
            sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(client.allocate().await, 403, "and gets no other one");
    }
    assert_eq!(elsewhere.ask(REFRESH, &[]).await, 0, "other calls go on");
    let late = Process::start(&redis.url(), "qom-5", 36_400).await;
    is_let_in(&late, &secrets, 42, other).await;
    let mut refused = Client::new(&late, credentials(&secrets, 42, ended)).await;
    assert_eq!(refused.allocate().await, 403, "it was told before this relay began");
}

#[tokio::test(flavor = "multi_thread")]
async fn with_redis_away_the_last_list_holds_and_everything_comes_back() {
    let mut redis = Redis::start().await;
    let (node, secrets) = node(&redis.url());
    let relay = Process::start(&redis.url(), "qom-6", 36_500).await;
    sees(&node, "qom-6").await;
    let call = any_call();
    let mut client = is_let_in(&relay, &secrets, 42, call).await;
    redis.kill();
    sleep(Duration::from_secs(7)).await;
    assert_eq!(node.entries().len(), 1, "nobody can say that it is gone");
    assert_eq!(client.ask(REFRESH, &[]).await, 0, "calls do not need Redis");
    let until_unix = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() + 400;
    node.revoke(Revoked::Call(call.0.as_simple().to_string()), until_unix);
    // It has forgotten everything.
    redis.up().await;
    let began = Instant::now();
    while client.ask(REFRESH, &[]).await == 0 {
        assert!(!node.entries().is_empty(), "never a moment without relays");
        assert!(began.elapsed() < PATIENCE, "what was revoked meanwhile is told when Redis is back");
        sleep(Duration::from_millis(50)).await;
    }
    is_let_in(&relay, &secrets, 42, any_call()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_holds_the_registry_too() {
    let cluster = Cluster::start(false).await;
    let (node, secrets) = node(&cluster.url());
    let relay = Process::start(&cluster.url(), "qom-7", 36_600).await;
    sees(&node, "qom-7").await;
    is_let_in(&relay, &secrets, 42, any_call()).await;
}
