//! The named loads, and what they have in common: set-up, connecting, measuring, the audit.

mod broadcast;
pub mod calls;
pub mod channel;
pub mod chat;
pub mod databases;
pub mod hello;
pub mod idle;
pub mod joins;
pub mod photos;
pub mod polls;
pub mod reactions;
pub mod scheduled;
pub mod storm;
pub mod upload;
pub mod views;

use std::{
    ops::RangeInclusive,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{
    args::Common,
    audit::Audit,
    cursor::Cursor,
    engine::Engine,
    http::{Api, Failure, Node},
    ledger::Ledger,
    message::Maker,
    process,
    report::{AuditReport, Meters, Report},
    schedule::{OpenLoop, Picker},
    session::{Session, Shared},
    world::{Chat, World},
};

mod read_back;

/// Why a run could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused the set-up, or could not be reached.
    #[error("set-up: {0}")]
    SetUp(#[from] Failure),
    /// The machine refused.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// Not everybody could connect.
    #[error("only {settled} of {all} users are connected and up to date after {seconds} s: {why}")]
    Connect {
        /// How many are.
        settled: usize,
        /// How many should be.
        all: usize,
        /// How long was waited.
        seconds: u64,
        /// What is known of the reason.
        why: String,
    },
}

/// A run with everybody connected.
#[derive(Debug)]
pub struct Run {
    /// The connections.
    pub engine: Engine,
    /// Users and chats.
    pub world: World,
    /// Shown while it runs.
    pub bar: ProgressBar,
    nodes: Vec<Node>,
    drain: Duration,
}

/// How long a call of the set-up or the audit is retried.
const PATIENCE: Duration = Duration::from_secs(30);

impl Run {
    /// Makes users and chats. Nobody is connected yet.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn set_up(
        common: &Common,
        users: u32,
        chats: Vec<Chat>,
        size: RangeInclusive<usize>,
        in_flight: usize,
    ) -> Result<Self, Error> {
        process::check_open_files(users)?;
        let bar = progress_bar();
        let mut api = Api::new(common.nodes[0].clone(), PATIENCE);
        let world = World::make(&mut api, &common.admin_token, users, chats, common.seed, |what| {
            bar.set_message(what.to_owned());
        })?;
        let maker = Maker::new(common.seed, size);
        let ids = world.users.iter().map(|it| it.id).collect();
        let ledger = Ledger::new(maker, ids, world.logs.clone());
        let mut cursors: Vec<Vec<Cursor>> = vec![Vec::new(); world.users.len()];
        for ((index, chat), log) in (0..).zip(&world.chats).zip(&world.logs) {
            for member in &chat.members {
                cursors[*member as usize].push(Cursor::new(*member, index, log.base_version, log.base_seq));
            }
        }
        let session = |((index, user), cursors): ((u32, &crate::world::User), Vec<Cursor>)| {
            Session::new(index, user.token.clone(), cursors, common.seed)
        };
        let sessions = (0..).zip(&world.users).zip(cursors).map(session).collect();
        let engine = Engine::new(common.nodes.clone(), sessions, Shared::new(ledger, in_flight))?;
        let drain = Duration::from_secs(common.drain_seconds);
        Ok(Self { engine, world, bar, nodes: common.nodes.clone(), drain })
    }

    /// Connects everybody.
    ///
    /// # Errors
    /// See [`Error::Connect`].
    pub fn connect(&mut self) -> Result<(), Error> {
        self.connect_beside(|| Ok(()))
    }

    /// The same; `beside` is called all the time, for connections of another run.
    ///
    /// # Errors
    /// See [`Error::Connect`].
    pub fn connect_beside(&mut self, mut beside: impl FnMut() -> std::io::Result<()>) -> Result<(), Error> {
        let all = self.world.users.len();
        // Whoever is in many chats has more to ask for.
        let memberships: usize = self.world.chats.iter().map(|it| it.members.len()).sum();
        let seconds = 60 + u64::try_from(all / 200 + memberships / 500).unwrap_or(0);
        let bar = &self.bar;
        let done = self.engine.until(Duration::from_secs(seconds), |engine| {
            let settled = engine.settled();
            bar.set_message(format!("connecting, {} to go", all - settled));
            beside().is_err() || settled == all || engine.dead().is_some()
        })?;
        let settled = self.engine.settled();
        if done && settled == all {
            return Ok(());
        }
        let lost = &self.engine.shared.stats.lost;
        let why = self.engine.dead().map_or_else(|| format!("lost connections: {lost:?}"), |dead| dead.1);
        Err(Error::Connect { settled, all, seconds, why })
    }

    /// Everybody chats for so long, so many messages a second, in a window of its own. `beside` is called at each turn.
    ///
    /// # Errors
    /// When epoll fails, or the time is none.
    pub fn chat(
        &mut self,
        picker: &mut Picker,
        rate: u64,
        seconds: f64,
        mut beside: impl FnMut(),
    ) -> std::io::Result<()> {
        let engine = &mut self.engine;
        let start_us = engine.now_us() + 10_000;
        let length = Duration::try_from_secs_f64(seconds).map_err(std::io::Error::other)?;
        let end_us = start_us + u64::try_from(length.as_micros()).unwrap_or(0);
        engine.shared.stats.begin_window((start_us, end_us));
        let mut open = OpenLoop::new(start_us, end_us, rate);
        loop {
            let now_us = engine.now_us();
            if now_us >= end_us {
                return Ok(());
            }
            while let Some(at_us) = open.take(now_us) {
                if let Some((user, chat)) = picker.pick() {
                    engine.send(user, chat, at_us);
                }
            }
            engine.turn(Duration::from_millis(1))?;
            beside();
        }
    }

    /// Takes the counts over, without a proof.
    pub fn close(self, mut report: Report) -> Report {
        report.take(&self.engine.shared);
        self.bar.finish_and_clear();
        report
    }

    /// Waits until nothing is open any more, reads every chat back, and writes into the report what was found.
    ///
    /// # Errors
    /// When epoll fails or a chat cannot be read.
    pub fn finish(mut self, mut report: Report) -> Result<Report, Error> {
        self.engine.closed = None;
        self.bar.set_message("waiting for the last answers and readers");
        let started = Instant::now();
        let quiescent = self.engine.until(self.drain, |engine| engine.quiescent())?;
        report.drain_seconds = started.elapsed().as_secs_f64();
        if !quiescent {
            let open: usize = self.engine.sessions().map(Session::open_sends).sum();
            let settled = self.engine.settled();
            let (all, dead) = (self.world.users.len(), self.engine.dead());
            self.engine.shared.ledger.violations.add("not quiescent in time", || {
                format!("{open} sends unanswered, {settled} of {all} users connected and up to date, dead: {dead:?}")
            });
        }
        report.take(&self.engine.shared);
        report.audit = Some(self.audit()?);
        self.bar.finish_and_clear();
        Ok(report)
    }

    fn audit(&mut self) -> Result<AuditReport, Error> {
        let started = Instant::now();
        let mut audit = Audit::new(&self.engine.shared.ledger);
        let jobs = read_back::whole_chats(&self.world, &self.nodes);
        let all = jobs.len();
        let mut done = 0;
        read_back::run(&mut self.engine, &jobs, |ledger, job, page, end| {
            for message in page {
                audit.message(ledger, job.chat, crate::frames::sighting(message));
            }
            done += usize::from(end);
            self.bar.set_message(format!("reading back: {done} of {all} chats, {} messages", audit.messages));
        })?;
        let cursors: Vec<Cursor> = self.engine.sessions().flat_map(|it| it.cursors.iter().cloned()).collect();
        let jobs = read_back::holes(&cursors, &self.world, &self.nodes);
        let holes = jobs.len();
        let mut pages = Vec::new();
        read_back::run(&mut self.engine, &jobs, |ledger, job, page, end| {
            pages.extend_from_slice(page);
            if end && let Some(cursor) = job.cursor.map(|index| &cursors[index]) {
                let inside = pages.iter().map(crate::frames::sighting).filter(|it| it.seq <= job.last);
                audit.hole(ledger, cursor, (job.first, job.last), inside);
                pages.clear();
            }
        })?;
        let ledger = &mut self.engine.shared.ledger;
        let (unknown, unknown_existing) = audit.sends(ledger);
        for cursor in &cursors {
            audit.reader(ledger, cursor);
        }
        Ok(AuditReport {
            summary: None,
            chats: all,
            messages: audit.messages,
            readers: cursors.len(),
            snapshot_holes_read: holes,
            unknown,
            unknown_existing,
            seconds: started.elapsed().as_secs_f64(),
            violations: ledger.violations.total(),
            by_kind: ledger.violations.counts.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
            first: ledger.violations.first.iter().map(ToString::to_string).collect(),
        })
    }
}

