//! Errors as the service makes them, by reason. The catalogue is generated from the service's own tables.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use prost::Message;
use serde_json::{Map, Value};
use tonic::{Code, Status};
use tonic_types::pb;

use crate::call_error::code_of;
use crate::v1::{Advice, CallOutcome, ErrorReason, ExistingIds, Outcome};

const DOMAIN: &str = "payorch";
const EXAMPLE: &str = "example";
const BROKEN: (&str, &str) = ("request_id", "must be 16 to 128 characters from 0x21 to 0x7E");

/// What is known of each reason, by its name.
static CATALOGUE: LazyLock<Map<String, Value>> =
    LazyLock::new(|| serde_json::from_str(include_str!("reasons.json")).expect("a test reads the same text"));

/// An error of the service, for [`FakePayorch::fail_with`](super::FakePayorch::fail_with).
///
/// Code, text, outcome, advice and further details are those of the service.
///
/// ```
/// use payorch::testing::Failure;
/// use payorch::v1::ErrorReason;
///
/// let invalid = Failure::of(ErrorReason::RequestInvalid).violation("pay_invoice.invoice", "must not be empty");
/// let busy = Failure::of(ErrorReason::Overloaded).times(3).rpc("CreateSession");
/// ```
#[derive(Clone, Debug)]
pub struct Failure {
    name: &'static str,
    pub(super) times: usize,
    pub(super) rpc: String,
    violations: Vec<(String, String)>,
    metadata: HashMap<String, String>,
    retry_after: Option<Duration>,
    zuora_codes: Vec<String>,
    existing: Option<ExistingIds>,
    pub(super) executed: bool,
}

impl From<ErrorReason> for Failure {
    fn from(reason: ErrorReason) -> Self {
        Self::of(reason)
    }
}

impl Failure {
    /// Returns how the service fails for a reason.
    ///
    /// # Panics
    ///
    /// The reason is the unspecified one.
    #[must_use]
    #[track_caller]
    pub fn of(reason: ErrorReason) -> Self {
        let name = reason.as_str_name().trim_start_matches("ERROR_REASON_");
        assert!(CATALOGUE.contains_key(name), "no error has the reason {name}");
        Self {
            name,
            times: 1,
            rpc: String::new(),
            violations: Vec::new(),
            metadata: HashMap::new(),
            retry_after: None,
            zuora_codes: Vec::new(),
            existing: None,
            executed: false,
        }
    }

    /// Makes this many calls fail, instead of one.
    #[must_use]
    pub fn times(self, times: usize) -> Self {
        Self { times, ..self }
    }

    /// Makes only calls of an RPC fail, such as `CreateSession`.
    #[must_use]
    pub fn rpc(self, name: impl Into<String>) -> Self {
        Self { rpc: name.into(), ..self }
    }

    /// Adds a broken rule.
    #[must_use]
    pub fn violation(mut self, field: impl Into<String>, description: impl Into<String>) -> Self {
        self.violations.push((field.into(), description.into()));
        self
    }

    /// Adds metadata to the `ErrorInfo`.
    #[must_use]
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Sets what `RetryInfo` says, instead of what the service says for the reason.
    #[must_use]
    pub fn retry_after(self, delay: Duration) -> Self {
        Self { retry_after: Some(delay), ..self }
    }

    /// Adds a code of Zuora's.
    #[must_use]
    pub fn zuora_code(mut self, code: impl Into<String>) -> Self {
        self.zuora_codes.push(code.into());
        self
    }

    /// Sets what exists although the call failed.
    #[must_use]
    pub fn existing(self, ids: ExistingIds) -> Self {
        Self { existing: Some(ids), ..self }
    }

    /// Executes the request all the same, so that only its answer is lost and a resend finds it done.
    ///
    /// # Panics
    ///
    /// The reason does not leave open whether the request was executed.
    #[must_use]
    #[track_caller]
    pub fn executed(self) -> Self {
        assert!(self.outcome() == Outcome::Unknown, "{} says that the request was not executed", self.name);
        Self { executed: true, ..self }
    }

