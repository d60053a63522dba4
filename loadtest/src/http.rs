//! The HTTP API over one kept connection: enough for setting a run up and for reading chats back.

use std::{
    io::{BufRead, BufReader, Error, ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use chapar_protocol::{Action, Command, ErrorCode, WireError};
use serde::{Serialize, de::DeserializeOwned};

/// A node by its URL.
#[derive(Clone, Debug)]
pub struct Node {
    /// For the `Host` header.
    pub host: String,
    /// Where it listens.
    pub address: SocketAddr,
}

impl std::str::FromStr for Node {
    type Err = String;

    fn from_str(url: &str) -> Result<Self, String> {
        let host = url.strip_prefix("http://").ok_or("only http:// is spoken: measure without TLS")?;
        let host = host.trim_end_matches('/');
        let with_port = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
        let mut addresses = with_port.to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
        let address = addresses.next().ok_or_else(|| format!("{host}: no address"))?;
        Ok(Self { host: host.to_owned(), address })
    }
}

/// Why a call failed for good.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The network, or not HTTP.
    #[error("{0}")]
    Io(#[from] Error),
    /// The server refused.
    #[error("{path}: {error}")]
    Refused {
        /// What was asked.
        path: String,
        /// The answer.
        error: WireError,
    },
    /// The answer does not fit.
    #[error("{path}: an answer that does not fit: {error}")]
    Misfit {
        /// What was asked.
        path: String,
        /// Where it does not.
        error: serde_json::Error,
    },
}

/// A client of the HTTP API. Retries what the server says to retry, and connections that fail, for a bounded time.
#[derive(Debug)]
pub struct Api {
    node: Node,
    patience: Duration,
    connection: Option<BufReader<TcpStream>>,
}

impl Api {
    /// For one node. `patience` bounds the retries of one call.
    pub fn new(node: Node, patience: Duration) -> Self {
        Self { node, patience, connection: None }
    }

    /// Asks a command.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn call<C: Command>(&mut self, token: &str, command: &C) -> Result<C::Reply, Failure> {
        self.post(&format!("/api/v1/call/{}", C::METHOD), token, command)
    }

    /// Posts a JSON body.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn post<B: Serialize, R: DeserializeOwned>(&mut self, path: &str, token: &str, body: &B) -> Result<R, Failure> {
        let deadline = Instant::now() + self.patience;
        let body = serde_json::to_vec(body).map_err(|error| misfit(path, error))?;
        loop {
            let wait = match self.exchange(path, token, &body) {
                Ok((200..=299, answer)) => {
                    return serde_json::from_slice(&answer).map_err(|error| misfit(path, error));
                }
                Ok((status, answer)) => {
                    let error: WireError = serde_json::from_slice(&answer)
                        .unwrap_or_else(|_| WireError::new(ErrorCode::Unknown, format!("HTTP status {status}")));
                    if error.action != Action::Retry || Instant::now() > deadline {
                        return Err(Failure::Refused { path: path.to_owned(), error });
                    }
                    Duration::from_millis(u64::from(error.retry_after_ms.unwrap_or(200)))
                }
                Err(error) if Instant::now() > deadline => return Err(error.into()),
                Err(_) => Duration::from_millis(200),
            };
            std::thread::sleep(wait.min(self.patience));
        }
    }

    fn exchange(&mut self, path: &str, token: &str, body: &[u8]) -> Result<(u16, Vec<u8>), Error> {
        let mut connection = match self.connection.take() {
            Some(kept) => kept,
            None => connect(self.node.address)?,
        };
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            self.node.host,
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        connection.get_mut().write_all(&request)?;
        let (status, answer, keep) = read_response(&mut connection)?;
        if keep {
            self.connection = Some(connection);
        }
        Ok((status, answer))
    }
}

fn connect(address: SocketAddr) -> Result<BufReader<TcpStream>, Error> {
    let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    Ok(BufReader::with_capacity(64 * 1024, stream))
}

fn misfit(path: &str, error: serde_json::Error) -> Failure {
    Failure::Misfit { path: path.to_owned(), error }
}

/// Reads a response (RFC 9112): status, body, and whether the connection may be used again.
fn read_response(from: &mut impl BufRead) -> Result<(u16, Vec<u8>, bool), Error> {
    let bad = |what: &str| Error::new(ErrorKind::InvalidData, what.to_owned());
    let status_line = line(from)?;
    let status = status_line.split(' ').nth(1).and_then(|it| it.parse().ok()).ok_or_else(|| bad("no status"))?;
    let (mut length, mut chunked, mut keep) = (None, false, true);
    loop {
        let header = line(from)?;
        let Some((name, value)) = header.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse::<usize>().ok(),
            "transfer-encoding" => chunked = value.trim().eq_ignore_ascii_case("chunked"),
            "connection" => keep = !value.trim().eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let mut body = Vec::new();
    if chunked {
        loop {
            let size = usize::from_str_radix(line(from)?.trim(), 16).map_err(|_| bad("not a chunk size"))?;
            let start = body.len();
            body.resize(start + size, 0);
            from.read_exact(&mut body[start..])?;
            line(from)?;
            if size == 0 {
                break;
            }
        }
    } else {
        body.resize(length.ok_or_else(|| bad("no length"))?, 0);
        from.read_exact(&mut body)?;
    }
    Ok((status, body, keep))
}

fn line(from: &mut impl BufRead) -> Result<String, Error> {
    let mut line = String::new();
    if from.take(64 * 1024).read_line(&mut line)? == 0 {
        return Err(ErrorKind::UnexpectedEof.into());
    }
    line.truncate(line.trim_end_matches(['\r', '\n']).len());
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_body_are_read() {
        let sized = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhirest";
        assert_eq!(read_response(&mut &sized[..]).expect("whole"), (200, b"hi".to_vec(), true));
        let chunked =
            b"HTTP/1.1 404 Not Found\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nhi\r\n1\r\n!\r\n0\r\n\r\n";
        assert_eq!(read_response(&mut &chunked[..]).expect("whole"), (404, b"hi!".to_vec(), false));
    }

    #[test]
    fn a_url_names_host_and_port() {
        let node: Node = "http://127.0.0.1:8080/".parse().expect("a node");
        assert_eq!((node.host.as_str(), node.address.port()), ("127.0.0.1:8080", 8080));
        assert!("https://127.0.0.1".parse::<Node>().is_err());
    }
}
