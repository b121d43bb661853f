//! `service Greeter { rpc Hello (Name) returns (Greeting); rpc Hellos (Name) returns (stream
//! Greeting); }`, and its client, without generated code. The name says what happens.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use rearguard::layers::RequestScope;
use tokio::time::{Interval, interval, sleep};
use tonic::{
    Request, Response, Status,
    body::Body,
    client,
    codegen::{Service, http, tokio_stream::Stream},
    server::{self, NamedService, ServerStreamingService, UnaryService},
    transport::Channel,
};

use crate::codec::ProstCodec;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Name {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Greeting {
    #[prost(string, tag = "1")]
    pub(crate) text: String,
}

type Error = Box<dyn std::error::Error>;
type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

#[derive(Clone, Debug)]
pub(crate) struct Greeter;

impl NamedService for Greeter {
    const NAME: &'static str = "example.Greeter";
}

impl Service<http::Request<Body>> for Greeter {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = server::Grpc::new(ProstCodec::<Greeting, Name>::default());
            Ok(match request.uri().path() {
                "/example.Greeter/Hello" => grpc.unary(Hello, request).await,
                "/example.Greeter/Hellos" => grpc.server_streaming(Hellos, request).await,
                path => Status::unimplemented(path).into_http(),
            })
        })
    }
}

struct Hello;

impl UnaryService<Name> for Hello {
    type Response = Greeting;
    type Future = BoxFuture<Result<Response<Greeting>, Status>>;

    fn call(&mut self, request: Request<Name>) -> Self::Future {
        Box::pin(hello(request.into_inner().name))
    }
}

async fn hello(name: String) -> Result<Response<Greeting>, Status> {
    let Some(scope) = RequestScope::current() else {
        return Err(Status::internal("served without a layer"));
    };
    let release = async { sleep(Duration::from_millis(300)).await };
    match name.as_str() {
        "panic" => panic!("a bug"),
        "slow" => sleep(Duration::from_secs(60)).await,
        "slow release" => scope.defer(release),
        "released after" => scope.after_response(release),
        _ => {}
    }
    Ok(Response::new(Greeting { text: format!("hello {name}") }))
}

struct Hellos;

impl ServerStreamingService<Name> for Hellos {
    type Response = Greeting;
    type ResponseStream = Greetings;
    type Future = BoxFuture<Result<Response<Greetings>, Status>>;

    fn call(&mut self, request: Request<Name>) -> Self::Future {
        let name = request.into_inner().name;
        Box::pin(async {
            let interval = interval(Duration::from_millis(10));
            Ok(Response::new(Greetings { name, left: 3, interval }))
        })
    }
}

/// Three greetings; but for `panic`, one, and for `endless`, more and more.
#[derive(Debug)]
pub(crate) struct Greetings {
    name: String,
    left: u32,
    interval: Interval,
}

impl Stream for Greetings {
    type Item = Result<Greeting, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        ready!(this.interval.poll_tick(context));
        match (this.left, this.name.as_str()) {
            (2, "panic") => panic!("a bug in a stream"),
            (0, _) => return Poll::Ready(None),
            (_, "endless") => {}
            _ => this.left -= 1,
        }
        Poll::Ready(Some(Ok(Greeting { text: format!("hello {}", this.name) })))
    }
}

/// What a caller has of one answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) text: String,
    /// From the trailers.
    pub(crate) server_timing: Option<String>,
}

/// Calls a [`Greeter`].
#[derive(Clone, Debug)]
pub(crate) struct GreeterClient(client::Grpc<Channel>);

impl GreeterClient {
    pub(crate) async fn connect(address: String) -> Result<Self, Error> {
        let channel = Channel::from_shared(address)?.connect().await?;
        Ok(Self(client::Grpc::new(channel)))
    }

    pub(crate) async fn hello(&mut self, name: &str) -> Result<Answer, Status> {
        self.hello_within(name, None).await
    }

    pub(crate) async fn hello_within(
        &mut self,
        name: &str,
        timeout: Option<Duration>,
    ) -> Result<Answer, Status> {
        self.ready().await?;
        let mut request = Request::new(Name { name: name.to_owned() });
        if let Some(timeout) = timeout {
            request.set_timeout(timeout);
        }
        let path = http::uri::PathAndQuery::from_static("/example.Greeter/Hello");
        let answer = self.0.unary(request, path, ProstCodec::default()).await?;
        // tonic adds the trailers to the metadata.
        let timing = answer.metadata().get("server-timing");
        let server_timing = timing.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let Greeting { text } = answer.into_inner();
        Ok(Answer { text, server_timing })
    }

    /// All answers of a stream, and how it ended.
    pub(crate) async fn hellos(&mut self, name: &str) -> Result<(Vec<String>, Status), Status> {
        let mut stream = self.open(name).await?;
        let mut texts = Vec::new();
        loop {
            match stream.message().await {
                Ok(Some(Greeting { text })) => texts.push(text),
                Ok(None) => return Ok((texts, Status::ok(""))),
                Err(status) => return Ok((texts, status)),
            }
        }
    }

    pub(crate) async fn open(&mut self, name: &str) -> Result<tonic::Streaming<Greeting>, Status> {
        self.ready().await?;
        let request = Request::new(Name { name: name.to_owned() });
        let path = http::uri::PathAndQuery::from_static("/example.Greeter/Hellos");
        let codec = ProstCodec::<Name, Greeting>::default();
        Ok(self.0.server_streaming(request, path, codec).await?.into_inner())
    }

    async fn ready(&mut self) -> Result<(), Status> {
        self.0.ready().await.map_err(|error| Status::unavailable(error.to_string()))
    }
}
