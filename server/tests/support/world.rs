//! One test's world: a database, perhaps a Redis, nodes, and people.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use chapar_protocol::{
    ChatId, ChatKind,
    account::{BulkUsers, BulkUsersMade, SignedIn},
    command::{CreateChat, OpenDirect},
};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use super::{
    Device, Node, NodeOptions, http,
    node::ADMIN_TOKEN,
    postgres::{Cluster, Database},
    redis::Redis,
    watchdog::Watchdog,
};

/// What the world is to be made of.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is one thing that the world has or not")]
pub struct Plan {
    redis: bool,
    own_postgres: bool,
    cluster: Option<Arc<Cluster>>,
    nodes: usize,
    limited: bool,
    guarded: bool,
    options: NodeOptions,
}

pub struct World {
    // Dropped in this order.
    pub nodes: Vec<Node>,
    pub redis: Option<Redis>,
    pub database: Database,
    directory: TempDir,
    options: NodeOptions,
    routes: Routes,
    _watchdog: Watchdog,
}

/// Where the nodes are now, for those who reconnect by themselves.
pub type Routes = Arc<Mutex<Vec<SocketAddr>>>;

impl Plan {
    /// Two nodes over Redis.
    pub fn pair() -> Self {
        Self { redis: true, nodes: 2, ..Self::default() }
    }

    /// One node over Redis: others may join it.
    pub fn first() -> Self {
        Self { redis: true, nodes: 1, ..Self::default() }
    }

    /// One node by itself.
    pub fn single() -> Self {
        Self { nodes: 1, ..Self::default() }
    }

    /// So many nodes over a Redis of another form.
    pub fn over(nodes: usize, redis_url: &str) -> Self {
        Self { nodes, ..Self::default() }.flags(&["--redis-url", redis_url])
    }

    /// A Postgres of its own, which the test may kill.
    pub fn own_postgres(mut self) -> Self {
        self.own_postgres = true;
        self
    }

    /// A Postgres of its own, made by the test.
    pub fn over_postgres(mut self, cluster: Arc<Cluster>) -> Self {
        self.cluster = Some(cluster);
        self
    }

    /// With the limits on messages and calls that the server has by default. Without this there are none: traffic is to be
    /// dense.
    pub fn limited(mut self) -> Self {
        self.limited = true;
        self
    }

    /// Strangers are strangers, as by default. Without this people name each other by id.
    pub fn guarded(mut self) -> Self {
        self.guarded = true;
        self
    }

    pub fn flags(mut self, flags: &[&str]) -> Self {
        self.options.flags.extend(flags.iter().map(|&flag| flag.to_owned()));
        self
    }

    pub async fn start(self) -> World {
        let directory = tempfile::Builder::new().prefix("chapar-test-").tempdir().expect("temp dir");
        let mut plan = self;
        if !plan.limited {
            plan = plan.flags(&["--messages-per-second", "0", "--calls-per-minute", "0"]);
        }
        if !plan.guarded {
            let flags = ["--new-contacts-per-day", "0", "--stranger-chats-per-day", "0", "--lookups-per-day", "0"];
            plan = plan.flags(&flags);
        }
        plan.start_in(directory).await
    }

    async fn start_in(self, directory: TempDir) -> World {
        let watchdog = Watchdog::start();
        let cluster = match self.cluster {
            Some(cluster) => cluster,
            None if self.own_postgres => Cluster::start(),
            None => Cluster::shared(),
        };
        let database = cluster.database();
        let redis = if self.redis { Some(Redis::start().await) } else { None };
        let options = NodeOptions {
            database_url: Some(database.url()),
            redis_url: redis.as_ref().map(Redis::url),
            ..self.options.clone()
        };
        let start = |n: usize| Node::start(&directory.path().join(format!("node{n}")), options.clone());
        let nodes: Vec<Node> = (0..self.nodes).map(start).collect();
        let routes = Arc::new(Mutex::new(nodes.iter().map(|node| node.address).collect()));
        World { nodes, redis, database, directory, options: self.options, routes, _watchdog: watchdog }
    }
}

