//! A NAT in user space: it stands between one person and everybody else, and hides the person's sockets behind a public
//! address of its own (RFC 4787). Needs no root and nothing of the kernel but loopback.
//!
//! ```text
//! person's socket ──[ whom it is for | datagram ]──▶ Nat::gateway ─▶ a socket on the public address ──▶ anybody
//! ```
//!
//! 127.0.0.1 is everybody's private network: no packet gets there from outside, and none to it goes out. Relays and other
//! NATs live at further addresses of 127.0.0.0/8. A packet from outside is let in only from an address and port that was
//! sent to before (address and port-dependent filtering), as most NATs at home do.

use std::{
    collections::{BTreeSet, HashMap},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    thread,
    time::Duration,
};

use mio::{Events, Interest, Poll, Token, Waker, net::UdpSocket};

/// Mappings at most: more are refused, as by a real one.
const MAX_MAPPINGS: usize = 512;
const NEAR: Token = Token(0);
const WAKE: Token = Token(usize::MAX);

/// How it maps (RFC 4787 section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mapping {
    /// A socket within has one public port, whomever it sends to. What STUN finds out is what everybody sees.
    EndpointIndependent,
    /// Another public port for each destination («symmetric»): what STUN finds out is of no use to others.
    AddressAndPortDependent,
}

/// What went through.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// To whom the person sent.
    pub destinations: BTreeSet<SocketAddr>,
    /// Bare Binding requests (RFC 8489) that asked for the own address, or checked a path outside a relay.
    pub bindings: u64,
    /// Packets to the person that nobody had asked for, or from the person into a private network.
    pub dropped: u64,
}

/// A running NAT. Ends when dropped.
pub struct Nat {
    /// Where the person's datagrams go, with the header of RFC 1928 section 7.
    pub gateway: SocketAddr,
    /// The address that others see.
    pub public: IpAddr,
    control: Arc<Control>,
    waker: Waker,
}

#[derive(Default)]
struct Control {
    ended: AtomicBool,
    seen: Mutex<Seen>,
}

impl Control {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Nat {
    /// Starts one, at a public address that no other NAT of this process has.
    ///
    /// # Errors
    /// When a socket cannot be had; where only 127.0.0.1 is loopback, as on macOS, always.
    pub fn start(mapping: Mapping) -> io::Result<Self> {
        static NUMBER: AtomicU16 = AtomicU16::new(0);
        let [high, low] = NUMBER.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let public = Ipv4Addr::new(127, 77, high, low.max(1));
        // Whether it is an address of this machine is better known now than with the first packet.
        std::net::UdpSocket::bind((public, 0))?;
        let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let gateway = near.local_addr()?;
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKE)?;
        let control = Arc::new(Control::default());
        let mut router =
            Router { poll, near, public, mapping, control: control.clone(), mappings: HashMap::new(), next: 1 };
        thread::Builder::new().name("nat".to_owned()).spawn(move || {
            if let Err(error) = router.run() {
                eprintln!("nat: {error}");
            }
        })?;
        Ok(Self { gateway, public: public.into(), control, waker })
    }

    /// What went through so far.
    pub fn seen(&self) -> Seen {
        self.control.seen().clone()
    }
}

impl Drop for Nat {
    fn drop(&mut self) {
        self.control.ended.store(true, Ordering::Relaxed);
        let _ = self.waker.wake();
    }
}

/// One public port.
struct Mapped {
    inside: SocketAddr,
    /// Of the one destination for which it is, if the mapping depends on it.
    only: Option<SocketAddr>,
    outside: UdpSocket,
    sent_to: BTreeSet<SocketAddr>,
}

struct Router {
    poll: Poll,
    near: UdpSocket,
    public: Ipv4Addr,
    mapping: Mapping,
    control: Arc<Control>,
    mappings: HashMap<usize, Mapped>,
    next: usize,
}

impl Router {
    fn run(&mut self) -> io::Result<()> {
        self.poll.registry().register(&mut self.near, NEAR, Interest::READABLE)?;
        let (mut events, mut buffer) = (Events::with_capacity(64), vec![0; 65_536]);
        while !self.control.ended.load(Ordering::Relaxed) {
            match self.poll.poll(&mut events, Some(Duration::from_secs(1))) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            self.outwards(&mut buffer)?;
            let tokens: Vec<usize> = events.iter().map(|event| event.token().0).collect();
            for token in tokens {
                self.inwards(token, &mut buffer);
            }
        }
        Ok(())
    }

