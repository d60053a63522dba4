//! One allocation: its permissions and its channels.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use stun_types::message::{IntegrityAlgorithm, MessageIntegrityCredentials};

use super::{config::RelayedAddress, ledger::Account, outputs::FiveTuple};

const SECOND: u64 = 1_000_000_000;
/// RFC 8656, section 9.
pub const PERMISSION_NANOS: u64 = 300 * SECOND;
/// RFC 8656, section 12.
pub const CHANNEL_NANOS: u64 = 600 * SECOND;
/// How long a channel that ran out may not be bound to another peer (RFC 8656, section 12).
pub const CHANNEL_REST_NANOS: u64 = 300 * SECOND;

/// The table is full.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

/// Why a channel was not bound.
#[derive(Debug, PartialEq, Eq)]
pub enum BindError {
    /// The number belongs to another peer, or the peer to another number.
    Taken,
    /// Too many channels.
    Full,
}

/// An allocation. The tables are short vectors: a call has a handful of peers, and the limits keep them short.
#[derive(Debug)]
pub struct Allocation {
    /// The client.
    pub client: FiveTuple,
    /// Told apart from earlier users of the slot.
    pub generation: u32,
    /// The username it was made with; only its owner may touch it.
    pub username: Box<str>,
    /// The password that goes with the username: the credential may expire, the allocation stays.
    pub password: Box<str>,
    /// The call it was made for.
    pub call: Option<Box<str>>,
    /// Whose quota it uses.
    pub account: Arc<Account>,
    /// Its own address.
    pub relayed: RelayedAddress,
    /// Its own port.
    pub port: u16,
    /// When it ends (nanoseconds).
    pub expires: u64,
    /// When it ends at the latest, however often it is refreshed (nanoseconds).
    pub ends: u64,
    /// The reply that waits for the socket to be bound.
    pub opening: Option<Box<Opening>>,
    permissions: Vec<(IpAddr, u64)>,
    channels: Vec<Channel>,
}

/// An Allocate request whose socket is being bound.
#[derive(Debug)]
pub struct Opening {
    /// The request, to which the reply is made.
    pub request: Box<[u8]>,
    /// With which the reply is signed.
    pub credentials: MessageIntegrityCredentials,
    /// How the request was signed.
    pub algorithm: IntegrityAlgorithm,
    /// Seconds granted.
    pub lifetime: u32,
    /// The token of the reserved neighbour.
    pub token: Option<u64>,
    /// How many ports have been tried.
    pub tries: u8,
}

#[derive(Debug)]
struct Channel {
    number: u16,
    peer: SocketAddr,
    expires: u64,
}

impl Allocation {
    /// A fresh allocation without permissions.
    #[expect(clippy::too_many_arguments, reason = "each is a field, and the two tables stay private")]
    pub fn new(
        client: FiveTuple,
        generation: u32,
        username: &str,
        password: &str,
        call: Option<&str>,
        account: Arc<Account>,
        (relayed, port): (RelayedAddress, u16),
        expires: u64,
    ) -> Self {
        Self {
            client,
            generation,
            username: username.into(),
            password: password.into(),
            call: call.map(Into::into),
            account,
            relayed,
            port,
            expires,
            ends: u64::MAX,
            opening: None,
            permissions: Vec::new(),
            channels: Vec::new(),
        }
    }

    /// The address that peers see.
    pub fn public(&self) -> SocketAddr {
        SocketAddr::new(self.relayed.public, self.port)
    }

    /// Whether a peer of this address may be sent to and heard.
    pub fn permitted(&self, ip: IpAddr, now: u64) -> bool {
        self.permissions.iter().any(|(permitted, expires)| *permitted == ip && *expires > now)
    }

    /// Whether these addresses would fit.
    pub fn has_room(&self, ips: &[IpAddr], limit: usize, now: u64) -> bool {
        let live = self.permissions.iter().filter(|(ip, expires)| *expires > now && !ips.contains(ip)).count();
        live + ips.len() <= limit
    }

    /// Installs or refreshes a permission.
    ///
    /// # Errors
    /// [`Full`] if `limit` are installed.
    pub fn permit(&mut self, ip: IpAddr, limit: usize, now: u64) -> Result<(), Full> {
        let expires = now + PERMISSION_NANOS;
        if let Some(entry) = self.permissions.iter_mut().find(|(permitted, _)| *permitted == ip) {
            entry.1 = expires;
            return Ok(());
        }
        if self.permissions.len() >= limit {
            self.permissions.retain(|(_, expires)| *expires > now);
        }
        if self.permissions.len() >= limit {
            return Err(Full);
        }
        self.permissions.push((ip, expires));
        Ok(())
    }

    /// Binds or refreshes a channel.
    ///
    /// # Errors
    /// [`BindError`].
    pub fn bind(&mut self, number: u16, peer: SocketAddr, limit: usize, now: u64) -> Result<(), BindError> {
        self.channels.retain(|channel| channel.expires + CHANNEL_REST_NANOS > now);
        let expires = now + CHANNEL_NANOS;
        for channel in &mut self.channels {
            match (channel.number == number, channel.peer == peer) {
                (true, true) => {
                    channel.expires = expires;
                    return Ok(());
                }
                (false, false) => {}
                // A peer whose channel ran out may have a new number; a number has to rest.
                (false, true) if channel.expires <= now => {}
                _ => return Err(BindError::Taken),
            }
        }
        if self.channels.len() >= limit {
            return Err(BindError::Full);
        }
        self.channels.push(Channel { number, peer, expires });
        Ok(())
    }

    /// The peer behind a channel.
    pub fn peer_of(&self, number: u16, now: u64) -> Option<SocketAddr> {
        self.channels
            .iter()
            .find(|channel| channel.number == number && channel.expires > now)
            .map(|channel| channel.peer)
    }

    /// The channel of a peer.
    pub fn channel_of(&self, peer: SocketAddr, now: u64) -> Option<u16> {
        self.channels.iter().find(|channel| channel.peer == peer && channel.expires > now).map(|channel| channel.number)
    }
}
