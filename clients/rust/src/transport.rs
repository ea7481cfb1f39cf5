//! Sends one attempt: waits for a connection, and reads what breaks as a status.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};

use http_body_util::{BodyExt, Full};
use tonic::body::Body;
use tonic::codegen::{Service, StdError};
use tonic::{Status, TimeoutExpired};
use tower::ServiceExt;
use tower::util::BoxCloneSyncService;

use crate::connection::{Lost, Unreachable};
use crate::links::Links;

/// What sends an attempt; a [layer](crate::Builder::layer) wraps one.
pub type Transport = BoxCloneSyncService<http::Request<Body>, http::Response<Body>, Status>;

/// How often a connection may end just before a request is sent on it.
const MOST_LOST: usize = 3;

/// How far an attempt came. It travels with the request, through the layers of the caller.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(Arc<Steps>);

#[derive(Debug, Default)]
struct Steps {
    waited: AtomicBool,
    /// More than one if a layer sends the request several times.
    started: AtomicUsize,
}

impl Progress {
    /// Whether it is proved that nothing was sent: it waited for a connection, and was never started.
    pub(crate) fn proves_not_sent(&self) -> bool {
        self.0.waited.load(Ordering::SeqCst) && self.0.started.load(Ordering::SeqCst) == 0
    }

    fn waits(&self) {
        self.0.waited.store(true, Ordering::SeqCst);
    }

    fn starts(&self) {
        self.0.started.fetch_add(1, Ordering::SeqCst);
    }

    /// What was started proved to be unsent.
    fn takes_back(&self) {
        self.0.started.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The innermost service.
#[derive(Clone, Debug)]
pub(crate) struct Dispatch(pub(crate) Arc<Links>);

impl Service<http::Request<Body>> for Dispatch {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Each request waits for a connection by itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let links = Arc::clone(&self.0);
        Box::pin(async move { sent(&links, request).await })
    }
}

async fn sent(links: &Links, request: http::Request<Body>) -> Result<http::Response<Body>, Status> {
    let progress = request.extensions().get::<Progress>().cloned().unwrap_or_default();
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    progress.waits();
    let pool = links.current();
    for _ in 0..MOST_LOST {
        let ready = pool.ready().await.map_err(unreached)?;
        let request = http::Request::from_parts(parts.clone(), Body::new(Full::new(body.clone())));
        progress.starts();
        let error = match ready.channel.clone().oneshot(request).await {
            Ok(response) => return Ok(response.map(|body| Body::new(body.map_err(broken)))),
            Err(error) => error,
        };
        if !explains::<TimeoutExpired>(&error) {
            // Other calls may still end on it; no new one begins there.
            pool.lost(&ready);
        }
        if !explains::<Lost>(&error) {
            return Err(broken(error));
        }
        progress.takes_back();
    }
    Err(unreached(Unreachable::closed()))
}

/// Reads the want of a connection; who made the call knows by its progress what that proves.
fn unreached(why: Unreachable) -> Status {
    let mut status = Status::unavailable(why.to_string());
    status.set_source(Arc::new(why));
    status
}

/// Reads what broke a connection: UNAVAILABLE as in gRPC's clients. tonic's own reading would make it UNKNOWN, INTERNAL
/// or CANCELLED.
fn broken(error: impl Into<StdError>) -> Status {
    let error = error.into();
    if explains::<TimeoutExpired>(&*error) {
        return Status::deadline_exceeded("the timeout of the endpoint passed");
    }
    let mut status = Status::unavailable(format!("the connection failed: {}", innermost(&*error)));
    status.set_source(error.into());
    status
}

/// Whether an error of a type is among the sources of an error.
fn explains<E: Error + 'static>(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |&error| error.source()).any(|error| error.is::<E>())
}

fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    std::iter::successors(Some(error), |&error| error.source()).last().unwrap_or(error)
}
