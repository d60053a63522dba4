//! The figures at the end: a table for people and JSON for machines.

use std::{collections::BTreeMap, fmt::Write as _};

use comfy_table::{CellAlignment, Table, presets::UTF8_FULL_CONDENSED};
use serde::Serialize;

use crate::{
    args::Common,
    process::{self, Usage},
    session::Shared,
    stats::Percentiles,
};

/// Everything about a run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Which load.
    pub scenario: String,
    /// Its parameters, seed included.
    pub parameters: serde_json::Value,
    /// How long was measured.
    pub window_seconds: f64,
    /// How long the last answers and readers took after that.
    pub drain_seconds: f64,
    /// Requests that left, retries and warm-up included.
    pub sent: u64,
    /// Messages acknowledged, warm-up included.
    pub acknowledged: u64,
    /// Message × reader, without the senders themselves.
    pub delivered: u64,
    /// Messages that came back to their senders.
    pub echoed: u64,
    /// Given up because a user's outbox was full.
    pub not_sent: u64,
    /// Within the window.
    pub acknowledged_per_second: f64,
    /// Within the window.
    pub delivered_per_second: f64,
    /// Intended send to acknowledgement.
    pub send_to_ack: Percentiles,
    /// Intended send to receipt by another.
    pub send_to_receive: Percentiles,
    /// Errors by code.
    pub errors: BTreeMap<String, u64>,
    /// Lost connections by reason.
    pub lost_connections: BTreeMap<String, u64>,
    /// Gaps in versions that readers asked for.
    pub gaps: u64,
    /// Chats that a reader had to begin anew.
    pub snapshots: u64,
    /// Deltas ignored because they were known.
    pub repeated_deltas: u64,
    /// Deltas parsed, and met again byte for byte.
    pub deltas_parsed: u64,
    /// See [`Self::deltas_parsed`].
    pub deltas_met_again: u64,
    /// What CPU counts for: message, delivery or connection.
    pub unit: String,
    /// CPU and memory.
    pub processes: Vec<Process>,
    /// How long phases of this load took, in their order.
    pub phases: Vec<(String, Percentiles)>,
    /// Figures of this load only.
    pub figures: BTreeMap<String, f64>,
    /// What the audit found.
    pub audit: Option<AuditReport>,
}

/// What a process used in the window.
#[derive(Clone, Debug, Serialize)]
pub struct Process {
    /// Which.
    pub name: String,
    /// CPU seconds; absent when the process was restarted meanwhile.
    pub cpu_seconds: Option<f64>,
    /// Microseconds of CPU per unit of the report.
    pub cpu_us_per_unit: Option<f64>,
    /// Resident memory at the end of the window, in MiB; absent as above.
    pub rss_mib: Option<f64>,
}

/// What the audit read and found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AuditReport {
    /// What was read back, where it is no messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// Chats read back.
    pub chats: usize,
    /// Messages read back.
    pub messages: u64,
    /// Pairs of a reader and a chat.
    pub readers: usize,
    /// Stretches that snapshots leapt over, read by their readers.
    pub snapshot_holes_read: usize,
    /// Sends whose outcome stayed unknown.
    pub unknown: u64,
    /// Those of them that exist.
    pub unknown_existing: u64,
    /// How long it took.
    pub seconds: f64,
    /// How many promises were broken.
    pub violations: u64,
    /// By kind.
    pub by_kind: BTreeMap<String, u64>,
    /// The first of them.
    pub first: Vec<String>,
}

impl AuditReport {
    /// Adds what the audit of another run found.
    pub fn add(&mut self, other: Self) {
        self.chats += other.chats;
        self.messages += other.messages;
        self.readers += other.readers;
        self.snapshot_holes_read += other.snapshot_holes_read;
        self.unknown += other.unknown;
        self.unknown_existing += other.unknown_existing;
        self.seconds += other.seconds;
        self.violations += other.violations;
        for (kind, count) in other.by_kind {
            *self.by_kind.entry(kind).or_default() += count;
        }
        self.first.extend(other.first);
    }
}

/// Who is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Who {
    /// A server, without its children.
    Server(u32),
    /// The children of a server: the private Postgres.
    Children(u32),
    /// Another process with its children.
    Also(u32),
    /// This process.
    Own,
}

fn read(who: Who) -> Option<Usage> {
    match who {
        Who::Server(pid) => process::usage(pid),
        Who::Children(pid) => process::descendants(pid),
        Who::Also(pid) => process::tree(pid),
        Who::Own => Some(process::own()),
    }
}

/// Readings of the processes at the start and the end of a window.
#[derive(Clone, Debug)]
pub struct Meters(Vec<(String, Who, Usage, Option<Usage>)>);

