//! A phone of another make: the crate `webrtc` carries the sound, and what it has to say to the other side goes through
//! Chapar as `docs/PROTOCOL.md` section 7 tells it. Nothing of the SDK's own calls is in it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chapar_client::{
    Client, ClientEvent, Error, Events,
    calls::audio::{AudioSink as _, AudioSource as _, FRAME, Frame},
    protocol::{
        ErrorCode, UserId,
        call::{Answer, CallAsk, CallId, CallMedia, CallSignal, CallState, EndReason, Offer, Renew, Standing},
        command::{AskCall, CallInvite, CallRelays},
    },
};
use chapar_signaling::sas::{Commitment, Exchange, Fingerprint, Nonce};
use opusic_c::{Application, Channels, Decoder, Encoder, SampleRate};
use tokio::{
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use webrtc::{
    api::{APIBuilder, interceptor_registry, media_engine, setting_engine::SettingEngine},
    ice::mdns::MulticastDnsMode,
    ice_transport::{
        ice_candidate::{RTCIceCandidate, RTCIceCandidateInit},
        ice_candidate_type::RTCIceCandidateType,
        ice_server::RTCIceServer,
    },
    interceptor::registry::Registry,
    media::Sample,
    peer_connection::{
        RTCPeerConnection, configuration::RTCConfiguration, offer_answer_options::RTCOfferOptions,
        policy::ice_transport_policy::RTCIceTransportPolicy, sdp::session_description::RTCSessionDescription,
    },
    rtp_transceiver::rtp_codec::{RTCRtpCodecCapability, RTCRtpCodecParameters, RTPCodecType},
    track::{
        track_local::{TrackLocal, track_local_static_sample::TrackLocalStaticSample},
        track_remote::TrackRemote,
    },
};

use crate::sound::{Ear, Tone};

const OPUS: u8 = 111;
/// 120 ms, the longest that an Opus packet holds.
const MAX_SAMPLES: usize = 6 * FRAME;
/// The longest packet of Opus that fits into one of RTP.
const MAX_PACKET: usize = 1_200;

/// What arrives: sound, and in how many packets.
#[derive(Clone, Default)]
pub(crate) struct Heard {
    pub(crate) ear: Ear,
    packets: Arc<AtomicUsize>,
}

impl Heard {
    pub(crate) fn packets(&self) -> usize {
        self.packets.load(Ordering::Relaxed)
    }
}

/// What is known of a call when it is over.
#[derive(Debug)]
pub(crate) struct Past {
    pub(crate) reason: EndReason,
    /// Both ends of the path.
    pub(crate) path: Option<[RTCIceCandidateType; 2]>,
    pub(crate) emoji: Option<[&'static str; 4]>,
    /// Candidates that came one by one from the other side.
    pub(crate) trickled: usize,
    /// Exchanges of offer and answer.
    pub(crate) generations: u32,
}

/// The phone. It has one call.
pub(crate) struct Other {
    client: Client,
    events: Events,
    hertz: f64,
    pub(crate) heard: Heard,
}

impl Other {
    pub(crate) fn new(client: &Client, hertz: f64) -> Self {
        Self { client: client.clone(), events: client.events(), hertz, heard: Heard::default() }
    }

    /// Calls somebody, and talks until one of the two hangs up.
    pub(crate) async fn calls(self, user_id: UserId, relay_only: bool) -> Past {
        let call_id = CallId(uuid::Uuid::from_bytes(rand::random()));
        // Its offer is made once the relays are known: they are named to whoever is in a call.
        let invite = CallInvite { call_id, user_id, media: CallMedia::Voice, relay_only, offer: None };
        let state = self.client.call(&invite).await.expect("it is on its way");
        let mut talk = Talk::begin(&self, state, true).await;
        talk.offer(1, false).await;
        talk.run(self.events).await
    }

    /// Waits for a call, answers it, and talks until one of the two hangs up.
    pub(crate) async fn answers(mut self, relay_only: bool) -> Past {
        let state = loop {
            match self.events.next().await.expect("the client is there") {
                ClientEvent::Call(state) if matches!(state.standing, Standing::Ringing { .. }) => break state,
                _ => {}
            }
        };
        let mut talk = Talk::begin(&self, *state, false).await;
        talk.relay_only |= relay_only;
        talk.ask(CallAsk::Ringing).await;
        talk.run(self.events).await
    }
}

/// What a call's own tasks tell it.
enum News {
    Candidate(RTCIceCandidate),
    Sound,
}

struct Talk {
    client: Client,
    connection: Arc<RTCPeerConnection>,
    news: mpsc::UnboundedReceiver<News>,
    state: CallState,
    calls: bool,
    relay_only: bool,
    generation: u32,
    /// The other side's description is known: its candidates can be taken.
    described: bool,
    /// Candidates of the other side that came before its description.
    early: Vec<String>,
    /// Own candidates that may pass only once the call is answered.
    kept: Vec<String>,
    nonce: Nonce,
    commitment: Option<Commitment>,
    nonces: Option<[Nonce; 2]>,
    trickled: usize,
}

impl Talk {
    async fn begin(of: &Other, state: CallState, calls: bool) -> Self {
        let relays = CallRelays { call_id: state.call_id, round_trips: Vec::new() };
        let servers = of.client.call(&relays).await.expect("relays are named").servers;
        assert!(!servers.is_empty(), "the server runs a relay");
        let servers = servers.into_iter().map(|it| RTCIceServer {
            urls: it.urls,
            username: it.username,
            credential: it.credential,
        });
        let connection = connect(servers.collect(), state.relay_only).await;
        let (tell, news) = mpsc::unbounded_channel();
        let found = tell.clone();
        connection.on_ice_candidate(Box::new(move |candidate| {
            if let Some(candidate) = candidate {
                let _ = found.send(News::Candidate(candidate));
            }
            Box::pin(async {})
        }));
        let heard = of.heard.clone();
        connection.on_track(Box::new(move |track, _, _| {
            tokio::spawn(listen(track, heard.clone(), tell.clone()));
            Box::pin(async {})
        }));
        let track = Arc::new(TrackLocalStaticSample::new(opus(), "sound".to_owned(), "phone".to_owned()));
        connection.add_track(Arc::clone(&track) as Arc<dyn TrackLocal + Send + Sync>).await.expect("a track");
        tokio::spawn(speak(track, of.hertz));
        Self {
            client: of.client.clone(),
            connection,
            news,
            relay_only: state.relay_only,
            state,
            calls,
            generation: 0,
            described: false,
            early: Vec::new(),
            kept: Vec::new(),
            nonce: Nonce(rand::random()),
            commitment: None,
            nonces: None,
            trickled: 0,
        }
    }

    /// Asks. What came too late is told as an event: the call went on to another exchange meanwhile, or has ended.
    async fn ask(&self, ask: CallAsk) {
        match self.client.call(&AskCall { call_id: self.state.call_id, ask: ask.clone() }).await {
            Ok(_) => {}
            Err(Error::Server(error)) if matches!(error.code, ErrorCode::CallConflict | ErrorCode::CallEnded) => {}
            Err(error) => panic!("{ask:?}: {error}"),
        }
    }

    async fn run(mut self, mut events: Events) -> Past {
        let reason = loop {
            tokio::select! {
                event = events.next() => match event.expect("the client is there") {
                    ClientEvent::Call(state) if state.call_id == self.state.call_id => {
                        if state.revision > self.state.revision {
                            self.state = *state;
                        }
                        if let Standing::Ended { reason, .. } = self.state.standing {
                            break reason;
                        }
                        self.stands().await;
                    }
                    ClientEvent::CallSignal(it) if it.call_id == self.state.call_id => self.signal(it.signal).await,
                    ClientEvent::Lagged(_) => self.ask(CallAsk::Look).await,
                    _ => {}
                },
                Some(news) = self.news.recv() => match news {
                    News::Candidate(candidate) => self.found(&candidate).await,
                    News::Sound => self.ask(CallAsk::Media { flows: true }).await,
                },
            }
        };
        let pair = self.connection.dtls_transport().ice_transport().get_selected_candidate_pair().await;
        let emoji = self.emoji().await;
        self.connection.close().await.expect("closed");
        Past {
            reason,
            path: pair.map(|pair| [pair.local.typ, pair.remote.typ]),
            emoji,
            trickled: self.trickled,
            generations: self.generation,
        }
    }

    /// The call is answered: what had to wait for that may pass now. A new generation asks for a new offer.
    async fn stands(&mut self) {
        let Standing::InCall(in_call) = &self.state.standing else { return };
        let (generation, renew) = (in_call.generation, in_call.renew);
        self.tell_kept().await;
        if self.calls && generation > self.generation {
            assert_ne!(renew, Renew::Transport, "nobody took over");
            self.offer(generation, renew == Renew::Ice).await;
        }
    }

    async fn offer(&mut self, generation: u32, ice_restart: bool) {
        let options = RTCOfferOptions { ice_restart, voice_activity_detection: false };
        let offer = self.connection.create_offer(Some(options)).await.expect("an offer");
        let sdp = offer.sdp.clone();
        let commitment = (generation == 1).then(|| Commitment::new(&fingerprint(&sdp), &self.nonce).to_string());
        // Before the candidates are looked for, so that they come after it.
        self.ask(CallAsk::Offer { generation, offer: Offer { sdp, commitment } }).await;
        (self.generation, self.described) = (generation, false);
        self.connection.set_local_description(offer).await.expect("taken");
    }

    async fn answer(&mut self, generation: u32, offer: Offer) {
        if let Some(commitment) = &offer.commitment {
            self.commitment = Commitment::parse(commitment);
        }
        let offer = RTCSessionDescription::offer(offer.sdp).expect("a description");
        self.connection.set_remote_description(offer).await.expect("taken");
        let answer = self.connection.create_answer(None).await.expect("an answer");
        let first = self.generation == 0;
        let nonce = first.then(|| self.nonce.to_string());
        let ours = Answer { sdp: answer.sdp.clone(), nonce };
        let ask = if first {
            CallAsk::Accept { media: CallMedia::Voice, relay_only: self.relay_only, answer: Some(ours) }
        } else {
            CallAsk::Answer { generation, answer: ours }
        };
        self.ask(ask).await;
        (self.generation, self.described) = (generation, true);
        self.connection.set_local_description(answer).await.expect("taken");
        self.take_early().await;
    }

    async fn signal(&mut self, signal: CallSignal) {
        match signal {
            CallSignal::Offer { generation, offer } if generation > self.generation => {
                self.answer(generation, offer).await;
            }
            CallSignal::Answer { generation, answer } if generation == self.generation && !self.described => {
                let description = RTCSessionDescription::answer(answer.sdp).expect("a description");
                self.connection.set_remote_description(description).await.expect("taken");
                self.described = true;
                if let Some(nonce) = answer.nonce.as_deref().and_then(Nonce::parse) {
                    self.nonces = Some([self.nonce, nonce]);
                    self.ask(CallAsk::Reveal { generation, nonce: self.nonce.to_string() }).await;
                }
                self.take_early().await;
            }
            CallSignal::Reveal { nonce, .. } => {
                self.nonces = Nonce::parse(&nonce).map(|nonce| [nonce, self.nonce]);
            }
            CallSignal::Candidates { generation, candidates } if generation >= self.generation => {
                self.early.extend(candidates);
                self.take_early().await;
            }
            _ => {}
        }
    }

    async fn take_early(&mut self) {
        if !self.described {
            return;
        }
        for candidate in std::mem::take(&mut self.early) {
            let candidate = RTCIceCandidateInit { candidate, ..RTCIceCandidateInit::default() };
            self.connection.add_ice_candidate(candidate).await.expect("a candidate that it understands");
            self.trickled += 1;
        }
    }

    /// Until the call is answered only those of relays pass.
    async fn found(&mut self, candidate: &RTCIceCandidate) {
        self.kept.push(candidate.to_json().expect("written").candidate);
        let relayed = self.calls && candidate.typ == RTCIceCandidateType::Relay;
        if relayed || matches!(self.state.standing, Standing::InCall(_)) {
            self.tell_kept().await;
        }
    }

    async fn tell_kept(&mut self) {
        let candidates = std::mem::take(&mut self.kept);
        for candidate in candidates {
            let generation = self.generation;
            self.ask(CallAsk::Candidates { generation, candidates: vec![candidate] }).await;
        }
    }

    /// What the person would compare with the other by voice.
    #[expect(clippy::similar_names, reason = "caller and callee are the field's words")]
    async fn emoji(&self) -> Option<[&'static str; 4]> {
        let [caller_nonce, callee_nonce] = self.nonces.as_ref()?;
        let own = fingerprint(&self.connection.local_description().await?.sdp);
        // Without such a certificate the handshake would have failed.
        let other = fingerprint(&self.connection.remote_description().await?.sdp);
        let [caller, callee] = if self.calls { [&own, &other] } else { [&other, &own] };
        let call_id = self.state.call_id.0.as_bytes();
        let exchange = Exchange { call_id, caller, callee, caller_nonce, callee_nonce };
        if self.calls { Some(exchange.emoji()) } else { exchange.checked(self.commitment.as_ref()?) }
    }
}

fn opus() -> RTCRtpCodecCapability {
    RTCRtpCodecCapability {
        mime_type: media_engine::MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

async fn connect(ice_servers: Vec<RTCIceServer>, relay_only: bool) -> Arc<RTCPeerConnection> {
    let mut media = media_engine::MediaEngine::default();
    let codec = RTCRtpCodecParameters { capability: opus(), payload_type: OPUS, ..RTCRtpCodecParameters::default() };
    media.register_codec(codec, RTPCodecType::Audio).expect("a codec");
    let registry = interceptor_registry::register_default_interceptors(Registry::new(), &mut media).expect("as usual");
    let mut settings = SettingEngine::default();
    settings.set_include_loopback_candidate(true);
    settings.set_ice_multicast_dns_mode(MulticastDnsMode::Disabled);
    let api = APIBuilder::new()
        .with_media_engine(media)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings)
        .build();
    let ice_transport_policy = if relay_only { RTCIceTransportPolicy::Relay } else { RTCIceTransportPolicy::All };
    let configuration = RTCConfiguration { ice_servers, ice_transport_policy, ..RTCConfiguration::default() };
    Arc::new(api.new_peer_connection(configuration).await.expect("a connection"))
}

/// Says a tone for as long as the track is held by somebody else.
async fn speak(track: Arc<TrackLocalStaticSample>, hertz: f64) {
    let mut encoder = Encoder::new(Channels::Mono, SampleRate::Hz48000, Application::Voip).expect("an encoder");
    let mut tone = Tone::new(hertz);
    let mut ticks = interval(Duration::from_millis(20));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while Arc::strong_count(&track) > 1 {
        ticks.tick().await;
        let mut frame: Frame = [0; FRAME];
        tone.next(&mut frame);
        let samples = frame.map(|sample| f32::from(sample) / 32_768.0);
        let mut packet = vec![0; MAX_PACKET];
        let length = encoder.encode_float_to_slice(&samples, &mut packet).expect("a frame");
        packet.truncate(length);
        let sample = Sample { data: packet.into(), duration: Duration::from_millis(20), ..Sample::default() };
        // Before the connection stands nothing is sent; when it is closed, there is nobody to hear it.
        let _ = track.write_sample(&sample).await;
    }
}

/// Counts the packets, and hears what is in them.
async fn listen(track: Arc<TrackRemote>, heard: Heard, tell: mpsc::UnboundedSender<News>) {
    let mut decoder = Decoder::new(Channels::Mono, SampleRate::Hz48000).expect("a decoder");
    let mut ear = heard.ear.clone();
    while let Ok((packet, _)) = track.read_rtp().await {
        if packet.payload.is_empty() {
            continue;
        }
        assert_eq!(packet.header.payload_type, OPUS, "nothing else was agreed on");
        if heard.packets.fetch_add(1, Ordering::Relaxed) == 0 {
            let _ = tell.send(News::Sound);
        }
        let mut samples = vec![0.0_f32; MAX_SAMPLES];
        let length = decoder.decode_float_to_slice(&packet.payload, &mut samples, false).expect("Opus");
        for part in samples[..length].as_chunks::<FRAME>().0 {
            #[expect(clippy::cast_possible_truncation, reason = "clamped by the conversion")]
            ear.play(&part.map(|value| (value * 32_768.0) as i16));
        }
    }
}

/// What a description says of its certificate.
fn fingerprint(sdp: &str) -> Fingerprint {
    let line = sdp.lines().find_map(|line| line.strip_prefix("a=fingerprint:sha-256 ")).expect("a fingerprint");
    let bytes = line.trim().split(':').map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"));
    bytes.collect::<Vec<_>>().try_into().expect("32 bytes")
}
