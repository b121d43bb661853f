//! A gateway with one service behind it, services and clients that speak HTTP/2 or raw bytes.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::Bytes;
use config::routing::{
    Action, Destination, Endpoint, HeaderRules, HostPattern, Listener, ListenerTls, Promises,
    Rewrite, Route, Routing, Service, ServicePort, TrafficPolicy, UpstreamProtocol, VirtualHost,
};
use gateway::{Gateway, Settings};
use h2::{RecvStream, client::SendRequest, server::SendResponse};
use http::{HeaderMap, Request, Response};
use model::RequestRecord;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// However slow the machine is, what a test waits for comes within this time.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// Waits for something, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(BOUND, future).await.expect("it should not take that long")
}

/// Waits until a look at something finds it.
pub(crate) async fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    within(async {
        loop {
            if let Some(found) = look() {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await
}

/// What a gateway is started with.
pub(crate) struct Setup {
    pub(crate) settings: Settings,
    pub(crate) endpoints: Vec<SocketAddr>,
    pub(crate) protocol: UpstreamProtocol,
    pub(crate) policy: TrafficPolicy,
    pub(crate) timeout: Option<Duration>,
    pub(crate) tls: Option<ListenerTls>,
}

impl Setup {
    pub(crate) fn new(protocol: UpstreamProtocol, endpoint: SocketAddr) -> Self {
        let settings =
            Settings { listen: ([127, 0, 0, 1], 0).into(), workers: 1, ..Settings::default() };
        Self {
            settings,
            endpoints: vec![endpoint],
            protocol,
            policy: TrafficPolicy::default(),
            timeout: None,
            tls: None,
        }
    }

    pub(crate) fn start(self) -> Running {
        let service: Arc<str> = "svc".into();
        let port = ServicePort { number: 80, name: "http".to_owned(), protocol: self.protocol };
        let endpoints = self.endpoints.iter().map(|address| Endpoint {
            host: address.ip().to_string(),
            ports: BTreeMap::from([("http".to_owned(), address.port())]),
            labels: BTreeMap::new(),
        });
        let destination = Destination {
            service: Arc::clone(&service),
            subset: None,
            port: None,
            weight: 1,
            headers: HeaderRules::default(),
        };
        let route = Route {
            name: "all".into(),
            matches: Vec::new(),
            action: Action::Forward(vec![destination]),
            timeout: self.timeout,
            rewrite: Rewrite::default(),
            headers: HeaderRules::default(),
        };
        let listener = Listener {
            name: "test".to_owned(),
            gateway: String::new(),
            address: Some([127, 0, 0, 1].into()),
            port: 0,
            hosts: vec![HostPattern::Any],
            tls: self.tls,
            https_redirect: false,
        };
        let routing = Routing {
            listeners: vec![listener],
            services: vec![Service {
                name: service,
                ports: vec![port],
                endpoints: endpoints.collect(),
                subsets: Vec::new(),
                policy: self.policy,
                promises: Promises::default(),
            }],
            virtual_hosts: vec![VirtualHost {
                name: "vs".to_owned(),
                hosts: vec![HostPattern::Any],
                gateways: Vec::new(),
                routes: vec![route],
            }],
        };
        let gateway = Gateway::start(self.settings, &routing).expect("the gateway starts");
        Running { address: gateway.addresses()[0], gateway }
    }
}

/// A gateway that runs.
pub(crate) struct Running {
    pub(crate) gateway: Gateway,
    pub(crate) address: SocketAddr,
}

impl Running {
    /// The only failure's record, once it is there.
    pub(crate) async fn failure(&self) -> Arc<RequestRecord> {
        self.failures(1).await.remove(0)
    }

    pub(crate) async fn failures(&self, count: usize) -> Vec<Arc<RequestRecord>> {
        let handle = self.gateway.handle();
        until(|| Some(handle.failures(0, 1000)).filter(|found| found.len() >= count)).await
    }

    /// How many requests have ended, however they did.
    pub(crate) fn ended(&self) -> u64 {
        self.gateway.handle().counts().iter().map(|count| count.requests).sum()
    }

    /// A metric without labels.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        let mut text = String::new();
        self.gateway.handle().write_metrics(&mut text);
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no metric {name}")).parse().expect("a number")
    }

    /// The sum of a metric over its labels.
    pub(crate) fn pool_metric(&self, name: &str, having: &str) -> i64 {
        let mut text = String::new();
        self.gateway.handle().write_metrics(&mut text);
        text.lines()
            .filter(|line| line.starts_with(name) && line.contains(having))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<i64>().ok())
            .sum()
    }
}

/// Where something listens, and how many connections it has taken.
#[derive(Clone)]
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
}