impl Meters {
    /// Reads everybody for the first time.
    pub fn start(common: &Common) -> Self {
        let mut servers = common.server_pids.clone();
        if servers.is_empty() {
            servers.extend(common.nodes.iter().filter_map(|it| process::listener(it.address.port())));
            servers.dedup();
        }
        let mut all = Vec::new();
        for (number, pid) in (1..).zip(&servers) {
            let name = if servers.len() == 1 { "server".to_owned() } else { format!("server {number}") };
            all.push((format!("{name}'s children (its Postgres)"), Who::Children(*pid)));
            all.insert(all.len() - 1, (name, Who::Server(*pid)));
        }
        all.extend(common.also.iter().map(|(name, pid)| (name.clone(), Who::Also(*pid))));
        all.push(("load generator".to_owned(), Who::Own));
        Self(all.into_iter().filter_map(|(name, who)| Some((name, who, read(who)?, None))).collect())
    }

    /// Reads everybody again.
    pub fn stop(&mut self) {
        for (_, who, first, last) in &mut self.0 {
            *last = read(*who).filter(|it| it.started == first.started);
        }
    }

    fn servers(&self) -> impl Iterator<Item = &(String, Who, Usage, Option<Usage>)> {
        self.0.iter().filter(|it| matches!(it.1, Who::Server(_)))
    }

    /// Memory of all servers, without their children, in KiB; `None` when no server is on this machine.
    pub fn server_rss_kib_at_start(&self) -> Option<u64> {
        self.servers().map(|it| Some(it.2.rss_kib)).sum::<Option<u64>>().filter(|it| *it > 0)
    }

