//! Parts of a running Chapar are frozen, killed and cut in the middle of traffic, one after the other, and an own ledger proves
//! what the documentation promises: nothing acknowledged is lost, doubled or reordered, every reader on every node ends equal to
//! the database soon after the cure, and a node that cannot serve says so.
//!
//! [`fault`] is what is done, [`person`] who writes and reads meanwhile, [`view`] the rules of a reader, [`book`] what was asked
//! and answered, [`proof`] the comparison. This file is the order of events.

mod book;
mod fault;
mod person;
mod proof;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use chapar_protocol::{
    ChatId, ChatKind, UserId,
    account::{BulkUsers, BulkUsersMade},
    command::{AddMembers, CreateChat, OpenDirect},
};
use clap::Args;
use uuid::Uuid;

use self::{
    book::{Book, Phase},
    fault::{Expected, Fault},
    person::{Person, Seen, Shared, lock},
};
use crate::{
    http::Api,
    message::Random,
    outcome::{Outcome, table},
    rig::{self, ADMIN_TOKEN, NodeProcess, Parts, Rig},
    scenario::Error,
};

/// See [`crate::args::Scenario::Faults`].
#[derive(Clone, Debug, Args)]
pub struct FaultsArgs {
    /// The most telling faults for some seconds each, in less than 100 s in all.
    #[arg(long)]
    pub quick: bool,
    /// How long each fault lasts, in seconds.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..=60))]
    pub seconds: u64,
    /// Only these faults, by their words, such as redis-frozen; separated by commas.
    #[arg(long, value_delimiter = ',', value_name = "FAULT")]
    pub only: Vec<String>,
    /// After the cure, every reader must be equal to the database within so many seconds.
    #[arg(long, default_value_t = 5.0, value_name = "SECONDS")]
    pub within: f64,
    /// With one frozen backend, no other chat may wait longer than so many seconds.
    #[arg(long, default_value_t = 6.0, value_name = "SECONDS")]
    pub wait: f64,
    /// The server's program; `chapar` beside this one when absent.
    #[arg(long, value_name = "FILE")]
    pub server_binary: Option<PathBuf>,
    /// Decides who says what; printed, for another run like this.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Write parameters and figures to this file as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// People; the odd ones are on the second node.
const PEOPLE: usize = 22;
/// Changes in each direct chat while a fault lasts: below, at and far beyond what one answer of the server holds.
const DIRECT: [u64; 4] = [10, 60, 260, 700];
/// Changes in the group in which all of its [`GROUP`] people write, in that in which only those on the first node do (so that the
/// other node learns of it over Redis alone), and in the channel.
const GROUPS: [(Writers, u64); 2] = [(Writers::All, 2000), (Writers::OnFirstNode, 900)];
const CHANNEL_CHANGES: u64 = 500;
const GROUP: usize = 20;

/// Who writes in a chat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writers {
    All,
    First,
    OnFirstNode,
}

impl Writers {
    fn has(self, first: usize, member: usize) -> bool {
        match self {
            Self::All => true,
            Self::First => member == first,
            Self::OnFirstNode => member.is_multiple_of(2),
        }
    }
}
/// Readers that are late get so much longer before the next fault begins, to learn how late they are.
const GRACE: Duration = Duration::from_secs(10);

struct Play {
    rig: Rig,
    shared: Arc<Shared>,
    apis: Vec<Api>,
    /// Somebody who may read the chat.
    readers: Vec<String>,
    /// Changes that each chat should see while a fault lasts, and how many write in it.
    targets: Vec<(u64, u64)>,
    within: Duration,
    wait: Duration,
}

/// One line of the table.
#[derive(Debug, serde::Serialize)]
struct Line {
    fault: String,
    seconds: u64,
    acked: u64,
    acked_by_chat: Vec<u64>,
    errors: BTreeMap<String, u64>,
    lost: BTreeMap<String, u64>,
    worst_wait: f64,
    worst_wait_elsewhere: f64,
    equal_after: Option<f64>,
    ready: Vec<String>,
    violations: u64,
}

