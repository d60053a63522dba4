//! The operator's scanner for viruses: clamd, by its command INSTREAM.

use std::{io, path::Path, time::Duration};

use chapar_settings::ScannerAddress;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    time::timeout,
};

/// How long the scanner may take for one file, beside the time for its bytes.
const PATIENCE: Duration = Duration::from_mins(2);
/// Bytes in one chunk of a stream.
const CHUNK: usize = 64 * 1024;
/// Longest answer, in bytes.
const ANSWER: u64 = 4096;

/// What the scanner says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing was found.
    Clean,
    /// Something of this name.
    Found(String),
    /// It takes no stream of this length (`StreamMaxLength`).
    TooLarge,
}

/// See the module.
pub(crate) struct Scanner {
    address: ScannerAddress,
    fail_open: bool,
}

impl Scanner {
    pub(crate) fn new(address: ScannerAddress, fail_open: bool) -> Self {
        Self { address, fail_open }
    }

    /// Whether files pass that could not be looked at.
    pub(crate) fn lets_through(&self) -> bool {
        self.fail_open
    }

    pub(crate) async fn scan(&self, path: &Path) -> io::Result<Verdict> {
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "no answer in time");
        match &self.address {
            ScannerAddress::Tcp(address) => {
                let stream = timeout(PATIENCE, TcpStream::connect(address.as_str())).await.map_err(late)??;
                timeout(PATIENCE, ask(stream, path)).await.map_err(late)?
            }
            ScannerAddress::Unix(socket) => {
                let stream = timeout(PATIENCE, UnixStream::connect(socket)).await.map_err(late)??;
                timeout(PATIENCE, ask(stream, path)).await.map_err(late)?
            }
        }
    }
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, path: &Path) -> io::Result<Verdict> {
    let mut file = tokio::fs::File::open(path).await?;
    // Where it is too much, clamd answers and closes: the answer is there to be read after a write has failed.
    let sent = send(&mut stream, &mut file).await;
    let mut answer = Vec::new();
    let read = (&mut stream).take(ANSWER).read_to_end(&mut answer).await;
    if answer.is_empty() {
        sent?;
        read?;
    }
    verdict(&String::from_utf8_lossy(&answer))
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, file: &mut tokio::fs::File) -> io::Result<()> {
    stream.write_all(b"zINSTREAM\0").await?;
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = file.read(&mut chunk).await?;
        stream.write_all(&u32::try_from(read).unwrap_or(0).to_be_bytes()).await?;
        if read == 0 {
            return stream.flush().await;
        }
        stream.write_all(&chunk[..read]).await?;
    }
}

fn verdict(answer: &str) -> io::Result<Verdict> {
    let answer = answer.trim_end_matches(['\0', '\n']);
    let said = answer.strip_prefix("stream: ").unwrap_or(answer);
    if said == "OK" {
        return Ok(Verdict::Clean);
    }
    if let Some(name) = said.strip_suffix(" FOUND") {
        return Ok(Verdict::Found(name.to_owned()));
    }
    if said.contains("size limit exceeded") {
        return Ok(Verdict::TooLarge);
    }
    Err(io::Error::other(format!("the scanner says {answer:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let read = |answer| verdict(answer).ok();
        assert_eq!(read("stream: OK\0"), Some(Verdict::Clean));
        assert_eq!(read("stream: Eicar-Test.UNOFFICIAL FOUND\0"), Some(Verdict::Found("Eicar-Test.UNOFFICIAL".into())));
        assert_eq!(read("INSTREAM size limit exceeded. ERROR\0"), Some(Verdict::TooLarge));
        assert_eq!(read(""), None);
        assert_eq!(read("stream: Can't allocate memory ERROR\0"), None);
    }
}