/// Serves every connection with `serve`.
pub(crate) async fn service<F, Fut>(serve: F) -> Served
where
    F: Fn(TcpStream, usize) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let served =
        Served { address: listener.local_addr().expect("an address"), connections: Arc::default() };
    let connections = Arc::clone(&served.connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let number = connections.fetch_add(1, Relaxed);
            tokio::spawn(serve(stream, number));
        }
    });
    served
}

/// An address at which nothing listens.
pub(crate) async fn dead() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    listener.local_addr().expect("an address")
}

/// Serves every stream of every connection with `handle`.
pub(crate) async fn h2_service<F, Fut>(handle: F) -> Served
where
    F: Fn(Request<RecvStream>, SendResponse<Bytes>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    service(move |stream, _| serve_h2(stream, handle.clone())).await
}

pub(crate) async fn serve_h2<F, Fut>(stream: impl AsyncRead + AsyncWrite + Unpin + Send, handle: F)
where
    F: Fn(Request<RecvStream>, SendResponse<Bytes>) -> Fut + Send,
    Fut: Future<Output = ()> + Send + 'static,
{
    let Ok(mut connection) = h2::server::handshake(stream).await else { return };
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(handle(request, respond));
    }
}

/// Answers with what came: the method, path and fields as headers, the body as the body, and the
/// trailers as trailers.
pub(crate) async fn echo(request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
    let (parts, mut body) = request.into_parts();
    let mut response = Response::builder()
        .header("seen-method", parts.method.as_str())
        .header("seen-path", parts.uri.path_and_query().map_or("", |path| path.as_str()))
        .header("seen-authority", parts.uri.authority().map_or("", |name| name.as_str()))
        .header("seen-scheme", parts.uri.scheme_str().unwrap_or_default());
    for (name, value) in &parts.headers {
        response = response.header(format!("seen-{name}"), value);
    }
    let response = response.body(()).expect("a response");
    let Ok(mut send) = respond.send_response(response, false) else { return };
    while let Some(Ok(data)) = body.data().await {
        let length = data.len();
        if send_all(&mut send, data).await.is_err() {
            return;
        }
        body.flow_control().release_capacity(length).expect("what was received");
    }
    match body.trailers().await {
        Ok(Some(trailers)) => drop(send.send_trailers(trailers)),
        _ => drop(send.send_data(Bytes::new(), true)),
    }
}