/// Hidden by itself where standard error is not a terminal.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(1);
    let style = ProgressStyle::with_template("{elapsed:>4} {bar:30} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Runs an open or a closed loop from now on: warm-up, then the window. Returns the meters of the window.
fn drive(
    run: &mut Run,
    common: &Common,
    picker: Picker,
    rate: crate::args::Rate,
    in_flight: Option<u8>,
    (warmup, seconds): (u64, u64),
) -> Result<Meters, Error> {
    use crate::{args::Rate, engine::ClosedLoop};
    let engine = &mut run.engine;
    let start_us = engine.now_us() + 50_000;
    let window = (start_us + warmup * 1_000_000, start_us + (warmup + seconds) * 1_000_000);
    engine.shared.stats.window = window;
    let mut picker = picker;
    let mut open = match rate {
        Rate::PerSecond(per_second) => Some(OpenLoop::new(start_us, window.1, per_second)),
        Rate::Max => {
            let in_flight = usize::from(in_flight.unwrap_or(1));
            engine.start_closed(ClosedLoop { picker: picker.clone(), in_flight, end_us: window.1 });
            None
        }
    };
    let mut live = Live::new(&run.bar, warmup + seconds);
    let mut meters = None;
    loop {
        let now_us = engine.now_us();
        if meters.is_none() && now_us >= window.0 {
            meters = Some(Meters::start(common));
        }
        if now_us >= window.1 {
            break;
        }
        if let Some(open) = &mut open {
            while let Some(at_us) = open.take(now_us) {
                if let Some((user, chat)) = picker.pick() {
                    engine.send(user, chat, at_us);
                }
            }
        }
        live.show(engine, start_us);
        engine.turn(Duration::from_millis(1))?;
    }
    engine.closed = None;
    let mut meters = meters.unwrap_or_else(|| Meters::start(common));
    meters.stop();
    Ok(meters)
}

/// The live line.
struct Live<'a> {
    bar: &'a ProgressBar,
    next_us: u64,
    before: (u64, u64, u64, u64),
}