/// Runs it.
///
/// # Errors
/// When the parts cannot be started, or a chat cannot be read.
pub fn run(args: &FaultsArgs) -> Result<Outcome, Error> {
    let faults = chosen(args)?;
    println!("seed {}", args.seed);
    let server = rig::server_binary(args.server_binary.as_deref())?;
    let settings = rig::known_settings(&server, rig::NO_BUDGETS);
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
    let rig = Rig::start(&Parts { server: &server, nodes: 2, redis: true, settings: &settings, seed: args.seed })?;
    let mut play = Play::set_up(rig, args)?;
    let mut lines = Vec::new();
    for (fault, seconds) in faults {
        let line = play.fault(fault, Duration::from_secs(seconds))?;
        eprintln!(
            "{}: {} changes, equal after {:?} s, {} violations",
            line.fault, line.acked, line.equal_after, line.violations
        );
        lines.push(line);
    }
    play.whole_proof()?;
    play.shared.over.store(true, Ordering::Relaxed);
    let book = lock(&play.shared.book);
    let stored: u64 = book.sent.values().filter(|it| it.seq.is_some()).count() as u64;
    let mut outcome = Outcome::new("faults", &serde_json::json!({ "seed": args.seed, "lines": lines }));
    outcome.text = tables(&lines, &play.targets);
    let _ = writeln!(
        outcome.text,
        "{stored} messages acknowledged in all; each was looked for in the database and at each reader."
    );
    outcome.violations.clone_from(&book.violations);
    outcome.violated = book.violated;
    Ok(outcome)
}

fn chosen(args: &FaultsArgs) -> Result<Vec<(Fault, u64)>, Error> {
    let all: Vec<(Fault, u64)> =
        if args.quick { Fault::QUICK.to_vec() } else { Fault::ALL.iter().map(|it| (*it, args.seconds)).collect() };
    if args.only.is_empty() {
        return Ok(all);
    }
    let seconds = |fault| all.iter().find(|it| it.0 == fault).map_or(args.seconds, |it| it.1);
    let one = |word: &String| {
        let fault = Fault::ALL.into_iter().find(|it| it.word() == *word).ok_or_else(|| {
            let words: Vec<String> = Fault::ALL.iter().map(|it| it.word()).collect();
            std::io::Error::other(format!("there is no fault `{word}`: {}", words.join(", ")))
        })?;
        Ok((fault, seconds(fault)))
    };
    args.only.iter().map(one).collect()
}

