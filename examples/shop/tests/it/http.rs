//! Who visits the shop.

use axum::{
    body::Bytes,
    http::{HeaderMap, Method, Request, StatusCode},
};
use http_body_util::{BodyExt as _, Empty};
use rearguard::{
    Error,
    client::{Client, ClientOptions},
};
use serde_json::Value;

use crate::PATIENCE;

/// As many as there are requests at a time.
const CONNECTIONS: usize = 100;

#[derive(Clone, Debug)]
pub(crate) struct Browser(pub(crate) Client);

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.status, StatusCode::OK, "{self:?}");
        serde_json::from_str(&self.body).unwrap()
    }
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self(Client::new(ClientOptions::new().connections(CONNECTIONS).queue_timeout(PATIENCE)))
    }

    pub(crate) async fn get(&self, url: &str) -> Answer {
        self.send(Method::GET, url, &[]).await.unwrap()
    }

    pub(crate) async fn post(&self, url: &str) -> Answer {
        self.send(Method::POST, url, &[]).await.unwrap()
    }

    pub(crate) async fn post_with(&self, url: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, url, headers).await.unwrap()
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        url: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, Error> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = self.0.send(request.body(Empty::<Bytes>::new()).unwrap()).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}