    fn outwards(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        // An error is an ICMP message about an earlier packet: the next may be read all the same.
        while let Ok((length, inside)) = self.near.recv_from(buffer) {
            let Some((to, data)) = unwrapped(&buffer[..length]) else { continue };
            let private = to.ip() == IpAddr::V4(Ipv4Addr::LOCALHOST);
            {
                let mut seen = self.control.seen();
                if private || self.mappings.len() >= MAX_MAPPINGS {
                    seen.dropped += 1;
                    continue;
                }
                seen.destinations.insert(to);
                seen.bindings += u64::from(data.starts_with(&[0, 1]));
            }
            let token = self.map(inside, to)?;
            if let Some(mapped) = self.mappings.get_mut(&token) {
                mapped.sent_to.insert(to);
                let _ = mapped.outside.send_to(data, to);
            }
        }
        Ok(())
    }

    fn map(&mut self, inside: SocketAddr, to: SocketAddr) -> io::Result<usize> {
        let only = (self.mapping == Mapping::AddressAndPortDependent).then_some(to);
        let known = self.mappings.iter().find(|(_, it)| it.inside == inside && it.only == only);
        if let Some((token, _)) = known {
            return Ok(*token);
        }
        let mut outside = UdpSocket::bind((self.public, 0).into())?;
        let token = self.next;
        self.next += 1;
        self.poll.registry().register(&mut outside, Token(token), Interest::READABLE)?;
        self.mappings.insert(token, Mapped { inside, only, outside, sent_to: BTreeSet::new() });
        Ok(token)
    }

    fn inwards(&mut self, token: usize, buffer: &mut [u8]) {
        let Some(mapped) = self.mappings.get(&token) else { return };
        loop {
            match mapped.outside.recv_from(buffer) {
                Ok((length, from)) if mapped.sent_to.contains(&from) => {
                    let _ = self.near.send_to(&wrapped(from, &buffer[..length]), mapped.inside);
                }
                Ok(_) => self.control.seen().dropped += 1,
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return,
            }
        }
    }
}

fn unwrapped(packet: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let [0, 0, 0, 1, a, b, c, d, high, low, data @ ..] = packet else { return None };
    let to = SocketAddr::new(Ipv4Addr::new(*a, *b, *c, *d).into(), u16::from_be_bytes([*high, *low]));
    Some((to, data))
}

fn wrapped(from: SocketAddr, data: &[u8]) -> Vec<u8> {
    let IpAddr::V4(address) = from.ip() else { return Vec::new() };
    let mut packet = vec![0, 0, 0, 1];
    packet.extend_from_slice(&address.octets());
    packet.extend_from_slice(&from.port().to_be_bytes());
    packet.extend_from_slice(data);
    packet
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    fn socket(address: [u8; 4]) -> std::net::UdpSocket {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::from(address), 0)).expect("bound");
        socket.set_read_timeout(Some(Duration::from_secs(10))).expect("set");
        socket
    }

    fn at(socket: &std::net::UdpSocket) -> SocketAddr {
        socket.local_addr().expect("bound")
    }

    /// The public address of a person's socket, as each of two others sees it.
    fn seen_by_two(mapping: Mapping) -> (Nat, std::net::UdpSocket, [(std::net::UdpSocket, SocketAddr); 2]) {
        let (nat, inside) = (Nat::start(mapping).expect("starts"), socket([127, 0, 0, 1]));
        let others = [socket([127, 0, 0, 2]), socket([127, 0, 0, 3])].map(|other| {
            inside.send_to(&wrapped(at(&other), b"salam"), nat.gateway).expect("sent");
            let mut buffer = [0; 100];
            let (length, from) = other.recv_from(&mut buffer).expect("arrives");
            assert_eq!((&buffer[..length], from.ip()), (&b"salam"[..], nat.public));
            (other, from)
        });
        (nat, inside, others)
    }

    #[test]
    fn one_mapping_for_all_or_one_for_each() {
        let (_nat, _inside, [(_, one), (_, two)]) = seen_by_two(Mapping::EndpointIndependent);
        assert_eq!(one, two);
        let (_nat, _inside, [(_, one), (_, two)]) = seen_by_two(Mapping::AddressAndPortDependent);
        assert_ne!(one, two);
    }

    #[test]
    fn only_whom_the_person_wrote_to_gets_in() {
        let (nat, inside, [(friend, public), _]) = seen_by_two(Mapping::EndpointIndependent);
        let stranger = socket([127, 0, 0, 2]);
        stranger.send_to(b"let me in", public).expect("sent");
        friend.send_to(b"salam", public).expect("sent");
        let mut buffer = [0; 100];
        let (length, _) = inside.recv_from(&mut buffer).expect("arrives");
        assert_eq!(unwrapped(&buffer[..length]), Some((at(&friend), &b"salam"[..])));
        assert_eq!(nat.seen().dropped, 1, "the stranger's");
        inside.send_to(&wrapped(at(&socket([127, 0, 0, 1])), b"?"), nat.gateway).expect("sent");
        inside.send_to(&wrapped(at(&friend), b"again"), nat.gateway).expect("sent");
        friend.recv_from(&mut buffer).expect("arrives");
        assert_eq!(nat.seen().dropped, 2, "nothing goes into a private network");
    }
}
