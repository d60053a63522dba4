//! A running relay: its shards, its listeners, and the handle on them.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
};

use ring::rand::{SecureRandom, SystemRandom};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    task::AbortHandle,
};
use tokio_rustls::{TlsAcceptor, rustls};

use super::{
    auth::Authority,
    config::{CoreConfig, MAX_REALM},
    core::{Core, Whose},
    counters::{Counter, Counters, exposition},
    directory::Entry,
    ledger::Ledger,
    outputs::{FiveTuple, Transport},
    shard::{Clock, Inbox, Message, Shard},
    streams::{StreamLimits, Streams},
};

/// A relay's addresses and bounds.
pub struct RelayConfig {
    /// The core's part.
    pub core: CoreConfig,
    /// Where datagrams come. On a host with several addresses name each: replies leave from the socket's address.
    pub udp: Vec<SocketAddr>,
    /// Where TCP streams come.
    pub tcp: Vec<SocketAddr>,
    /// Where TLS streams come; needs `tls_config`.
    pub tls: Vec<SocketAddr>,
    /// Certificate and key.
    pub tls_config: Option<Arc<rustls::ServerConfig>>,
    /// Threads; 0 takes one per core.
    pub shards: usize,
    /// Bounds on streams.
    pub streams: StreamLimits,
}

/// A running relay. Dropping it ends it.
pub struct Relay {
    ledger: Arc<Ledger>,
    counters: Vec<Arc<Counters>>,
    streams: Arc<Streams>,
    clock: Clock,
    threads: Vec<JoinHandle<()>>,
    draining: AtomicBool,
    tasks: Vec<AbortHandle>,
    /// The UDP addresses, with the ports that were really bound.
    pub udp: Vec<SocketAddr>,
    /// The TCP addresses.
    pub tcp: Vec<SocketAddr>,
    /// The TLS addresses.
    pub tls: Vec<SocketAddr>,
}

impl Relay {
    /// Binds and starts. Needs a tokio runtime for streams.
    ///
    /// # Errors
    /// If an address cannot be bound, or the configuration contradicts itself.
    pub async fn start(config: RelayConfig, authority: Arc<dyn Authority>) -> io::Result<Self> {
        check(&config)?;
        let shards = match config.shards {
            0 => thread::available_parallelism().map_or(1, Into::into),
            shards => shards,
        };
        let core = Arc::new(config.core);
        let ledger = Arc::new(Ledger::new(&core));
        let clock = Clock::new();
        let (mut udp, mut counters, mut inboxes, mut threads) =
            (config.udp, Vec::new(), Vec::<Inbox>::new(), Vec::new());
        for number in 0..shards {
            let counted = Arc::new(Counters::default());
            let shard_core = Core::new(
                Arc::clone(&core),
                Arc::clone(&ledger),
                Arc::clone(&counted),
                Arc::clone(&authority),
                entropy(),
            );
            let (shard, inbox) = Shard::new(shard_core, Arc::clone(&counted), clock, &udp)?;
            // The first shard finds out what port 0 means; the others join it there.
            udp = shard.addresses()?;
            threads.push(thread::Builder::new().name(format!("relay-{number}")).spawn(move || shard.run())?);
            counters.push(counted);
            inboxes.push(inbox);
        }
        let mut relay = Self {
            ledger,
            counters,
            streams: Streams::new(inboxes, config.streams),
            clock,
            threads,
            draining: AtomicBool::new(false),
            tasks: Vec::new(),
            udp,
            tcp: Vec::new(),
            tls: Vec::new(),
        };
        for address in config.tcp {
            let bound = relay.listen(address, None).await?;
            relay.tcp.push(bound);
        }
        for address in config.tls {
            let acceptor = config.tls_config.clone().map(TlsAcceptor::from);
            let bound = relay.listen(address, acceptor).await?;
            relay.tls.push(bound);
        }
        Ok(relay)
    }

