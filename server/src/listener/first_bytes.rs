//! What a connection speaks, by its first bytes: a message of STUN begins with two zero bits and has a magic cookie after
//! four bytes (RFC 8489 section 5); a request of HTTP begins with a letter.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};

/// How many bytes it takes to tell.
const ENOUGH: usize = 8;
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// What a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// HTTP, or nothing that is known: HTTP answers that.
    Http,
    /// STUN or TURN.
    Stun,
}

/// A stream of which some bytes have been read already: they come first.
pub(super) struct Rewound<S> {
    first: [u8; ENOUGH],
    /// Which of them have not been given out yet.
    from: usize,
    to: usize,
    stream: S,
}

/// Reads until it can be told. A client that says nothing keeps this waiting.
pub(super) async fn look<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Speaks, Rewound<S>)> {
    let (mut first, mut to) = ([0; ENOUGH], 0);
    let speaks = loop {
        match tell(&first[..to]) {
            Some(speaks) => break speaks,
            None => match stream.read(&mut first[to..]).await? {
                0 => break Speaks::Http,
                read => to += read,
            },
        }
    };
    Ok((speaks, Rewound { first, from: 0, to, stream }))
}

/// `None` while it cannot be told yet.
fn tell(first: &[u8]) -> Option<Speaks> {
    match first {
        [] => None,
        [byte, ..] if byte >> 6 != 0 => Some(Speaks::Http),
        _ if first.len() < ENOUGH => None,
        _ if first[4..] == COOKIE => Some(Speaks::Stun),
        _ => Some(Speaks::Http),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Rewound<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.from < this.to {
            let count = buffer.remaining().min(this.to - this.from);
            buffer.put_slice(&this.first[this.from..this.from + count]);
            this.from += count;
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut this.stream).poll_read(cx, buffer))?;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Rewound<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_is_told_and_nothing_is_lost() {
        let allocate: &[u8] = &[0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let other: &[u8] = &[0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x43, 1, 2];
        let cases: [(&[u8], Speaks); 6] = [
            (b"GET / HTTP/1.1\r\n\r\n", Speaks::Http),
            (b"G", Speaks::Http),
            (b"", Speaks::Http),
            (b"\r\n\r\n\r\n\r\n", Speaks::Http),
            (other, Speaks::Http),
            (allocate, Speaks::Stun),
        ];
        for (bytes, speaks) in cases {
            let (told, mut stream) = look(bytes).await.expect("reads");
            assert_eq!(told, speaks, "{bytes:?}");
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.expect("reads");
            assert_eq!(all, bytes);
        }
    }

    #[tokio::test]
    async fn pieces_are_put_together() {
        let allocate = [0, 3, 0, 8, 0x21, 0x12, 0xa4, 0x42, 1, 2];
        let pieces = allocate[..1].chain(&allocate[1..5]).chain(&allocate[5..]);
        let (told, mut stream) = look(pieces).await.expect("reads");
        assert_eq!(told, Speaks::Stun);
        let mut all = Vec::new();
        while stream.read_buf(&mut all).await.expect("reads") > 0 {}
        assert_eq!(all, allocate);
    }
}