impl Play {
    fn set_up(rig: Rig, args: &FaultsArgs) -> Result<Self, Error> {
        let patience = Duration::from_secs(30);
        let mut apis: Vec<Api> = rig.nodes.iter().map(|it| Api::new(it.node(), patience)).collect();
        let api = &mut apis[0];
        let bulk = BulkUsers { count: u32::try_from(PEOPLE).unwrap_or(0), prefix: "person".into() };
        let made: BulkUsersMade = api.post("/api/v1/admin/users", ADMIN_TOKEN, &bulk)?;
        let ids: Vec<UserId> = made.users.iter().map(|it| it.user.id).collect();
        let tokens: Vec<String> = made.users.into_iter().map(|it| it.token).collect();
        let mut random = Random::new(args.seed);
        let (mut chats, mut readers, mut targets) = (Vec::new(), Vec::new(), Vec::new());
        // By person: the chats they are in, and whether they write there.
        let mut places: Vec<Vec<(usize, bool)>> = vec![Vec::new(); PEOPLE];
        let mut add = |id: ChatId, members: std::ops::Range<usize>, changes: u64, writers: Writers| {
            let first = members.start;
            readers.push(tokens[first].clone());
            targets.push((changes, members.clone().filter(|it| writers.has(first, *it)).count() as u64));
            for member in members {
                places[member].push((chats.len(), writers.has(first, member)));
            }
            chats.push(id);
        };
        for (number, changes) in (0..).zip(DIRECT) {
            let (one, other) = (number * 2, number * 2 + 1);
            let snapshot = api.call(&tokens[one], &OpenDirect { user_id: ids[other] })?;
            add(snapshot.chat.id, one..other + 1, changes, Writers::All);
        }
        let groups = GROUPS.map(|(writers, changes)| (ChatKind::Group, GROUP, writers, changes));
        let channel = (ChatKind::Channel, PEOPLE, Writers::First, CHANNEL_CHANGES);
        for (kind, members, writers, changes) in groups.into_iter().chain([channel]) {
            let client_id = Uuid::from_u64_pair(random.next_u64(), random.next_u64());
            let create = CreateChat { client_id, kind, title: "faults".into(), handle: None, members: Vec::new() };
            let chat_id = api.call(&tokens[0], &create)?.chat.id;
            api.call(&tokens[0], &AddMembers { chat_id, user_ids: ids[1..members].to_vec() })?;
            add(chat_id, 0..members, changes, writers);
        }
        let shared = Arc::new(Shared {
            pace: chats.iter().map(|_| AtomicU64::new(0)).collect(),
            book: Mutex::new(Book::new(chats)),
            seen: (0..PEOPLE).map(|_| Mutex::new(Seen::default())).collect(),
            writing: AtomicBool::new(false),
            apart: AtomicBool::new(false),
            over: AtomicBool::new(false),
            probe: AtomicU64::new(0),
        });
        for (number, token) in tokens.into_iter().enumerate() {
            let node = rig.nodes[number % rig.nodes.len()].address;
            let person = Person::new((number, token, node), shared.clone(), &places[number], args.seed);
            thread::spawn(move || person.live());
        }
        let within = Duration::try_from_secs_f64(args.within).unwrap_or(GRACE);
        let wait = Duration::try_from_secs_f64(args.wait).unwrap_or(GRACE);
        let mut play = Self { rig, shared, apis, readers, targets, within, wait };
        match play.until_equal(Duration::from_mins(1))? {
            Some(_) => Ok(play),
            None => Err(Error::Io(std::io::Error::other(format!(
                "people do not come to know their chats:\n{}\n{}",
                play.unequal()?.join("\n"),
                play.rig.nodes[1].log(20)
            )))),
        }
    }

    fn fault(&mut self, fault: Fault, lasts: Duration) -> Result<Line, Error> {
        let before = lock(&self.shared.book).violated;
        lock(&self.shared.book).turn_page();
        for ((changes, writers), pace) in self.targets.iter().zip(&self.shared.pace) {
            let micros = u64::try_from(lasts.as_micros()).unwrap_or(u64::MAX);
            pace.store((micros * writers / changes).max(1), Ordering::Relaxed);
        }
        self.shared.writing.store(true, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(700));
        let concerned = { lock(&self.shared.book).chats[0].0 };
        let shared = self.shared.clone();
        fault::inject(fault, &mut self.rig, concerned, || {
            shared.probe.fetch_add(1, Ordering::Relaxed);
        })?;
        let until = Instant::now() + lasts;
        let mut ready: Vec<BTreeSet<String>> = vec![BTreeSet::new(); self.rig.nodes.len()];
        while Instant::now() < until {
            for (node, said) in self.rig.nodes.iter_mut().zip(&mut ready) {
                said.insert(says(node));
            }
            thread::sleep(Duration::from_millis(250).min(until.saturating_duration_since(Instant::now())));
        }
        // Who waits still has waited this long at least.
        self.count_waits();
        fault::cure(fault, &mut self.rig)?;
        let cured = Instant::now();
        self.shared.writing.store(false, Ordering::Relaxed);
        self.shared.probe.fetch_add(1, Ordering::Relaxed);
        let equal_after = self.until_equal(self.within + GRACE)?.map(|at| at.saturating_duration_since(cured));
        self.count_waits();
        if equal_after.is_none_or(|it| it > self.within) {
            let wrong = self.unequal()?;
            let mut book = lock(&self.shared.book);
            book.violation(format!(
                "{}: not equal {:.1} s after the cure (found out after {:.1} s): {}",
                fault.name(),
                self.within.as_secs_f64(),
                cured.elapsed().as_secs_f64(),
                if wrong.is_empty() { "by now they are".to_owned() } else { wrong.join("; ") },
            ));
        }
        if equal_after.is_none() {
            self.part_for_a_moment()?;
        }
        self.database_proof()?;
        let page = lock(&self.shared.book).turn_page();
        self.judge(fault, &page, &ready);
        let all = page.waits.iter().max().copied().unwrap_or_default();
        let elsewhere = page.waits[1..].iter().max().copied().unwrap_or_default();
        let violations = lock(&self.shared.book).violated - before;
        Ok(Line {
            fault: fault.name().to_owned(),
            seconds: lasts.as_secs(),
            acked: page.acked,
            acked_by_chat: page.acked_by_chat,
            errors: page.errors,
            lost: page.lost,
            worst_wait: all.as_secs_f64(),
            worst_wait_elsewhere: elsewhere.as_secs_f64(),
            equal_after: equal_after.map(|it| it.as_secs_f64()),
            ready: ready.into_iter().map(|said| said.into_iter().collect::<Vec<_>>().join(" | ")).collect(),
            violations,
        })
    }

