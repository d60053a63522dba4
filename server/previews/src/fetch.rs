//! One link, fetched: its host resolved once, each address checked, exactly those dialled and looked at again when connected; each redirect
//! the same anew. A connection serves one request.

use std::{
    io::Read,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body_util::{BodyExt, Empty};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{self, HeaderMap, HeaderName},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use url::{Host, Url};

use crate::{Failed, Networks, Resolve};

/// How often a link may lead on.
const REDIRECTS: usize = 5;
/// Addresses of one host that are tried, and how long each may take to take the connection.
const ADDRESSES: usize = 3;
const CONNECT: Duration = Duration::from_secs(3);
/// Bytes of a page that are read, packed and unpacked: the words about itself stand at its beginning.
const PAGE_BYTES: usize = 1024 * 1024;
/// Bytes of an image. A larger one is left out.
const IMAGE_BYTES: usize = 5 * 1024 * 1024;
/// Bytes of an answer's head.
const HEAD_BYTES: usize = 64 * 1024;
/// Some sites tell about themselves only to what says in its name that it makes previews.
const AGENT: &str = "Mozilla/5.0 (compatible; Chapar link preview bot)";

/// What is hoped for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// A page, of which the beginning does, or a picture by itself.
    Page,
    /// A picture, whole.
    Image,
}

/// What came.
pub(crate) struct Answer {
    /// Where it stood in the end.
    pub(crate) url: Url,
    pub(crate) body: Vec<u8>,
    pub(crate) charset: Option<String>,
    mime: String,
}

impl Answer {
    pub(crate) fn is_image(&self) -> bool {
        self.mime.starts_with("image/")
    }
}

pub(crate) struct Fetcher {
    pub(crate) networks: Networks,
    pub(crate) resolve: Resolve,
    pub(crate) tls: TlsConnector,
}

/// TLS by the machine's own authorities: operators add theirs to the system once.
pub(crate) fn trusting_the_machine() -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let (trusted, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if trusted == 0 {
        tracing::warn!("the machine trusts no authority: no preview of an https link can be made");
    }
    let versions = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap_or_else(|_| unreachable!("ring has the protocol versions that are the default"));
    Arc::new(versions.with_root_certificates(roots).with_no_client_auth())
}

impl Fetcher {
    /// Follows a link to its end.
    pub(crate) async fn fetch(&self, mut url: Url, wanted: Wanted) -> Result<Answer, Failed> {
        for _ in 0..=REDIRECTS {
            if !self.networks.may_ask(&url) {
                return Err(Failed::Forbidden);
            }
            let answer = self.ask(&url, wanted).await?;
            if !leads_on(answer.status()) {
                return self.take(url, answer, wanted).await;
            }
            let place = text_of(answer.headers(), &header::LOCATION).ok_or_else(|| nothing("it leads nowhere"))?;
            url = url.join(place).map_err(|_| nothing("it leads nowhere"))?;
        }
        Err(nothing("it leads on and on"))
    }

    async fn ask(&self, url: &Url, wanted: Wanted) -> Result<Response<Incoming>, Failed> {
        let stream = self.dial(url).await?;
        if url.scheme() == "http" {
            return request(stream, url, wanted).await;
        }
        let name = match url.host() {
            Some(Host::Domain(name)) => ServerName::try_from(name.to_owned()).map_err(|_| Failed::Forbidden)?,
            Some(Host::Ipv4(address)) => ServerName::IpAddress(IpAddr::from(address).into()),
            Some(Host::Ipv6(address)) => ServerName::IpAddress(IpAddr::from(address).into()),
            None => return Err(Failed::Forbidden),
        };
        let stream = self.tls.connect(name, stream).await.map_err(nothing)?;
        request(stream, url, wanted).await
    }