    /// The same at the end; `None` also when one was restarted.
    pub fn server_rss_kib_at_end(&self) -> Option<u64> {
        self.servers().map(|it| it.3.map(|it| it.rss_kib)).sum::<Option<u64>>().filter(|it| *it > 0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a run are far below 2^52")]
fn float(count: u64) -> f64 {
    count as f64
}

impl Report {
    /// An empty one.
    pub fn new(scenario: &str, parameters: serde_json::Value) -> Self {
        Self { scenario: scenario.to_owned(), parameters, ..Self::default() }
    }

    /// Adds what the processes used, and how much that is per unit.
    pub fn meters(&mut self, meters: &Meters, unit: &str, count: u64) {
        unit.clone_into(&mut self.unit);
        for (name, _, first, last) in &meters.0 {
            let cpu = last.map(|last| last.cpu_ms.saturating_sub(first.cpu_ms));
            self.processes.push(Process {
                name: name.clone(),
                cpu_seconds: cpu.map(|it| float(it) / 1000.0),
                cpu_us_per_unit: cpu.filter(|_| count > 0).map(|it| float(it) * 1000.0 / float(count)),
                rss_mib: last.map(|last| float(last.rss_kib) / 1024.0),
            });
        }
    }

    /// Adds a figure of this load only.
    pub fn figure(&mut self, name: &str, value: f64) {
        self.figures.insert(name.to_owned(), (value * 100.0).round() / 100.0);
    }

    /// Takes the counts and latencies over.
    pub fn take(&mut self, shared: &Shared) {
        let stats = &shared.stats;
        self.sent = stats.sent;
        self.acknowledged = stats.acknowledged;
        self.delivered = stats.delivered;
        self.echoed = stats.echoed;
        self.not_sent = stats.not_sent;
        let per_second = |count| if self.window_seconds > 0.0 { float(count) / self.window_seconds } else { 0.0 };
        self.acknowledged_per_second = per_second(stats.window_acknowledged);
        self.delivered_per_second = per_second(stats.window_delivered);
        self.send_to_ack = Percentiles::from(&stats.to_ack);
        self.send_to_receive = Percentiles::from(&stats.to_receive);
        self.errors = stats.errors.clone();
        self.lost_connections = stats.lost.clone();
        self.gaps = stats.gaps;
        self.snapshots = stats.snapshots;
        self.repeated_deltas = stats.repeated;
        self.deltas_parsed = shared.frames.parsed;
        self.deltas_met_again = shared.frames.met_again;
    }

    /// Whether every promise was kept.
    pub fn passed(&self) -> bool {
        self.audit.as_ref().is_none_or(|audit| audit.violations == 0)
    }

    /// For people.
    pub fn tables(&self) -> String {
        let mut text = String::new();
        let mut section = |table: &Table| {
            let _ = writeln!(text, "{table}");
        };
        if self.phases.is_empty() || !self.errors.is_empty() || !self.lost_connections.is_empty() {
            section(&self.counts());
        }
        if self.send_to_ack.count > 0 || !self.phases.is_empty() {
            section(&self.latencies());
        }
        if !self.figures.is_empty() {
            let mut table = table(&[&self.scenario, ""]);
            for (name, value) in &self.figures {
                table.add_row([name.clone(), format!("{value:.2}")]);
            }
            section(&table);
        }
        if !self.processes.is_empty() {
            section(&self.usage());
        }
        if self.errors.contains_key("rate_limited") {
            let _ = writeln!(
                text,
                "The server limits its users: start it with --messages-per-second 0 --calls-per-minute 0 --new-contacts-per-day 0 --stranger-chats-per-day 0 --lookups-per-day 0 to measure what it can do."
            );
        }
        if let Some(audit) = &self.audit {
            let _ = writeln!(text, "{}", verdict(audit));
        }
        text
    }

    fn counts(&self) -> Table {
        let mut table =
            table(&[if self.phases.is_empty() { "messages" } else { &self.scenario }, "in all", "per second"]);
        let per_second = |value: f64| format!("{value:.0}");
        if self.phases.is_empty() {
            table.add_row(["sent (with retries and warm-up)", &self.sent.to_string(), ""]);
            table.add_row(["acknowledged", &self.acknowledged.to_string(), &per_second(self.acknowledged_per_second)]);
            table.add_row(["delivered to others", &self.delivered.to_string(), &per_second(self.delivered_per_second)]);
            table.add_row(["delivered to the sender", &self.echoed.to_string(), ""]);
        }
        let rare = [
            ("not sent: outbox full", self.not_sent),
            ("gaps asked for", self.gaps),
            ("snapshots", self.snapshots),
            ("repeated deltas", self.repeated_deltas),
        ];
        for (name, count) in rare.iter().filter(|it| it.1 > 0) {
            table.add_row([*name, &count.to_string(), ""]);
        }
        for (code, count) in &self.errors {
            table.add_row([format!("error {code}"), count.to_string(), String::new()]);
        }
        for (why, count) in &self.lost_connections {
            table.add_row([format!("lost connection: {why}"), count.to_string(), String::new()]);
        }
        table
    }

    fn latencies(&self) -> Table {
        let mut table = table(&["latency, ms", "mean", "p50", "p90", "p95", "p99", "p99.9", "max"]);
        let messages = [("send → acknowledged", &self.send_to_ack), ("send → received", &self.send_to_receive)];
        let phases = self.phases.iter().map(|(name, it)| (name.as_str(), it));
        for (name, it) in messages.into_iter().filter(|_| self.phases.is_empty()).chain(phases) {
            let mut row = vec![name.to_owned()];
            let values = [it.mean_ms, it.p50_ms, it.p90_ms, it.p95_ms, it.p99_ms, it.p999_ms, it.max_ms];
            row.extend(values.map(|value| format!("{value:.2}")));
            table.add_row(row);
        }
        table
    }

    fn usage(&self) -> Table {
        let per_unit = format!("CPU µs per {}", self.unit);
        let mut table = table(&["process", "CPU s", &per_unit, "memory, MiB"]);
        for it in &self.processes {
            let cpu = it.cpu_seconds.map_or_else(|| "restarted".to_owned(), |it| format!("{it:.2}"));
            let per_unit = it.cpu_us_per_unit.map_or_else(String::new, |it| format!("{it:.1}"));
            let memory = it.rss_mib.map_or_else(String::new, |it| format!("{it:.1}"));
            table.add_row([it.name.clone(), cpu, per_unit, memory]);
        }
        table
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header.iter().copied());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn verdict(audit: &AuditReport) -> String {
    let mut text = format!(
        "audit: {} messages in {} chats read back in {:.1} s, {} readers checked, {} outcomes unknown ({} of them exist): ",
        audit.messages, audit.chats, audit.seconds, audit.readers, audit.unknown, audit.unknown_existing
    );
    if let Some(summary) = &audit.summary {
        text.clone_from(summary);
    }
    if audit.violations == 0 {
        text.push_str("nothing lost, doubled, changed, skipped or out of order");
        return text;
    }
    let _ = write!(text, "{} VIOLATIONS", audit.violations);
    for (kind, count) in &audit.by_kind {
        let _ = write!(text, "\n  {count} × {kind}");
    }
    for line in audit.first.iter().take(20) {
        let _ = write!(text, "\n    {line}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn violations_fail_the_run_and_are_listed() {
        let mut report = Report::new("chat", serde_json::Value::Null);
        report.audit = Some(AuditReport::default());
        assert!(report.passed());
        assert!(report.tables().contains("nothing lost"));
        report.audit = Some(AuditReport { violations: 1, first: vec!["lost: here".into()], ..AuditReport::default() });
        assert!(!report.passed());
        assert!(report.tables().contains("lost: here"));
    }
}