    fn count_waits(&self) {
        let open: Vec<_> = self.shared.seen.iter().flat_map(|it| lock(it).open.clone()).collect();
        let mut book = lock(&self.shared.book);
        for (chat, first_try) in open {
            book.waited(chat, first_try);
        }
    }

    /// Whether the rules of this fault were kept.
    fn judge(&self, fault: Fault, page: &Phase, ready: &[BTreeSet<String>]) {
        let mut book = lock(&self.shared.book);
        let elsewhere = page.waits[1..].iter().max().copied().unwrap_or_default();
        if fault == Fault::BackendFrozen && elsewhere > self.wait {
            book.violation(format!(
                "{}: somebody in another chat waited {:.1} s, at most {:.1} are allowed",
                fault.name(),
                elsewhere.as_secs_f64(),
                self.wait.as_secs_f64()
            ));
            if ready.iter().all(|said| said.iter().all(|it| it == "200 ready")) {
                book.violation(format!("{}: and all the time every node said that it is ready", fault.name()));
            }
        }
        let as_documented = |it: &String| match fault.expected() {
            Expected::Anything => true,
            Expected::BusAway => it != "200 ready",
            Expected::NotReady => !it.starts_with("200"),
        };
        for (number, said) in ready.iter().enumerate().filter(|it| !it.1.iter().any(as_documented)) {
            book.violation(format!("{}: node {number} said only {said:?} all the time", fault.name()));
        }
        if let Some(count) = page.errors.get("internal") {
            book.violation(format!("{}: {count} answers were `internal`", fault.name()));
        }
    }

    /// Waits until everybody is connected, everything is answered, every probe too, and all know as much as the database.
    /// Returns when it was so.
    fn until_equal(&mut self, limit: Duration) -> Result<Option<Instant>, Error> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            let now = Instant::now();
            if self.settled() && self.unequal_versions()?.is_empty() {
                return Ok(Some(now));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(None)
    }

    fn settled(&self) -> bool {
        let probe = self.shared.probe.load(Ordering::Relaxed);
        self.shared.seen.iter().all(|it| {
            let seen = lock(it);
            seen.connected && seen.open.is_empty() && seen.probed >= probe
        })
    }

    fn unequal_versions(&mut self) -> Result<Vec<String>, Error> {
        let chats = lock(&self.shared.book).chats.clone();
        let mut wrong = Vec::new();
        for (index, chat) in chats.into_iter().enumerate() {
            let version = proof::place(&mut self.apis[0], &self.readers[index], chat)?.0;
            for (person, seen) in self.shared.seen.iter().enumerate() {
                let mine = lock(seen).views[index].as_ref().map(|it| it.version);
                if mine.is_some_and(|mine| mine != version) {
                    let node = person % self.rig.nodes.len();
                    let mine = mine.unwrap_or(0);
                    wrong.push(format!(
                        "person {person} on node {node} has chat {chat} at version {mine}, the database {version}"
                    ));
                }
            }
        }
        Ok(wrong)
    }

