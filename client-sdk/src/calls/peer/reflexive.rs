//! Under which address a socket of the own network is seen from outside: a Binding request to the relays' STUN part, from
//! the socket that media uses (RFC 8445 section 5.1.1.2). Pure.
//!
//! ```text
//! ask() ─▶ Asking ── answer ──▶ Known ── 15 s ──▶ Asking …        until stop()
//!            └─ no answer to 8 requests ──▶ given up, until the next ask()
//! ```
//!
//! It is asked again as long as nothing else keeps the mapping of a NAT alive: a phone may ring for a minute, and many NATs
//! forget a socket that is silent for half of that (RFC 8445 section 11, RFC 4787 section 4.3).

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use stun_types::{
    attribute::XorMappedAddress,
    message::{
        BINDING, Message, MessageClass, MessageWrite as _, MessageWriteExt as _, MessageWriteVec, TransactionId,
    },
};

/// Servers that are asked, one after the other until one answers.
const MAX_SERVERS: usize = 2;
/// The next server's turn comes after this.
const STAGGER: Duration = Duration::from_millis(300);
/// How often a request is sent, and the pauses between: the first, and the longest. RFC 8489 section 6.2.1 doubles from
/// 500 ms where nothing is known of the path; a request is 20 bytes, and a call waits for the answer.
const SENDS: u32 = 8;
const FIRST_PAUSE: Duration = Duration::from_millis(120);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// RFC 8445 section 11: Tr.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is to be sent, and to whom.
pub(crate) type Request = (SocketAddr, Vec<u8>);

/// What a datagram was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// No answer to a question: somebody else's.
    NotAsked,
    /// An answer that tells nothing new.
    Nothing,
    /// The socket is seen from outside at this address.
    Mapped(SocketAddr),
}

/// The question of one socket.
#[derive(Debug, Default)]
pub(crate) struct Reflexive {
    questions: Vec<Question>,
    mapped: Option<SocketAddr>,
}

#[derive(Debug)]
struct Question {
    server: SocketAddr,
    transaction: TransactionId,
    bytes: Vec<u8>,
    sent: u32,
    /// `None` when it is given up.
    next: Option<Instant>,
}

impl Reflexive {
    /// The servers to ask, the nearest first. What was asked before is forgotten, what was found is not.
    pub(crate) fn ask(&mut self, servers: impl IntoIterator<Item = SocketAddr>, now: Instant) {
        self.questions.clear();
        for (number, server) in (0_u32..).zip(servers.into_iter().take(MAX_SERVERS)) {
            self.questions.push(Question::new(server, now + STAGGER * number));
        }
    }

    /// Nothing more is to be asked: media keeps the mapping alive.
    pub(crate) fn stop(&mut self) {
        self.questions.clear();
    }

    /// The address seen from outside, as it was told last.
    pub(crate) fn mapped(&self) -> Option<SocketAddr> {
        self.mapped
    }

    /// What is due, and when to come again.
    pub(crate) fn poll(&mut self, now: Instant) -> (Vec<Request>, Option<Instant>) {
        let mut requests = Vec::new();
        for question in &mut self.questions {
            if question.next.is_none_or(|next| next > now) {
                continue;
            }
            requests.push((question.server, question.bytes.clone()));
            question.sent += 1;
            let pause = FIRST_PAUSE * 2_u32.pow(question.sent.min(4) - 1);
            question.next = (question.sent < SENDS).then(|| now + pause.min(LONGEST_PAUSE));
        }
        (requests, self.questions.iter().filter_map(|question| question.next).min())
    }

    /// Takes a datagram.
    pub(crate) fn receive(&mut self, from: SocketAddr, data: &[u8], now: Instant) -> Told {
        let Ok(message) = Message::from_bytes(data) else { return Told::NotAsked };
        let transaction = message.transaction_id();
        let asked = |it: &Question| it.server == from && it.transaction == transaction;
        let Some(place) = self.questions.iter().position(asked) else { return Told::NotAsked };
        let success = message.has_class(MessageClass::Success) && message.has_method(BINDING);
        let mapped = message.attribute::<XorMappedAddress>().ok().filter(|_| success);
        let Some(mapped) = mapped.map(|it| it.addr(transaction)) else {
            // An error, or a server that does not say it: the next one's turn.
            self.questions[place].next = None;
            return Told::Nothing;
        };
        // One answer is enough; the others would only tell of another mapping of a symmetric NAT, which is of no use.
        let mut answered = self.questions.swap_remove(place);
        answered = Question::new(answered.server, now + KEEP_ALIVE);
        self.questions = vec![answered];
        let is_new = self.mapped.replace(mapped) != Some(mapped);
        if is_new { Told::Mapped(mapped) } else { Told::Nothing }
    }
}

