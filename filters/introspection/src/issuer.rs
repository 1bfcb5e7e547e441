//! How the issuer is asked: a form (RFC 7662 §2.1), and what the gateway proves itself with.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Method, header};
use tollgate_filter_api::{HeaderValue, Problem, Remote, RemoteRequest, RemoteResponse};

use crate::{config, own_token::OwnToken};

/// The introspection endpoint.
pub(crate) struct Issuer {
    pub remote: Arc<dyn Remote>,
    /// Its URL without a query, for the log.
    pub place: String,
    pub proof: Proof,
    /// Shown in place of the client's secret.
    pub own: Option<Arc<OwnToken>>,
}

impl Issuer {
    /// What it answers about a token.
    pub(crate) async fn ask(&self, token: &str) -> Result<RemoteResponse, String> {
        let form = format!("token={}&token_type_hint=access_token", encoded(token));
        let Some(own) = &self.own else { return self.send(self.proof.request(form)).await };
        let bearer = own.get().await?;
        let response = self.send(request(Some(&bearer), form.clone())).await?;
        // It may have been revoked, or be of an issuer that forgot it.
        if response.status == 401 && own.forget(&bearer) {
            let bearer = own.get().await?;
            return self.send(request(Some(&bearer), form)).await;
        }
        Ok(response)
    }

    async fn send(&self, request: RemoteRequest) -> Result<RemoteResponse, String> {
        self.remote.call(request).await.map_err(|error| error.to_string())
    }
}

/// A client's ID and secret, as they are sent.
pub(crate) struct Proof {
    authorization: Option<HeaderValue>,
    /// Behind every form.
    members: String,
}

impl Proof {
    /// In `Authorization` (RFC 6749 §2.3.1), or in the form.
    ///
    /// # Errors
    /// When they cannot be sent.
    pub(crate) fn new(client: &config::Client) -> Result<Self, Problem> {
        let (id, secret) = (encoded(&client.id), encoded(client.secret.expose()));
        if client.post {
            return Ok(Self { authorization: None, members: format!("&client_id={id}&client_secret={secret}") });
        }
        let basic = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))));
        let mut basic = basic.map_err(|_| Problem::setting("/client", "cannot be sent"))?;
        basic.set_sensitive(true);
        Ok(Self { authorization: Some(basic), members: String::new() })
    }

    /// A form with them.
    pub(crate) fn request(&self, form: String) -> RemoteRequest {
        request(self.authorization.as_ref(), form + &self.members)
    }
}

fn request(authorization: Option<&HeaderValue>, form: String) -> RemoteRequest {
    let mut headers = vec![
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded")),
        (header::ACCEPT, HeaderValue::from_static("application/json")),
    ];
    headers.extend(authorization.map(|value| (header::AUTHORIZATION, value.clone())));
    RemoteRequest { method: Method::POST, target: None, headers, body: form.into() }
}

/// `application/x-www-form-urlencoded`, of one value.
pub(crate) fn encoded(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}
