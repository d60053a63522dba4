//! Where a server is: one URL from which the addresses of the WebSocket and of the HTTP API follow.

use tokio_tungstenite::tungstenite::http::Uri;

/// A server's address, read from `http://`, `https://`, `ws://` or `wss://` with an optional port and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    secure: bool,
    host: String,
    port: u16,
    base: String,
}

/// The URL is not one of a Chapar server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a server address (http, https, ws or wss with a host): {0}")]
pub struct BadUrl(pub String);

impl Endpoint {
    /// Reads a URL. A path is kept as the place under which a proxy serves Chapar; a trailing `/ws` is dropped.
    ///
    /// # Errors
    /// [`BadUrl`] for another scheme, a missing host, or what is no URL.
    pub fn parse(url: &str) -> Result<Self, BadUrl> {
        let bad = || BadUrl(url.to_owned());
        let uri: Uri = url.trim().parse().map_err(|_| bad())?;
        let secure = match uri.scheme_str() {
            Some("http" | "ws") => false,
            Some("https" | "wss") => true,
            _ => return Err(bad()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(bad)?.to_owned();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path().trim_end_matches('/');
        let base = path.strip_suffix("/ws").unwrap_or(path).to_owned();
        Ok(Self { secure, host, port, base })
    }

    /// Whether the connection is encrypted.
    pub fn secure(&self) -> bool {
        self.secure
    }

    /// The host as a resolver takes it: an IPv6 address without brackets.
    pub fn host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of the WebSocket.
    pub fn websocket(&self) -> String {
        let scheme = if self.secure { "wss" } else { "ws" };
        format!("{scheme}://{}:{}{}/ws", self.host, self.port, self.base)
    }

    /// The address of a path of the HTTP API, such as `/api/v1/sign-in`.
    pub fn http(&self, path: &str) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}:{}{}{path}", self.host, self.port, self.base)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_url_names_both_addresses() {
        for url in ["http://127.0.0.1:8080", "ws://127.0.0.1:8080/", "ws://127.0.0.1:8080/ws"] {
            let endpoint = Endpoint::parse(url).expect("valid");
            assert_eq!(endpoint.websocket(), "ws://127.0.0.1:8080/ws");
            assert_eq!(endpoint.http("/api/v1/me"), "http://127.0.0.1:8080/api/v1/me");
        }
        let endpoint = Endpoint::parse("https://chat.example/chapar/").expect("valid");
        assert_eq!(endpoint.websocket(), "wss://chat.example:443/chapar/ws");
        assert_eq!(Endpoint::parse("http://[::1]:1").expect("valid").host(), "::1");
    }

    #[test]
    fn other_schemes_are_refused() {
        for url in ["", "chat.example", "ftp://chat.example", "http://"] {
            Endpoint::parse(url).expect_err(url);
        }
    }
}
