//! What is asked over HTTP: accounts.

use chapar_protocol::{
    WireError,
    account::{Register, SignIn, SignedIn},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Error, endpoint::Endpoint};

/// The HTTP API of one server.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
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
        // HTTP is used a few times in a session: an idle connection would only keep a draining server waiting.
        let builder = reqwest::Client::builder().pool_max_idle_per_host(0).no_proxy();
        let builder = builder.timeout(std::time::Duration::from_secs(30));
        let builder = match tls {
            Some(config) => builder.tls_backend_preconfigured(config.clone()),
            // Nothing is encrypted then, but reqwest wants a set-up all the same.
            None => builder.tls_backend_preconfigured(crate::tls::nobody()?),
        };
        let client = builder.build().map_err(|error| Error::Unreachable(error.to_string()))?;
        Ok(Self { client, endpoint })
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
