//! UDP sockets in batches: many packets for one system call.

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::SocketAddr,
};

use mio::net::UdpSocket;
use quinn_udp::{RecvMeta, UdpSockRef, UdpSocketState};
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

/// Sends packets from one socket; returns how many could not be sent. What does not go out at once is lost, as on any
/// link that is full: a relay must not hold media back.
pub(super) fn send(socket: &UdpSocket, packets: &[(SocketAddr, &[u8])]) -> usize {
    match packets {
        [] => 0,
        [(to, bytes)] => usize::from(socket.send_to(bytes, *to).is_err()),
        packets => packets.chunks(2 * BATCH).map(|chunk| send_many(socket, chunk)).sum(),
    }
}

fn send_many(socket: &UdpSocket, packets: &[(SocketAddr, &[u8])]) -> usize {
    let addresses: Vec<SocketAddrAny> = packets.iter().map(|(to, _)| (*to).into()).collect();
    let slices: Vec<[IoSlice<'_>; 1]> = packets.iter().map(|(_, bytes)| [IoSlice::new(bytes)]).collect();
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
