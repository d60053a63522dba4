//! The loop of a peer: waits for whatever comes first, feeds str0m, and carries out what it says.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    net::SocketAddr,
    time::{Duration, Instant},
};

use chapar_protocol::call::{CandidateType, IceServer, PathKind};
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
    leg::{self, HostLeg, Inbound, LegId, RelayLeg, RelayNews, Tasks},
    media::{Media, Payloads},
    own_address,
    url::{RelayUrl, Transport},
};
use crate::calls::audio::{controller::Measured, sender::Outgoing};

/// Packets that wait to be taken.
const INBOUND: usize = 512;
/// The ways over relays that are tried one after the other: when each begins, in the order of preference.
const STAGGER: Duration = Duration::from_millis(450);
/// How long an offer waits for a relay where a direct way may do.
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
const RECORDS_AGAIN: [Duration; 2] = [Duration::from_millis(60), Duration::from_millis(150)];
/// Records that wait to be sent again at most.
const MAX_RECORDS: usize = 64;
/// How long after the handshake its last flight is repeated.
const HANDSHAKE_TAIL: Duration = Duration::from_secs(2);
/// Ways at once at most, those of an earlier network included.
const MAX_LEGS: usize = 8;
/// A socket that must have a way.
const NOWHERE: ([u8; 4], u16) = ([192, 0, 2, 1], 9);

