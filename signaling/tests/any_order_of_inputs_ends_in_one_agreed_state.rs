//! Whatever two people's devices do, in whatever order, on however many nodes, over a bus that doubles, delays and
//! loses: all devices agree in the end, nobody rings for ever, and nobody is in one call with two devices.
//!
//! The seed is printed; `CHAPAR_SEED=… cargo test` plays the same again.

use std::collections::HashMap;

use chapar_protocol::call::{CallId, CallMedia, CallState, EndReason, Offer, Party, Standing};
use chapar_protocol::{ChatId, DeviceId, Timestamp, UserId};
use chapar_signaling::call::{
    Ask, Call, CheckedAnswer, CheckedCandidates, CheckedOffer, Fate, Input, Invite, Output, Phase, RING_MS, Record,
};
use chapar_signaling::sas::Nonce;
use chapar_signaling::sdp::{CandidatePolicy, RelayPlace, address::Network};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

const DESCRIPTION: &str = "v=0\no=- 1 1 IN IP4 0.0.0.0\ns=-\nt=0 0\nm=audio 9 UDP/TLS/RTP/SAVPF 111\na=mid:0\n\
    a=ice-ufrag:abcd\na=ice-pwd:abcdefghijklmnopqrstuv\na=rtcp-mux\na=rtpmap:111 opus/48000/2\n";
const NAMES: [(i64, i64); 7] = [(1, 11), (1, 12), (1, 13), (2, 21), (2, 22), (2, 23), (3, 31)];

fn party(index: usize) -> Party {
    let (user, device) = NAMES[index % NAMES.len()];
    Party { user_id: UserId(user), device_id: DeviceId(device) }
}

fn description(setup: &str) -> String {
    let fingerprint = ["AB"; 32].join(":");
    format!("{DESCRIPTION}a=setup:{setup}\na=fingerprint:sha-256 {fingerprint}\n")
}

fn relay_only() -> CandidatePolicy {
    let network = Network { address: "5.160.1.1".parse().expect("an address"), prefix: 32 };
    let relays = vec![RelayPlace { network, ports: 5000..=5000 }];
    CandidatePolicy { relay_only: true, relays, ..CandidatePolicy::default() }
}

fn offer() -> CheckedOffer {
    let offer = Offer { sdp: description("actpass"), commitment: None };
    CheckedOffer::check(&offer, &relay_only(), CallMedia::Voice).expect("a good offer")
}

fn answer() -> CheckedAnswer {
    let answer = chapar_protocol::call::Answer { sdp: description("active"), nonce: None };
    CheckedAnswer::check(&answer, &relay_only(), CallMedia::Voice).expect("a good answer")
}

fn candidates() -> CheckedCandidates {
    let text = "candidate:1 1 udp 1 5.160.1.1 5000 typ relay".to_owned();
    CheckedCandidates::check(&[text], &relay_only()).expect("a good candidate")
}

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms).expect("in range")
}

