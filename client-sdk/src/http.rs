//! What is asked over HTTP: accounts, and the bytes of files.

use chapar_protocol::{
    WireError,
    account::{Register, SignIn, SignedIn},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::time::Duration;

use crate::{Error, endpoint::Endpoint};

/// So long may the server say nothing in the middle of a file.
const SILENCE: Duration = Duration::from_mins(1);

/// The HTTP API of one server.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    /// For files: connections are used again, and nothing bounds how long an answer takes that goes on.
    files: reqwest::Client,
    endpoint: Endpoint,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Failure {
    Plain(WireError),
    Wrapped { error: WireError },
}

impl Http {
    pub(crate) fn new(endpoint: Endpoint, tls: Option<&rustls::ClientConfig>) -> Result<Self, Error> {
        // Nothing is encrypted without a set-up, but reqwest wants one all the same.
        let tls = tls.map_or_else(crate::tls::nobody, |config| Ok(config.clone()))?;
        let made = |builder: reqwest::ClientBuilder| {
            let builder = builder.no_proxy().tls_backend_preconfigured(tls.clone());
            builder.build().map_err(|error| Error::Unreachable(error.to_string()))
        };
        // HTTP is used a few times in a session: an idle connection would only keep a draining server waiting.
        let client = made(reqwest::Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(30)))?;
        let files = reqwest::Client::builder().connect_timeout(Duration::from_secs(10)).read_timeout(SILENCE);
        let files = made(files.pool_idle_timeout(Duration::from_secs(5)))?;
        Ok(Self { client, files, endpoint })
    }

    /// A request about a file. `path` is one of this server, with or without the place under which a proxy serves it.
    pub(crate) fn file(&self, verb: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        self.files.request(verb, self.endpoint.http(path))
    }

    /// What went wrong, of an answer that is no success.
    pub(crate) async fn failure(response: reqwest::Response) -> Error {
        let status = response.status().as_u16();
        match response.bytes().await.map(|body| serde_json::from_slice(&body)) {
            Ok(Ok(Failure::Plain(error) | Failure::Wrapped { error })) => Error::Server(error),
            _ => Error::Unreachable(format!("HTTP {status}")),
        }
    }

    pub(crate) async fn register(&self, ask: &Register) -> Result<SignedIn, Error> {
        self.post("/api/v1/register", ask, None).await
    }

    pub(crate) async fn sign_in(&self, ask: &SignIn) -> Result<SignedIn, Error> {
        self.post("/api/v1/sign-in", ask, None).await
    }

    pub(crate) async fn sign_out(&self, token: &str) -> Result<(), Error> {
        let _: serde_json::Value = self.post("/api/v1/sign-out", &serde_json::json!({}), Some(token)).await?;
        Ok(())
    }

    async fn post<A: Serialize, R: DeserializeOwned>(
        &self,
        path: &str,
        ask: &A,
        token: Option<&str>,
    ) -> Result<R, Error> {
        let mut request = self.client.post(self.endpoint.http(path)).json(ask);
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        // Without the URL: it says nothing that the caller did not know.
        let unreachable = |error: reqwest::Error| Error::Unreachable(error.without_url().to_string());
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        if status.is_success() {
            let body = if body.is_empty() { b"null" as &[u8] } else { &body };
            return serde_json::from_slice(body).map_err(|_| Error::BadReply);
        }
        match serde_json::from_slice(&body) {
            Ok(Failure::Plain(error) | Failure::Wrapped { error }) => Err(Error::Server(error)),
            Err(_) => Err(Error::Unreachable(format!("HTTP {}", status.as_u16()))),
        }
    }
}
