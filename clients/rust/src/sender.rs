//! How a client sends a call: again where the service advises it.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::uri::PathAndQuery;
use tokio::time::{Instant, timeout_at};
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::{Code, Request as Message};

use crate::codec::Codec;
use crate::connection::{Manner, Unreachable};
use crate::identifiers::{TRACK_ID, check_track_id, new_request_id};
use crate::resend::{Budget, Moment, Next, ResendLoop};
use crate::token::TokenSource;
use crate::transport::{Progress, Transport};
use crate::{CallError, CallSettings, Error, Request, Resend, trace_context};

/// Of a call that is sent once and is given none; the service ends no call later than after 55 s.
const DEADLINE: Duration = Duration::from_secs(20);
/// So that it is this side's clock that ends the call here.
const LATER: Duration = Duration::from_millis(1);

/// Sends the calls of a client.
#[derive(Debug)]
pub(crate) struct Sender {
    pub(crate) transport: Transport,
    pub(crate) target: String,
    pub(crate) manner: Manner,
    pub(crate) token: Option<TokenSource>,
    pub(crate) resend: Option<Resend>,
    pub(crate) budget: Budget,
    pub(crate) errors_url: String,
    /// False in a double of the service, whose tests would wait for nothing.
    pub(crate) waits: bool,
}

/// A call with its attempts.
struct Outgoing {
    rpc: &'static str,
    path: &'static str,
    request_id: String,
    bytes: Bytes,
    metadata: MetadataMap,
    deadline: Instant,
    attempts: ResendLoop,
}

impl Sender {
    /// Sends a request until it succeeds or must not be sent again; returns the answer.
    pub(crate) async fn call<R: Request>(&self, request: &R, settings: &CallSettings) -> Result<R::Answer, Error> {
        let mut outgoing = self.outgoing(request, settings)?;
        let mut token = self.token(&mut outgoing, false).await?;
        loop {
            let error = match self.attempt::<R>(&outgoing, &token).await {
                Ok(mut answer) => {
                    self.budget.succeeded();
                    name(&outgoing.request_id, R::call(&mut answer));
                    return Ok(answer);
                }
                Err(error) => error,
            };
            token = self.before_next(&mut outgoing, error, token).await?;
        }
    }

    fn outgoing<R: Request>(&self, request: &R, settings: &CallSettings) -> Result<Outgoing, Error> {
        let usual = self.resend.map_or(DEADLINE, |resend| resend.within);
        let deadline = settings.deadline.unwrap_or(usual);
        let ends = Instant::now().checked_add(deadline).filter(|_| !deadline.is_zero());
        let ends = ends.ok_or_else(|| Error::argument(format!("deadline: {deadline:?} is not a time to wait")))?;
        let mut metadata = MetadataMap::new();
        trace_context::inject(&mut metadata);
        if let Some(track_id) = &settings.track_id {
            check_track_id(track_id)?;
            metadata.insert(TRACK_ID, header(track_id));
        }
        let (request_id, bytes) = named(request)?;
        let attempts = ResendLoop::new(self.resend, self.token.is_some());
        Ok(Outgoing { rpc: R::RPC, path: R::PATH, request_id, bytes, metadata, deadline: ends, attempts })
    }

