//! The little of RFC 6455 that a load generator needs: the upgrade, masked frames out, frames in without a copy.
//!
//! A general WebSocket library costs several microseconds and an allocation per frame. Here a frame is a slice of the
//! read buffer, and any number of frames leave in one write.

/// What kind of frame (section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// UTF-8 text.
    Text,
    /// The peer closes.
    Close,
    /// To be answered by a pong with the same payload.
    Ping,
    /// An answer to a ping.
    Pong,
}

/// A frame that lies whole in the buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Its kind.
    pub op: Op,
    /// Its payload.
    pub payload: &'a [u8],
    /// Bytes that it takes in the buffer, header included.
    pub size: usize,
}

/// What stands at the beginning of a buffer.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// A whole frame.
    Frame(Frame<'a>),
    /// Not a whole frame yet; this many bytes are needed in all, as far as can be told.
    Need(usize),
    /// Not what a server may send, or a fragmented message, which Chapar never sends.
    Bad(&'static str),
}

/// Reads the first frame of a buffer.
pub fn step(buffer: &[u8]) -> Step<'_> {
    let [first, second, rest @ ..] = buffer else { return Step::Need(2) };
    let op = match first {
        0x81 => Op::Text,
        0x88 => Op::Close,
        0x89 => Op::Ping,
        0x8A => Op::Pong,
        _ => return Step::Bad("a frame that is fragmented, binary or reserved"),
    };
    let (header, length) = match second {
        0..=125 => (2, usize::from(*second)),
        126 => match rest {
            [a, b, ..] => (4, usize::from(u16::from_be_bytes([*a, *b]))),
            _ => return Step::Need(4),
        },
        127 => match rest.first_chunk::<8>() {
            Some(bytes) => match usize::try_from(u64::from_be_bytes(*bytes)) {
                Ok(length) if length <= MAX_FRAME => (10, length),
                _ => return Step::Bad("a frame beyond 64 MiB"),
            },
            None => return Step::Need(10),
        },
        _ => return Step::Bad("a masked frame from a server"),
    };
    let size = header + length;
    match buffer.get(header..size) {
        Some(payload) => Step::Frame(Frame { op, payload, size }),
        None => Step::Need(size),
    }
}

/// The largest frame that is taken, in bytes.
pub const MAX_FRAME: usize = 64 << 20;

/// Appends a masked frame (section 5.3).
pub fn put(out: &mut Vec<u8>, op: Op, payload: &[u8], mask: u32) {
    out.push(match op {
        Op::Text => 0x81,
        Op::Close => 0x88,
        Op::Ping => 0x89,
        Op::Pong => 0x8A,
    });
    if let Ok(short @ 0..=125) = u8::try_from(payload.len()) {
        out.push(0x80 | short);
    } else if let Ok(medium) = u16::try_from(payload.len()) {
        out.push(0xFE);
        out.extend_from_slice(&medium.to_be_bytes());
    } else {
        out.push(0xFF);
        out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
    }
    let key = mask.to_be_bytes();
    out.extend_from_slice(&key);
    let start = out.len();
    out.extend_from_slice(payload);
    let wide = u64::from(mask) << 32 | u64::from(mask);
    let (eights, tail) = out[start..].as_chunks_mut::<8>();
    for eight in eights {
        *eight = (u64::from_be_bytes(*eight) ^ wide).to_be_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// The key of RFC 6455 section 1.3. It guards against proxies that answer from a cache; a load test has none, and
/// with a fixed key the right answer is known without SHA-1.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Appends the upgrade request (section 4.1).
pub fn put_upgrade(out: &mut Vec<u8>, host: &str) {
    let request = format!(
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Protocol: {}\r\n\r\n",
        chapar_protocol::SUBPROTOCOL
    );
    out.extend_from_slice(request.as_bytes());
}

/// Reads the answer to the upgrade: its length in bytes, or `None` while it is not whole.
///
/// # Errors
/// The status line, when the server refused, or what is wrong with a 101.
pub fn upgraded(buffer: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if buffer.len() > 16 * 1024 { Err("endless HTTP header".into()) } else { Ok(None) };
    };
    let head = String::from_utf8_lossy(&buffer[..end]);
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default();
    if status.split(' ').nth(1) != Some("101") {
        return Err(format!("upgrade refused: {status}"));
    }
    let header = |name: &str| {
        head.split("\r\n").filter_map(|line| line.split_once(':')).find(|it| it.0.eq_ignore_ascii_case(name))
    };
    if header("sec-websocket-accept").map(|it| it.1.trim()) != Some(ACCEPT) {
        return Err("wrong Sec-WebSocket-Accept".into());
    }
    if header("sec-websocket-protocol").map(|it| it.1.trim()) != Some(chapar_protocol::SUBPROTOCOL) {
        return Err("the server did not choose the subprotocol".into());
    }
    Ok(Some(end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a server does with a client's frame: unmasks it.
    fn unmask(frame: &[u8]) -> Vec<u8> {
        let header = match frame[1] & 0x7F {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        let key = &frame[header..header + 4];
        frame[header + 4..].iter().zip(key.iter().cycle()).map(|(byte, key)| byte ^ key).collect()
    }

    #[test]
    fn a_frame_survives_its_mask_at_every_length_form() {
        for length in [0, 1, 7, 8, 9, 125, 126, 300, 65_535, 65_536, 70_001] {
            let payload: Vec<u8> = (0..length).map(|at| u8::try_from(at % 251).expect("small")).collect();
            let mut out = Vec::new();
            put(&mut out, Op::Text, &payload, 0xDEAD_BEEF);
            assert_eq!(unmask(&out), payload, "{length} bytes");
        }
    }

    #[test]
    fn frames_are_found_however_the_bytes_arrive() {
        let long = "x".repeat(300);
        let mut wire = vec![0x81, 2, b'h', b'i', 0x89, 0, 0x81, 126, 1, 44];
        wire.extend_from_slice(long.as_bytes());
        for cut in 0..wire.len() {
            let (mut at, mut seen) = (0, Vec::new());
            for end in [cut, wire.len()] {
                while let Step::Frame(frame) = step(&wire[at..end]) {
                    seen.push((frame.op, frame.payload.len()));
                    at += frame.size;
                }
            }
            assert_eq!(seen, [(Op::Text, 2), (Op::Ping, 0), (Op::Text, 300)], "cut at {cut}");
        }
        assert!(matches!(step(&[0x81, 0x81, 0, 0]), Step::Bad(_)), "a server must not mask");
        assert!(matches!(step(&[0x01, 0]), Step::Bad(_)), "fragments are not taken");
    }

    #[test]
    fn a_refused_upgrade_says_why() {
        assert_eq!(upgraded(b"HTTP/1.1 101 Switching"), Ok(None));
        let refused = upgraded(b"HTTP/1.1 503 Service Unavailable\r\n\r\n").expect_err("refused");
        assert!(refused.contains("503"), "{refused}");
        let good = format!(
            "HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: {ACCEPT}\r\nSec-WebSocket-Protocol: chapar.v1\r\n\r\n"
        );
        assert_eq!(upgraded(good.as_bytes()), Ok(Some(good.len())));
    }
}
