//! A client of tus 1.0, written from the protocol's text: it can cut the line wherever a test likes, and say what no client says.

use std::{fmt::Write as _, io, net::SocketAddr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chapar_protocol::WireError;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use sha2::{Digest as _, Sha256};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::{Device, World, within};

/// An answer, whatever its body is.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's value; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|it| it.0 == name).map_or("", |it| &it.1)
    }

    /// A header's number.
    pub fn number(&self, name: &str) -> u64 {
        self.header(name).parse().unwrap_or_else(|_| panic!("{name} is no number in {self:?}"))
    }

    /// The code of an error.
    pub fn code(&self) -> String {
        let error: WireError = serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, String::from_utf8_lossy(&self.body)));
        error.code.name().to_owned()
    }
}

/// How much of a request's body is sent before the line is cut; `None`: all.
pub type Cut = Option<usize>;

/// One request over a connection of its own. With a cut there is no answer.
///
/// # Errors
/// When the line was cut, here or there.
pub async fn ask(
    address: SocketAddr,
    verb: &str,
    path: &str,
    headers: &[(&str, String)],
    body: &[u8],
    cut: Cut,
) -> io::Result<Answer> {
    within(&format!("{verb} {path}"), async {
        let mut stream = TcpStream::connect(address).await?;
        let mut head = format!("{verb} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        if !body.is_empty() {
            let _ = write!(head, "Content-Length: {}\r\n", body.len());
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).await?;
        if let Some(cut) = cut {
            stream.write_all(&body[..cut.min(body.len())]).await?;
            stream.flush().await?;
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        // Refused before all was sent: the answer is there to be read.
        let sent = stream.write_all(body).await;
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes).await;
        if let Some(answer) = parse(&bytes, verb == "HEAD") {
            return Ok(answer);
        }
        sent?;
        read?;
        Err(io::ErrorKind::UnexpectedEof.into())
    })
    .await
}

fn parse(bytes: &[u8], head_only: bool) -> Option<Answer> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let mut lines = std::str::from_utf8(&bytes[..end]).ok()?.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let answer = Answer { status, headers, body: bytes[end + 4..].to_vec() };
    let length = answer.header("content-length").parse::<usize>().ok();
    (head_only || length.is_none_or(|length| length == answer.body.len())).then_some(answer)
}

/// Somebody's uploads at one node.
pub struct Tus {
    pub address: SocketAddr,
    pub token: String,
}

impl Tus {
    pub fn of(world: &World, device: &Device) -> Self {
        Self { address: world.at(0), token: device.token().to_owned() }
    }

    /// A request with the token and the version.
    pub async fn ask(
        &self,
        verb: &str,
        path: &str,
        more: &[(&str, &str)],
        body: &[u8],
        cut: Cut,
    ) -> io::Result<Answer> {
        let mut headers =
            vec![("Authorization", format!("Bearer {}", self.token)), ("Tus-Resumable", "1.0.0".to_owned())];
        headers.extend(more.iter().map(|(name, value)| (*name, (*value).to_owned())));
        ask(self.address, verb, path, &headers, body, cut).await
    }

    /// The same with an answer that must come. Whoever was kept from asking for so long that the node let the line go asks again.
    pub async fn must(&self, verb: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Answer {
        for _ in 0..5 {
            match self.ask(verb, path, more, body, None).await {
                Ok(answer) => return answer,
                Err(error) => println!("{verb} {path}: {error}"),
            }
        }
        panic!("{verb} {path}: no answer");
    }

    /// Begins an upload. Returns its path.
    pub async fn create(&self, kind: &str, name: &str, size: usize) -> String {
        let metadata = format!("kind {},filename {}", STANDARD.encode(kind), STANDARD.encode(name));
        let answer = self
            .must("POST", "/files", &[("Upload-Length", &size.to_string()), ("Upload-Metadata", &metadata)], &[])
            .await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.header("location").to_owned()
    }

    /// Where an upload stands.
    pub async fn offset(&self, path: &str) -> u64 {
        let answer = self.must("HEAD", path, &[], &[]).await;
        assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{answer:?}");
        answer.number("upload-offset")
    }

    /// Bytes at an offset.
    pub async fn patch(&self, path: &str, offset: u64, bytes: &[u8], cut: Cut) -> io::Result<Answer> {
        let offset = offset.to_string();
        let headers = [("Content-Type", "application/offset+octet-stream"), ("Upload-Offset", offset.as_str())];
        self.ask("PATCH", path, &headers, bytes, cut).await
    }

    /// A whole upload. Returns its id.
    pub async fn upload(&self, world: &World, kind: &str, name: &str, bytes: &[u8]) -> String {
        let path = self.create(kind, name, bytes.len()).await;
        let answer = self.patch(&path, 0, bytes, None).await.expect("taken");
        assert_eq!((answer.status, answer.number("upload-offset")), (204, bytes.len() as u64), "{answer:?}");
        becomes(world, &path, "ready").await;
        id(&path).to_owned()
    }
}

/// The id in the path of an upload.
pub fn id(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// Waits until a file has come so far.
pub async fn becomes(world: &World, path: &str, state: &str) {
    let sql = format!("SELECT coalesce((SELECT state FROM files WHERE id = '{}'), 'gone')", id(path));
    within(&format!("{path} to be {state}"), async {
        while world.database.sql(&sql).trim() != state {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    })
    .await;
}

/// The hash of what is stored of a file, in hex.
pub fn stored_hash(world: &World, path: &str) -> String {
    world.database.sql(&format!("SELECT encode(blob, 'hex') FROM files WHERE id = '{}'", id(path))).trim().to_owned()
}

/// The same of bytes.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes that no other test has.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut dice = StdRng::seed_from_u64(seed);
    let mut bytes = vec![0; length];
    dice.fill(&mut bytes[..]);
    bytes
}

/// A seed that is printed, so that what failed can be repeated: `CHAPAR_TEST_SEED=…`.
pub fn seed() -> u64 {
    let seed = std::env::var("CHAPAR_TEST_SEED").ok().and_then(|it| it.parse().ok()).unwrap_or_else(rand::random);
    println!("CHAPAR_TEST_SEED={seed}");
    seed
}