/// Sends data as the peer has room for it.
pub(crate) async fn send_all(
    send: &mut h2::SendStream<Bytes>,
    mut data: Bytes,
) -> Result<(), h2::Error> {
    while !data.is_empty() {
        send.reserve_capacity(data.len());
        match std::future::poll_fn(|cx| send.poll_capacity(cx)).await {
            Some(room) => {
                let part = data.split_to(room?.min(data.len()));
                send.send_data(part, false)?;
            }
            None => return Err(h2::Reason::CANCEL.into()),
        }
    }
    Ok(())
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub(crate) fn trailer(&self, name: &str) -> &str {
        let trailers = self.trailers.as_ref();
        trailers.and_then(|all| all.get(name)).map_or("", |value| value.to_str().expect("text"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// A client of HTTP/2 without TLS.
pub(crate) async fn h2_client(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.expect("a connection");
    h2_client_on(stream).await
}

pub(crate) async fn h2_client_on(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> SendRequest<Bytes> {
    let (send, connection) = h2::client::handshake(stream).await.expect("a handshake");
    tokio::spawn(async move { drop(connection.await) });
    send
}

pub(crate) fn get(path: &str) -> Request<()> {
    Request::get(format!("http://svc{path}")).body(()).expect("a request")
}

pub(crate) fn post(path: &str) -> Request<()> {
    Request::post(format!("http://svc{path}")).body(()).expect("a request")
}

pub(crate) fn grpc(path: &str) -> Request<()> {
    let request = Request::post(format!("http://svc{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    request.body(()).expect("a request")
}

/// Sends a request without a body, and receives the whole answer.
pub(crate) async fn ask(
    client: &SendRequest<Bytes>,
    request: Request<()>,
) -> Result<Answer, h2::Error> {
    within(async {
        let mut client = client.clone().ready().await?;
        let (response, _) = client.send_request(request, true)?;
        answer(response.await?).await
    })
    .await
}

/// Sends a request with a body, and receives the whole answer meanwhile.
pub(crate) async fn ask_with(
    client: &SendRequest<Bytes>,
    request: Request<()>,
    body: Bytes,
    trailers: Option<HeaderMap>,
) -> Result<Answer, h2::Error> {
    within(async {
        let mut client = client.clone().ready().await?;
        let (response, mut send) = client.send_request(request, false)?;
        tokio::spawn(async move {
            // The answer tells of what goes wrong.
            if send_all(&mut send, body).await.is_ok() {
                match trailers {
                    Some(trailers) => drop(send.send_trailers(trailers)),
                    None => drop(send.send_data(Bytes::new(), true)),
                }
            }
        });
        answer(response.await?).await
    })
    .await
}

pub(crate) async fn answer(response: Response<RecvStream>) -> Result<Answer, h2::Error> {
    let (parts, mut receive) = response.into_parts();
    let mut body = Vec::new();
    while let Some(data) = receive.data().await {
        let data = data?;
        receive.flow_control().release_capacity(data.len())?;
        body.extend_from_slice(&data);
    }
    let trailers = receive.trailers().await?;
    Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body, trailers })
}

/// Sends bytes, and receives until the end of the connection.
pub(crate) async fn raw(address: SocketAddr, sent: &[u8]) -> Vec<u8> {
    within(async {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(sent).await.expect("sent");
        let mut received = Vec::new();
        // A reset after the answer ends it as well.
        drop(stream.read_to_end(&mut received).await);
        received
    })
    .await
}

/// Reads from a stream until what came ends with, or holds, `wanted`.
pub(crate) async fn read_until(
    stream: &mut (impl AsyncRead + Unpin),
    wanted: impl Fn(&[u8]) -> bool,
) -> Vec<u8> {
    let mut received = Vec::new();
    within(async {
        while !wanted(&received) {
            let mut piece = vec![0; 16 * 1024];
            let count = stream.read(&mut piece).await.expect("a read");
            assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&received));
            received.extend_from_slice(&piece[..count]);
        }
    })
    .await;
    received
}

/// Reads the head of a message of HTTP/1.1, and what has come with it.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> (String, Vec<u8>) {
    let all = read_until(stream, |bytes| bytes.windows(4).any(|four| four == b"\r\n\r\n")).await;
    let end = all.windows(4).position(|four| four == b"\r\n\r\n").expect("an end") + 4;
    (String::from_utf8_lossy(&all[..end]).to_lowercase(), all[end..].to_vec())
}

/// A service of HTTP/1.1 that answers `answer` to each request, once its head and what
/// `body_ends` asks for have come. Sends what it received to the channel.
pub(crate) async fn h1_service(
    answer: &'static [u8],
    body_ends: fn(&str, &[u8]) -> bool,
) -> (Served, tokio::sync::mpsc::UnboundedReceiver<(String, Vec<u8>)>) {
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let served = service(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            let (head, mut body) = read_head(&mut stream).await;
            while !body_ends(&head, &body) {
                let mut piece = vec![0; 64 * 1024];
                match stream.read(&mut piece).await {
                    Ok(count) if count > 0 => body.extend_from_slice(&piece[..count]),
                    _ => return,
                }
            }
            drop(sender.send((head, body)));
            drop(stream.write_all(answer).await);
            // Until the gateway closes.
            drop(stream.read(&mut [0]).await);
        }
    })
    .await;
    (served, receiver)
}

/// A folder of a test's own, removed when dropped.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rearguard-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
