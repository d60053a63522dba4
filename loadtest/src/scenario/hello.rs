//! Somebody who is in very many chats comes back again and again; in a few of them something was written meanwhile.

use std::{
    collections::BTreeMap,
    io, thread,
    time::{Duration, Instant},
};

use chapar_protocol::{
    ChatCursor, ChatId, ChatKind, ChatRow, ChatSync, Epoch, Resume, Seq, UserId, Version,
    account::{BulkUsers, BulkUsersMade},
    command::{CreateChat, Hello, Send, UserDifference, Welcome},
};
use clap::Args;

use super::{
    Error,
    broadcast::{api, uuid},
};
use crate::{
    args::Common,
    http::{Api, Failure},
    line::{Came, Heard, Line},
    message::Random,
    report::{AuditReport, Meters, Report},
    rig::{Databases, Own, Plain, Postgres},
    stats::{Percentiles, latencies},
    world::User,
};

/// See [`crate::args::Scenario::Hello`].
#[derive(Clone, Debug, Args)]
pub struct HelloArgs {
    /// What a scenario needs that starts its own node.
    #[command(flatten)]
    pub own: Own,
    /// In how many chats the person is: groups of three.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=4000))]
    pub chats: u32,
    /// In how many of them something is written before each return.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub changed: u32,
    /// How often the person comes back.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub returns: u32,
}

/// Those who make the chats and write there: one may make 60 at once.
const OWNERS: u32 = 100;
/// Who make them at the same time.
const MAKERS: usize = 4;
/// Returns by which statements are counted.
const COUNTED: u32 = 50;
/// How long the answer may take.
const WELCOME: Duration = Duration::from_secs(30);

/// A chat of the person.
#[derive(Clone, Copy, Debug)]
struct Chat {
    id: ChatId,
    owner: usize,
    version: Version,
}

struct Stage {
    plain: Plain,
    common: Common,
    owners: Vec<User>,
    person: User,
    chats: Vec<Chat>,
    epochs: Vec<Epoch>,
    user_version: Version,
    random: Random,
    violations: BTreeMap<String, u64>,
}

/// Runs it.
///
/// # Errors
/// See [`Error`].
pub fn run(args: &HelloArgs) -> Result<Report, Error> {
    let counts = Postgres::can_count_statements();
    let mut stage = Stage::set_up(args, if counts { Databases::Counting } else { Databases::One })?;
    // The first ones find cold caches.
    for _ in 0..args.returns.min(10) {
        let changed = stage.write(args.changed)?;
        stage.come_back(&changed)?;
    }
    let (mut hello, mut all, mut bytes) = (latencies(), latencies(), 0);
    let mut meters = Meters::start(&stage.common);
    let began = Instant::now();
    for _ in 0..args.returns {
        let changed = stage.write(args.changed)?;
        let it = stage.come_back(&changed)?;
        hello.saturating_record(micros(it.hello));
        all.saturating_record(micros(it.all));
        bytes = bytes.max(it.bytes);
    }
    meters.stop();
    let window = began.elapsed();
    let statements = if counts { Some(stage.statements(args.changed)?) } else { None };

    let mut report = Report::new(
        "hello",
        serde_json::json!({ "chats": args.chats, "changed": args.changed, "returns": args.returns, "seed": args.own.seed }),
    );
    report.window_seconds = window.as_secs_f64();
    report.meters(&meters, "return (with what is written before)", u64::from(args.returns));
    let hello = Percentiles::from(&hello);
    let p95 = hello.p95_ms;
    report.phases.push(("hello → welcome".into(), hello));
    report.phases.push(("connect → welcome".into(), Percentiles::from(&all)));
    report.figure("hello → welcome, p95, ms (50 are asked for)", p95);
    report.figure("the longest welcome, KiB", f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1024.0);
    match statements {
        Some(it) => report.figure("statements for one hello, connection included", it),
        None => eprintln!("statements are not counted: pg_stat_statements is not there"),
    }
    let returns = args.returns + args.returns.min(10);
    report.audit = Some(AuditReport {
        summary: Some(format!("{returns} returns, each with all that was written in {} chats: ", args.changed)),
        violations: stage.violations.values().sum(),
        by_kind: stage.violations,
        ..AuditReport::default()
    });
    Ok(report)
}

