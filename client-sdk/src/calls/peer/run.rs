//! The loop of a peer: waits for whatever comes first, feeds str0m, and carries out what it says.

mod gather;
mod watch;

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use chapar_protocol::call::{CandidateType, IceServer};
use str0m::{
    Candidate, Event, Input, Output, Rtc, RtcConfig,
    change::{SdpAnswer, SdpOffer, SdpPendingOffer},
    media::{Direction, MediaKind, Mid},
    net::{Protocol, Receive},
    rtp::RtpWrite,
};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval, sleep_until},
};

use super::{
    Command, Fingerprint, Happened, Measurement, Settings, crypto,
    leg::{HostLeg, Inbound, LegId, RelayLeg, Tasks},
    media::{Media, Payloads},
    url::RelayUrl,
};
use crate::calls::audio::{controller::Measured, sender::Outgoing};

/// Packets that wait to be taken.
const INBOUND: usize = 512;
/// The ways over relays that are tried one after the other: when each begins, in the order of preference.
const STAGGER: Duration = Duration::from_millis(450);
/// How long the first offer or answer waits for a relay, so that it can carry all there is. What is found later follows by
/// itself: on a bad network the invite is on its way while the relay is still sought.
const HEAD_START: Duration = Duration::from_millis(50);
/// How long an offer that renews waits for a relay where a direct way may do.
const PATIENCE: Duration = Duration::from_millis(1_500);
/// How long it waits where only a relay will do.
const RELAY_PATIENCE: Duration = Duration::from_secs(8);
/// Sound that has stopped for so long is told.
const SILENT: Duration = Duration::from_secs(2);
/// Nothing at all for so long, and the path may be dead. The other side sends something every 200 ms, or 400 ms if it is
/// a browser.
const STALLED: Duration = Duration::from_millis(1_200);
/// Whoever is stalled says so again after this.
const STALLED_AGAIN: Duration = Duration::from_secs(4);
/// No connection for so long after offer and answer, and another try may do better.
const SLOW: Duration = Duration::from_secs(7);
/// When the records of a handshake are sent again, in the place of a timer that would notice the loss after a round trip.
const RECORDS_AGAIN: [Duration; 3] =
    [Duration::from_millis(60), Duration::from_millis(150), Duration::from_millis(280)];
/// Candidates that wait for their offer to be answered at most.
const MAX_EARLY: usize = 64;
/// Records that wait to be sent again at most.
const MAX_RECORDS: usize = 64;
/// How long after the handshake its last flight is repeated.
const HANDSHAKE_TAIL: Duration = Duration::from_secs(2);
/// Ways at once at most, those of an earlier network included.
const MAX_LEGS: usize = 8;
/// Ways over relays that are kept when new ones are looked for.
const MAX_OLD_RELAYS: usize = 3;
/// Other ports that are tried at a relay that refuses one.
const MAX_REFUSED: u32 = 4;
/// A socket that must have a way.
const NOWHERE: ([u8; 4], u16) = ([192, 0, 2, 1], 9);

enum Leg {
    Opening { server: usize, url: RelayUrl, _tasks: Tasks },
    Relay(Box<RelayLeg>),
    Host(HostLeg),
}

/// What waits for a candidate.
enum Due {
    Offer { generation: u32, restart: bool },
    Answer { generation: u32, sdp: String },
}

