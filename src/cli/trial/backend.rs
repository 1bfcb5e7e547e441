//! Two sample backends for the demo: each says who it is and what reached it.

use std::{
    convert::Infallible,
    net::{SocketAddr, TcpListener},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, header::CONTENT_TYPE, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::json;

use crate::cli::report::Failure;

/// A listening socket and the name it answers with.
pub(in crate::cli) struct Backend {
    name: &'static str,
    listener: TcpListener,
}

impl Backend {
    /// Binds now, so that the port is known before anything is served.
    pub(in crate::cli) fn bind(name: &'static str, address: SocketAddr) -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| Failure::io(format_args!("cannot listen on {address}"), &error);
        let listener = TcpListener::bind(address).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        Ok(Self { name, listener })
    }

    pub(in crate::cli) fn address(&self) -> Result<SocketAddr, Failure> {
        self.listener.local_addr().map_err(|error| Failure::io("a socket has no address", &error))
    }
}

/// Serves until the process ends.
pub(in crate::cli) fn serve(backends: Vec<Backend>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("cannot start the sample backend", &error))?;
    runtime.block_on(async {
        let accepting: Vec<_> = backends.into_iter().map(|backend| tokio::spawn(accept(backend))).collect();
        for task in accepting {
            let _ = task.await;
        }
    });
    Ok(())
}

async fn accept(backend: Backend) {
    let Ok(listener) = tokio::net::TcpListener::from_std(backend.listener) else { return };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let service = service_fn(move |request| async move { Ok::<_, Infallible>(answer(backend.name, &request)) });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
            // Out of file descriptors, most likely: others must end first.
            Err(_) => tokio::time::sleep(std::time::Duration::from_millis(100)).await,
        }
    }
}

fn answer(name: &str, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let uri = request.uri();
    let body = json!({
        "backend": name,
        "method": request.method().as_str(),
        "path": uri.path_and_query().map_or("/", |path| path.as_str()),
        "token_seen": request.headers().contains_key("authorization"),
    });
    let mut response = Response::new(Full::from(format!("{body:#}\n")));
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    response
}