/// How one return went.
struct Return {
    hello: Duration,
    all: Duration,
    bytes: usize,
}

impl Stage {
    fn set_up(args: &HelloArgs, databases: Databases) -> Result<Self, Error> {
        let plain = Plain::start(&args.own, databases)?;
        let common = plain.common(&args.own);
        let bulk = BulkUsers { count: 1 + OWNERS, prefix: "hello".into() };
        let made: BulkUsersMade = api(&common).post("/api/v1/admin/users", &common.admin_token, &bulk)?;
        let made = made.users.into_iter();
        let mut owners: Vec<User> = made.map(|it| User { id: it.user.id.0, token: it.token }).collect();
        let person = owners.remove(0);
        let chats = make_chats(&common, &owners, &person, args.chats, args.own.seed)?;
        let random = Random::new(args.own.seed ^ 0x4E110);
        let (epochs, violations) = (Vec::new(), BTreeMap::new());
        let user_version = Version(0);
        let mut it = Self { plain, common, owners, person, chats, epochs, user_version, random, violations };
        it.first_hello()?;
        Ok(it)
    }

    /// The person learns where their list of chats stands.
    fn first_hello(&mut self) -> Result<(), Error> {
        let (welcome, _) = self.hello(None)?;
        self.epochs = welcome.sync.epochs;
        let (mut more, mut api) = (welcome.sync.user.more, api(&self.common));
        self.user_version = welcome.sync.user.version;
        while more {
            let page = api.call(&self.person.token, &UserDifference { from: self.user_version })?;
            (self.user_version, more) = (page.version, page.more);
        }
        Ok(())
    }

    /// Something is written in some chats, chosen anew each time. Returns which, and the seq of what was written.
    fn write(&mut self, count: u32) -> Result<BTreeMap<ChatId, (usize, Seq, Version)>, Error> {
        let mut api = api(&self.common);
        let mut changed = BTreeMap::new();
        while changed.len() < (count as usize).min(self.chats.len()) {
            let index = self.random.below(self.chats.len());
            let chat = self.chats[index];
            if changed.contains_key(&chat.id) {
                continue;
            }
            let body = chapar_protocol::message::NewBody::text("x".repeat(200));
            let question = Send::new(chat.id, uuid(&mut self.random), body);
            let sent = api.call(&self.owners[chat.owner].token, &question)?;
            changed.insert(chat.id, (index, sent.seq, sent.version));
        }
        Ok(changed)
    }

    /// The person comes back with the cursors of before, and is told what was written.
    fn come_back(&mut self, changed: &BTreeMap<ChatId, (usize, Seq, Version)>) -> Result<Return, Error> {
        let (welcome, how) = self.hello(Some(self.resume()))?;
        let mut missing = changed.clone();
        for sync in &welcome.sync.chats {
            let ChatSync::Delta { delta, more: false } = sync else { continue };
            let messages = delta.rows.iter().filter_map(ChatRow::message);
            let last = messages.map(|it| it.seq).max();
            if missing.get(&delta.chat_id).is_some_and(|it| Some(it.1) == last && it.2 == delta.version) {
                missing.remove(&delta.chat_id);
            }
        }
        let too_many = welcome.sync.chats.len().saturating_sub(changed.len());
        for (kind, count) in
            [("changed chats that did not come in full", missing.len()), ("chats that had not changed", too_many)]
        {
            if count > 0 {
                *self.violations.entry(kind.to_owned()).or_default() += count as u64;
            }
        }
        for (index, _, version) in changed.values() {
            self.chats[*index].version = *version;
        }
        Ok(how)
    }