struct Repeat {
    at: Instant,
    source: SocketAddr,
    destination: SocketAddr,
    record: Vec<u8>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is one thing that is so or not")]
struct Run {
    settings: Settings,
    tell: mpsc::Sender<Happened>,
    inbound: mpsc::Sender<Inbound>,
    rtc: Rtc,
    legs: BTreeMap<LegId, Leg>,
    next_leg: LegId,
    servers: Vec<IceServer>,
    /// Ways not tried yet: when, which server, where.
    planned: VecDeque<(Instant, usize, RelayUrl)>,
    gathering_since: Option<Instant>,
    /// Looks up the relays' STUN part.
    looking: Option<Tasks>,
    /// Ports that a relay did not take, since these ways out were looked for.
    refused: u32,
    /// No relay will come.
    without_relays: bool,
    due: Option<Due>,
    due_since: Option<Instant>,
    /// Candidates of the other side for the offer that waits to be answered.
    early: Vec<String>,
    pending: Option<(u32, SdpPendingOffer)>,
    mid: Option<Mid>,
    remote_candidates: HashSet<SocketAddr>,
    remote_kinds: Vec<(SocketAddr, CandidateType)>,
    repeats: VecDeque<Repeat>,
    connected_at: Option<Instant>,
    media: Option<Media>,
    opening: Option<(Box<dyn crate::calls::audio::AudioSource>, Box<dyn crate::calls::audio::AudioSink>)>,
    muted: bool,
    held: bool,
    sequence: u64,
    last_heard: Option<Instant>,
    flows: bool,
    stalled_at: Option<Instant>,
    agreed_at: Option<Instant>,
    measured: Measurement,
    bytes: (u64, u64, Option<Instant>),
}

/// Runs until it is told to close, or its owner is gone.
#[tracing::instrument(level = "debug", name = "peer", skip_all, fields(side = rand::random::<u16>()))]
pub(crate) async fn run(settings: Settings, mut orders: mpsc::Receiver<Command>, tell: mpsc::Sender<Happened>) {
    let (inbound, mut packets) = mpsc::channel(INBOUND);
    let now = Instant::now();
    let Some(certificate) = crypto::certificate() else {
        let _ = tell.send(Happened::Failed("no certificate could be made".to_owned())).await;
        return;
    };
    let mut config = RtcConfig::new()
        .set_crypto_provider(crypto::provider())
        .set_dtls_cert(certificate)
        .clear_codecs()
        .enable_opus(true, true)
        .set_rtp_mode(true)
        .set_stats_interval(Some(Duration::from_secs(1)))
        .set_rtcp_report_interval_audio(Duration::from_secs(1));
    config.set_initial_stun_rto(Duration::from_millis(150));
    config.set_max_stun_rto(Duration::from_millis(700));
    config.set_max_stun_retransmits(24);
    let mut run = Run {
        settings,
        tell,
        inbound,
        rtc: config.build(now),
        legs: BTreeMap::new(),
        next_leg: 0,
        servers: Vec::new(),
        planned: VecDeque::new(),
        gathering_since: None,
        looking: None,
        refused: 0,
        without_relays: false,
        due: None,
        due_since: None,
        early: Vec::new(),
        pending: None,
        mid: None,
        remote_candidates: HashSet::new(),
        remote_kinds: Vec::new(),
        repeats: VecDeque::new(),
        connected_at: None,
        media: None,
        opening: None,
        muted: false,
        held: false,
        sequence: u64::from(rand::random::<u16>() >> 1),
        last_heard: None,
        flows: false,
        stalled_at: None,
        agreed_at: None,
        measured: Measurement::default(),
        bytes: (0, 0, None),
    };
    // A tick that comes late is made up for: sound is made by the clock of its source.
    let mut ticks = interval(Duration::from_millis(crate::calls::audio::FRAME_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    run.open_host().await;
    loop {
        let wake = match run.settle() {
            Ok(wake) => wake,
            Err(reason) => {
                let _ = run.tell.send(Happened::Failed(reason)).await;
                return;
            }
        };
        let fed = tokio::select! {
            order = orders.recv() => match order {
                Some(Command::Close) | None => break,
                Some(order) => run.order(order).await,
            },
            Some(packet) = packets.recv() => {
                run.packet(packet);
                Ok(())
            }
            _ = ticks.tick() => run.tick(),
            () = sleep_until(wake.into()) => run.feed(Input::Timeout(Instant::now())),
        };
        if let Err(reason) = fed {
            let _ = run.tell.send(Happened::Failed(reason)).await;
            break;
        }
    }
    run.close();
}

type Fed = Result<(), String>;

impl Run {
    fn feed(&mut self, input: Input<'_>) -> Fed {
        self.rtc.handle_input(input).map_err(|error| error.to_string())
    }

    /// Says something; whoever does not listen is busy ending the call.
    fn say(&self, happened: Happened) {
        if self.tell.try_send(happened).is_err() {
            tracing::debug!("nobody takes what a peer connection tells");
        }
    }

    /// Carries out all that is due now; returns when there is more.
    fn settle(&mut self) -> Result<Instant, String> {
        let now = Instant::now();
        let mut wake = now + Duration::from_millis(500);
        self.open_planned(now);
        wake = self.planned.front().map_or(wake, |(at, ..)| wake.min(*at));
        let ids: Vec<LegId> = self.legs.keys().copied().collect();
        for id in ids {
            let (news, at) = match self.legs.get_mut(&id) {
                Some(Leg::Relay(relay)) => relay.poll(now),
                Some(Leg::Host(host)) => (Vec::new(), host.poll(now)),
                _ => continue,
            };
            wake = at.map_or(wake, |at| wake.min(at));
            for news in news {
                self.relay_news(id, &news, now);
            }
        }
        self.do_due(now)?;
        wake = self.due_since.map_or(wake, |since| wake.min((since + HEAD_START).max(now + HEAD_START / 4)));
        let timeout = self.drain()?;
        while self.repeats.front().is_some_and(|repeat| repeat.at <= now) {
            let Some(repeat) = self.repeats.pop_front() else { break };
            self.transmit(repeat.source, repeat.destination, &repeat.record, now);
        }
        wake = self.repeats.front().map_or(wake, |repeat| wake.min(repeat.at));
        Ok(wake.min(timeout).max(now))
    }

    fn drain(&mut self) -> Result<Instant, String> {
        loop {
            match self.rtc.poll_output().map_err(|error| error.to_string())? {
                Output::Timeout(at) => return Ok(at),
                Output::Transmit(transmit) => {
                    let now = Instant::now();
                    self.repeat_record(transmit.source, transmit.destination, &transmit.contents, now);
                    self.transmit(transmit.source, transmit.destination, &transmit.contents, now);
                }
                Output::Event(event) => self.event(event),
            }
        }
    }

    /// A handshake on a path that loses every third packet would wait for its timers again and again. Its records are
    /// few and small: each is sent four times.
    fn repeat_record(&mut self, source: SocketAddr, destination: SocketAddr, data: &[u8], now: Instant) {
        let is_record = data.first().is_some_and(|first| (20..64).contains(first));
        let over = self.connected_at.is_some_and(|at| now > at + HANDSHAKE_TAIL);
        if !is_record || over {
            return;
        }
        for after in RECORDS_AGAIN {
            if self.repeats.len() < MAX_RECORDS {
                self.repeats.push_back(Repeat { at: now + after, source, destination, record: data.to_vec() });
            }
        }
        self.repeats.make_contiguous().sort_by_key(|repeat| repeat.at);
    }

    fn transmit(&mut self, source: SocketAddr, destination: SocketAddr, data: &[u8], now: Instant) {
        for leg in self.legs.values_mut() {
            match leg {
                Leg::Relay(relay) if relay.relayed == Some(source) => return relay.send(destination, data, now),
                Leg::Host(host) if host.opened.local == source => return host.send(destination, data),
                _ => {}
            }
        }
    }

    async fn order(&mut self, order: Command) -> Fed {
        let now = Instant::now();
        match order {
            Command::Servers(servers) => {
                self.servers = servers;
                self.gather(now).await;
            }
            Command::NoServers => {
                self.without_relays = true;
                self.gather(now).await;
            }
            Command::MakeOffer { generation, restart } => self.due(Due::Offer { generation, restart }, now),
            Command::TakeOffer { generation, sdp } => self.due(Due::Answer { generation, sdp }, now),
            Command::TakeAnswer { generation, sdp } => self.take_answer(generation, &sdp, now),
            // They belong to the offer, and it comes first.
            Command::Candidates(mut candidates) if matches!(self.due, Some(Due::Answer { .. })) => {
                candidates.truncate(MAX_EARLY.saturating_sub(self.early.len()));
                self.early.append(&mut candidates);
            }
            Command::Candidates(candidates) => self.take_candidates(candidates, now)?,
            Command::Renew => {
                self.make_room(now);
                self.gather(now).await;
            }
            Command::Restrict => self.restrict(),
            Command::Open(source, sink) => match &mut self.media {
                Some(media) => media.open(source, sink),
                None => self.opening = Some((source, sink)),
            },
            Command::Mute(muted) => {
                self.muted = muted;
                self.media.iter_mut().for_each(|media| media.mute(muted));
            }
            Command::Hold(held) => {
                self.held = held;
                self.media.iter_mut().for_each(|media| media.hold(held));
            }
            Command::Close => {}
        }
        self.feed(Input::Timeout(Instant::now()))
    }

    fn due(&mut self, due: Due, now: Instant) {
        self.due = Some(due);
        self.due_since = Some(now);
    }

    fn take_candidates(&mut self, candidates: Vec<String>, now: Instant) -> Fed {
        for text in candidates {
            if let Ok(candidate) = Candidate::from_sdp_string(&text) {
                self.expect(&text, now);
                self.rtc.add_remote_candidate(candidate);
                self.drain()?;
            }
        }
        Ok(())
    }

    fn packet(&mut self, inbound: Inbound) {
        let now = Instant::now();
        match inbound {
            Inbound::Packet { leg, from, data } => {
                if self.is_reflected(leg, from, &data, now) {
                    return;
                }
                let (destination, source, data) = match self.legs.get_mut(&leg) {
                    Some(Leg::Host(host)) => (host.opened.local, from, data),
                    Some(Leg::Relay(relay)) => match (relay.receive(from, data, now), relay.relayed) {
                        (Some((peer, data)), Some(relayed)) => (relayed, peer, data),
                        _ => return,
                    },
                    _ => return,
                };
                // What is neither STUN nor DTLS nor RTP is a stranger's.
                let Ok(receive) = Receive::new(Protocol::Udp, source, destination, &data) else { return };
                let input = Input::Receive(now, receive);
                if !self.rtc.accepts(&input) {
                    return;
                }
                // A forged record must not end a call.
                if let Err(error) = self.rtc.handle_input(input) {
                    tracing::debug!(%error, "a packet that was not understood");
                }
            }
            Inbound::Opened { leg, opened } => {
                let Some(Leg::Opening { server, url, .. }) = self.legs.remove(&leg) else { return };
                let (Ok(opened), Some(ice)) = (opened, self.servers.get(server)) else { return };
                let relay = RelayLeg::new(server, ice, url, opened, now);
                self.legs.insert(leg, Leg::Relay(Box::new(relay)));
            }
            Inbound::Reflectors(servers) => self.ask_reflectors(&servers, now),
            Inbound::Closed { leg } => {
                if let Some(Leg::Relay(relay)) = self.legs.get_mut(&leg)
                    && let Some(news) = relay.fail()
                {
                    self.relay_news(leg, &news, now);
                }
            }
        }
    }

    /// Offers or answers, if that is asked for and there is something to say.
    fn do_due(&mut self, now: Instant) -> Fed {
        let Some(since) = self.due_since else { return Ok(()) };
        let late = if self.agreed_at.is_none() {
            now >= since + HEAD_START
        } else {
            let patience = if self.settings.relay_only { RELAY_PATIENCE } else { PATIENCE };
            self.gathering_since.is_some_and(|since| now > since + patience)
        };
        let hopeless = self.gathering_since.is_some() && (self.without_relays || !self.relays_may_come());
        if !self.has_relay() && !hopeless && !late {
            return Ok(());
        }
        self.due_since = None;
        match self.due.take() {
            Some(Due::Offer { generation, restart }) => self.offer(generation, restart)?,
            Some(Due::Answer { generation, sdp }) => {
                self.answer(generation, &sdp, now)?;
                let early = std::mem::take(&mut self.early);
                self.take_candidates(early, now)?;
            }
            None => {}
        }
        self.feed(Input::Timeout(Instant::now()))
    }

    fn offer(&mut self, generation: u32, restart: bool) -> Fed {
        tracing::debug!(generation, restart, "offers");
        let mut changes = self.rtc.sdp_api();
        if self.mid.is_none() {
            self.mid = Some(changes.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
        } else if restart {
            changes.ice_restart(true);
        } else if let Some(mid) = self.mid {
            changes.set_direction(mid, Direction::SendRecv);
        }
        match changes.apply() {
            Some((offer, pending)) => {
                self.pending = Some((generation, pending));
                self.say(Happened::Offer { generation, sdp: offer.to_sdp_string() });
            }
            None => self.refuse("there is nothing to offer"),
        }
        self.drain().map(drop)
    }

    fn answer(&mut self, generation: u32, sdp: &str, now: Instant) -> Fed {
        tracing::debug!(generation, "answers");
        let Ok(offer) = SdpOffer::from_sdp_string(sdp) else {
            self.refuse("the offer cannot be read");
            return Ok(());
        };
        self.expect_all(sdp, now);
        match self.rtc.sdp_api().accept_offer(offer) {
            Ok(answer) => self.say(Happened::Answer { generation, sdp: answer.to_sdp_string() }),
            Err(error) => self.refuse(&error.to_string()),
        }
        self.drain()?;
        self.agree(now);
        Ok(())
    }

    fn take_answer(&mut self, generation: u32, sdp: &str, now: Instant) {
        tracing::debug!(generation, "is answered");
        let Some((_, pending)) = self.pending.take_if(|(of, _)| *of == generation) else { return };
        let Ok(answer) = SdpAnswer::from_sdp_string(sdp) else {
            return self.refuse("the answer cannot be read");
        };
        self.expect_all(sdp, now);
        if let Err(error) = self.rtc.sdp_api().accept_answer(pending, answer) {
            return self.refuse(&error.to_string());
        }
        self.agree(now);
    }

    fn refuse(&self, reason: &str) {
        self.say(Happened::Refused { reason: reason.to_owned() });
    }

    /// Takes up the payload types that were agreed on.
    fn agree(&mut self, now: Instant) {
        self.agreed_at.get_or_insert(now);
        let params = self.rtc.codec_config().params();
        let Some(opus) = params.iter().find(|p| p.spec().codec == str0m::format::Codec::Opus) else { return };
        let payloads = Payloads { opus: *opus.pt(), red: opus.red().map(|red| *red) };
        if self.media.as_ref().is_some_and(|media| media.payloads() == payloads) {
            return;
        }
        let Some(mut media) = Media::new(payloads, self.settings.fixed, now) else {
            return self.say(Happened::Failed("the codec cannot be opened".to_owned()));
        };
        media.mute(self.muted);
        media.hold(self.held);
        if let Some((source, sink)) = self.opening.take() {
            media.open(source, sink);
        }
        self.media = Some(media);
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected(),
            Event::IceConnectionStateChange(state) => tracing::debug!(?state, "ICE"),
            Event::MediaAdded(added) => self.mid = self.mid.or(Some(added.mid)),
            Event::RtpPacket(packet) => {
                let now = Instant::now();
                self.last_heard = Some(now);
                self.stalled_at = None;
                if let Some(media) = &mut self.media {
                    media.receive(&packet);
                }
                if !self.flows {
                    tracing::debug!("the first sound");
                    self.flows = true;
                    self.say(Happened::Media { flows: true });
                }
            }
            Event::PeerStats(stats) => {
                self.measured.round_trip = stats
                    .selected_candidate_pair
                    .as_ref()
                    .and_then(|pair| pair.current_round_trip_time)
                    .or(stats.rtt)
                    .or(self.measured.round_trip);
                if let Some(pair) = stats.selected_candidate_pair {
                    self.path(pair.local.addr, pair.remote.addr);
                }
                self.rates(stats.bytes_rx, stats.bytes_tx, stats.timestamp);
                self.measure();
            }
            Event::MediaEgressStats(stats) => {
                let round_trip = stats.rtt.or(self.measured.round_trip);
                if let Some(loss) = stats.loss {
                    self.measured.loss_out = loss;
                    if let Some(media) = &mut self.media {
                        media.report(Measured { loss, round_trip });
                    }
                }
            }
            Event::MediaIngressStats(stats) => {
                self.measured.loss_in = stats.loss.unwrap_or(0.0);
                self.measured.jitter = Duration::from_micros(u64::from(stats.jitter) * 1_000 / 48);
            }
            _ => {}
        }
    }

    /// Every 20 ms.
    fn tick(&mut self) -> Fed {
        let now = Instant::now();
        self.watch(now);
        if self.connected_at.is_none() {
            return Ok(());
        }
        let Some(outgoing) = self.media.as_mut().filter(|media| media.is_open()).and_then(|media| media.tick(now))
        else {
            return Ok(());
        };
        self.write(outgoing, now);
        self.feed(Input::Timeout(now))
    }

    fn write(&mut self, outgoing: Outgoing, now: Instant) {
        let (Some(media), Some(mid)) = (&self.media, self.mid) else { return };
        let payloads = media.payloads();
        let kind = payloads.red.filter(|_| outgoing.red).unwrap_or(payloads.opus);
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(mid, None) else { return };
        let sequence = self.sequence;
        self.sequence += 1;
        let packet = RtpWrite::new(kind.into(), sequence.into(), outgoing.timestamp, now, outgoing.payload);
        stream.write_rtp(packet.marker(outgoing.marker));
    }

    fn close(&mut self) {
        let now = Instant::now();
        self.rtc.disconnect();
        for leg in self.legs.values_mut() {
            if let Leg::Relay(relay) = leg {
                relay.release(now);
            }
        }
    }
}

fn bytes(slice: &[u8]) -> Option<Fingerprint> {
    slice.try_into().ok()
}
