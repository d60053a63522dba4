//! The URLs of relays (RFC 7064, RFC 7065).

/// How a relay is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Transport {
    Udp,
    Tcp,
    Tls,
}

/// A relay's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelayUrl {
    pub(crate) transport: Transport,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// Only for questions, not for relaying.
    pub(crate) stun: bool,
}

impl RelayUrl {
    /// `None` for what is none of the three schemes, or asks for a transport that is not spoken (DTLS).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = text.split_once(':')?;
        let (authority, query) = rest.split_once('?').unwrap_or((rest, ""));
        let asked = query.split('&').find_map(|pair| pair.strip_prefix("transport="));
        let (transport, stun, default_port) = match (scheme, asked) {
            ("stun", None) => (Transport::Udp, true, 3478),
            ("turn", None | Some("udp")) => (Transport::Udp, false, 3478),
            ("turn", Some("tcp")) => (Transport::Tcp, false, 3478),
            ("turns", None | Some("tcp")) => (Transport::Tls, false, 5349),
            _ => return None,
        };
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, port.strip_prefix(':'))
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = port.map_or(Some(default_port), |port| port.parse().ok().filter(|port| *port != 0))?;
        (!host.is_empty()).then(|| Self { transport, host: host.to_owned(), port, stun })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms_are_read() {
        let read = |text: &str| RelayUrl::parse(text).map(|url| (url.transport, url.host, url.port, url.stun));
        let host = |name: &str| name.to_owned();
        assert_eq!(read("stun:r.example:3478"), Some((Transport::Udp, host("r.example"), 3478, true)));
        assert_eq!(read("turn:192.0.2.7?transport=udp"), Some((Transport::Udp, host("192.0.2.7"), 3478, false)));
        assert_eq!(
            read("turn:[2001:db8::1]:3479?transport=tcp"),
            Some((Transport::Tcp, host("2001:db8::1"), 3479, false))
        );
        assert_eq!(read("turns:r.example:443"), Some((Transport::Tls, host("r.example"), 443, false)));
        for bad in ["", "turn:", "http://x", "turns:x?transport=udp", "turn:x:0", "turn:x:99999", "turn:[::1"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
