//! How a double of the service is reached: gRPC over a port of the loopback address.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request as HttpRequest, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::task::{JoinHandle, JoinSet};
use tonic::Status;
use tonic::body::Body;

use super::answers::Executes;
use super::recorded::{RecordedCall, Sent};
use super::script::{Ending, Script};
use crate::identifiers::TRACK_ID;
use crate::v1::{
    CreatePaymentMethodRequest, CreateSessionRequest, DecryptApplePayRequest, ExplainRouteRequest, GetCallRequest,
    GetIntentRequest, GetQuotaRequest,
};
use crate::{Request, v1};

const HEALTH: &str = "/grpc.health.v1.Health/Check";
/// grpc.health.v1.HealthCheckResponse with the status SERVING.
const SERVING: &[u8] = &[8, 1];
/// Before each message stand a byte about compression and four of its length.
const PREFIX: usize = 5;

/// What a double of the service knows.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) script: Script,
    /// In the order in which they were answered.
    pub(super) calls: Vec<RecordedCall>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub(super) fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Accepts connections until it is aborted, which ends those that there are.
pub(super) fn serve(listener: TcpListener, shared: Shared) -> std::io::Result<JoinHandle<()>> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    Ok(tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            let shared = shared.clone();
            let answers = service_fn(move |request| {
                let shared = shared.clone();
                async move { Ok::<_, Infallible>(answered(&shared, request).await) }
            });
            connections
                .spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answers));
        }
    }))
}

async fn answered(shared: &Shared, request: HttpRequest<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return Status::internal("the request was cut off").into_http();
    };
    let message = body.to_bytes();
    if message.len() < PREFIX {
        return Status::internal("the request has no message").into_http();
    }
    let call = Received { shared, headers: &parts.headers, message: message.slice(PREFIX..) };
    let path = parts.uri.path();
    match path {
        HEALTH => success(SERVING, None),
        CreateSessionRequest::PATH => call.executed::<CreateSessionRequest>(),
        DecryptApplePayRequest::PATH => call.executed::<DecryptApplePayRequest>(),
        CreatePaymentMethodRequest::PATH => call.executed::<CreatePaymentMethodRequest>(),
        GetIntentRequest::PATH => call.read(|script, request: &GetIntentRequest| script.intent(request)),
        ExplainRouteRequest::PATH => call.read(|_, _: &ExplainRouteRequest| v1::ExplainRouteResponse::default()),
        GetCallRequest::PATH => call.read(|_, _: &GetCallRequest| v1::GetCallResponse::default()),
        GetQuotaRequest::PATH => call.read(|_, _: &GetQuotaRequest| v1::GetQuotaResponse::default()),
        _ => Status::unimplemented(format!("the double has no {path}")).into_http(),
    }
}

struct Received<'r> {
    shared: &'r Shared,
    headers: &'r HeaderMap,
    message: Bytes,
}

impl Received<'_> {
    fn executed<R: Executes>(self) -> Response<Body> {
        self.answered::<R>(|script, request, call| script.answer(request, call))
    }

    fn read<R: Request>(self, answer: impl FnOnce(&Script, &R) -> R::Answer) -> Response<Body> {
        self.answered::<R>(|script, request, call| script.read(call).map(|()| answer(script, request)))
    }

    fn answered<R: Request>(
        self,
        answer: impl FnOnce(&mut Script, &R, &mut RecordedCall) -> Result<R::Answer, Ending>,
    ) -> Response<Body> {
        let Ok(request) = R::decode(self.message.clone()) else {
            return Status::invalid_argument("the message cannot be decoded").into_http();
        };
        let mut call = self.recorded(&request);
        let mut state = self.shared.locked();
        let result = answer(&mut state.script, &request, &mut call);
        state.calls.push(call.clone());
        drop(state);
        match result {
            Ok(answer) => success(&answer.encode_to_vec(), Some(&call.track_id)),
            Err(Ending::Nothing(code, message)) => Status::new(code, message).into_http(),
            Err(Ending::Failure(failure)) => {
                let mut response = failure.status(call.rpc, &call.track_id).into_http();
                let outcome = failure.outcome().as_str_name().trim_start_matches("OUTCOME_");
                let advice = failure.advice(call.rpc).as_str_name().trim_start_matches("ADVICE_");
                response.headers_mut().insert("payorch-outcome", HeaderValue::from_static(outcome));
                response.headers_mut().insert("payorch-advice", HeaderValue::from_static(advice));
                add_track_id(response.headers_mut(), &call.track_id);
                response
            }
        }
    }

    fn recorded<R: Request>(&self, request: &R) -> RecordedCall {
        let text = |(key, value): (&http::HeaderName, &HeaderValue)| {
            Some((key.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        };
        let metadata: HashMap<_, _> = self.headers.iter().filter_map(text).collect();
        let value = |key: &str| metadata.get(key).cloned().unwrap_or_default();
        let track_id = match value(TRACK_ID) {
            none if none.is_empty() => format!("{:032x}-{:016x}", fastrand::u128(..), fastrand::u64(..)),
            given => given,
        };
        let token = value("authorization").trim_start_matches("Bearer ").to_owned();
        let request_id = request.clone().request_id().map(std::mem::take).unwrap_or_default();
        let request = Sent(self.message.clone());
        RecordedCall {
            rpc: R::RPC,
            request_id,
            track_id,
            token,
            metadata,
            reason: String::new(),
            executed: false,
            request,
        }
    }
}

fn success(message: &[u8], track_id: Option<&str>) -> Response<Body> {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).expect("an answer is small"));
    framed.put_slice(message);
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    if let Some(track_id) = track_id {
        add_track_id(&mut trailers, track_id);
    }
    let body = Full::new(framed.freeze()).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = Response::new(Body::new(body));
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
    response
}

fn add_track_id(headers: &mut HeaderMap, track_id: &str) {
    if let Ok(value) = HeaderValue::from_str(track_id) {
        headers.insert(TRACK_ID, value);
    }
}