    /// What is in the way of being equal, in words.
    fn unequal(&mut self) -> Result<Vec<String>, Error> {
        let mut wrong = self.unequal_versions()?;
        let count = wrong.len();
        wrong.truncate(3);
        if count > 3 {
            wrong.push(format!("and {} more", count - 3));
        }
        let away = self.shared.seen.iter().filter(|it| !lock(it).connected).count();
        let open: usize = self.shared.seen.iter().map(|it| lock(it).open.len()).sum();
        if away + open > 0 {
            wrong.push(format!("{away} people are not connected, {open} wishes are not answered"));
        }
        Ok(wrong)
    }

    /// A chat that is dead on a node comes back when all who watch it there have gone: so that each fault begins with a sound server.
    fn part_for_a_moment(&mut self) -> Result<(), Error> {
        self.shared.apart.store(true, Ordering::Relaxed);
        thread::sleep(Duration::from_secs(1));
        self.shared.apart.store(false, Ordering::Relaxed);
        if self.until_equal(Duration::from_mins(1))?.is_none() {
            let wrong = self.unequal()?;
            lock(&self.shared.book)
                .violation(format!("not even after everybody had gone and come back: {}", wrong.join("; ")));
        }
        Ok(())
    }

    fn database_proof(&mut self) -> Result<(), Error> {
        let chats = lock(&self.shared.book).chats.clone();
        for (index, chat) in chats.into_iter().enumerate() {
            let stored = proof::read(&mut self.apis[0], &self.readers[index], chat)?;
            proof::against_book(&mut lock(&self.shared.book), index, &stored);
        }
        Ok(())
    }

    /// At the end: each reader's content, not only versions, against what each node reads from the database.
    fn whole_proof(&mut self) -> Result<(), Error> {
        let chats = lock(&self.shared.book).chats.clone();
        for (index, chat) in chats.into_iter().enumerate() {
            for api in &mut self.apis {
                let stored = proof::read(api, &self.readers[index], chat)?;
                for (person, seen) in self.shared.seen.iter().enumerate() {
                    let seen = lock(seen).clone();
                    let wrong = seen.views[index].as_ref().and_then(|view| proof::against_reader(view, &stored));
                    if let Some(wrong) = wrong {
                        lock(&self.shared.book).violation(format!("at the end person {person} in chat {chat} {wrong}"));
                    }
                }
            }
        }
        Ok(())
    }
}

fn says(node: &NodeProcess) -> String {
    rig::ready(node.address).map_or_else(|| "nothing".to_owned(), |(status, body)| format!("{status} {body}"))
}

fn tables(lines: &[Line], targets: &[(u64, u64)]) -> String {
    let mut table = table(&[
        "fault",
        "for, s",
        "changes",
        "a chat: least–most",
        "refused",
        "lost",
        "worst wait, s",
        "elsewhere, s",
        "equal after, s",
        "violations",
    ]);
    for line in lines {
        let (least, most) = (line.acked_by_chat.iter().min(), line.acked_by_chat.iter().max());
        table.add_row([
            line.fault.clone(),
            line.seconds.to_string(),
            line.acked.to_string(),
            format!("{}–{}", least.unwrap_or(&0), most.unwrap_or(&0)),
            counts(&line.errors),
            line.lost.values().sum::<u64>().to_string(),
            format!("{:.1}", line.worst_wait),
            format!("{:.1}", line.worst_wait_elsewhere),
            line.equal_after.map_or_else(|| "NEVER".to_owned(), |it| format!("{it:.1}")),
            line.violations.to_string(),
        ]);
    }
    let wanted: Vec<String> = targets.iter().map(|it| it.0.to_string()).collect();
    let mut text = format!("{table}\nchanges wanted in each chat during a fault: {}\n", wanted.join(", "));
    for line in lines {
        let _ = writeln!(text, "{}: /readyz said {}", line.fault, line.ready.join("; the other node "));
    }
    text
}

fn counts(errors: &BTreeMap<String, u64>) -> String {
    errors.iter().map(|(code, count)| format!("{count} {code}")).collect::<Vec<_>>().join(", ")
}