impl World {
    pub fn at(&self, node: usize) -> SocketAddr {
        self.nodes[node].address
    }

    pub fn redis(&mut self) -> &mut Redis {
        self.redis.as_mut().expect("planned")
    }

    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    pub fn routes(&self) -> Routes {
        self.routes.clone()
    }

    /// Starts a killed node again and says so to those who reconnect.
    pub fn restart(&mut self, node: usize) {
        self.nodes[node].restart();
        self.refresh_routes();
    }

    /// Starts one more node over the same database and Redis.
    pub async fn join(&mut self) {
        let options = NodeOptions {
            database_url: Some(self.database.url()),
            redis_url: self.redis.as_ref().map(Redis::url),
            ..self.options.clone()
        };
        let data = self.directory.path().join(format!("node{}", self.nodes.len()));
        // Elsewhere: whoever writes meanwhile shall go on.
        let node = tokio::task::spawn_blocking(move || Node::start(&data, options)).await.expect("no panic");
        self.nodes.push(node);
        self.refresh_routes();
    }

    pub fn refresh_routes(&self) {
        *self.routes.lock().expect("not poisoned") = self.nodes.iter().map(|node| node.address).collect();
    }

    /// New accounts, made by the admin route: they have no password.
    pub async fn accounts(&self, count: u32) -> Vec<SignedIn> {
        static BATCH: AtomicU32 = AtomicU32::new(0);
        let batch = BATCH.fetch_add(1, Ordering::Relaxed);
        let bulk = BulkUsers { count, prefix: format!("u{batch}x") };
        let made: BulkUsersMade =
            http::post(self.at(0), "/api/v1/admin/users", Some(ADMIN_TOKEN), &bulk).await.expect("made");
        assert_eq!(made.users.len(), count as usize);
        made.users
    }

    /// New people, not connected yet.
    pub async fn people<const N: usize>(&self) -> [Device; N] {
        let accounts = self.accounts(u32::try_from(N).expect("few")).await;
        let devices: Vec<Device> = accounts.into_iter().map(Device::new).collect();
        devices.try_into().unwrap_or_else(|_| unreachable!("as many as asked for"))
    }

    /// One person with two devices, and the password.
    pub async fn person_with_two_devices(&self, handle: &str) -> (Device, Device) {
        let password = "correct horse battery";
        let register = json!({ "handle": handle, "password": password, "device": "telephone" });
        let first: SignedIn = http::post(self.at(0), "/api/v1/register", None, &register).await.expect("registered");
        let sign_in = json!({ "handle": handle, "password": password, "device": "computer" });
        let second: SignedIn = http::post(self.at(0), "/api/v1/sign-in", None, &sign_in).await.expect("signed in");
        (Device::new(first), Device::new(second))
    }

    /// A group or channel with the first as owner.
    pub async fn chat(&self, kind: ChatKind, owner: &Device, members: &[&Device]) -> ChatId {
        let members = members.iter().map(|member| member.id()).collect();
        let title = "کاروان".to_owned();
        let create = CreateChat { client_id: Uuid::new_v4(), kind, title, handle: None, members };
        http::call(self.at(0), owner.token(), &create).await.expect("made").chat.id
    }

    pub async fn group(&self, owner: &Device, members: &[&Device]) -> ChatId {
        self.chat(ChatKind::Group, owner, members).await
    }

    /// The direct chat of two people who both want it.
    pub async fn direct(&self, one: &Device, other: &Device) -> ChatId {
        let chat = self.opens(one, other).await;
        assert_eq!(self.opens(other, one).await, chat);
        chat
    }

    /// The direct chat as one of the two opens it.
    pub async fn opens(&self, one: &Device, other: &Device) -> ChatId {
        let open = OpenDirect { user_id: other.id() };
        http::call(self.at(0), one.token(), &open).await.expect("opened").chat.id
    }
}