    fn resume(&self) -> Resume {
        let chats = self.chats.iter().map(|it| ChatCursor(it.id, it.version, Seq(0))).collect();
        Resume { epochs: self.epochs.clone(), user_version: self.user_version, chats }
    }

    fn hello(&self, resume: Option<Resume>) -> Result<(Welcome, Return), Error> {
        let hello =
            serde_json::to_value(Hello { token: self.person.token.clone(), resume }).map_err(io::Error::other)?;
        let started = Instant::now();
        let mut line = Line::open(self.common.nodes[0].address, None)?;
        let asked = Instant::now();
        line.request(1, "hello", &hello)?;
        loop {
            match line.receive(WELCOME) {
                Came::Text(text) => {
                    let now = Instant::now();
                    let heard: Heard<'_> = serde_json::from_str(&text).map_err(io::Error::other)?;
                    match (heard.id, heard.ok, heard.error) {
                        (Some(1), Some(ok), _) => {
                            let welcome = serde_json::from_str(ok.get()).map_err(io::Error::other)?;
                            let how = Return { hello: now - asked, all: now - started, bytes: text.len() };
                            return Ok((welcome, how));
                        }
                        (_, _, Some(error)) => return Err(io::Error::other(format!("hello: {error}")).into()),
                        _ => {}
                    }
                }
                Came::Closed(code) => return Err(io::Error::other(format!("hello: closed with {code}")).into()),
                Came::Nothing => return Err(io::Error::other("hello: no answer").into()),
            }
        }
    }

    /// How many statements one return costs: what Postgres counts during many, without what it counts while nobody comes.
    fn statements(&mut self, changed: u32) -> Result<f64, Error> {
        let count = |stage: &Self| -> io::Result<f64> {
            let sql =
                "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'";
            stage.plain.postgres.sql(sql)?.trim().parse().map_err(io::Error::other)
        };
        self.plain.postgres.sql("CREATE EXTENSION IF NOT EXISTS pg_stat_statements SCHEMA public")?;
        self.write(changed)?;
        let before = count(self)?;
        let started = Instant::now();
        for _ in 0..COUNTED {
            // The same cursors bring the same again.
            self.hello(Some(self.resume()))?;
        }
        let (busy, length) = (count(self)? - before, started.elapsed());
        let before = count(self)?;
        thread::sleep(length);
        let quiet = count(self)? - before;
        Ok((busy - quiet) / f64::from(COUNTED))
    }
}

/// Makes groups of the person, an owner and another of the owners, by some at the same time.
fn make_chats(common: &Common, owners: &[User], person: &User, count: u32, seed: u64) -> Result<Vec<Chat>, Failure> {
    let share = |maker: usize| -> Result<Vec<Chat>, Failure> {
        let (mut api, mut random) = (api(common), Random::new(seed ^ (maker as u64) << 40));
        let numbers = (0..count as usize).filter(|it| it % MAKERS == maker);
        numbers.map(|number| make_chat(&mut api, &mut random, owners, person, number)).collect()
    };
    thread::scope(|scope| {
        let makers: Vec<_> = (0..MAKERS).map(|maker| scope.spawn(move || share(maker))).collect();
        let mut all = Vec::new();
        for maker in makers {
            let made = maker.join().map_err(|_| io::Error::other("a maker of chats panicked"))?;
            all.extend(made?);
        }
        Ok(all)
    })
}

fn make_chat(
    api: &mut Api,
    random: &mut Random,
    owners: &[User],
    person: &User,
    number: usize,
) -> Result<Chat, Failure> {
    let (owner, third) = (number % owners.len(), (number + 1) % owners.len());
    let members = vec![UserId(person.id), UserId(owners[third].id)];
    let title = format!("load test {number}");
    let create = CreateChat { client_id: uuid(random), kind: ChatKind::Group, title, handle: None, members };
    let made = api.call(&owners[owner].token, &create)?;
    Ok(Chat { id: made.chat.id, owner, version: made.version })
}

fn micros(it: Duration) -> u64 {
    u64::try_from(it.as_micros()).unwrap_or(u64::MAX)
}