enum Leg {
    Opening { server: usize, transport: Transport, _tasks: Tasks },
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
    /// No relay will come.
    without_relays: bool,
    due: Option<Due>,
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
    config.set_initial_stun_rto(Duration::from_millis(200));
    config.set_max_stun_rto(Duration::from_millis(1_500));
    config.set_max_stun_retransmits(16);
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
        without_relays: false,
        due: None,
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
            Some(packet) = packets.recv() => run.packet(packet).await,
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
            let Some(Leg::Relay(relay)) = self.legs.get_mut(&id) else { continue };
            let (news, at) = relay.poll(now);
            wake = at.map_or(wake, |at| wake.min(at));
            for news in news {
                self.relay_news(id, &news, now);
            }
        }
        self.do_due(now)?;
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
    /// few and small: each is sent three times.
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
            Command::MakeOffer { generation, restart } => self.due = Some(Due::Offer { generation, restart }),
            Command::TakeOffer { generation, sdp } => self.due = Some(Due::Answer { generation, sdp }),
            Command::TakeAnswer { generation, sdp } => self.take_answer(generation, &sdp, now),
            Command::Candidates(candidates) => {
                for text in candidates {
                    if let Ok(candidate) = Candidate::from_sdp_string(&text) {
                        self.expect(&text, now);
                        self.rtc.add_remote_candidate(candidate);
                        self.drain()?;
                    }
                }
            }
            Command::Renew => {
                self.gather(now).await;
            }
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

    async fn packet(&mut self, inbound: Inbound) -> Fed {
        let now = Instant::now();
        match inbound {
            Inbound::Packet { leg, from, data } => {
                let (destination, source, data) = match self.legs.get_mut(&leg) {
                    Some(Leg::Host(host)) => (host.opened.local, from, data),
                    Some(Leg::Relay(relay)) => match (relay.receive(from, data, now), relay.relayed) {
                        (Some((peer, data)), Some(relayed)) => (relayed, peer, data),
                        _ => return Ok(()),
                    },
                    _ => return Ok(()),
                };
                // What is neither STUN nor DTLS nor RTP is a stranger's.
                let Ok(receive) = Receive::new(Protocol::Udp, source, destination, &data) else { return Ok(()) };
                let input = Input::Receive(now, receive);
                if !self.rtc.accepts(&input) {
                    return Ok(());
                }
                // A forged record must not end a call.
                if let Err(error) = self.rtc.handle_input(input) {
                    tracing::debug!(%error, "a packet that was not understood");
                }
                Ok(())
            }
            Inbound::Opened { leg, opened } => {
                let Some(Leg::Opening { server, transport, .. }) = self.legs.remove(&leg) else { return Ok(()) };
                let (Ok(opened), Some(server)) = (opened, self.servers.get(server)) else { return Ok(()) };
                let relay =
                    RelayLeg::new(server.name.clone(), transport, &server.username, &server.credential, opened, now);
                self.legs.insert(leg, Leg::Relay(Box::new(relay)));
                Ok(())
            }
            Inbound::Closed { leg } => {
                if let Some(Leg::Relay(relay)) = self.legs.get_mut(&leg)
                    && let Some(news) = relay.fail()
                {
                    self.relay_news(leg, &news, now);
                }
                Ok(())
            }
        }
    }

    /// Begins to look for ways out: own addresses at once, relays one after the other until one of them works.
    async fn gather(&mut self, now: Instant) {
        self.gathering_since = Some(now);
        self.planned.clear();
        let mut urls: Vec<(usize, RelayUrl)> = Vec::new();
        for (server, ice) in self.servers.iter().enumerate() {
            let parsed = ice.urls.iter().filter_map(|url| RelayUrl::parse(url)).filter(|url| !url.stun);
            urls.extend(parsed.map(|url| (server, url)));
        }
        // UDP before TCP before TLS, of the nearest relay first.
        urls.sort_by_key(|(server, url)| (url.transport, *server));
        for (number, (server, url)) in (0_u32..).zip(urls) {
            self.planned.push_back((now + STAGGER * number, server, url));
        }
        if !self.settings.relay_only {
            self.open_host(now).await;
        }
        self.open_planned(now);
    }

    async fn open_host(&mut self, now: Instant) {
        let mut towards: Vec<SocketAddr> = self.settings.toward.into_iter().collect();
        if towards.is_empty() {
            towards.push(NOWHERE.into());
        }
        for toward in towards {
            let Ok(address) = own_address(toward) else { continue };
            let known = |leg: &Leg| matches!(leg, Leg::Host(host) if host.opened.local.ip() == address);
            if self.legs.values().any(known) || self.legs.len() >= MAX_LEGS {
                continue;
            }
            let id = self.leg_id();
            let Ok(opened) = leg::host(id, SocketAddr::new(address, 0), self.inbound.clone()).await else { continue };
            let local = opened.local;
            self.legs.insert(id, Leg::Host(HostLeg { opened }));
            if let Ok(candidate) = Candidate::host(local, "udp") {
                self.found(candidate, true, now);
            }
        }
    }

    fn open_planned(&mut self, now: Instant) {
        while self.planned.front().is_some_and(|(at, ..)| *at <= now) {
            let Some((_, server, url)) = self.planned.pop_front() else { break };
            if self.legs.len() >= MAX_LEGS {
                continue;
            }
            let id = self.leg_id();
            let transport = url.transport;
            let tasks = leg::open(id, url, self.settings.tls.clone(), self.inbound.clone());
            self.legs.insert(id, Leg::Opening { server, transport, _tasks: tasks });
        }
    }

    fn leg_id(&mut self) -> LegId {
        self.next_leg += 1;
        self.next_leg
    }

    fn relay_news(&mut self, id: LegId, news: &RelayNews, now: Instant) {
        match news {
            RelayNews::Allocated(address) => {
                // One way over a relay is enough; the others would only take its places.
                self.planned.clear();
                let (remote, relayed) = (self.remote_candidates.clone(), *address);
                if let Some(Leg::Relay(relay)) = self.legs.get_mut(&id) {
                    remote
                        .iter()
                        .filter(|peer| peer.is_ipv4() == relayed.is_ipv4())
                        .for_each(|p| relay.expect(*p, now));
                }
                if let Ok(candidate) = Candidate::relayed(*address, *address, "udp") {
                    self.found(candidate, false, now);
                }
            }
            RelayNews::Failed => {
                if let Some(Leg::Relay(relay)) = self.legs.remove(&id)
                    && let Some(address) = relay.relayed
                    && let Ok(candidate) = Candidate::relayed(address, address, "udp")
                {
                    self.rtc.direct_api().invalidate_candidate(&candidate);
                }
                if let Some(next) = self.planned.front_mut() {
                    next.0 = now;
                }
            }
        }
    }

    fn found(&mut self, candidate: Candidate, direct: bool, _now: Instant) {
        let text = candidate.to_sdp_string();
        if self.rtc.add_local_candidate(candidate).is_some() {
            self.say(Happened::Candidate { direct, text });
        }
    }

    fn has_relay(&self) -> bool {
        self.legs.values().any(|leg| matches!(leg, Leg::Relay(relay) if relay.relayed.is_some() && !relay.is_failed()))
    }

    fn relays_may_come(&self) -> bool {
        let coming = |leg: &Leg| match leg {
            Leg::Opening { .. } => true,
            Leg::Relay(relay) => !relay.is_failed(),
            Leg::Host(_) => false,
        };
        !self.planned.is_empty() || self.legs.values().any(coming)
    }

    /// Offers or answers, if that is asked for and there is something to say.
    fn do_due(&mut self, now: Instant) -> Fed {
        let Some(since) = self.gathering_since else { return Ok(()) };
        if self.due.is_none() {
            return Ok(());
        }
        let patience = if self.settings.relay_only { RELAY_PATIENCE } else { PATIENCE };
        let hopeless = self.without_relays || !self.relays_may_come() || now > since + patience;
        if !self.has_relay() && !hopeless {
            return Ok(());
        }
        match self.due.take() {
            Some(Due::Offer { generation, restart }) => self.offer(generation, restart)?,
            Some(Due::Answer { generation, sdp }) => self.answer(generation, &sdp, now)?,
            None => {}
        }
        self.feed(Input::Timeout(Instant::now()))
    }

    fn offer(&mut self, generation: u32, restart: bool) -> Fed {
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

    fn expect_all(&mut self, sdp: &str, now: Instant) {
        self.remote_candidates.clear();
        self.remote_kinds.clear();
        for line in sdp.lines() {
            if let Some(text) = line.strip_prefix("a=").filter(|text| text.starts_with("candidate:")) {
                self.expect(text, now);
            }
        }
    }

    /// Tells the relays of a candidate of the other side, so that the way is open when the first check comes.
    fn expect(&mut self, text: &str, now: Instant) {
        let Ok(candidate) = Candidate::from_sdp_string(text) else { return };
        let address = candidate.addr();
        let kind = match candidate.kind() {
            str0m::CandidateKind::Host => CandidateType::Host,
            str0m::CandidateKind::ServerReflexive => CandidateType::Srflx,
            str0m::CandidateKind::PeerReflexive => CandidateType::Prflx,
            str0m::CandidateKind::Relayed => CandidateType::Relay,
        };
        if self.remote_candidates.len() >= 128 || !self.remote_candidates.insert(address) {
            return;
        }
        self.remote_kinds.push((address, kind));
        for leg in self.legs.values_mut() {
            if let Leg::Relay(relay) = leg
                && relay.relayed.is_some_and(|relayed| relayed.is_ipv4() == address.is_ipv4())
            {
                relay.expect(address, now);
            }
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Connected => self.connected(),
            Event::MediaAdded(added) => self.mid = self.mid.or(Some(added.mid)),
            Event::RtpPacket(packet) => {
                let now = Instant::now();
                self.last_heard = Some(now);
                self.stalled_at = None;
                if let Some(media) = &mut self.media {
                    media.receive(&packet);
                }
                if !self.flows {
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

    fn connected(&mut self) {
        self.connected_at = Some(Instant::now());
        let api = self.rtc.direct_api();
        let own = bytes(&api.local_dtls_fingerprint().bytes);
        let other = api.remote_dtls_fingerprint().and_then(|fingerprint| bytes(&fingerprint.bytes));
        match own.zip(other) {
            Some((own, other)) => self.say(Happened::Connected { own, other }),
            None => self.say(Happened::Failed("a fingerprint that is not SHA-256".to_owned())),
        }
    }

    fn path(&mut self, local: SocketAddr, remote: SocketAddr) {
        let relay = self.legs.values().find_map(|leg| match leg {
            Leg::Relay(relay) if relay.relayed == Some(local) => Some(relay),
            _ => None,
        });
        let kind = self.remote_kinds.iter().find(|(address, _)| *address == remote).map(|(_, kind)| *kind);
        self.measured.remote = kind.unwrap_or(CandidateType::Prflx);
        self.measured.local = if relay.is_some() { CandidateType::Relay } else { CandidateType::Host };
        self.measured.path = match (relay, kind) {
            (Some(relay), _) => relay.path,
            // The other side's relay: how it is reached from there is not seen here.
            (None, Some(CandidateType::Relay)) => PathKind::RelayUdp,
            (None, _) => PathKind::Direct,
        };
        self.measured.relay = relay.map(|relay| relay.name.clone());
    }

    fn rates(&mut self, received: u64, sent: u64, at: Instant) {
        let (last_received, last_sent, last) = std::mem::replace(&mut self.bytes, (received, sent, Some(at)));
        self.measured.bytes_out = sent;
        let Some(millis) = last.map(|last| at.saturating_duration_since(last).as_millis()).filter(|ms| *ms > 0) else {
            return;
        };
        let rate = |now: u64, then: u64| {
            let bits = u128::from(now.saturating_sub(then)) * 8 * 1_000 / millis;
            u32::try_from(bits).unwrap_or(u32::MAX)
        };
        self.measured.bit_rate_in = rate(received, last_received);
        self.measured.bit_rate_out = rate(sent, last_sent);
    }

    fn measure(&mut self) {
        if let Some(media) = &self.media {
            let (played, buffered) = media.counted();
            self.measured.played = played;
            self.measured.buffered = Duration::from_millis(buffered);
            self.measured.plan = Some(media.plan());
            self.measured.red_in = media.red_in();
        }
        if self.connected_at.is_some() {
            self.say(Happened::Stats(Box::new(self.measured.clone())));
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

    fn watch(&mut self, now: Instant) {
        let (Some(agreed), heard) = (self.agreed_at, self.last_heard) else { return };
        let quiet = now.saturating_duration_since(heard.unwrap_or(agreed));
        let patience = if heard.is_some() { STALLED } else { SLOW };
        let again = self.stalled_at.is_none_or(|at| now > at + STALLED_AGAIN);
        if quiet > patience && again {
            self.stalled_at = Some(now);
            self.say(Happened::Stalled);
        }
        if quiet > SILENT && self.flows {
            self.flows = false;
            self.say(Happened::Media { flows: false });
        }
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
