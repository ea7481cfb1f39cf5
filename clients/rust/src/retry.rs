use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use tokio::time::{Instant, sleep, timeout_at};
use tonic::body::Body;
use tonic::codegen::{Bytes, StdError};
use tonic::{Code, Status};
use tower::{Service, ServiceExt};

use crate::config::{CONFIG, MethodConfig, RetryThrottling};

const TIMEOUT: &str = "grpc-timeout";
const EARLIER_ATTEMPTS: &str = "grpc-previous-rpc-attempts";

/// A channel that sends a call again as the published service config allows.
///
/// tonic reads no service config. This follows its `retryPolicy`, `retryThrottling` and `timeout` as gRPC's own clients
/// do. What ends as UNAVAILABLE before response headers have come, a broken connection included, is sent again: byte for
/// byte and so with the same request id, after growing, jittered waits and within the deadline. The deadline is that of
/// [`Request::set_timeout`](tonic::Request::set_timeout), or the config's if that is shorter, and holds for all
/// attempts together.
///
/// Clones share what limits retries when many calls fail: make one per channel. Every method of the service is unary,
/// and so is what this can send.
#[derive(Clone, Debug)]
pub struct Retrying<S> {
    inner: S,
    throttle: Arc<Throttle>,
}

impl<S> Retrying<S> {
    /// Wraps a channel, such as [`tonic::transport::Channel`].
    pub fn new(inner: S) -> Self {
        Self { inner, throttle: Arc::new(Throttle::new(&CONFIG.retry_throttling)) }
    }
}

impl<S, B> Service<Request<Body>> for Retrying<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<StdError>,
    S::Future: Send,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // Each attempt waits for the channel by itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            match CONFIG.of(request.uri().path()) {
                Some(config) => this.send(request, config).await,
                None => Ok(this.attempt(request).await?.map(Body::new)),
            }
        })
    }
}

impl<S, B> Retrying<S>
where
    S: Service<Request<Body>, Response = Response<B>> + Clone,
    S::Error: Into<StdError>,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    async fn send(&self, request: Request<Body>, config: &MethodConfig) -> Result<Response<Body>, Status> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let timeout = timeout(&parts.headers).map_or(config.timeout, |asked| asked.min(config.timeout));
        let deadline = Instant::now() + timeout;
        let policy = &config.retry_policy;
        let mut attempt = 1;
        loop {
            let request = again(&parts, &body, attempt, deadline);
            let answer = within(deadline, self.attempt(request)).await;
            let code = code(&answer);
            if !code.is_some_and(|code| policy.retries(code)) {
                if code.is_none() {
                    self.throttle.succeeded();
                }
                return within(deadline, whole(answer?)).await;
            }
            let wait = policy.backoff(attempt);
            // The answer in hand tells more than a deadline that passed would.
            let too_late = Instant::now() + wait >= deadline;
            if !self.throttle.failed() || attempt == policy.max_attempts || too_late {
                return within(deadline, whole(answer?)).await;
            }
            sleep(wait).await;
            attempt += 1;
        }
    }

    async fn attempt(&self, request: Request<Body>) -> Result<Response<B>, Status> {
        self.inner.clone().oneshot(request).await.map_err(|error| failed(error.into()))
    }
}

/// Reads a failure of the channel: a status that a layer below made, or a connection that broke, which is UNAVAILABLE
/// as in gRPC's clients. tonic's own reading would make it UNKNOWN, INTERNAL or CANCELLED, depending on its features.
fn failed(error: StdError) -> Status {
    let first: &(dyn std::error::Error + 'static) = &*error;
    let mut chain = std::iter::successors(Some(first), |one| one.source());
    if let Some(status) = chain.find_map(|one| one.downcast_ref::<Status>()) {
        return status.clone();
    }
    let mut status = Status::unavailable("the connection failed");
    status.set_source(error.into());
    status
}

async fn within<T>(deadline: Instant, work: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = |_| Err(Status::deadline_exceeded("the deadline of the call passed"));
    timeout_at(deadline, work).await.unwrap_or_else(late)
}

fn again(parts: &Parts, body: &Bytes, attempt: u32, deadline: Instant) -> Request<Body> {
    let mut parts = parts.clone();
    // Rounded up, so that it is this side's clock that ends the call here.
    let left_ms = deadline.saturating_duration_since(Instant::now()).as_millis() + 1;
    parts.headers.insert(TIMEOUT, HeaderValue::try_from(format!("{left_ms}m")).expect("digits and a letter"));
    if attempt > 1 {
        parts.headers.insert(EARLIER_ATTEMPTS, HeaderValue::from(attempt - 1));
    }
    Request::from_parts(parts, Body::new(Full::new(body.clone())))
}

/// Reads a response to its end, so that the deadline covers its body.
async fn whole<B>(response: Response<B>) -> Result<Response<Body>, Status>
where
    B: http_body::Body<Data = Bytes>,
    B::Error: Into<StdError>,
{
    let (head, body) = response.into_parts();
    let body = body.collect().await.map_err(|error| Status::from_error(error.into()))?;
    Ok(Response::from_parts(head, Body::new(body)))
}

/// Returns how an attempt ended; none if a message may follow.
fn code<B>(answer: &Result<Response<B>, Status>) -> Option<Code> {
    match answer {
        Err(status) => Some(status.code()),
        Ok(response) => match Status::from_header_map(response.headers()) {
            Some(status) => Some(status.code()),
            // Made by a proxy; gRPC reads these as UNAVAILABLE.
            None => match response.status() {
                StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT => Some(Code::Unavailable),
                _ => None,
            },
        },
    }
}

/// Reads the timeout that tonic wrote: up to eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(TIMEOUT)?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let value = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(value * 3600)),
        "M" => Some(Duration::from_secs(value * 60)),
        "S" => Some(Duration::from_secs(value)),
        "m" => Some(Duration::from_millis(value)),
        "u" => Some(Duration::from_micros(value)),
        "n" => Some(Duration::from_nanos(value)),
        _ => None,
    }
}

