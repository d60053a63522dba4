//! UDP sockets in batches: many packets for one system call.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::SocketAddr,
    ops::Range,
};

use mio::net::UdpSocket;
use quinn_udp::{RecvMeta, Transmit, UdpSockRef, UdpSocketState};
use rustix::net::{MMsgHdr, SendAncillaryBuffer, SendFlags, SocketAddrAny, sendmmsg};
use socket2::{Domain, Protocol, Socket, Type};

/// Packets taken with one call.
pub(super) const BATCH: usize = 32;
/// One byte more than the longest frame, so that a longer packet is seen to be one.
const SLOT: usize = super::frame::MAX_FRAME + 4;

/// Opens a datagram socket. `shared` lets other sockets have the same address; the kernel spreads clients over them.
pub(super) fn open(address: SocketAddr, shared: bool, buffer: usize) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if shared {
        socket.set_reuse_port(true)?;
        // The kernel gives as much as its own limit allows.
        socket.set_recv_buffer_size(buffer)?;
        socket.set_send_buffer_size(buffer)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(UdpSocket::from_std(socket.into()))
}

/// Buffers for one call's packets.
pub(super) struct Receiver {
    // What it would know of a socket (segmentation offload) is not used here.
    state: UdpSocketState,
    buffer: Box<[u8]>,
    meta: [RecvMeta; BATCH],
}

impl Receiver {
    pub(super) fn new(any: &UdpSocket) -> io::Result<Self> {
        let state = UdpSocketState::new(UdpSockRef::from(any))?;
        Ok(Self { state, buffer: vec![0; SLOT * BATCH].into(), meta: [RecvMeta::default(); BATCH] })
    }

    /// Receives up to `limit` packets. Fewer than asked for means that the socket is empty.
    pub(super) fn receive(&mut self, socket: &UdpSocket, limit: usize) -> io::Result<usize> {
        let mut slots = self.buffer.chunks_exact_mut(SLOT);
        let mut slices: [IoSliceMut<'_>; BATCH] =
            std::array::from_fn(|_| IoSliceMut::new(slots.next().unwrap_or_default()));
        let limit = limit.min(BATCH);
        self.state.recv(UdpSockRef::from(socket), &mut slices[..limit], &mut self.meta[..limit])
    }

    /// One of the packets received last; `None` if it was too long.
    pub(super) fn packet(&self, index: usize) -> Option<(SocketAddr, &[u8])> {
        let meta = self.meta.get(index)?;
        let bytes = self.buffer.get(index * SLOT..index * SLOT + meta.len)?;
        (meta.len < SLOT).then_some((meta.addr, bytes))
    }
}

/// A packet to be sent: whither, and where its bytes are.
pub(super) type Packet = (SocketAddr, Range<usize>);

/// The kernel's bound on the segments of one call, and one on their size that fits every path's MTU.
const SEGMENTS: usize = 64;
const SEGMENT_BYTES: usize = 1_400;

/// Sends in batches. Packets that stand side by side, have one destination and one length go out as one (UDP segmentation
/// offload), which is what a burst of video is, and what gathers when a relay is busy; the rest go by `sendmmsg`.
pub(super) struct Sender(UdpSocketState);

impl Sender {
    pub(super) fn new(any: &UdpSocket) -> io::Result<Self> {
        Ok(Self(UdpSocketState::new(UdpSockRef::from(any))?))
    }

    /// Sends from one socket; returns how many packets could not be sent. What does not go out at once is lost, as on any
    /// link that is full: a relay must not hold media back.
    pub(super) fn send(&self, socket: &UdpSocket, packets: &[Packet], buffer: &[u8]) -> usize {
        let (mut failed, mut single) = (0, 0);
        let mut at = 0;
        while at < packets.len() {
            let run = self.run(&packets[at..]);
            if run > 1 {
                failed += send_each(socket, &packets[single..at], buffer);
                if self.send_run(socket, &packets[at..at + run], buffer).is_err() {
                    failed += send_each(socket, &packets[at..at + run], buffer);
                }
                single = at + run;
            }
            at += run;
        }
        failed + send_each(socket, &packets[single..], buffer)
    }

