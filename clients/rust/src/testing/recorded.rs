//! What a double of the service remembers: its calls, and how each intent ended.

use std::collections::HashMap;
use std::fmt;

use bytes::Bytes;

use super::failure::Failure;
use crate::v1::{Advice, CallOutcome, GetIntentResponse, IntentState, Operation, Outcome};
use crate::{Request, v1};

const MOST_TRACK_IDS: usize = 10;

/// A call that was received. `Debug` shows neither message nor token.
#[derive(Clone)]
#[non_exhaustive]
pub struct RecordedCall {
    /// Name of the RPC, such as `CreateSession`.
    pub rpc: &'static str,
    /// Of its intent; empty where the RPC has none.
    pub request_id: String,
    /// The caller's own Zuora-Track-Id, or the one that was made.
    pub track_id: String,
    /// The JSON Web Token; empty if there was none.
    pub token: String,
    /// All the metadata, without binary values.
    pub metadata: HashMap<String, String>,
    /// Why it failed; empty if it succeeded.
    pub reason: String,
    /// Whether it was executed, rather than refused or answered from the record.
    pub executed: bool,
    pub(super) request: Sent,
}

/// The bytes of a request, which are not shown.
#[derive(Clone)]
pub(super) struct Sent(pub(super) Bytes);

impl fmt::Debug for Sent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "<{} bytes>", self.0.len())
    }
}

impl fmt::Debug for RecordedCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RecordedCall")
            .field("rpc", &self.rpc)
            .field("request_id", &self.request_id)
            .field("track_id", &self.track_id)
            .field("reason", &self.reason)
            .field("executed", &self.executed)
            .finish_non_exhaustive()
    }
}

impl RecordedCall {
    /// Returns the message; none if the call was of another RPC.
    #[must_use]
    pub fn request<R: Request>(&self) -> Option<R> {
        if self.rpc == R::RPC { R::decode(self.request.0.clone()).ok() } else { None }
    }
}

/// What is known of an intent.
#[derive(Debug)]
pub(super) struct Record {
    /// As it came first.
    pub(super) request: Sent,
    /// None as long as it has not succeeded.
    pub(super) answer: Option<Sent>,
    /// How its last call failed; none after a success.
    pub(super) failure: Option<Failure>,
    pub(super) settled: bool,
    pub(super) track_ids: Vec<String>,
}

impl Record {
    pub(super) fn of(request: Sent) -> Self {
        Self { request, answer: None, failure: None, settled: false, track_ids: Vec::new() }
    }
}

/// Returns the RPC of an operation that GetIntent asks about.
pub(super) fn rpc_of(operation: i32) -> &'static str {
    match Operation::try_from(operation) {
        Ok(Operation::CreateSession) => v1::CreateSessionRequest::RPC,
        Ok(Operation::DecryptApplePay) => v1::DecryptApplePayRequest::RPC,
        Ok(Operation::CreatePaymentMethod) => v1::CreatePaymentMethodRequest::RPC,
        _ => "",
    }
}

/// Returns what GetIntent answers about a record.
pub(super) fn intent_of(record: Option<&Record>, rpc: &str) -> GetIntentResponse {
    let Some((record, track_id)) = record.and_then(|record| Some((record, record.track_ids.last()?))) else {
        return GetIntentResponse { intent_state: IntentState::NotFound.into(), ..Default::default() };
    };
    let call_outcome = match &record.failure {
        Some(failure) => failure.call_outcome(rpc, track_id),
        None => CallOutcome {
            outcome: Outcome::Succeeded.into(),
            advice: Advice::None.into(),
            track_id: track_id.clone(),
            ..Default::default()
        },
    };
    let newest = record.track_ids.len().saturating_sub(MOST_TRACK_IDS);
    GetIntentResponse {
        intent_state: IntentState::Settled.into(),
        call_outcome: Some(call_outcome),
        track_ids: record.track_ids[newest..].to_vec(),
        ..Default::default()
    }
}
