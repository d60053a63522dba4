//! HTTP requests of the tests: one connection each, JSON in and out.

use std::{fmt::Write as _, net::SocketAddr, time::Duration};

use chapar_protocol::{Command, WireError};
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::within;

#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub body: String,
}

impl Response {
    /// The body as the success of a command, or as its error.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, WireError> {
        if self.status == 200 {
            return Ok(serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e} in {}", self.body)));
        }
        let error: WireError =
            serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: status {}, {}", self.status, self.body));
        assert_eq!(error.code.http_status(), self.status, "{error:?}");
        Err(error)
    }
}

/// One request. `token` goes into the Authorization header.
///
/// # Errors
/// When the node is not there or hangs up before it has answered.
pub async fn try_request(
    address: SocketAddr,
    verb: &str,
    path: &str,
    token: Option<&str>,
    body: Option<&str>,
) -> std::io::Result<Response> {
    request_with(address, verb, path, token, None, body).await
}

/// As a proxy would pass it on for somebody elsewhere. The node must trust 127.0.0.1.
pub async fn post_from<B: Serialize, T: DeserializeOwned>(
    address: SocketAddr,
    path: &str,
    client: &str,
    body: &B,
) -> Result<T, WireError> {
    let body = serde_json::to_string(body).expect("serialises");
    let response = request_with(address, "POST", path, None, Some(client), Some(&body)).await;
    response.unwrap_or_else(|error| panic!("{path}: {error}")).read()
}

async fn request_with(
    address: SocketAddr,
    verb: &str,
    path: &str,
    token: Option<&str>,
    client: Option<&str>,
    body: Option<&str>,
) -> std::io::Result<Response> {
    within(&format!("{verb} {path}"), async {
        let mut stream = TcpStream::connect(address).await?;
        let mut head = format!("{verb} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
        if let Some(token) = token {
            let _ = write!(head, "Authorization: Bearer {token}\r\n");
        }
        if let Some(client) = client {
            let _ = write!(head, "X-Forwarded-For: {client}\r\n");
        }
        if let Some(body) = body {
            let length = body.len();
            let _ = write!(head, "Content-Type: application/json\r\nContent-Length: {length}\r\n");
        }
        head += "\r\n";
        stream.write_all(head.as_bytes()).await?;
        stream.write_all(body.unwrap_or_default().as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        parse(&bytes).ok_or_else(|| std::io::Error::from(std::io::ErrorKind::UnexpectedEof))
    })
    .await
}

pub async fn request(address: SocketAddr, verb: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Response {
    try_request(address, verb, path, token, body).await.unwrap_or_else(|error| panic!("{verb} {path}: {error}"))
}

pub async fn get(address: SocketAddr, path: &str) -> Response {
    // The only page besides the API that is not open to all.
    let token = (path == "/metrics").then_some(super::node::ADMIN_TOKEN);
    request(address, "GET", path, token, None).await
}

pub async fn post<B: Serialize, T: DeserializeOwned>(
    address: SocketAddr,
    path: &str,
    token: Option<&str>,
    body: &B,
) -> Result<T, WireError> {
    let body = serde_json::to_string(body).expect("serialises");
    request(address, "POST", path, token, Some(&body)).await.read()
}

/// A command over HTTP, until it is not told to wait: exactly as long as it was told.
pub async fn call<C: Command>(address: SocketAddr, token: &str, command: &C) -> Result<C::Reply, WireError> {
    let path = format!("/api/v1/call/{}", C::METHOD);
    loop {
        match post(address, &path, Some(token), command).await {
            Err(WireError { retry_after_ms: Some(wait), .. }) => {
                tokio::time::sleep(Duration::from_millis(wait.into())).await;
            }
            outcome => return outcome,
        }
    }
}

/// A metric's value now; `name` with its labels. Absent before its first count.
pub async fn metric(address: SocketAddr, name: &str) -> Option<f64> {
    let answer = get(address, "/metrics").await;
    answer.body.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}

fn parse(bytes: &[u8]) -> Option<Response> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let rest = &bytes[end + 4..];
    let is = |name: &str, wanted: &str| headers.iter().any(|(n, v)| n == name && v.eq_ignore_ascii_case(wanted));
    let body = if is("transfer-encoding", "chunked") {
        chunks(rest)?
    } else {
        let length = headers.iter().find(|h| h.0 == "content-length").and_then(|h| h.1.parse::<usize>().ok());
        if length.is_some_and(|length| length != rest.len()) {
            return None;
        }
        rest.to_vec()
    };
    Some(Response { status, body: String::from_utf8(body).ok()? })
}

fn chunks(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = rest.windows(2).position(|window| window == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..line]).ok()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(line + 2..line + 2 + size)?);
        rest = rest.get(line + 2 + size + 2..)?;
    }
}
