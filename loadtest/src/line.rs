//! A WebSocket for one thread: blocking, with a time for each read, and from an address of one's choice.
//!
//! The engine serves thousands of honest connections; this serves few, which may be dishonest.

use std::{
    borrow::Cow,
    io::{self, ErrorKind, Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use chapar_protocol::WireError;
use serde::Deserialize;
use serde_json::value::RawValue;
use socket2::{Domain, Socket, Type};

use crate::websocket::{self, Op, Step};

/// How long connecting and the upgrade may take.
const OPEN: Duration = Duration::from_secs(5);
/// How long a write may make no progress. A server that stops reading whoever does not read its answers is right, and whoever
/// writes without reading would wait until it closes.
const WRITE: Duration = Duration::from_secs(5);

/// What came.
#[derive(Debug)]
pub(crate) enum Came {
    /// A text frame.
    Text(String),
    /// The server closed with this code; 1006 when it just went.
    Closed(u16),
    /// Nothing within the time.
    Nothing,
}

/// A frame of the server, as far as it is always alike.
#[derive(Debug, Deserialize)]
pub(crate) struct Heard<'a> {
    #[serde(default)]
    pub(crate) id: Option<u64>,
    #[serde(borrow, default)]
    pub(crate) ok: Option<&'a RawValue>,
    #[serde(default)]
    pub(crate) error: Option<WireError>,
    #[serde(borrow, default)]
    pub(crate) event: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(crate) data: Option<&'a RawValue>,
}

#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
    /// Where the next frame begins in the buffer.
    at: usize,
    out: Vec<u8>,
}

/// Connects, from a certain address where one is named.
pub(crate) fn connect(to: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    socket.connect_timeout(&to.into(), OPEN)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(WRITE))?;
    Ok(stream)
}

impl Line {
    /// Connects and upgrades.
    ///
    /// # Errors
    /// When the server does not upgrade within 5 s.
    pub(crate) fn open(to: SocketAddr, from: Option<IpAddr>) -> io::Result<Self> {
        let mut it = Self { stream: connect(to, from)?, buffer: Vec::new(), at: 0, out: Vec::new() };
        let mut request = Vec::new();
        websocket::put_upgrade(&mut request, &to.to_string());
        it.stream.write_all(&request)?;
        it.stream.set_read_timeout(Some(OPEN))?;
        loop {
            if let Some(length) = websocket::upgraded(&it.buffer).map_err(io::Error::other)? {
                it.at = length;
                return Ok(it);
            }
            if it.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
    }

    /// Sends a request.
    pub(crate) fn request(&mut self, id: u64, method: &str, params: &impl serde::Serialize) -> io::Result<()> {
        let params = serde_json::to_string(params)?;
        self.text(&format!(r#"{{"id":{id},"method":"{method}","params":{params}}}"#))
    }

    /// Sends a text frame.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.out.clear();
        websocket::put(&mut self.out, Op::Text, text.as_bytes(), 0x5A5A_1234);
        self.stream.write_all(&self.out)
    }

    /// Waits for a frame, and answers pings meanwhile.
    pub(crate) fn receive(&mut self, wait: Duration) -> Came {
        let deadline = Instant::now() + wait;
        loop {
            let mut pong = None;
            match websocket::step(&self.buffer[self.at..]) {
                Step::Frame(frame) => {
                    let came = match frame.op {
                        Op::Text => Some(Came::Text(String::from_utf8_lossy(frame.payload).into_owned())),
                        Op::Close => Some(Came::Closed(close_code(frame.payload))),
                        Op::Ping => {
                            pong = Some(frame.payload.to_vec());
                            None
                        }
                        Op::Pong => None,
                    };
                    self.at += frame.size;
                    if self.at == self.buffer.len() {
                        self.buffer.clear();
                        self.at = 0;
                    }
                    if let Some(came) = came {
                        return came;
                    }
                }
                Step::Bad(_) => return Came::Closed(1002),
                Step::Need(_) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Came::Nothing;
                    }
                    let _ = self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1))));
                    match self.fill() {
                        Ok(0) => return Came::Closed(1006),
                        Ok(_) => {}
                        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                            return Came::Nothing;
                        }
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(_) => return Came::Closed(1006),
                    }
                }
            }
            if let Some(payload) = pong {
                self.out.clear();
                websocket::put(&mut self.out, Op::Pong, &payload, 1);
                if self.stream.write_all(&self.out).is_err() {
                    return Came::Closed(1006);
                }
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.at > 0 {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        let have = self.buffer.len();
        self.buffer.resize(have + 64 * 1024, 0);
        let read = self.stream.read(&mut self.buffer[have..]);
        self.buffer.truncate(have + read.as_ref().copied().unwrap_or(0));
        read
    }
}

fn close_code(payload: &[u8]) -> u16 {
    payload.first_chunk::<2>().map_or(1005, |bytes| u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};

    use super::*;

    #[test]
    fn a_server_that_never_reads_holds_no_writer() -> io::Result<()> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let mut stream = connect(listener.local_addr()?, None)?;
        let (_held, _) = listener.accept()?;
        let more = vec![0; 64 * 1024 * 1024];
        let started = Instant::now();
        let error = stream.write_all(&more).expect_err("64 MiB fit into no buffer");
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert!(started.elapsed() < WRITE * 4, "it took {:?}", started.elapsed());
        Ok(())
    }
}
