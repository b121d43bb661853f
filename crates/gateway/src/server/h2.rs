use std::{cell::Cell, future::poll_fn, rc::Rc, task::Poll};

use bytes::Bytes;
use h2::{RecvStream, server::SendResponse};
use model::Protocol;
use tokio::time::Instant;

use super::rewound::Rewound;
use crate::{
    exchange::{self, ClientInfo},
    failure::Failure,
    forward::is_grpc,
    message::{BodyLength, Fields, Known, Method, RequestHead},
    peer::{H2, Peer, declared_length, fields_of},
    timer::Timer,
    worker::{Stage, Worker},
};

/// Windows for requests: what one client can make the gateway hold is bounded by these.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Bytes that wait to go out on one stream.
const SEND_BUFFER: usize = 256 * 1024;
/// Streams that the client has reset before they were looked at (rapid reset, CVE-2023-44487).
const PENDING_RESETS: usize = 20;

/// Serves the streams of a connection until it ends.
pub(super) async fn serve(worker: Rc<Worker>, stream: Rewound, client: ClientInfo) {
    let _registered = worker.registered().await;
    let limits = &worker.settings.limits;
    let handshake = h2::server::Builder::new()
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(u32::try_from(limits.head.head_bytes).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(PENDING_RESETS)
        .handshake::<_, Bytes>(stream);
    let handshake = tokio::time::timeout(worker.settings.timeouts.handshake, handshake);
    let Ok(Ok(mut connection)) = handshake.await else { return };
    let active = Rc::new(Cell::new(0_usize));
    let mut timer = Timer::default();
    let mut stopping = false;
    loop {
        timer.set(Some(Instant::now() + worker.settings.timeouts.idle));
        let accepted = poll_fn(|cx| {
            if let Poll::Ready(accepted) = connection.poll_accept(cx) {
                return Poll::Ready(accepted);
            }
            if worker.stage() != Stage::Running && !stopping {
                stopping = true;
                connection.graceful_shutdown();
                cx.waker().wake_by_ref();
            }
            if timer.poll(cx).is_ready() && active.get() == 0 && !stopping {
                stopping = true;
                connection.graceful_shutdown();
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        });
        let Some(Ok((request, respond))) = accepted.await else { return };
        active.set(active.get() + 1);
        let (worker, client, active) = (Rc::clone(&worker), client.clone(), Rc::clone(&active));
        tokio::task::spawn_local(async move {
            serve_stream(&worker, &client, request, respond).await;
            active.set(active.get() - 1);
        });
    }
}

async fn serve_stream(
    worker: &Rc<Worker>,
    client: &ClientInfo,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let _registered = worker.registered().await;
    let head = match head_of(&request, worker) {
        Ok(head) => head,
        Err(failure) => {
            let reply = exchange::refuse(worker, client, failure);
            let mut response = http::Response::new(());
            *response.status_mut() = http::StatusCode::from_u16(reply.status).unwrap_or_default();
            // Where the client has gone there is nobody to tell.
            if let Ok(mut send) = respond.send_response(response, false) {
                send.send_data(reply.body.into(), true).unwrap_or_default();
            }
            return;
        }
    };
    let mut peer = Peer::H2(Box::new(H2::server(request.into_body(), respond)));
    let mut timer = Timer::default();
    exchange::serve(worker, client, &head, &mut peer, &mut timer).await;
}

/// A request's head, checked as far as h2 has not done so.
fn head_of(request: &http::Request<RecvStream>, worker: &Worker) -> Result<RequestHead, Failure> {
    let limits = &worker.settings.limits.head;
    let mut fields: Fields = fields_of(request.headers());
    let uri = request.uri();
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let host = fields.get(Known::Host).map(<[u8]>::to_vec);
    let authority = match (uri.authority(), host) {
        (Some(authority), Some(host))
            if worker.settings.host_rule == crate::h1::HostRule::RefuseMismatch
                && !host.eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            return Err(bad("the :authority and the host field differ"));
        }
        (Some(authority), _) => authority.as_str().as_bytes().to_vec(),
        (None, Some(host)) => host,
        (None, None) => return Err(bad("there is neither :authority nor a host field")),
    };
    crate::h1::check_host(&authority)?;
    if request.method() == http::Method::CONNECT {
        return Err(bad("CONNECT is not for a gateway"));
    }
    if path.len() > limits.target_bytes {
        let problem = crate::h1::Problem::TargetTooLong;
        return Err(crate::h1::Malformed { problem, detail: "the path is over its limit" }.into());
    }
    if fields.len() > limits.fields {
        let problem = crate::h1::Problem::HeadTooLarge;
        return Err(crate::h1::Malformed { problem, detail: "there are too many fields" }.into());
    }
    let method = request.method().as_str().as_bytes();
    let (method_text, path) = (fields.hold(method), fields.hold(path.as_bytes()));
    let authority = fields.hold(&authority);
    let body = if request.body().is_end_stream() {
        BodyLength::Empty
    } else {
        match declared_length(&fields) {
            Some(length) => BodyLength::Known(length),
            None => BodyLength::Unknown,
        }
    };
    let protocol = if is_grpc(&fields) { Protocol::Grpc } else { Protocol::Http2 };
    Ok(RequestHead {
        method: Method::of(method),
        method_text,
        path,
        authority,
        protocol,
        body,
        keep_alive: true,
        expects_continue: false,
        upgrade: false,
        fields,
    })
}

fn bad(detail: &'static str) -> Failure {
    Failure::new(model::Cause::ClientBadRequest, detail)
}
