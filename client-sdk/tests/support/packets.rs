//! What holds for whatever the other side sends as sound. Also the properties of `client-sdk/fuzz`.

use chapar_client::calls::audio::{
    FRAME, Frame,
    receiver::Receiver,
    red::{self, MAX_BLOCKS, MAX_OFFSET},
};

/// The payload type of Opus in these streams.
pub(crate) const OPUS: u8 = 111;
/// Before each payload: milliseconds until it comes, flags, two bytes of timestamp, two of length.
pub(crate) const HEADER: usize = 6;
const IS_RED: u8 = 1;
const IS_WILD: u8 = 2;

/// RED: taken apart or refused; what is taken apart lies in the packet, and can be put together again.
pub(crate) fn redundant(packet: &[u8]) {
    let Some(blocks) = red::unpack(packet, OPUS) else { return };
    assert!(blocks.len() <= MAX_BLOCKS);
    let bytes: usize = blocks.iter().map(|block| block.payload.len()).sum();
    assert!(bytes < packet.len(), "more came out than was in it, or no header was");
    assert!(blocks.iter().all(|block| block.offset <= MAX_OFFSET && !block.payload.is_empty()));
    let Some((own, copies)) = blocks
        .split_last()
        .filter(|(own, copies)| own.offset == 0 && copies.iter().all(|it| it.offset > 0 && it.payload.len() < 1 << 10))
    else {
        return;
    };
    let again = red::pack(OPUS, own.payload, copies);
    assert_eq!(red::unpack(&again, OPUS).as_ref(), Some(&blocks), "packed and taken apart again it is the same");
}

/// A stream of payloads: each is played or passed over, in bounded time and memory.
pub(crate) fn stream(bytes: &[u8]) {
    let mut receiver = Receiver::new(true).expect("memory for a decoder");
    let (mut now, mut due, mut timestamp, mut pulled) = (0, 0, 0_u32, 0_u64);
    let mut rest = bytes;
    while let Some((header, after)) = rest.split_first_chunk::<HEADER>() {
        let [wait, flags, high, low, length_high, length_low] = *header;
        let length = usize::from(u16::from_be_bytes([length_high, length_low])).min(after.len());
        let (payload, next) = after.split_at(length);
        rest = next;
        now += u64::from(wait);
        let step = u32::from(u16::from_be_bytes([high, low]));
        // A jump to anywhere, or a step of up to a second and a half, forwards or backwards.
        timestamp = if flags & IS_WILD == 0 { timestamp.wrapping_add(step) } else { step.wrapping_mul(0x0001_0003) };
        redundant(payload);
        receiver.push(now, timestamp, payload, (flags & IS_RED != 0).then_some(OPUS));
        while due <= now {
            let mut frame: Frame = [0; FRAME];
            pulled += u64::from(receiver.pull(due, &mut frame).is_some());
            due += 20;
        }
        assert!(receiver.delay_ms() <= 1_000, "it waits {} ms", receiver.delay_ms());
    }
    let counted = receiver.counted();
    // A payload holds 120 ms at most; one that cannot be decoded is a frame of silence, so that no pull takes for ever.
    let played = counted.fec + counted.concealed + counted.stretched;
    assert!(played <= 48 * (pulled + 1), "{counted:?} in {pulled} frames");
}
