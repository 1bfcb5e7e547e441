//! The port's own small HTTP/1 server. One request a connection: what asks here asks seldom, and a connection that ends
//! needs no idle limit.

use std::{
    convert::Infallible,
    future::Future,
    io,
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    body::{Body, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, sync::Semaphore, task::JoinSet, time::sleep};

use super::{AdminResponse, AdminView, Hosts, handle};

/// Connections at the same time; more wait.
const CONNECTIONS: usize = 64;

/// Largest body where none is taken: a client may send a few bytes out of habit.
const BODY: usize = 4096;

/// Largest body of revocations.
const LISTS: usize = 4 << 20;

/// Largest head.
const HEAD: usize = 16 << 10;

/// Total time of a connection: request, answer and all.
const DEADLINE: Duration = Duration::from_secs(10);

/// The same for a reload, which reads and checks everything anew.
const RELOAD_DEADLINE: Duration = Duration::from_secs(120);

/// How long to leave the socket alone after an accept that failed, as when there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `shutdown` ends; requests under way are finished, within their deadline.
///
/// # Errors
/// When the listener cannot be used.
pub async fn serve(listener: TcpListener, view: Arc<dyn AdminView>, shutdown: impl Future<Output = ()> + Send) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let hosts = Hosts::of(listener.local_addr()?);
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        let accepted = async {
            let slot = slots.clone().acquire_owned().await.expect("the semaphore is never closed");
            (listener.accept().await, slot)
        };
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            (accepted, slot) = accepted => match accepted {
                Ok((stream, _)) => {
                    let view = view.clone();
                    connections.spawn(async move {
                        connection(stream, hosts, view).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    log::warn!("the admin port cannot accept: {error}");
                    sleep(PAUSE).await;
                }
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// One request, or what comes of it within the deadline.
async fn connection(stream: TcpStream, hosts: Hosts, view: Arc<dyn AdminView>) {
    let reloading = AtomicBool::new(false);
    let service = service_fn(|request| respond(request, hosts, view.clone(), &reloading));
    let serving = http1::Builder::new().keep_alive(false).max_buf_size(HEAD).serve_connection(TokioIo::new(stream), service);
    let deadline = async {
        sleep(DEADLINE).await;
        if reloading.load(Ordering::Relaxed) {
            sleep(RELOAD_DEADLINE - DEADLINE).await;
        }
    };
    tokio::select! {
        ended = serving => if let Err(error) = ended {
            log::debug!("a connection to the admin port ended early: {error}");
        },
        () = deadline => log::debug!("a connection to the admin port took too long"),
    }
}

async fn respond(
    request: Request<Incoming>,
    hosts: Hosts,
    view: Arc<dyn AdminView>,
    reloading: &AtomicBool,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let own = hosts.check_target(&head.uri).and_then(|()| hosts.check(&head.method, head.version, &head.headers));
    if let Err(why) = own {
        return Ok(response(AdminResponse::refusal(StatusCode::MISDIRECTED_REQUEST, why)));
    }
    let too_large = || Ok(response(AdminResponse::refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large, or broke off")));
    let most = if matches!(head.uri.path(), "/revocations" | "/blocks") { LISTS } else { BODY };
    if body.size_hint().lower() > most as u64 {
        return too_large();
    }
    let Ok(body) = Limited::new(body, most).collect().await else { return too_large() };
    reloading.store(head.method == Method::POST, Ordering::Relaxed);
    // A task of its own: a reload that began is not torn when the one who asked goes away.
    let answer = tokio::spawn(async move { handle(&head.method, head.uri.path(), &body.to_bytes(), &*view).await });
    let failed = || AdminResponse::refusal(StatusCode::INTERNAL_SERVER_ERROR, "the gateway failed; its log has the cause");
    Ok(response(answer.await.unwrap_or_else(|_| failed())))
}

fn response(answer: AdminResponse) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(answer.body)));
    *response.status_mut() = answer.status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(answer.content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(allow) = answer.allow {
        headers.insert(header::ALLOW, HeaderValue::from_static(allow));
    }
    response
}
