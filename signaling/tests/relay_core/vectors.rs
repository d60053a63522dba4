//! The test vectors of RFC 5769, through the codec in the way the relay uses it, and through the core where they fit.

use chapar_signaling::relay::frame::{Frame, parse};
use stun_types::{
    attribute::{ErrorCode, Realm, Software, UnknownAttributes, Username, XorMappedAddress},
    message::{IntegrityAlgorithm, LongTermKeyCredentials, Message, MessageIntegrityCredentials, ShortTermCredentials},
};

use crate::client::{Relay, Sent, tuple};

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap()).collect()
}

const REQUEST: &str = "00010058 2112a442 b7e7a701 bc34d686 fa87dfae 80220010 5354554e 20746573 7420636c 69656e74 \
    00240004 6e0001ff 80290008 932ff9b1 51263b36 00060009 6576746a 3a683676 59202020 00080014 9aeaa70c bfd8cb56 \
    781ef2b5 b2d3f249 c1b571a2 80280004 e57a3bcf";
const RESPONSE_V4: &str = "0101003c 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200008 \
    0001a147 e112a643 00080014 2b91f599 fd9e90c3 8c7489f9 2af9ba53 f06be7d7 80280004 c07d4c96";
const RESPONSE_V6: &str = "01010048 2112a442 b7e7a701 bc34d686 fa87dfae 8022000b 74657374 20766563 746f7220 00200014 \
    0002a147 0113a9fa a5d3f179 bc25f4b5 bed2b9d9 00080014 a382954e 4be67bf1 1784c97c 8292c275 bfe3ed41 80280004 \
    c8fb0b4c";
const LONG_TERM: &str = "00010060 2112a442 78ad3433 c6ad72c0 29da412e 00060012 e3839ee3 8388e383 aae38383 e382af\
    e382b9 0000 0015001c 662f2f34 39396b39 35346436 4f4c3334 6f4c3946 53547679 3634734 1 0014000b 6578616d 706c652e \
    6f726700 00080014 f67024656dd64a3e02b8e0712e85c9a28ca89666";

#[test]
fn short_term_messages_of_rfc_5769_are_read() {
    let key = MessageIntegrityCredentials::ShortTerm(ShortTermCredentials::new("VOkJxbRl1RmTxUk/WvJxBt".to_owned()));
    for (vector, mapped) in [
        (REQUEST, None),
        (RESPONSE_V4, Some("192.0.2.1:32853")),
        (RESPONSE_V6, Some("[2001:db8:1234:5678:11:2233:4455:6677]:32853")),
    ] {
        let bytes = bytes(vector);
        assert_eq!(parse(&bytes), Ok(Frame::Stun(&bytes)));
        let message = Message::from_bytes(&bytes).unwrap();
        assert_eq!(message.validate_integrity(&key).unwrap(), IntegrityAlgorithm::Sha1);
        assert!(message.attribute::<Software>().is_ok());
        if let Some(mapped) = mapped {
            let address = message.attribute::<XorMappedAddress>().unwrap().addr(message.transaction_id());
            assert_eq!(address, mapped.parse().unwrap());
        }
    }
}

#[test]
fn the_long_term_request_of_rfc_5769_is_read() {
    let bytes = bytes(LONG_TERM);
    assert_eq!(parse(&bytes), Ok(Frame::Stun(&bytes)));
    let message = Message::from_bytes(&bytes).unwrap();
    assert_eq!(message.attribute::<Username>().unwrap().username(), "マトリックス");
    assert_eq!(message.attribute::<Realm>().unwrap().realm(), "example.org");
    // The password of the vector after SASLprep.
    let key = LongTermKeyCredentials::new("マトリックス".to_owned(), "TheMatrIX".to_owned(), "example.org".to_owned());
    assert!(message.validate_integrity(&MessageIntegrityCredentials::LongTerm(key)).is_ok());
}

#[test]
fn the_request_of_rfc_5769_is_told_that_this_is_no_ice_agent() {
    let mut relay = Relay::new();
    let sent = relay.input(tuple("5.6.7.8:999"), &bytes(REQUEST));
    let [Sent::Client(_, reply)] = &sent[..] else { panic!("{sent:?}") };
    let message = Message::from_bytes(reply).unwrap();
    assert_eq!(message.attribute::<ErrorCode>().unwrap().code(), 420);
    let unknown = message.attribute::<UnknownAttributes>().unwrap();
    assert!(unknown.has_attribute(0x0024.into()) && !unknown.has_attribute(0x0006.into()), "PRIORITY only");
    assert_eq!(&reply[8..20], &bytes(REQUEST)[8..20]);
}