    /// Returns the name of the reason.
    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn outcome(&self) -> Outcome {
        let name = format!("OUTCOME_{}", self.text("outcome"));
        Outcome::from_str_name(&name).expect("the catalogue has the outcomes of the contract")
    }

    /// Returns what the caller of an RPC should do next.
    pub(super) fn advice(&self, rpc: &str) -> Advice {
        let advice = self.entry()["adviceByRpc"][rpc].as_str().unwrap_or_else(|| self.text("advice"));
        Advice::from_str_name(&format!("ADVICE_{advice}")).expect("the catalogue has the advice of the contract")
    }

    /// Whether a resend gets the same answer again.
    pub(super) fn settles(&self, rpc: &str) -> bool {
        self.outcome() != Outcome::NotSent && self.advice(rpc) != Advice::ResendSameRequestId
    }

    pub(super) fn call_outcome(&self, rpc: &str, track_id: &str) -> CallOutcome {
        CallOutcome {
            outcome: self.outcome().into(),
            advice: self.advice(rpc).into(),
            zuora_codes: self.zuora_codes.clone(),
            existing: self.existing.clone(),
            track_id: track_id.into(),
            ..Default::default()
        }
    }

    /// Returns the status with its details.
    pub(super) fn status(&self, rpc: &str, track_id: &str) -> Status {
        let mut details = vec![
            packed("google.rpc.ErrorInfo", &self.info()),
            packed("payorch.v1.CallOutcome", &self.call_outcome(rpc, track_id)),
        ];
        if let Some(delay) = self.retry_after.or_else(|| self.usual_delay()) {
            let retry_delay = prost_types::Duration::try_from(delay).ok();
            details.push(packed("google.rpc.RetryInfo", &pb::RetryInfo { retry_delay }));
        }
        if let Some(bad) = self.bad_request() {
            details.push(packed("google.rpc.BadRequest", &bad));
        }
        let (code, message) = (self.code(), self.text("message"));
        let details = pb::Status { code: code.into(), message: message.into(), details }.encode_to_vec();
        Status::with_details(code, message, details.into())
    }

    pub(super) fn code(&self) -> Code {
        code_of(self.text("code")).expect("the catalogue has codes of gRPC")
    }

    fn info(&self) -> pb::ErrorInfo {
        let named = self.entry()["metadata"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut metadata: HashMap<_, _> = named.map(|key| (key.to_owned(), EXAMPLE.to_owned())).collect();
        metadata.extend(self.metadata.clone());
        pb::ErrorInfo { reason: self.name.into(), domain: DOMAIN.into(), metadata }
    }

    fn usual_delay(&self) -> Option<Duration> {
        self.entry()["retryDelaySeconds"].as_f64().map(Duration::from_secs_f64)
    }

    fn bad_request(&self) -> Option<pb::BadRequest> {
        let example = [(BROKEN.0.to_owned(), BROKEN.1.to_owned())];
        let broken = match &self.violations[..] {
            [] if self.entry()["namesFields"] == true => &example[..],
            [] => return None,
            broken => broken,
        };
        let violation = |(field, description): &(String, String)| pb::bad_request::FieldViolation {
            field: field.clone(),
            description: description.clone(),
            reason: EXAMPLE.into(),
            ..Default::default()
        };
        Some(pb::BadRequest { field_violations: broken.iter().map(violation).collect() })
    }

    fn text(&self, member: &str) -> &'static str {
        self.entry()[member].as_str().unwrap_or_default()
    }

    fn entry(&self) -> &'static Value {
        &CATALOGUE[self.name]
    }
}

fn packed(name: &str, detail: &impl Message) -> prost_types::Any {
    prost_types::Any { type_url: format!("type.googleapis.com/{name}"), value: detail.encode_to_vec() }
}

/// Returns every reason of the catalogue.
#[cfg(test)]
pub(super) fn reasons() -> impl Iterator<Item = (ErrorReason, &'static Value)> {
    CATALOGUE.iter().map(|(name, entry)| {
        let reason = ErrorReason::from_str_name(&format!("ERROR_REASON_{name}"));
        (reason.expect("the contract has every reason"), entry)
    })
}