fn ask() -> impl Strategy<Value = Ask> {
    let generation = || 1_u32..4;
    let media = prop_oneof![Just(CallMedia::Voice), Just(CallMedia::Video)];
    prop_oneof![
        2 => Just(Ask::Look),
        3 => Just(Ask::Ringing),
        6 => (media, any::<bool>(), any::<bool>()).prop_map(|(media, relay_only, with)| Ask::Accept {
            media,
            relay_only,
            answer: with.then(answer),
        }),
        1 => Just(Ask::Decline),
        1 => Just(Ask::Busy),
        1 => Just(Ask::HangUp),
        2 => any::<u8>().prop_map(|revision| Ask::Alive { revision: u64::from(revision) }),
        6 => prop::bool::weighted(0.8).prop_map(|flows| Ask::Media { flows }),
        2 => Just(Ask::RestartIce),
        2 => any::<(bool, bool)>().prop_map(|(muted, camera_off)| Ask::Mute { muted, camera_off }),
        2 => any::<bool>().prop_map(|held| Ask::Hold { held }),
        2 => Just(Ask::WantVideo),
        2 => any::<bool>().prop_map(|allow| Ask::AllowVideo { allow }),
        2 => Just(Ask::StopVideo),
        3 => (0..7_usize).prop_map(|to| Ask::Transfer { to: party(to).device_id }),
        3 => Just(Ask::TakeOver),
        2 => generation().prop_map(|generation| Ask::Offer { generation, offer: offer() }),
        2 => generation().prop_map(|generation| Ask::Answer { generation, answer: answer() }),
        1 => generation().prop_map(|generation| Ask::Reveal { generation, nonce: Nonce([3; 32]) }),
        2 => generation().prop_map(|generation| Ask::Candidates { generation, candidates: candidates() }),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    // Mostly the two devices that are in the call when it was answered.
    let who = || prop_oneof![3 => Just(party(0)), 3 => Just(party(3)), 4 => (0..7_usize).prop_map(party)];
    prop_oneof![
        60 => (who(), ask()).prop_map(|(who, ask)| Input::Ask { who, ask }),
        4 => who().prop_map(Input::Online),
        3 => who().prop_map(Input::Gone),
        1 => who().prop_map(Input::SignedOut),
        1 => Just(Input::LostGlare(CallId(uuid::Uuid::from_u128(99)))),
        1 => (0..7_usize).prop_map(|index| Input::WonGlare(party(index).device_id)),
        3 => Just(Input::Tick),
        1 => Just(Input::Recorded),
    ]
}

/// One thing that happens.
#[derive(Clone, Debug)]
struct Event {
    input: Input,
    /// Another node takes this from the same stored state at the same moment.
    race: Option<Input>,
    /// Time before it, in milliseconds.
    wait: i64,
    /// How the bus treats the oldest waiting messages.
    bus: u8,
}

fn event() -> impl Strategy<Value = Event> {
    let wait = prop_oneof![8 => 0..300_i64, 3 => 300..5_000_i64, 1 => 5_000..40_000_i64];
    (input(), prop::option::weighted(0.3, input()), wait, any::<u8>()).prop_map(|(input, race, wait, bus)| Event {
        input,
        race,
        wait,
        bus,
    })
}

/// The cluster: a store with compare-and-swap, a bus, and what each device has been told.
struct World {
    call: Call,
    now: i64,
    waiting: Vec<(Party, CallState)>,
    devices: HashMap<Party, CallState>,
    records: Vec<Record>,
    loses: bool,
}

impl World {
    fn new(invited: [bool; 3], with_offer: bool, loses: bool) -> Self {
        let invite = Invite {
            call_id: CallId(uuid::Uuid::from_u128(7)),
            chat_id: ChatId(1),
            caller: party(0),
            callee: UserId(2),
            devices: (0..3).filter(|i| invited[*i]).map(|i| party(3 + i).device_id).collect(),
            media: CallMedia::Video,
            relay_only: false,
            ask_rating: false,
            offer: with_offer.then(offer),
            fate: Fate::Ring,
        };
        let (call, outputs) = Call::invite(invite, at(0)).expect("rings");
        let mut world = Self { call, now: 0, waiting: vec![], devices: HashMap::new(), records: vec![], loses };
        let told = world.call.told();
        world.carry_out(outputs, &told);
        world
    }

    /// `told` are those whom the call concerned when the node loaded it.
    fn carry_out(&mut self, outputs: Vec<Output>, told: &[Party]) {
        for output in outputs {
            match output {
                Output::State { to, state } => self.waiting.push((to, *state)),
                Output::Record(record) => self.records.push(*record),
                Output::Signal { to, .. } => assert!(told.contains(&to), "a signal to an outsider"),
            }
        }
    }

    /// Loads, steps, swaps; `from` is what this node has loaded, which may be old by now.
    fn put(&mut self, input: &Input, from: &Call) {
        let mut loaded = from.clone();
        loop {
            let step = loaded.step(input.clone(), at(self.now));
            if let Some(call) = step.call {
                assert_eq!(call.revision(), loaded.revision() + 1, "one more for each change");
                if loaded.revision() != self.call.revision() {
                    loaded = self.call.clone(); // The swap failed: begin again.
                    continue;
                }
                self.call = call;
            }
            if let (Some(refused), Input::Ask { who, .. }) = (step.refused, input) {
                let outsider = who.user_id == UserId(3);
                assert!(!outsider || step.outputs.iter().all(|o| !matches!(o, Output::State { to, .. } if to == who)));
                assert!(!refused.to_string().is_empty());
            }
            let told: Vec<Party> = loaded.told().into_iter().chain(self.call.told()).collect();
            self.carry_out(step.outputs, &told);
            self.check();
            return;
        }
    }

    /// Stories that begin further on: 0 rings, 1 was accepted, 2 is active.
    fn begin(&mut self, begun: usize) {
        let accept = Ask::Accept { media: CallMedia::Voice, relay_only: false, answer: Some(answer()) };
        let accepted = [(party(3), accept)];
        let active = [party(0), party(3)].map(|who| (who, Ask::Media { flows: true }));
        for (who, ask) in accepted.into_iter().take(begun).chain(active.into_iter().filter(|_| begun > 1)) {
            let loaded = self.call.clone();
            self.put(&Input::Ask { who, ask }, &loaded);
        }
    }

    fn happen(&mut self, event: Event) {
        self.now += event.wait;
        let loaded = self.call.clone();
        self.put(&event.input, &loaded);
        match event.race {
            Some(race) => self.put(&race, &loaded),
            None if event.bus.is_multiple_of(5) => {
                let again = self.call.clone();
                self.put(&event.input, &again);
            }
            None => {}
        }
        for bit in 0..4 {
            let Some(place) = self.waiting.len().checked_sub(1) else { break };
            let place = usize::from(event.bus) * 31 % (place + 1);
            match (event.bus >> (2 * bit)) & 3 {
                0 => {}
                1 => self.deliver(self.waiting[place].clone()), // and it will come again
                2 if self.loses => drop(self.waiting.swap_remove(place)),
                _ => {
                    let message = self.waiting.swap_remove(place);
                    self.deliver(message);
                }
            }
        }
    }

    fn deliver(&mut self, (to, state): (Party, CallState)) {
        let newer = self.devices.get(&to).is_none_or(|mine| mine.revision < state.revision);
        if newer {
            self.devices.insert(to, state);
        }
    }

    fn deliver_all(&mut self) {
        while let Some(message) = self.waiting.pop() {
            self.deliver(message);
        }
    }

    /// Holds after every step.
    fn check(&self) {
        if let Phase::Ringing { until } = self.call.phase() {
            assert!(until.as_millis() <= RING_MS, "rings too long");
        }
        if let Some(timer) = self.call.next_timer() {
            assert!(timer.as_millis() <= self.now + 120_000, "a timer far away");
        } else {
            assert!(!self.call.is_live(), "a live call without a timer");
        }
        for user in [UserId(1), UserId(2)] {
            let in_call = self.call.told().into_iter().filter(|who| {
                who.user_id == user
                    && self.call.state_for(*who).is_some_and(|s| matches!(s.standing, Standing::InCall(_)))
            });
            assert!(in_call.count() <= 1, "two devices of one person in one call");
        }
        assert!(self.call.told().iter().all(|who| who.user_id != UserId(3)), "a third person in the call");
        assert!(self.records.windows(2).all(|pair| pair[0] == pair[1]), "two different records of one call");
    }

    /// Every device that was told holds what the store holds.
    fn agree(&self) {
        for who in self.call.told() {
            let truth = self.call.state_for(who).expect("its business");
            let held = self.devices.get(&who).unwrap_or_else(|| panic!("{who:?} was told nothing"));
            let held = CallState { revision: truth.revision, ..held.clone() };
            assert_eq!(held, truth, "{who:?} holds something else");
        }
    }

    /// Everybody is gone, and only timers are left.
    fn run_out(&mut self) {
        let from = self.now;
        let mut rounds = 0;
        while let Some(timer) = self.call.next_timer() {
            rounds += 1;
            assert!(rounds < 100, "timers without end");
            self.now = self.now.max(timer.as_millis());
            let loaded = self.call.clone();
            self.put(&Input::Tick, &loaded);
            if !self.records.is_empty() {
                let loaded = self.call.clone();
                self.put(&Input::Recorded, &loaded);
            }
        }
        assert!(self.now - from <= 120_000, "it took {} ms to end", self.now - from);
        assert!(matches!(self.call.phase(), Phase::Ended { .. }));
        assert!(!self.records.is_empty(), "an end without a record");
    }
}

fn run(loses: bool) {
    let given = std::env::var("CHAPAR_SEED").ok().and_then(|text| text.parse::<u64>().ok());
    let clock = || std::time::UNIX_EPOCH.elapsed().map_or(0, |d| d.as_secs() * 1_000 + u64::from(d.subsec_millis()));
    let seed = given.unwrap_or_else(clock);
    println!("seed {seed} (set CHAPAR_SEED to replay)");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { cases: 600, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let story = (any::<[bool; 3]>(), any::<bool>(), 0..3_usize, prop::collection::vec(event(), 0..60));
    let mut reached: HashMap<&'static str, u32> = HashMap::new();
    let reached_cell = std::cell::RefCell::new(&mut reached);
    let outcome = runner.run(&story, |(mut invited, with_offer, begun, events)| {
        invited[0] |= begun > 0;
        let mut world = World::new(invited, with_offer || begun > 0, loses);
        world.begin(begun);
        for event in events {
            world.happen(event);
            let name = match world.call.phase() {
                Phase::Ringing { .. } => "ringing",
                Phase::Connecting { .. } => "connecting",
                Phase::Active => "active",
                Phase::Reconnecting { .. } => "reconnecting",
                Phase::Ended { reason: EndReason::HungUp, .. } => "hung up",
                Phase::Ended { .. } => "ended otherwise",
            };
            *reached_cell.borrow_mut().entry(name).or_default() += 1;
        }
        world.deliver_all();
        if loses {
            for who in world.call.told() {
                let loaded = world.call.clone();
                world.put(&Input::Online(who), &loaded);
            }
            world.deliver_all();
        }
        world.agree();
        world.run_out();
        world.deliver_all();
        world.agree();
        let rings_on = world.devices.values().find(|s| !matches!(s.standing, Standing::Ended { .. }));
        prop_assert!(rings_on.is_none_or(|s| !world.call.told().iter().any(|w| world.devices.get(w) == Some(s))));
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("seed {seed}: {failure}");
    }
    println!("{reached:?}");
    for phase in ["ringing", "connecting", "active", "reconnecting", "hung up"] {
        assert!(reached.get(phase).is_some_and(|n| *n > 20), "the stories never get to {phase}: they prove little");
    }
}

#[test]
fn over_a_bus_that_doubles_and_reorders() {
    run(false);
}

#[test]
fn over_a_bus_that_also_loses_once_the_devices_are_back() {
    run(true);
}