    /// A connection to one of the addresses that the host has now, if none but such as may be.
    async fn dial(&self, url: &Url) -> Result<TcpStream, Failed> {
        let port = url.port_or_known_default().ok_or(Failed::Forbidden)?;
        let addresses = match url.host().ok_or(Failed::Forbidden)? {
            Host::Ipv4(address) => vec![IpAddr::from(address)],
            Host::Ipv6(address) => vec![IpAddr::from(address)],
            Host::Domain(name) => (self.resolve)(name.to_owned()).await.map_err(nothing)?,
        };
        // A host with an address that may not be is one that has something to do with what is inside.
        if addresses.is_empty() || !addresses.iter().all(|it| self.networks.may_dial(*it)) {
            return Err(Failed::Forbidden);
        }
        let mut failed = nothing("no address answers");
        for address in addresses.into_iter().take(ADDRESSES) {
            match timeout(CONNECT, TcpStream::connect(SocketAddr::new(address, port))).await {
                Ok(Ok(stream)) => {
                    // What the connection reaches counts, whatever was dialled.
                    let reached = stream.peer_addr().map_err(nothing)?.ip();
                    return if self.networks.may_dial(reached) { Ok(stream) } else { Err(Failed::Forbidden) };
                }
                Ok(Err(error)) => failed = nothing(error),
                Err(_) => {}
            }
        }
        Err(failed)
    }

    async fn take(&self, url: Url, answer: Response<Incoming>, wanted: Wanted) -> Result<Answer, Failed> {
        if answer.status() != StatusCode::OK {
            return Err(nothing(answer.status()));
        }
        let headers = answer.headers();
        let kind = text_of(headers, &header::CONTENT_TYPE).unwrap_or_default().to_ascii_lowercase();
        let mime = kind.split(';').next().unwrap_or_default().trim().to_owned();
        let image = mime.starts_with("image/");
        let page = wanted == Wanted::Page && matches!(mime.as_str(), "text/html" | "application/xhtml+xml");
        let saved =
            text_of(headers, &header::CONTENT_DISPOSITION).is_some_and(|it| !it.trim_start().starts_with("inline"));
        if !(image || page) || saved {
            return Err(nothing("it is no page"));
        }
        let said = kind.split(';').skip(1).find_map(|it| it.trim().strip_prefix("charset=").map(str::to_owned));
        let charset = said.map(|it| it.trim_matches(['"', '\'']).to_owned());
        let packed = text_of(headers, &header::CONTENT_ENCODING).unwrap_or("identity").to_ascii_lowercase();
        let most = if image { IMAGE_BYTES } else { PAGE_BYTES };
        let mut whole = Vec::new();
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(nothing)?.into_data() else { continue };
            if whole.len() + data.len() > most {
                if image {
                    return Err(nothing("the picture is too large"));
                }
                whole.extend_from_slice(&data[..most - whole.len()]);
                break;
            }
            whole.extend_from_slice(&data);
            if page && packed == "identity" && crate::page::has_head(&whole, data.len()) {
                break;
            }
        }
        let body = unpack(whole, &packed, most)?;
        if image && body.len() >= most {
            return Err(nothing("the picture is too large"));
        }
        Ok(Answer { url, body, charset, mime })
    }
}

async fn request<S>(stream: S, url: &Url, wanted: Wanted) -> Result<Response<Incoming>, Failed>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES).handshake(TokioIo::new(stream)).await.map_err(nothing)?;
    // Ends with the answer's body, or when nobody wants it any more.
    tokio::spawn(connection);
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let accept = match wanted {
        Wanted::Page => "text/html,application/xhtml+xml,image/*;q=0.5",
        Wanted::Image => "image/webp,image/png,image/jpeg,image/gif",
    };
    let request = Request::builder()
        .method(Method::GET)
        .uri(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, AGENT)
        .header(header::ACCEPT, accept)
        .header(header::ACCEPT_ENCODING, "gzip")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(nothing)?;
    sender.send_request(request).await.map_err(nothing)
}

fn leads_on(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// No more than `most` bytes, whatever is packed in how few. What is cut off or damaged counts up to there.
fn unpack(packed: Vec<u8>, how: &str, most: usize) -> Result<Vec<u8>, Failed> {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let mut out = Vec::new();
    let _ = match how.trim() {
        "identity" | "" => return Ok(packed),
        "gzip" | "x-gzip" => MultiGzDecoder::new(packed.as_slice()).take(most).read_to_end(&mut out),
        "deflate" => ZlibDecoder::new(packed.as_slice()).take(most).read_to_end(&mut out),
        other => return Err(nothing(format!("it is packed as {other}"))),
    };
    Ok(out)
}

fn text_of<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[expect(clippy::needless_pass_by_value, reason = "errors come to it by map_err")]
fn nothing(why: impl ToString) -> Failed {
    Failed::Nothing(why.to_string())
}
