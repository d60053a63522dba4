//! Innocent people chat at a modest rate, while one account and three addresses without an account do their worst: each kind
//! alone, then all at once. What the innocent notice is measured, what the attackers were allowed is counted, and the memory
//! of the node is read from `/proc`.
//!
//! The innocent are the load test's own engine with its ledger and audit; the attackers are a child process ([`attack`]). Real attackers burn
//! processors of their own, so these get what others leave; and what they burn all the same is burnt once more by a process that attacks
//! nobody ([`burn`]): what the innocent notice of that is not the server's doing.

pub mod attack;
pub mod burn;
mod kinds;
mod plan;
mod world;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, Read},
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    process::{Child, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use clap::Args;

use self::plan::{Plan, Tally};
use crate::{
    args::Common,
    http::Api,
    outcome::{Outcome, table},
    process,
    report::Report,
    rig::{self, ADMIN_TOKEN, Parts, Rig, Scratch},
    scenario::{Error, Run},
    schedule::{Mix, Picker},
    stats::Percentiles,
    world as innocent,
};

/// See [`crate::args::Scenario::Abuse`].
#[derive(Clone, Debug, Args)]
pub struct AbuseArgs {
    /// Each kind for 1.2 s, in less than a minute in all.
    #[arg(long)]
    pub quick: bool,
    /// How long each kind lasts, in seconds.
    #[arg(long, default_value_t = 10.0)]
    pub seconds: f64,
    /// Only kinds that have one of these in their names.
    #[arg(long, value_delimiter = ',', value_name = "WORDS")]
    pub only: Vec<String>,
    /// Only all kinds at once, none alone.
    #[arg(long)]
    pub at_once: bool,
    /// Innocent people.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(20..=1000))]
    pub people: u32,
    /// Messages a second that they send in all.
    #[arg(long, default_value_t = 50)]
    pub rate: u64,
    /// The node may hold so much memory, in MiB.
    #[arg(long, default_value_t = 300.0)]
    pub memory: f64,
    /// With all kinds at once, p99 of the innocent may be twice that of the quiet, or 50 ms more; this many times as much on
    /// a machine that is slow or has other work.
    #[arg(long, default_value_t = 1.0)]
    pub slack: f64,
    /// The victim with the right password must be let in within so many seconds.
    #[arg(long, default_value_t = 20.0, value_name = "SECONDS")]
    pub sign_in: f64,
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

/// One line of the table.
#[derive(Clone, Debug, Default, serde::Serialize)]
struct Line {
    what: String,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// The most memory of the node, in MiB.
    memory: f64,
    tally: Tally,
    /// How long the victim took to sign in, at most.
    victim: Option<f64>,
    /// CPU time of the attackers, in seconds.
    attackers_cpu: f64,
}

/// What the attackers may get done with one kind at most, however long; and what must end within how many seconds. People can be
/// read who were looked up by handle, or share a chat: a day's budgets.
const MOST_STRANGERS: f64 = 200.0;
const MOST_READ: f64 = 1200.0;
const MOST_HELLOS: f64 = 20.0;
/// Seconds for which a body may drip.
const MOST_BODY: f64 = 40.0;
/// Those who hold on are watched for at least so long.
const HOLD: Duration = Duration::from_secs(42);
/// After the end everything is as before within this.
const RECOVERY: Duration = Duration::from_secs(10);

struct Stage {
    run: Run,
    rig: Rig,
    picker: Picker,
    plan: Plan,
    plan_file: PathBuf,
    rate: u64,
    /// How long the victim may wait, in seconds.
    patience: f64,
    violations: Vec<String>,
}

/// Runs it.
///
/// # Errors
/// When the parts or the attackers cannot be started.
pub fn run(args: &AbuseArgs) -> Result<Outcome, Error> {
    println!("seed {}", args.seed);
    let server = rig::server_binary(args.server_binary.as_deref())?;
    // The world is made without bounds on single people; it is then attacked with those that are the default.
    let lifted = rig::known_settings(&server, rig::NO_BUDGETS);
    let settings: Vec<&str> = lifted.iter().map(String::as_str).collect();
    let rig = Rig::start(&Parts { server: &server, nodes: 1, redis: false, settings: &settings, seed: args.seed })?;
    let scratch = Scratch::new()?;
    let mut stage = Stage::set_up(rig, args, scratch.path().join("plan.json"), lifted.len())?;
    let seconds = if args.quick { 1.2 } else { args.seconds };
    let chosen = |name: &str| args.only.is_empty() || args.only.iter().any(|it| name.contains(it.as_str()));
    let names: Vec<&str> = kinds::ALL.iter().map(|it| it.0).filter(|it| chosen(it)).collect();

    // The first messages find cold caches.
    stage.phase("", &[], 1.0)?;
    let quiet = stage.phase("nobody does anything bad", &[], if args.quick { 3.0 } else { args.seconds })?;
    let began = Instant::now();
    let at_once = if args.quick { 5.0 } else { args.seconds * 2.0 };
    let lingering: Vec<&str> = kinds::LINGERING.iter().map(|it| it.0).collect();
    let mut holding = stage.attack(&lingering, 3600.0, true)?;
    let mut lines = vec![quiet.clone()];
    let alone: &[&str] = if args.at_once { &[] } else { &names };
    for name in alone {
        let longer = if args.quick && kinds::SLOW.contains(name) { 2.0 } else { 1.0 };
        lines.push(stage.phase(name, &[*name], seconds * longer)?);
    }
    let all = stage.phase("all at once", &names, at_once)?;
    let normal = stage.recovery(&quiet, args)?;
    let control = stage.control(at_once, all.attackers_cpu)?;
    // Long enough to tell whether those who hold on are let.
    while args.only.is_empty() && !args.at_once && began.elapsed() < HOLD {
        stage.chat(0.5)?;
    }
    drop(holding.stdin.take());
    let held = stage.meanwhile(move || tallies(holding))??;
    let lasted = began.elapsed().as_secs_f64();
    stage.judge(&lines, args);
    stage.judge_end(&quiet, &all, normal, args);
    stage.judge_held(&held, lasted);
    lines.extend([control, all]);

    let mut text = tables(&lines);
    if let [quiet, .., control, all] = lines.as_slice() {
        let (times, most) = (all.p99_ms / quiet.p99_ms, bound(quiet, args));
        let _ = writeln!(
            text,
            "with all kinds at once p99 of the innocent is {times:.1} times that of the quiet: {:.1} ms after {:.1}, at most {most:.0} are allowed",
            all.p99_ms, quiet.p99_ms
        );
        let _ = writeln!(
            text,
            "with the same CPU ({:.1} s of {:.1}) burnt without an attack it is {:.1} times that of the quiet: {:.1} ms; the attack makes it {:.1} times that",
            control.attackers_cpu,
            all.attackers_cpu,
            control.p99_ms / quiet.p99_ms,
            control.p99_ms,
            all.p99_ms / control.p99_ms
        );
    }
    for (name, tally) in &held {
        let longest = tally.notes.get(world::HELD).unwrap_or(&0.0);
        let _ = writeln!(
            text,
            "{name}: {} of {} still open at the end, the longest was held {longest:.0} s of {lasted:.0}",
            tally.accepted, tally.tried
        );
    }
    let _ = match normal {
        Some(after) => writeln!(text, "as before {:.1} s after the end", after.as_secs_f64()),
        None => writeln!(text, "NOT as before 10 s after the end"),
    };
    let figures = serde_json::json!({ "seed": args.seed, "phases": lines, "held": held, "normal_after": normal.map(|it| it.as_secs_f64()) });
    let mut outcome = Outcome::new("abuse", &figures);
    outcome.violations = stage.finish(&mut text)?;
    outcome.violated = outcome.violations.len() as u64;
    outcome.text = text;
    Ok(outcome)
}

impl Stage {
    fn set_up(mut rig: Rig, args: &AbuseArgs, plan_file: PathBuf, lifted: usize) -> Result<Self, Error> {
        let node = rig.nodes[0].node();
        let common = Common {
            nodes: vec![node.clone()],
            admin_token: ADMIN_TOKEN.to_owned(),
            seed: args.seed,
            server_pids: rig.nodes[0].id().into_iter().collect(),
            also: Vec::new(),
            json: None,
            drain_seconds: 60,
        };
        let mix: Mix = "direct:70,group:30".parse().map_err(io::Error::other)?;
        let chats = innocent::plan(args.people, &mix.kinds(), 10);
        let picker = Picker::new(&mix, &chats, args.seed);
        let mut run = Run::set_up(&common, args.people, chats, 20..=400, 16)?;
        let mut api = Api::new(node.clone(), Duration::from_secs(30));
        let plan = world::make(&mut api, node.address, args.seed)?;
        rig.nodes[0].restart_without(lifted)?;
        run.connect()?;
        std::fs::write(&plan_file, serde_json::to_vec(&plan).map_err(io::Error::other)?)?;
        Ok(Self { run, rig, picker, plan, plan_file, rate: args.rate, patience: args.sign_in, violations: Vec::new() })
    }

    /// Starts the attackers. With `until_eof` they end when their standard input does.
    fn attack(&self, kinds: &[&str], seconds: f64, until_eof: bool) -> io::Result<Child> {
        let mut command = rig::command(std::env::current_exe()?, None);
        command.arg("attack").arg("--plan").arg(&self.plan_file).arg("--seconds").arg(seconds.to_string());
        for kind in kinds {
            command.arg("--kind").arg(kind);
        }
        if until_eof {
            command.arg("--until-eof").stdin(Stdio::piped());
        } else {
            command.stdin(Stdio::null());
        }
        command.stdout(Stdio::piped()).spawn()
    }

    /// The innocent chat for so long, while the attackers do these kinds.
    fn phase(&mut self, what: &str, kinds: &[&str], seconds: f64) -> Result<Line, Error> {
        let reaped = process::reaped_ms();
        let attackers = if kinds.is_empty() { None } else { Some(self.attack(kinds, seconds, false)?) };
        let over = Arc::new(AtomicBool::new(false));
        let victim = kinds.iter().any(|it| it.starts_with("sign-ins")).then(|| {
            let (plan, over, patience) = (self.plan.clone(), over.clone(), self.patience);
            thread::spawn(move || victim(&plan, &over, patience))
        });
        let memory = self.chat(seconds)?;
        over.store(true, Ordering::Relaxed);
        let tally = match attackers {
            Some(child) => {
                self.meanwhile(move || tallies(child))??.into_values().fold(Tally::default(), |mut sum, it| {
                    sum.add(it);
                    sum
                })
            }
            None => Tally::default(),
        };
        let attackers_cpu = seconds_of(process::reaped_ms() - reaped);
        // What was due in this phase counts for it, however late it comes.
        self.run.engine.until(RECOVERY, |engine| engine.quiescent())?;
        let victim = victim.map(|it| self.listen_until(it)).transpose()?.map(|it| it.as_secs_f64());
        let it = Percentiles::from(&self.run.engine.shared.stats.to_receive);
        let line = Line {
            what: what.to_owned(),
            p50_ms: it.p50_ms,
            p99_ms: it.p99_ms,
            max_ms: it.max_ms,
            memory: memory.max(self::memory(&self.rig)),
            tally,
            victim,
            attackers_cpu,
        };
        if !what.is_empty() {
            eprintln!("{what}: p50 {:.1} ms, p99 {:.1} ms, {:.0} MiB", line.p50_ms, line.p99_ms, line.memory);
        }
        Ok(line)
    }

    /// The innocent chat, while a process burns as much CPU as the attackers did, and attacks nobody.
    fn control(&mut self, seconds: f64, cpu: f64) -> Result<Line, Error> {
        let reaped = process::reaped_ms();
        let mut command = rig::command(std::env::current_exe()?, None);
        command.args(["burn", "--seconds", &seconds.to_string(), "--cpu", &cpu.to_string()]);
        let mut child = command.stdin(Stdio::null()).spawn()?;
        let line = self.phase("nothing but the attackers' CPU", &[], seconds);
        child.wait()?;
        Ok(Line { attackers_cpu: seconds_of(process::reaped_ms() - reaped), ..line? })
    }

    /// Waits for something, while the innocent say nothing new and go on reading: what comes to them is not late because nobody
    /// looked, and whoever answers no ping for a minute is let go.
    fn meanwhile<T: Send + 'static>(&mut self, wait: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        self.listen_until(thread::spawn(wait))
    }

    fn listen_until<T>(&mut self, waiting: JoinHandle<T>) -> Result<T, Error> {
        while !waiting.is_finished() {
            self.run.engine.turn(Duration::from_millis(1))?;
        }
        waiting.join().map_err(|_| io::Error::other("a thread of the load test panicked").into())
    }

    /// The innocent chat. Returns the most memory that the node had meanwhile.
    fn chat(&mut self, seconds: f64) -> Result<f64, Error> {
        let (rig, mut most, mut next_look) = (&self.rig, 0.0_f64, Instant::now());
        self.run.chat(&mut self.picker, self.rate, seconds, || {
            if Instant::now() >= next_look {
                next_look = Instant::now() + Duration::from_millis(50);
                most = most.max(memory(rig));
            }
        })?;
        Ok(most)
    }

    /// How long after the end the innocent notice nothing any more.
    fn recovery(&mut self, quiet: &Line, args: &AbuseArgs) -> Result<Option<Duration>, Error> {
        let ended = Instant::now();
        while ended.elapsed() < RECOVERY {
            self.chat(1.0)?;
            self.run.engine.until(Duration::from_secs(5), |engine| engine.quiescent())?;
            let it = Percentiles::from(&self.run.engine.shared.stats.to_receive);
            if it.p99_ms <= bound(quiet, args) {
                return Ok(Some(ended.elapsed().saturating_sub(Duration::from_secs(1))));
            }
        }
        Ok(None)
    }

    fn judge(&mut self, lines: &[Line], args: &AbuseArgs) {
        for line in lines {
            let what = &line.what;
            if line.memory > args.memory {
                self.violations
                    .push(format!("{what}: the node held {:.0} MiB, more than {:.0}", line.memory, args.memory));
            }
            if line.victim.is_some_and(|it| it > args.sign_in) {
                let seconds = line.victim.unwrap_or_default();
                self.violations
                    .push(format!("{what}: the victim was kept out for {seconds:.1} s with the right password"));
            }
            if let Some(count) = line.tally.refused.get("internal") {
                self.violations.push(format!("{what}: {count} answers were `internal`"));
            }
            let most = [(world::REACHED, MOST_STRANGERS), (world::READ, MOST_READ), (world::HELLOS, MOST_HELLOS)];
            for (note, most) in most {
                if let Some(count) = line.tally.notes.get(note).filter(|it| **it > most) {
                    self.violations.push(format!("{what}: {count:.0} {note}, more than {most:.0}"));
                }
            }
            if what.starts_with("relays") && line.tally.accepted > 0 {
                let count = line.tally.accepted;
                self.violations.push(format!("{what}: {count} credentials were given for calls that do not exist"));
            }
        }
    }

    fn judge_end(&mut self, quiet: &Line, all: &Line, normal: Option<Duration>, args: &AbuseArgs) {
        let bound = bound(quiet, args);
        if all.p99_ms > bound {
            self.violations.push(format!(
                "with all kinds at once the innocent waited {:.0} ms (p99), at most {bound:.0} are allowed after {:.0} in quiet",
                all.p99_ms, quiet.p99_ms
            ));
        }
        self.judge(std::slice::from_ref(all), args);
        if normal.is_none() {
            self.violations.push("not as before 10 s after the end".into());
        }
    }

    /// Heads end after 10 s, a connection without `hello` too, a body may take longer.
    fn judge_held(&mut self, held: &BTreeMap<String, Tally>, lasted: f64) {
        for (name, most) in [
            ("half-open heads", 20.0),
            ("talkers before hello", 20.0),
            ("pings before hello", 20.0),
            ("bodies that drip", MOST_BODY),
        ] {
            let longest = held.get(name).and_then(|it| it.notes.get(world::HELD)).copied().unwrap_or(0.0);
            if longest > most && lasted > most {
                self.violations.push(format!("{name}: one was held for {longest:.0} s, more than {most:.0}"));
            }
        }
    }

    /// The innocent lost nothing, neither a message nor a connection.
    fn finish(mut self, text: &mut String) -> Result<Vec<String>, Error> {
        if !self.rig.nodes[0].lives() {
            self.violations.push(format!("the node ended:\n{}", self.rig.nodes[0].log(20)));
        }
        let report = self.run.finish(Report::new("abuse", serde_json::Value::Null))?;
        let mut violations = self.violations;
        for (why, count) in &report.lost_connections {
            violations.push(format!("innocent people lost {count} connections: {why}"));
        }
        for (code, count) in &report.errors {
            let _ = writeln!(text, "innocent people were told {code} {count} times");
        }
        if let Some(audit) = report.audit {
            let _ =
                writeln!(text, "{} messages of {} acknowledged were read back", audit.messages, report.acknowledged);
            violations.extend(audit.first);
        }
        Ok(violations)
    }
}

/// Resident memory of the node, in MiB.
fn memory(rig: &Rig) -> f64 {
    let kib = rig.nodes[0].id().and_then(process::usage).map_or(0, |it| it.rss_kib);
    f64::from(u32::try_from(kib).unwrap_or(u32::MAX)) / 1024.0
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a run are far below 2^52")]
fn seconds_of(millis: u64) -> f64 {
    millis as f64 / 1000.0
}

/// What the innocent may have to wait with all kinds at once, and after that.
fn bound(quiet: &Line, args: &AbuseArgs) -> f64 {
    (quiet.p99_ms * 2.0).max(quiet.p99_ms + 50.0) * args.slack
}

/// Waits for the attackers and reads what they say that they did.
fn tallies(mut child: Child) -> io::Result<BTreeMap<String, Tally>> {
    let mut told = String::new();
    if let Some(out) = &mut child.stdout {
        out.read_to_string(&mut told)?;
    }
    child.wait()?;
    serde_json::from_str(told.trim())
        .map_err(|error| io::Error::other(format!("the attackers said no figures: {error}")))
}

/// Signs in with the right password, again and again, as patiently as told. Returns the longest that it took.
fn victim(plan: &Plan, over: &AtomicBool, patience: f64) -> Duration {
    let mut longest = Duration::ZERO;
    // Those who attack are first.
    thread::sleep(Duration::from_millis(500));
    let home = Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9)));
    loop {
        let started = Instant::now();
        loop {
            let answer = world::sign_in(plan.node, home, &plan.victim, world::PASSWORD, Duration::from_secs(20));
            longest = longest.max(started.elapsed());
            match answer {
                Ok((200..=299, _)) => break,
                _ if started.elapsed().as_secs_f64() > patience * 1.2 => return longest,
                Ok((_, body)) => thread::sleep(world::retry_after(&body)),
                Err(_) => thread::sleep(Duration::from_millis(200)),
            }
        }
        if over.load(Ordering::Relaxed) {
            return longest;
        }
        thread::sleep(Duration::from_millis(500));
    }
}