    /// Serves a stream that something else has accepted (port 443 shared with the WebSocket). Ends with the stream.
    pub fn serve_stream<S>(
        &self,
        stream: S,
        client: SocketAddr,
        transport: Transport,
    ) -> impl Future<Output = ()> + Send + use<S>
    where
        S: AsyncRead + AsyncWrite + Send + 'static,
    {
        let streams = Arc::clone(&self.streams);
        let from = FiveTuple { client, listener: u16::MAX, transport };
        async move { streams.serve(stream, from).await }
    }

    /// Ends a user's allocations and refuses it new ones until then (Unix seconds).
    pub async fn revoke_user(&self, user: &str, until: u64) {
        self.ledger.revoke_user(user, until, self.clock.now());
        self.tell(|| Message::Revoke(Whose::User(user.to_owned()))).await;
    }

    /// Ends the allocations of a call and refuses it new ones until then (Unix seconds).
    pub async fn revoke_call(&self, call: &str, until: u64) {
        self.ledger.revoke_call(call, until, self.clock.now());
        self.tell(|| Message::Revoke(Whose::Call(call.to_owned()))).await;
    }

    /// Takes no new allocations from now on; wait for [`Self::allocations`] to become 0.
    pub async fn drain(&self) {
        self.announce_drain();
        self.tell(|| Message::Drain).await;
    }

    /// Says that it will drain, while it still takes new allocations: so that nobody is sent here who would be refused.
    pub fn announce_drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether it drains, or said that it will.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Live allocations.
    pub fn allocations(&self) -> u64 {
        self.count(Counter::Allocated).saturating_sub(self.count(Counter::Ended))
    }

    /// A counter's sum over the shards.
    pub fn count(&self, counter: Counter) -> u64 {
        self.counters.iter().map(|shard| shard.get(counter)).sum()
    }

    /// All counters in the text format of Prometheus, labelled with the relay's name and region.
    pub fn metrics(&self, entry: &Entry) -> String {
        exposition(&self.counters, entry)
    }

    /// Ends all allocations and streams, and waits for the threads.
    pub async fn stop(mut self) {
        for task in self.tasks.drain(..) {
            task.abort();
        }
        for inbox in &self.streams.inboxes {
            inbox.stop();
        }
        let threads = std::mem::take(&mut self.threads);
        let _ = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join()))).await;
    }

    async fn tell(&self, message: impl Fn() -> Message) {
        for inbox in &self.streams.inboxes {
            inbox.send(message()).await;
        }
    }

    async fn listen(&mut self, address: SocketAddr, tls: Option<TlsAcceptor>) -> io::Result<SocketAddr> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        let number = u16::try_from(self.tasks.len()).unwrap_or(u16::MAX);
        let task = tokio::spawn(Arc::clone(&self.streams).accept(listener, number, tls));
        self.tasks.push(task.abort_handle());
        Ok(bound)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        for inbox in &self.streams.inboxes {
            inbox.stop();
        }
    }
}

fn check(config: &RelayConfig) -> io::Result<()> {
    let wrong = |what: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, what.to_owned()));
    let core = &config.core;
    if core.realm.is_empty() || core.realm.len() > MAX_REALM {
        return wrong("the relay's realm must have 1 to 24 bytes");
    }
    if core.relayed.is_empty() || core.ports.is_empty() || *core.ports.start() == 0 {
        return wrong("the relay needs an address and a range of ports to relay from");
    }
    if core.relayed.iter().any(|at| at.bind.is_ipv6() != at.public.is_ipv6()) {
        return wrong("a relayed address and its public form must be of one family");
    }
    if core.relayed.iter().any(|at| at.public.is_unspecified()) {
        return wrong("peers have to be told an address: name it, in place of the unspecified one");
    }
    if !config.tls.is_empty() && config.tls_config.is_none() {
        return wrong("TLS addresses need a certificate");
    }
    Ok(())
}

fn entropy() -> Box<dyn FnMut() -> u64 + Send> {
    let system = SystemRandom::new();
    Box::new(move || {
        let mut bytes = [0; 8];
        // The kernel's generator does not fail once it is seeded; a port that can be foretold is no breach by itself.
        let _ = system.fill(&mut bytes);
        u64::from_ne_bytes(bytes)
    })
}
