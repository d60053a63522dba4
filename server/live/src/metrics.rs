//! Every metric of the node, in one list.

use prometheus_client::{
    encoding::text::encode,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::bus::Bus;

/// A label set of one name.
pub type Label = [(&'static str, &'static str); 1];

/// The node's metrics. Cheap to clone: every handle is shared.
#[derive(Clone)]
pub struct Metrics {
    /// Open WebSockets.
    pub connections: Gauge,
    /// Requests by method.
    pub requests: Family<Label, Counter>,
    /// Error replies by code.
    pub errors: Family<Label, Counter>,
    /// Messages stored.
    pub messages: Counter,
    /// Messages in one commit.
    pub batch: Histogram,
    /// Seconds from a batch's start to its commit.
    pub commit_seconds: Histogram,
    /// Batches whose outcome was unknown and that were sent again.
    pub commit_retries: Counter,
    /// Frames written to WebSockets.
    pub frames_out: Counter,
    /// Connections closed by the server, by close code.
    pub closed: Family<Label, Counter>,
    /// Gaps in the stream of events that were filled from the database.
    pub gaps_filled: Counter,
    /// Times that everything watched was compared with the database.
    pub comparisons: Counter,
    /// 1 while the bus is connected (or there is no other node).
    pub bus_connected: Gauge,
    /// Payloads that could not be published, because Redis was away or the queue full.
    pub bus_unsent: Gauge,
    /// Payloads of other nodes that were dropped, because this node did not keep up.
    pub bus_overflowed: Gauge,
    /// Connections to Redis that were lost.
    pub bus_links_lost: Gauge,
    /// Password hashes under way or waiting.
    pub hashing: Gauge,
    /// Reports of devices in calls, by what became of them.
    pub call_reports: Family<Label, Counter>,
    /// The mean score of one side of a call, when it ends.
    pub call_mos: Histogram,
    /// Ratings of calls, by stars.
    pub call_ratings: Family<Label, Counter>,
    /// Calls that ended through a step of this node, by reason.
    pub calls_ended: Family<Label, Counter>,
    /// Calls of the whole cluster that have something left to do.
    pub calls_live: Gauge,
    /// Seconds from the invite to media on both sides.
    pub call_setup_seconds: Histogram,
    /// Seconds from the answer to media on both sides.
    pub call_connect_seconds: Histogram,
    /// Ended calls recorded by this node.
    pub calls_recorded: Counter,
    /// Seconds that it took to record a batch of ended calls.
    pub call_record_seconds: Histogram,
    /// Tries of durable jobs by this node, by what became of them.
    pub jobs: Family<Label, Counter>,
    /// Jobs of the whole cluster that have failed too often.
    pub jobs_dead: Gauge,
    /// Scheduled messages whose time came, sent or refused by this node.
    pub scheduled: Family<Label, Counter>,
    /// Uploads, by what became of them: begun, complete, ended by whoever began them.
    pub uploads: Family<Label, Counter>,
    /// Uploads that are being written to.
    pub uploads_open: Gauge,
    /// Bytes of uploads that this node has taken in.
    pub upload_bytes: Counter,
    /// Bytes of files that this node has given out.
    pub download_bytes: Counter,
    /// Files and their smaller sizes that were stored: new content, or known.
    pub files_stored: Family<Label, Counter>,
    /// Files that were prepared, by what came of it.
    pub files_prepared: Family<Label, Counter>,
    /// Seconds from a file's turn to be prepared to its end.
    pub file_prepare_seconds: Histogram,
    /// What was taken away since nobody needs it: files, blobs, objects.
    pub files_collected: Family<Label, Counter>,
}

impl Metrics {
    /// All of them, and the registry that prints them.
    pub fn new() -> (Self, Registry) {
        let mut registry = Registry::with_prefix("chapar");
        let metrics = Self {
            connections: Gauge::default(),
            requests: Family::default(),
            errors: Family::default(),
            messages: Counter::default(),
            batch: Histogram::new([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0]),
            commit_seconds: Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0]),
            commit_retries: Counter::default(),
            frames_out: Counter::default(),
            closed: Family::default(),
            gaps_filled: Counter::default(),
            comparisons: Counter::default(),
            bus_connected: Gauge::default(),
            bus_unsent: Gauge::default(),
            bus_overflowed: Gauge::default(),
            bus_links_lost: Gauge::default(),
            hashing: Gauge::default(),
            call_reports: Family::default(),
            call_mos: Histogram::new([1.5, 2.0, 2.6, 3.1, 3.6, 4.0, 4.3]),
            call_ratings: Family::default(),
            calls_ended: Family::default(),
            calls_live: Gauge::default(),
            call_setup_seconds: Histogram::new([0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 60.0]),
            call_connect_seconds: Histogram::new([0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 15.0, 30.0]),
            jobs: Family::default(),
            jobs_dead: Gauge::default(),
            scheduled: Family::default(),
            uploads: Family::default(),
            uploads_open: Gauge::default(),
            upload_bytes: Counter::default(),
            download_bytes: Counter::default(),
            files_stored: Family::default(),
            files_prepared: Family::default(),
            file_prepare_seconds: Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0]),
            files_collected: Family::default(),
            calls_recorded: Counter::default(),
            call_record_seconds: Histogram::new([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0]),
        };
        let m = metrics.clone();
        registry.register("connections", "Open WebSockets", m.connections);
        registry.register("requests", "Requests by method", m.requests);
        registry.register("errors", "Error replies by code", m.errors);
        registry.register("messages", "Messages stored", m.messages);
        registry.register("batch_messages", "Messages in one commit", m.batch);
        registry.register("commit_seconds", "Seconds from a batch's start to its commit", m.commit_seconds);
        registry.register("commit_retries", "Batches of unknown outcome that were sent again", m.commit_retries);
        registry.register("frames_out", "Frames written to WebSockets", m.frames_out);
        registry.register("closed", "Connections closed by the server, by close code", m.closed);
        registry.register("gaps_filled", "Gaps in the events that were filled from the database", m.gaps_filled);
        registry.register("comparisons", "Comparisons of everything watched with the database", m.comparisons);
        registry.register("bus_connected", "1 while the bus is connected", m.bus_connected);
        registry.register("bus_unsent", "Payloads not published, Redis away or queue full", m.bus_unsent);
        registry.register("bus_overflowed", "Payloads of other nodes dropped here", m.bus_overflowed);
        registry.register("bus_links_lost", "Connections to Redis that were lost", m.bus_links_lost);
        registry.register("hashing", "Password hashes under way or waiting", m.hashing);
        registry.register("call_reports", "Reports of devices in calls, by what became of them", m.call_reports);
        registry.register("call_mos", "Mean opinion score of one side of a call, when it ends", m.call_mos);
        registry.register("call_ratings", "Ratings of calls, by stars", m.call_ratings);
        registry.register("calls_ended", "Calls that ended through a step of this node, by reason", m.calls_ended);
        registry.register("calls_live", "Calls of the cluster that have something left to do", m.calls_live);
        registry.register("call_setup_seconds", "Seconds from the invite to media on both sides", m.call_setup_seconds);
        registry.register("call_connect_seconds", "Seconds from the answer to media", m.call_connect_seconds);
        registry.register("calls_recorded", "Ended calls recorded by this node", m.calls_recorded);
        registry.register("call_record_seconds", "Seconds to record a batch of ended calls", m.call_record_seconds);
        registry.register("jobs", "Tries of durable jobs by this node, by what became of them", m.jobs);
        registry.register("jobs_dead", "Jobs of the cluster that have failed too often", m.jobs_dead);
        registry.register("scheduled", "Scheduled messages whose time came, sent or refused by this node", m.scheduled);
        registry.register("uploads", "Uploads, by what became of them", m.uploads);
        registry.register("uploads_open", "Uploads that are being written to", m.uploads_open);
        registry.register("upload_bytes", "Bytes of uploads taken in", m.upload_bytes);
        registry.register("download_bytes", "Bytes of files given out", m.download_bytes);
        registry.register("files_stored", "Files and smaller sizes stored: new content, or known", m.files_stored);
        registry.register("files_prepared", "Files prepared, by what came of it", m.files_prepared);
        registry.register("file_prepare_seconds", "Seconds that preparing a file took", m.file_prepare_seconds);
        registry.register("files_collected", "What was taken away since nobody needs it", m.files_collected);
        (metrics, registry)
    }

    /// Takes over what the bus has counted.
    pub fn bus(&self, bus: &Bus) {
        let figures = bus.figures();
        let whole = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.bus_connected.set(i64::from(bus.is_connected()));
        self.bus_unsent.set(whole(figures.unsent));
        self.bus_overflowed.set(whole(figures.overflowed));
        self.bus_links_lost.set(whole(figures.links_lost));
    }
}

/// The registry as Prometheus reads it (`OpenMetrics` text), and more in the same form without its end mark.
pub fn render(registry: &Registry, more: &str) -> String {
    const END: &str = "# EOF\n";
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, registry);
    text.truncate(text.trim_end_matches(END).len());
    text + more + END
}
