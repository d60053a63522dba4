//! What stands behind a link: fetched once, by the server, for whoever is about to send it.
//!
//! ```text
//! url ──▶ address: may it be asked? ──▶ fetch: resolve, check, dial exactly that, check again ──redirect──▶ the same once more
//!                                          └──▶ charset ──▶ page: title, description, image ──▶ fetch the image
//! ```
//! What people type makes this node open connections, so whatever is not certainly on the open Internet, or named by the operator, is
//! refused: by the address that is dialled, never by the name. Nothing goes through a proxy: one would resolve names by itself.
#![forbid(unsafe_code)]

mod address;
mod charset;
mod fetch;
mod page;
mod text;

use std::{future::Future, io, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::timeout};
use tokio_rustls::TlsConnector;
use url::Url;

pub use address::Networks;

use fetch::{Fetcher, Wanted};

/// Links that are looked at at the same time on one node.
const AT_ONCE: usize = 8;
/// How long one may wait for its turn.
const TURN: Duration = Duration::from_secs(5);
/// How long a page with its redirects may take, and then its image.
const PATIENCE: Duration = Duration::from_secs(8);

/// Addresses of a host by its name.
pub type Resolve = Arc<dyn Fn(String) -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> + Send + Sync>;

/// Looks at links.
pub struct Previews {
    fetcher: Fetcher,
    turns: Semaphore,
    patience: Duration,
}

/// What a page says of itself: clean text of bounded length.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whose page it is: what the site calls itself, else its host.
    pub site: String,
    /// What it is called.
    pub title: Option<String>,
    /// What it is about.
    pub description: Option<String>,
    /// A picture as it came: nobody has looked at it.
    pub image: Option<Vec<u8>>,
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    /// It leads to where this server does not look.
    #[error("this link is none that a preview is made of")]
    Forbidden,
    /// Too much is asked for at the moment.
    #[error("too many links are looked at just now")]
    Busy,
    /// It does not answer, or not with a page.
    #[error("there is nothing to see: {0}")]
    Nothing(String),
}

/// A link in the one form under which what is behind it is known. `None`: no preview is made of it.
pub fn canonical(link: &str) -> Option<String> {
    let mut url = Url::parse(link.trim()).ok()?;
    url.set_fragment(None);
    address::speaks_http(&url).then(|| url.to_string())
}

impl Previews {
    /// Looks where `networks` lets it, by the names that the machine knows.
    pub fn new(networks: Networks) -> Self {
        let resolve = |host: String| -> Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send>> {
            Box::pin(async move {
                let found = tokio::net::lookup_host((host, 0)).await?;
                Ok(found.map(|it| it.ip()).collect())
            })
        };
        Self::with(networks, Arc::new(resolve))
    }

    /// The same, by names that are known otherwise.
    pub fn with(networks: Networks, resolve: Resolve) -> Self {
        let fetcher = Fetcher { networks, resolve, tls: TlsConnector::from(fetch::trusting_the_machine()) };
        Self { fetcher, turns: Semaphore::new(AT_ONCE), patience: PATIENCE }
    }

    /// With another time for a page, and for its image.
    #[must_use]
    pub fn patient(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// What stands behind a link.
    ///
    /// # Errors
    /// See [`Failed`].
    pub async fn look(&self, link: &str) -> Result<Found, Failed> {
        let url = Url::parse(link).map_err(|_| Failed::Forbidden)?;
        let Ok(Ok(_turn)) = timeout(TURN, self.turns.acquire()).await else { return Err(Failed::Busy) };
        let late = |_| Failed::Nothing("it took too long".to_owned());
        let answer = timeout(self.patience, self.fetcher.fetch(url, Wanted::Page)).await.map_err(late)??;
        let host = answer.url.host_str().unwrap_or_default();
        let host = host.strip_prefix("www.").unwrap_or(host).to_owned();
        if answer.is_image() {
            return Ok(Found { site: host, image: Some(answer.body), ..Found::default() });
        }
        let read = page::read(&charset::decode(&answer.body, answer.charset.as_deref()));
        let image = match read.image.and_then(|image| answer.url.join(&image).ok()) {
            // Without its picture a page is still worth showing.
            Some(url) => match timeout(self.patience, self.fetcher.fetch(url, Wanted::Image)).await {
                Ok(Ok(image)) => Some(image.body),
                _ => None,
            },
            None => None,
        };
        if read.title.is_none() && read.description.is_none() && image.is_none() {
            return Err(Failed::Nothing("the page says nothing of itself".to_owned()));
        }
        Ok(Found { site: read.site.unwrap_or(host), title: read.title, description: read.description, image })
    }
}