impl<'a> Live<'a> {
    const EVERY_US: u64 = 250_000;

    fn new(bar: &'a ProgressBar, seconds: u64) -> Self {
        bar.set_length(seconds * 1000);
        bar.set_position(0);
        Self { bar, next_us: 0, before: (0, 0, 0, 0) }
    }

    fn show(&mut self, engine: &Engine, start_us: u64) {
        let now_us = engine.now_us();
        if now_us < self.next_us {
            return;
        }
        let stats = &engine.shared.stats;
        let (at, sent, acknowledged, delivered) = self.before;
        let span = now_us.saturating_sub(at).max(1);
        let per_second = |now: u64, before: u64| (now - before) * 1_000_000 / span;
        self.bar.set_position(now_us.saturating_sub(start_us) / 1000);
        self.bar.set_message(format!(
            "{} sent/s, {} acknowledged/s, {} delivered/s, p99 to receive {:.1} ms, {} errors, {} lost connections",
            per_second(stats.sent, sent),
            per_second(stats.acknowledged, acknowledged),
            per_second(stats.delivered, delivered),
            crate::stats::Percentiles::from(&stats.to_receive).p99_ms,
            stats.errors.values().sum::<u64>(),
            stats.lost.values().sum::<u64>(),
        ));
        self.before = (now_us, stats.sent, stats.acknowledged, stats.delivered);
        self.next_us = now_us + Self::EVERY_US;
    }
}
