//! A stretch of network between two parts, that can fall silent or break: a TCP proxy on loopback.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    thread,
    time::Duration,
};

/// Where the other end is.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// How the wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum WireState {
    /// It carries everything.
    Whole = 0,
    /// It holds everything back, and says nothing: a firewall that drops, a host that is gone. Nothing is lost.
    Silent = 1,
    /// It ends connections, and new ones too.
    Broken = 2,
    /// Its threads end.
    Gone = 3,
}

#[derive(Debug)]
pub(crate) struct Wire {
    /// Where to connect to.
    pub(crate) address: SocketAddr,
    state: Arc<AtomicU8>,
}

/// How often a waiting thread looks at the state.
const LOOK: Duration = Duration::from_millis(10);

impl Wire {
    pub(crate) fn open(target: Target) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let state = Arc::new(AtomicU8::new(WireState::Whole as u8));
        let shared = state.clone();
        thread::spawn(move || accept(&listener, &target, &shared));
        Ok(Self { address, state })
    }

    pub(crate) fn set(&self, state: WireState) {
        self.state.store(state as u8, Ordering::Release);
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.set(WireState::Gone);
    }
}

fn is(state: &AtomicU8, wanted: WireState) -> bool {
    state.load(Ordering::Acquire) == wanted as u8
}

fn accept(listener: &TcpListener, target: &Target, state: &Arc<AtomicU8>) {
    while !is(state, WireState::Gone) {
        let Ok((client, _)) = listener.accept() else {
            thread::sleep(LOOK);
            continue;
        };
        if is(state, WireState::Broken) {
            continue;
        }
        let (target, state) = (target.clone(), state.clone());
        thread::spawn(move || {
            while is(&state, WireState::Silent) {
                thread::sleep(LOOK);
            }
            let _ = carry(client, &target, &state);
        });
    }
}

fn carry(client: TcpStream, target: &Target, state: &Arc<AtomicU8>) -> io::Result<()> {
    client.set_nonblocking(false)?;
    client.set_nodelay(true)?;
    match target {
        Target::Tcp(address) => {
            let server = TcpStream::connect(address)?;
            server.set_nodelay(true)?;
            server.set_read_timeout(Some(LOOK))?;
            let back = server.try_clone()?;
            both(client, server, back, state, |it| drop(it.shutdown(Shutdown::Both)))
        }
        Target::Unix(path) => {
            let server = UnixStream::connect(path)?;
            server.set_read_timeout(Some(LOOK))?;
            let back = server.try_clone()?;
            both(client, server, back, state, |it| drop(it.shutdown(Shutdown::Both)))
        }
    }
}

fn both<S: Read + Write + Send + 'static>(
    client: TcpStream,
    server: S,
    back: S,
    state: &Arc<AtomicU8>,
    end: impl Fn(&S),
) -> io::Result<()> {
    client.set_read_timeout(Some(LOOK))?;
    let (mut to_client, ending) = (client.try_clone()?, client.try_clone()?);
    let shared = state.clone();
    let mut server = server;
    let mut back = back;
    let other = thread::spawn(move || {
        pump(&mut back, &mut to_client, &shared);
        let _ = to_client.shutdown(Shutdown::Both);
    });
    let mut client = client;
    pump(&mut client, &mut server, state);
    let _ = ending.shutdown(Shutdown::Both);
    end(&server);
    let _ = other.join();
    Ok(())
}

/// Carries one direction until an end closes or the wire breaks.
fn pump(from: &mut impl Read, to: &mut impl Write, state: &AtomicU8) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = match from.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => read,
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => 0,
            Err(_) => return,
        };
        while is(state, WireState::Silent) {
            thread::sleep(LOOK);
        }
        if is(state, WireState::Broken) || is(state, WireState::Gone) || to.write_all(&buffer[..read]).is_err() {
            return;
        }
    }
}