/// Stops retries while more than a few calls fail, as gRPC's clients do.
#[derive(Debug)]
struct Throttle {
    config: &'static RetryThrottling,
    tokens: Mutex<f64>,
}

impl Throttle {
    fn new(config: &'static RetryThrottling) -> Self {
        Self { config, tokens: Mutex::new(config.max_tokens) }
    }

    fn succeeded(&self) {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = (*tokens + self.config.token_ratio).min(self.config.max_tokens);
    }

    /// Counts a failure; returns whether a retry is allowed.
    fn failed(&self) -> bool {
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        *tokens = (*tokens - 1.0).max(0.0);
        *tokens > self.config.max_tokens / 2.0
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::{AtomicU32, Ordering};

    use tower::service_fn;

    use super::*;

    const PATH: &str = "http://service/payorch.v1.PaymentOrchestrationService/CreateSession";

    /// Calls through a channel that answers with this status at once; returns how it ended and how often it was sent.
    async fn sent(answer: &'static str, path: &str, timeout: &'static str) -> (Option<Code>, u32) {
        let sends = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&sends);
        let mut channel = Retrying::new(service_fn(move |request: Request<Body>| {
            let counted = Arc::clone(&counted);
            async move {
                assert_eq!("the message", request.into_body().collect().await.unwrap().to_bytes());
                counted.fetch_add(1, Ordering::Relaxed);
                let response = Response::builder().header("grpc-status", answer).body(Body::empty()).unwrap();
                Ok::<_, Infallible>(response)
            }
        }));
        let body = Body::new(Full::new(Bytes::from_static(b"the message")));
        let request = Request::builder().uri(path).header(TIMEOUT, timeout).body(body).unwrap();
        let ended = code(&channel.call(request).await);
        (ended, sends.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn only_unavailable_is_sent_again_and_four_times_at_most() {
        assert_eq!((Some(Code::Unavailable), 4), sent("14", PATH, "20S").await);
        assert_eq!((Some(Code::Aborted), 1), sent("10", PATH, "20S").await);
        assert_eq!((Some(Code::Unavailable), 1), sent("14", "http://service/another.Service/Method", "20S").await);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_after_the_deadline() {
        assert_eq!((Some(Code::Unavailable), 2), sent("14", PATH, "310m").await);
        assert_eq!((Some(Code::Unavailable), 1), sent("14", PATH, "100m").await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_never_answers_ends_at_the_deadline() {
        let mut channel = Retrying::new(service_fn(|_| std::future::pending::<Result<Response<Body>, Infallible>>()));
        let started = Instant::now();
        let request = Request::builder().uri(PATH).body(Body::empty()).unwrap();

        assert_eq!(Some(Code::DeadlineExceeded), code(&channel.call(request).await));
        assert_eq!(Duration::from_secs(55), Duration::from_secs(started.elapsed().as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_breaks_is_unavailable() {
        let sends = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&sends);
        let mut channel = Retrying::new(service_fn(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Err::<Response<Body>, _>(std::io::Error::other("reset")))
        }));
        let request = Request::builder().uri(PATH).body(Body::empty()).unwrap();

        assert_eq!((Some(Code::Unavailable), 4), (code(&channel.call(request).await), sends.load(Ordering::Relaxed)));
    }

    #[test]
    fn many_failures_stop_retries_until_calls_succeed() {
        let throttle = Throttle::new(&CONFIG.retry_throttling);
        let allowed = (0..6).filter(|_| throttle.failed()).count();
        (0..21).for_each(|_| throttle.succeeded());

        assert_eq!((4, true), (allowed, throttle.failed()));
    }
}