impl Question {
    fn new(server: SocketAddr, begins: Instant) -> Self {
        let request = Message::builder_request(BINDING, MessageWriteVec::new());
        let transaction = request.transaction_id();
        Self { server, transaction, bytes: request.finish(), sent: 0, next: Some(begins) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "192.0.2.1:3478";
    const OTHER: &str = "192.0.2.2:3478";
    const OUTSIDE: &str = "198.51.100.7:40000";

    fn at(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    fn answer(request: &[u8], mapped: &str) -> Vec<u8> {
        let request = Message::from_bytes(request).expect("a request");
        let mut reply = Message::builder_success(&request, MessageWriteVec::new());
        reply.add_attribute(&XorMappedAddress::new(at(mapped), request.transaction_id())).expect("fits");
        reply.finish()
    }

    #[test]
    fn an_answer_is_told_once_and_asked_for_again_after_fifteen_seconds() {
        let (mut now, mut reflexive) = (Instant::now(), Reflexive::default());
        reflexive.ask([at(SERVER), at(OTHER)], now);
        let (requests, _) = reflexive.poll(now);
        let [(to, request)] = &requests[..] else { panic!("the nearest first: {requests:?}") };
        assert_eq!(*to, at(SERVER));
        let reply = answer(request, OUTSIDE);
        assert_eq!(reflexive.receive(at(OTHER), &reply, now), Told::NotAsked, "another one answers for it");
        assert_eq!(reflexive.receive(at(SERVER), &reply, now), Told::Mapped(at(OUTSIDE)));
        assert_eq!(reflexive.receive(at(SERVER), &reply, now), Told::NotAsked, "a repeated answer");
        let (requests, next) = reflexive.poll(now + Duration::from_secs(14));
        assert_eq!((requests.len(), next), (0, Some(now + KEEP_ALIVE)), "the other one is not asked any more");
        now += KEEP_ALIVE;
        let (requests, _) = reflexive.poll(now);
        assert_eq!(reflexive.receive(at(SERVER), &answer(&requests[0].1, OUTSIDE), now), Told::Nothing, "nothing new");
        now += KEEP_ALIVE;
        let (requests, _) = reflexive.poll(now);
        let moved = "198.51.100.8:1";
        assert_eq!(reflexive.receive(at(SERVER), &answer(&requests[0].1, moved), now), Told::Mapped(at(moved)));
        reflexive.stop();
        assert_eq!(reflexive.poll(now + KEEP_ALIVE * 2), (Vec::new(), None));
        assert_eq!(reflexive.mapped(), Some(at(moved)));
    }

    #[test]
    fn silence_is_met_with_eight_requests_to_each_of_two_and_no_more() {
        let (mut now, mut reflexive) = (Instant::now(), Reflexive::default());
        reflexive.ask([at(SERVER), at(OTHER), at("192.0.2.3:1")], now);
        let (mut sent, mut rounds) = (Vec::new(), 0);
        loop {
            let (requests, next) = reflexive.poll(now);
            sent.extend(requests.into_iter().map(|(to, _)| to));
            rounds += 1;
            assert!(rounds < 100, "it has an end");
            let Some(next) = next else { break };
            now = next;
        }
        assert_eq!(sent.iter().filter(|to| **to == at(SERVER)).count(), 8);
        assert_eq!((sent.len(), sent[0]), (16, at(SERVER)));
    }

    #[test]
    fn an_error_is_no_address() {
        let (now, mut reflexive) = (Instant::now(), Reflexive::default());
        reflexive.ask([at(SERVER)], now);
        let (requests, _) = reflexive.poll(now);
        let request = Message::from_bytes(&requests[0].1).expect("a request");
        let reply = Message::builder_error(&request, MessageWriteVec::new()).finish();
        assert_eq!(reflexive.receive(at(SERVER), &reply, now), Told::Nothing);
        assert_eq!((reflexive.mapped(), reflexive.poll(now + KEEP_ALIVE).0.len()), (None, 0));
        assert_eq!(reflexive.receive(at(SERVER), b"anything", now), Told::NotAsked);
    }
}
