//! Frames: what a datagram or the next bytes of a stream are (RFC 8656, sections 12.4 and 12.5).

/// The numbers of channels. RFC 8656 (section 12) ends at 0x4fff, but clients made for RFC 5766 use all of these, coturn's
/// among them, and here nothing else begins with such bytes.
pub const CHANNELS: std::ops::RangeInclusive<u16> = 0x4000..=0x7fff;
/// Length of a STUN header.
pub const STUN_HEADER: usize = 20;
/// Length of a `ChannelData` header.
pub const CHANNEL_HEADER: usize = 4;
/// The longest frame taken from a client, in bytes. A path's MTU is less; a longer one is not media.
pub const MAX_FRAME: usize = 2044;

/// A frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A STUN message: the header is plausible, nothing else has been checked.
    Stun(&'a [u8]),
    /// Data on a channel.
    Channel {
        /// One of [`CHANNELS`].
        number: u16,
        /// The payload, without padding.
        data: &'a [u8],
    },
}

/// The bytes are neither STUN nor `ChannelData`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("neither STUN nor ChannelData")]
pub struct NotTurn;

/// Reads a whole frame: a datagram, or what [`stream_length`] measured.
///
/// # Errors
/// [`NotTurn`] for anything else, and for lengths that do not fit.
pub fn parse(bytes: &[u8]) -> Result<Frame<'_>, NotTurn> {
    let [first, second, length @ ..] = bytes else { return Err(NotTurn) };
    let Some(length) = length.first_chunk::<2>().map(|length| usize::from(u16::from_be_bytes(*length))) else {
        return Err(NotTurn);
    };
    match first >> 6 {
        0 => {
            let exact = bytes.len() == STUN_HEADER + length && length % 4 == 0;
            let cookie = bytes.get(4..8) == Some(&[0x21, 0x12, 0xa4, 0x42]);
            if exact && cookie { Ok(Frame::Stun(bytes)) } else { Err(NotTurn) }
        }
        1 => {
            // A datagram may carry padding that its header does not count.
            let data = bytes.get(CHANNEL_HEADER..CHANNEL_HEADER + length).ok_or(NotTurn)?;
            Ok(Frame::Channel { number: u16::from_be_bytes([*first, *second]), data })
        }
        _ => Err(NotTurn),
    }
}

/// How many bytes of a stream the next frame takes, with padding; `None` if the first four are not all there yet.
///
/// # Errors
/// [`NotTurn`] if the stream does not continue with a frame, or with one longer than [`MAX_FRAME`]: it cannot be
/// resynchronised and has to be closed.
pub fn stream_length(bytes: &[u8]) -> Result<Option<usize>, NotTurn> {
    let Some(head) = bytes.first_chunk::<4>() else {
        // One byte is enough to see that something else is being spoken.
        return if bytes.first().is_some_and(|first| *first > 0x7f) { Err(NotTurn) } else { Ok(None) };
    };
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    let total = match head[0] {
        0..=0x3f if length % 4 == 0 => STUN_HEADER + length,
        0x40..=0x7f => (CHANNEL_HEADER + length).next_multiple_of(4),
        _ => return Err(NotTurn),
    };
    if total > MAX_FRAME { Err(NotTurn) } else { Ok(Some(total)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_pads_channel_data_and_a_datagram_need_not() {
        let datagram = [0x40, 0, 0, 5, 1, 2, 3, 4, 5];
        assert_eq!(parse(&datagram), Ok(Frame::Channel { number: 0x4000, data: &[1, 2, 3, 4, 5] }));
        assert_eq!(stream_length(&datagram), Ok(Some(12)));
        assert_eq!(parse(&[0x40, 0, 0, 6, 1, 2, 3, 4, 5]), Err(NotTurn), "shorter than it says");
        assert_eq!(parse(&[0x80, 0, 0, 0]), Err(NotTurn), "beyond the channels");
    }

    #[test]
    fn a_stream_of_something_else_is_seen_at_once() {
        assert_eq!(stream_length(b"G"), Ok(None), "0x47 could begin a channel number");
        assert_eq!(stream_length(b"GET "), Err(NotTurn), "but 0x5420 bytes are no frame");
        assert_eq!(stream_length(&[0x80]), Err(NotTurn));
        assert_eq!(stream_length(&[0, 1, 0]), Ok(None));
        assert_eq!(stream_length(&[0, 1, 0, 3]), Err(NotTurn));
        assert_eq!(stream_length(&[0, 1, 0xff, 0xfc]), Err(NotTurn));
    }
}