    async fn attempt<R: Request>(&self, outgoing: &Outgoing, token: &str) -> Result<R::Answer, CallError> {
        let progress = Progress::default();
        let mut message = Message::new(outgoing.bytes.clone());
        *message.metadata_mut() = outgoing.metadata.clone();
        if !token.is_empty() {
            let mut value = header(&format!("Bearer {token}"));
            value.set_sensitive(true);
            message.metadata_mut().insert("authorization", value);
        }
        message.set_timeout(outgoing.deadline.saturating_duration_since(Instant::now()) + LATER);
        message.extensions_mut().insert(progress.clone());
        let mut grpc = tonic::client::Grpc::new(self.transport.clone());
        let answered = timeout_at(outgoing.deadline, async {
            grpc.ready().await?;
            grpc.unary(message, PathAndQuery::from_static(outgoing.path), Codec::<R::Answer>::default()).await
        });
        match answered.await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) if progress.proves_not_sent() => Err(self.not_sent(Unreachable::of(&status))),
            Ok(Err(status)) => Err(CallError::from(status)),
            Err(_) if progress.proves_not_sent() => Err(self.not_sent(None)),
            Err(_) => Err(CallError::of(Code::DeadlineExceeded, "the deadline of the call passed")),
        }
    }

    /// Returns the error of a call that was never started for want of a connection.
    fn not_sent(&self, why: Option<&Unreachable>) -> CallError {
        let unknown = Unreachable::not_in_time();
        let why = why.unwrap_or(&unknown);
        let hint = why.hint(self.manner).to_owned();
        CallError { hint, ..CallError::not_started(Code::Unavailable, why.message(&self.target, self.manner)) }
    }

    /// Waits as long as the next attempt has to; returns its token, or the error of the call if there is none.
    async fn before_next(&self, outgoing: &mut Outgoing, error: CallError, token: String) -> Result<String, Error> {
        let moment = Moment {
            left: outgoing.deadline.saturating_duration_since(Instant::now()),
            clock: SystemTime::now(),
            random: fastrand::f64(),
        };
        let (name, track_id) = (error.name().to_owned(), error.track_id.clone());
        match outgoing.attempts.after(error, &self.budget, moment) {
            Next::End => Err(self.ended(outgoing)),
            Next::WaitAndSend(wait) => {
                let (rpc, request_id) = (outgoing.rpc, &outgoing.request_id);
                tracing::info!(target: "payorch", rpc, request_id, track_id, reason = name, ?wait, "the call is sent again");
                if self.waits {
                    tokio::time::sleep(wait).await;
                }
                self.token(outgoing, false).await
            }
            Next::RefreshTokenAndSend => {
                let fresh = self.token(outgoing, true).await?;
                if fresh == token { Err(self.ended(outgoing)) } else { Ok(fresh) }
            }
        }
    }

    /// Returns the token; a failure to get one does not hide that an earlier attempt is in doubt.
    async fn token(&self, outgoing: &mut Outgoing, refresh: bool) -> Result<String, Error> {
        let Some(supplier) = &self.token else {
            return Ok(String::new());
        };
        let late = || Error::token("it did not answer before the deadline of the call".into());
        let supplied = timeout_at(outgoing.deadline, supplier.token(refresh)).await;
        match supplied.unwrap_or_else(|_| Err(late())) {
            Err(error) if outgoing.attempts.in_doubt() => Err(self.ended(outgoing).caused_by(error)),
            supplied => supplied,
        }
    }

    /// Returns the error of a call whose attempts have ended.
    fn ended(&self, outgoing: &mut Outgoing) -> Error {
        let attempts = std::mem::replace(&mut outgoing.attempts, ResendLoop::new(None, false));
        let (attempts, raised) = attempts.into_attempts();
        Error::of_call(std::mem::take(&mut outgoing.request_id), attempts, raised, &self.errors_url)
    }
}

/// Returns the request id and the bytes of a request, which has a fresh id where it may have one of the client's. The
/// caller's own message is not changed.
fn named<R: Request>(request: &R) -> Result<(String, Bytes), Error> {
    let mut copy = request.clone();
    let Some(request_id) = copy.request_id() else {
        return Ok((String::new(), request.encode_to_vec().into()));
    };
    if request_id.is_empty() {
        let because = request.needs_own_id();
        if !because.is_empty() {
            return Err(Error::argument(format!("request_id: it is required, {because}.")));
        }
        *request_id = new_request_id();
    }
    let request_id = request_id.clone();
    Ok((request_id, copy.encode_to_vec().into()))
}

/// Names the request id in an answer where an older service does not.
fn name(request_id: &str, call: Option<&mut crate::v1::CallInfo>) {
    if let Some(call) = call.filter(|call| call.request_id.is_empty()) {
        request_id.clone_into(&mut call.request_id);
    }
}

/// Returns a text whose characters have been checked.
fn header(text: &str) -> AsciiMetadataValue {
    text.parse().expect("visible ASCII characters are allowed")
}