    /// How many packets from the first on can go as segments of one.
    fn run(&self, packets: &[Packet]) -> usize {
        let Some((to, first)) = packets.first() else { return 0 };
        let limit = self.0.max_gso_segments().min(SEGMENTS);
        if first.is_empty() || first.len() > SEGMENT_BYTES {
            return 1;
        }
        let limit = limit.min(64_000 / first.len());
        let mut end = first.end;
        let mut run = 1;
        for (next, bytes) in packets.iter().take(limit).skip(1) {
            if next != to || bytes.start != end || bytes.len() != first.len() {
                break;
            }
            end = bytes.end;
            run += 1;
        }
        run
    }

    fn send_run(&self, socket: &UdpSocket, run: &[Packet], buffer: &[u8]) -> io::Result<()> {
        let [(destination, first), .., (_, last)] = run else { return Ok(()) };
        self.0.try_send(
            UdpSockRef::from(socket),
            &Transmit {
                destination: *destination,
                ecn: None,
                contents: &buffer[first.start..last.end],
                segment_size: Some(first.len()),
                src_ip: None,
            },
        )
    }
}

fn send_each(socket: &UdpSocket, packets: &[Packet], buffer: &[u8]) -> usize {
    match packets {
        [] => 0,
        [(to, bytes)] => usize::from(socket.send_to(&buffer[bytes.clone()], *to).is_err()),
        packets => packets.chunks(2 * BATCH).map(|chunk| send_many(socket, chunk, buffer)).sum(),
    }
}

fn send_many(socket: &UdpSocket, packets: &[Packet], buffer: &[u8]) -> usize {
    let addresses: Vec<SocketAddrAny> = packets.iter().map(|(to, _)| (*to).into()).collect();
    let slices: Vec<[IoSlice<'_>; 1]> =
        packets.iter().map(|(_, bytes)| [IoSlice::new(&buffer[bytes.clone()])]).collect();
    let mut controls: Vec<SendAncillaryBuffer<'_, '_, '_>> =
        packets.iter().map(|_| SendAncillaryBuffer::default()).collect();
    let mut headers: Vec<MMsgHdr<'_>> = addresses
        .iter()
        .zip(&slices)
        .zip(&mut controls)
        .map(|((to, slice), control)| MMsgHdr::new_with_addr(to, slice, control))
        .collect();
    let (mut at, mut failed) = (0, 0);
    while at < headers.len() {
        match sendmmsg(socket, &mut headers[at..], SendFlags::DONTWAIT) {
            Ok(sent) => at += sent.max(1),
            Err(rustix::io::Errno::INTR) => {}
            Err(rustix::io::Errno::AGAIN) => return failed + headers.len() - at,
            Err(_) => {
                // It speaks of the first packet only; the others may have better luck.
                failed += 1;
                at += 1;
            }
        }
    }
    failed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_and_single_packets_all_arrive_in_their_order() {
        let any = || open("127.0.0.1:0".parse().unwrap(), false, 0).unwrap();
        let (from, one, two) = (any(), any(), any());
        let (at_one, at_two) = (one.local_addr().unwrap(), two.local_addr().unwrap());
        let sender = Sender::new(&from).unwrap();
        let (mut buffer, mut packets, mut expected) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        // Whom, how long, how many: runs, a shorter one at the end of a run, empty ones, one too long to be a segment.
        let plan =
            [(0, 200, 20), (0, 100, 1), (1, 200, 1), (0, 200, 1), (1, 200, 9), (1, 0, 2), (0, 1_500, 3), (0, 7, 70)];
        for (whom, length, count) in plan {
            for _ in 0..count {
                let start = buffer.len();
                buffer.resize(start + length, u8::try_from(packets.len()).unwrap());
                packets.push(([at_one, at_two][whom], start..buffer.len()));
                expected[whom].push(buffer[start..].to_vec());
            }
        }
        assert_eq!(sender.send(&from, &packets, &buffer), 0);
        let mut receiver = Receiver::new(&from).unwrap();
        for (socket, expected) in [&one, &two].into_iter().zip(&expected) {
            let mut got = Vec::new();
            while let Ok(count) = receiver.receive(socket, BATCH) {
                for index in 0..count {
                    let (sender, bytes) = receiver.packet(index).unwrap();
                    assert_eq!(sender, from.local_addr().unwrap());
                    got.push(bytes.to_vec());
                }
            }
            assert_eq!(&got, expected);
        }
    }
}
