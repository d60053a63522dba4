//! What the core asks its driver to do.

use std::{net::SocketAddr, ops::Range};

/// How a client reached the relay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// Datagrams.
    Udp,
    /// A TCP stream (RFC 8656, section 3.1).
    Tcp,
    /// A TLS stream.
    Tls,
}

impl Transport {
    /// Whether frames are cut out of a byte stream, and so padded to four bytes.
    pub const fn is_stream(self) -> bool {
        !matches!(self, Self::Udp)
    }
}

/// A client's 5-tuple. The relay's own address is named by the listener's number, which makes the key short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FiveTuple {
    /// The client's address as the relay sees it.
    pub client: SocketAddr,
    /// Which of the relay's listening addresses it came to.
    pub listener: u16,
    /// The protocol.
    pub transport: Transport,
}

/// An allocation: a slot, and how often the slot has been given out, so that a late event cannot hit its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AllocationId {
    /// Index, reused after the allocation ended.
    pub slot: u32,
    /// Distinguishes the users of one slot.
    pub generation: u32,
}

/// One thing to do. Bytes are read with [`Outputs::bytes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Send to a client: one datagram, or one frame of a stream (already padded).
    ToClient {
        /// Whither.
        to: FiveTuple,
        /// The bytes.
        bytes: Range<usize>,
        /// Data may be dropped for a slow reader; a reply may not.
        droppable: bool,
    },
    /// Send from an allocation's relayed socket.
    ToPeer {
        /// Whose socket.
        from: AllocationId,
        /// Whither.
        peer: SocketAddr,
        /// The bytes.
        bytes: Range<usize>,
    },
    /// Bind a UDP socket here, and report with [`super::core::Core::opened`].
    Open {
        /// For this allocation.
        id: AllocationId,
        /// Address and port to bind.
        local: SocketAddr,
    },
    /// Close the relayed socket of this allocation.
    Close {
        /// The allocation, which has ended.
        id: AllocationId,
    },
    /// Close a client's stream: what came on it is not TURN, or its allocation was revoked.
    Hangup {
        /// The stream.
        to: FiveTuple,
    },
}

/// A batch of outputs with one buffer for all their bytes. Reused from batch to batch.
#[derive(Debug, Default)]
pub struct Outputs {
    /// In the order in which they are to be done.
    pub list: Vec<Output>,
    buffer: Vec<u8>,
}

impl Outputs {
    /// The bytes of an output.
    pub fn bytes(&self, range: &Range<usize>) -> &[u8] {
        &self.buffer[range.clone()]
    }

    /// The bytes of all outputs, to which their ranges refer.
    pub fn buffer(&self) -> &[u8] {
        &self.buffer
    }

    /// Forgets everything and keeps the memory.
    pub fn clear(&mut self) {
        self.list.clear();
        self.buffer.clear();
    }

    /// `pad` fills up to four bytes, as a STUN attribute at the end needs it; on a stream everything is filled up.
    pub(crate) fn send_client(&mut self, to: FiveTuple, head: &[u8], body: &[u8], pad: bool, droppable: bool) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(head);
        self.buffer.extend_from_slice(body);
        if pad || to.transport.is_stream() {
            let length = self.buffer.len() - start;
            self.buffer.resize(start + length.next_multiple_of(4), 0);
        }
        self.list.push(Output::ToClient { to, bytes: start..self.buffer.len(), droppable });
    }

    pub(crate) fn send_peer(&mut self, from: AllocationId, peer: SocketAddr, body: &[u8]) {
        let start = self.buffer.len();
        self.buffer.extend_from_slice(body);
        self.list.push(Output::ToPeer { from, peer, bytes: start..self.buffer.len() });
    }
}