fn tables(lines: &[Line]) -> String {
    let mut table = table(&[
        "what was done",
        "p50, ms",
        "p99, ms",
        "max, ms",
        "node, MiB",
        "tried",
        "accepted",
        "refused",
        "closed",
        "victim in, s",
        "attackers' CPU, s",
    ]);
    for line in lines {
        let tally = &line.tally;
        let sum = |counts: &mut dyn Iterator<Item = String>| counts.collect::<Vec<_>>().join(", ");
        table.add_row([
            line.what.clone(),
            format!("{:.1}", line.p50_ms),
            format!("{:.1}", line.p99_ms),
            format!("{:.0}", line.max_ms),
            format!("{:.0}", line.memory),
            tally.tried.to_string(),
            tally.accepted.to_string(),
            sum(&mut tally.refused.iter().map(|(code, count)| format!("{count} {code}"))),
            sum(&mut tally
                .closed
                .iter()
                .map(|(code, count)| format!("{count} × {code}"))
                .chain((tally.not_taken > 0).then(|| format!("{} not taken", tally.not_taken)))),
            line.victim.map_or_else(String::new, |it| format!("{it:.1}")),
            format!("{:.1}", line.attackers_cpu),
        ]);
    }
    let mut text = format!("{table}\n");
    for line in lines.iter().filter(|it| !it.tally.notes.is_empty()) {
        let notes: Vec<String> = line.tally.notes.iter().map(|(what, value)| format!("{value:.1} {what}")).collect();
        let _ = writeln!(text, "{}: {}", line.what, notes.join(", "));
    }
    text
}
