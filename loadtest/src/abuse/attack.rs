//! The process of the attackers: a child of the load test, so that its own work does not spoil the latency that innocent people
//! are measured to have. Every kind is bounded in rate and in time.

use std::{
    fs, io,
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::Value;

use super::{
    kinds,
    plan::{Plan, Tally},
};
use crate::{
    line::{Came, Heard, Line},
    message::Random,
    process,
};

/// See [`crate::args::Scenario::Attack`].
#[derive(Clone, Debug, Args)]
pub struct AttackArgs {
    /// What the attackers know.
    #[arg(long)]
    pub plan: PathBuf,
    /// What they do; repeat it for several at once.
    #[arg(long)]
    pub kind: Vec<String>,
    /// For how long at most.
    #[arg(long)]
    pub seconds: f64,
    /// Ends also when standard input does.
    #[arg(long)]
    pub until_eof: bool,
}

/// One attacker of one kind.
#[derive(Clone, Debug)]
pub(super) struct Attacker {
    pub(super) plan: Plan,
    /// Which one of its kind.
    pub(super) number: usize,
    pub(super) until: Instant,
    pub(super) random: Random,
}

/// Set when everybody is to end before their time.
static ENOUGH: AtomicBool = AtomicBool::new(false);

/// A kind: its name, how many do it at once, and what each does until its time is over.
pub(super) type Kind = (&'static str, usize, fn(&mut Attacker, &mut Tally));

/// Runs it, and prints what came of each kind as one line of JSON.
///
/// # Errors
/// When the plan cannot be read, or a kind is unknown.
pub fn run(args: &AttackArgs) -> io::Result<()> {
    process::be_last();
    let plan: Plan = serde_json::from_slice(&fs::read(&args.plan)?)?;
    let until = Instant::now() + Duration::try_from_secs_f64(args.seconds).map_err(io::Error::other)?;
    if args.until_eof {
        thread::spawn(|| {
            let _ = io::copy(&mut io::stdin(), &mut io::sink());
            ENOUGH.store(true, Ordering::Relaxed);
        });
    }
    let mut threads = Vec::new();
    for name in &args.kind {
        let kind = kinds::ALL.iter().chain(&kinds::LINGERING).find(|it| it.0 == name);
        let (name, count, act) = kind.ok_or_else(|| io::Error::other(format!("no such kind: {name}")))?;
        for number in 0..*count {
            let random = Random::new(plan.seed ^ (number as u64) << 32 ^ name.len() as u64);
            let mut attacker = Attacker { plan: plan.clone(), number, until, random };
            let act = *act;
            let spawned = thread::Builder::new().stack_size(256 * 1024).spawn(move || {
                let mut tally = Tally::default();
                act(&mut attacker, &mut tally);
                tally
            })?;
            threads.push((*name, spawned));
        }
    }
    let mut told = std::collections::BTreeMap::<&str, Tally>::new();
    for (name, thread) in threads {
        let tally = thread.join().map_err(|_| io::Error::other(format!("an attacker of kind {name} panicked")))?;
        told.entry(name).or_default().add(tally);
    }
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}

impl Attacker {
    pub(super) fn over(&self) -> bool {
        Instant::now() >= self.until || ENOUGH.load(Ordering::Relaxed)
    }

    pub(super) fn left(&self) -> Duration {
        self.until.saturating_duration_since(Instant::now())
    }

    pub(super) fn rest(&self, pause: Duration) {
        thread::sleep(pause.min(self.left()));
    }

    /// One of the three addresses of those without an account.
    pub(super) fn anonymous(&self) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + u8::try_from(self.number % 3).unwrap_or(0)))
    }

    /// A connection of the three addresses that says nothing yet.
    pub(super) fn open(&self, tally: &mut Tally) -> Option<Line> {
        let line = Line::open(self.plan.node, Some(self.anonymous())).ok();
        if line.is_none() {
            tally.not_taken += 1;
            self.rest(Duration::from_millis(200));
        }
        line
    }

    /// A connection that has said who it is.
    pub(super) fn sign_in(&self, token: &str, tally: &mut Tally) -> Option<Line> {
        let mut line = self.open(tally)?;
        let hello = serde_json::json!({ "token": token });
        line.request(1, "hello", &hello).ok()?;
        let patience = Instant::now() + Duration::from_secs(20);
        while Instant::now() < patience && !self.over() {
            match line.receive(Duration::from_millis(200)) {
                Came::Text(text) => match serde_json::from_str::<Heard<'_>>(&text).ok().filter(|it| it.id == Some(1)) {
                    Some(Heard { ok: Some(_), .. }) => return Some(line),
                    Some(Heard { error: Some(error), .. }) => {
                        tally.refuse(error.code.name());
                        break;
                    }
                    _ => {}
                },
                Came::Closed(code) => {
                    tally.close(code);
                    break;
                }
                Came::Nothing => {}
            }
        }
        self.rest(Duration::from_millis(200));
        None
    }

    /// Requests one after the other over one connection at a time, so many a second, at most 48 of them unanswered. `heard`
    /// sees each answer that was no refusal.
    pub(super) fn storm(
        &mut self,
        token: &str,
        per_second: u32,
        tally: &mut Tally,
        mut make: impl FnMut(&mut Self) -> (&'static str, Value),
        mut heard: impl FnMut(&str, &mut Tally),
    ) {
        let pause = Duration::from_secs(1) / per_second;
        while !self.over() {
            let Some(mut line) = self.sign_in(token, tally) else { continue };
            let (mut id, mut unanswered, mut due) = (1_u64, 0_u32, Instant::now());
            while !self.over() {
                let now = Instant::now();
                if now >= due && unanswered < 48 {
                    id += 1;
                    due = (due + pause).max(now.checked_sub(Duration::from_millis(100)).unwrap_or(now));
                    let (method, params) = make(self);
                    tally.tried += 1;
                    unanswered += 1;
                    if line.request(id, method, &params).is_err() {
                        tally.close(1006);
                        break;
                    }
                    continue;
                }
                let wait =
                    due.saturating_duration_since(now).clamp(Duration::from_millis(1), Duration::from_millis(50));
                match line.receive(wait) {
                    Came::Text(text) => {
                        let Ok(it) = serde_json::from_str::<Heard<'_>>(&text) else { continue };
                        if it.event.is_some() {
                            continue;
                        }
                        unanswered = unanswered.saturating_sub(1);
                        match (it.ok, it.error) {
                            (Some(ok), _) => {
                                tally.accepted += 1;
                                heard(ok.get(), tally);
                            }
                            (None, Some(error)) => tally.refuse(error.code.name()),
                            (None, None) => {}
                        }
                    }
                    Came::Closed(code) => {
                        tally.close(code);
                        break;
                    }
                    Came::Nothing => {}
                }
            }
        }
    }
}
