use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use prost::Message;
use tonic::{Code, Status};
use tonic_types::pb;

use crate::v1::{Advice, CallOutcome, Outcome};

/// One broken rule of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FieldViolation {
    /// Path of the field.
    pub field: String,
    /// Stable name of the rule.
    pub rule: String,
    /// What must hold.
    pub description: String,
}

/// An error status, decoded. Of a call that was made with the generated stubs, get it by `CallError::from(&status)`.
///
/// An error that carries no [`CallOutcome`], such as one made by a proxy, means: outcome unknown, advice resend with
/// the same request id. So do an outcome and an advice that this version does not know.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CallError {
    /// The gRPC status code; decide by outcome and advice, not by this.
    pub code: Code,
    /// Text for developers.
    pub message: String,
    /// Name of the `ErrorReason` without its prefix; empty if the service did not make the error.
    pub reason: String,
    /// What happened at Zuora.
    pub outcome: Outcome,
    /// What to do next.
    pub advice: Advice,
    /// The Zuora-Track-Id of the call; empty if the service did not make the error.
    pub track_id: String,
    /// The fields that break rules.
    pub violations: Vec<FieldViolation>,
    /// Of the `ErrorInfo`.
    pub metadata: HashMap<String, String>,
    /// How long to wait before a resend, where the service knows.
    pub retry_delay: Option<Duration>,
    /// Zuora's codes as it sent them.
    pub zuora_codes: Vec<String>,
    /// Until when a resend is safe; none where the advice is not to.
    pub resend_before_time: Option<SystemTime>,
    /// Everything else: Zuora's ids, attempts, what exists.
    pub call_outcome: Option<CallOutcome>,
    /// What may be wrong with the connection, where none could be made; empty otherwise.
    pub hint: String,
}

const DOMAIN: &str = "payorch";

impl CallError {
    /// Returns an error of which nothing is known.
    pub(crate) fn of(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            reason: String::new(),
            outcome: Outcome::Unknown,
            advice: Advice::ResendSameRequestId,
            track_id: String::new(),
            violations: Vec::new(),
            metadata: HashMap::new(),
            retry_delay: None,
            zuora_codes: Vec::new(),
            resend_before_time: None,
            call_outcome: None,
            hint: String::new(),
        }
    }

    /// Returns the error of a call that was never started.
    pub(crate) fn not_started(code: Code, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotSent, ..Self::of(code, message) }
    }

    /// Returns the reason, or the name of the code where there is none.
    pub(crate) fn name(&self) -> &str {
        if self.reason.is_empty() { code_name(self.code) } else { &self.reason }
    }
}

impl From<&Status> for CallError {
    fn from(status: &Status) -> Self {
        // Details that cannot be read were not made by the service, which means what no details mean.
        let details = pb::Status::decode(status.details()).unwrap_or_default().details;
        // A reason of another domain is not read.
        let info = detail(&details, "google.rpc.ErrorInfo").filter(|info: &pb::ErrorInfo| info.domain == DOMAIN);
        let info = info.unwrap_or_default();
        let bad: pb::BadRequest = detail(&details, "google.rpc.BadRequest").unwrap_or_default();
        let retry: Option<pb::RetryInfo> = detail(&details, "google.rpc.RetryInfo");
        let told: Option<CallOutcome> = detail(&details, "payorch.v1.CallOutcome");
        Self {
            reason: info.reason,
            outcome: told.as_ref().and_then(stated_outcome).unwrap_or(Outcome::Unknown),
            advice: told.as_ref().and_then(stated_advice).unwrap_or(Advice::ResendSameRequestId),
            track_id: told.as_ref().map(|told| told.track_id.clone()).unwrap_or_default(),
            violations: bad.field_violations.into_iter().map(FieldViolation::from).collect(),
            metadata: info.metadata,
            retry_delay: retry.and_then(|retry| retry.retry_delay?.try_into().ok()),
            zuora_codes: told.as_ref().map(|told| told.zuora_codes.clone()).unwrap_or_default(),
            resend_before_time: told.as_ref().and_then(|told| told.resend_before_time?.try_into().ok()),
            call_outcome: told,
            ..Self::of(status.code(), status.message())
        }
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        Self::from(&status)
    }
}

impl From<pb::bad_request::FieldViolation> for FieldViolation {
    fn from(told: pb::bad_request::FieldViolation) -> Self {
        Self { field: told.field, rule: told.reason, description: told.description }
    }
}

/// Returns what happened; an error that claims a success contradicts itself, and says nothing certain.
fn stated_outcome(told: &CallOutcome) -> Option<Outcome> {
    let nothing = [Outcome::Unspecified, Outcome::Succeeded];
    Outcome::try_from(told.outcome).ok().filter(|outcome| !nothing.contains(outcome))
}

fn stated_advice(told: &CallOutcome) -> Option<Advice> {
    Advice::try_from(told.advice).ok().filter(|advice| *advice != Advice::Unspecified)
}

fn detail<M: Message + Default>(details: &[prost_types::Any], name: &str) -> Option<M> {
    let named = details.iter().filter(|detail| detail.type_url.rsplit('/').next() == Some(name));
    // One that cannot be read proves nothing.
    named.filter_map(|detail| M::decode(&*detail.value).ok()).next()
}

/// Returns the name that gRPC gives to a code.
pub(crate) fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// Returns the code of a name.
#[cfg(feature = "testing")]
pub(crate) fn code_of(name: &str) -> Option<Code> {
    (0..=16).map(Code::from).find(|code| code_name(*code) == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_detail(name: &str, detail: &impl Message) -> Status {
        let detail =
            prost_types::Any { type_url: format!("type.googleapis.com/{name}"), value: detail.encode_to_vec() };
        let details = pb::Status { details: vec![detail], ..Default::default() }.encode_to_vec();
        Status::with_details(Code::Aborted, "", details.into())
    }

    fn status(outcome: i32, advice: i32) -> Status {
        let told = CallOutcome { outcome, advice, track_id: "t-1".into(), ..Default::default() };
        with_detail("payorch.v1.CallOutcome", &told)
    }

    #[test]
    fn a_reason_of_another_domain_is_not_read() {
        let info = pb::ErrorInfo { domain: "proxy.example".into(), reason: "X".into(), ..Default::default() };

        assert_eq!("", CallError::from(with_detail("google.rpc.ErrorInfo", &info)).reason);
    }

    #[test]
    fn what_the_service_states_is_taken() {
        let error = CallError::from(status(Outcome::Refused.into(), Advice::LookUp.into()));

        assert_eq!((Outcome::Refused, Advice::LookUp, "t-1"), (error.outcome, error.advice, error.track_id.as_str()));
    }

    #[test]
    fn no_details_mean_unknown_and_resend() {
        let unreadable = Status::with_details(Code::Unavailable, "", vec![8, 0xff].into());
        for status in [Status::unavailable("a proxy"), unreadable, status(0, 0), status(77, 77)] {
            let error = CallError::from(&status);

            assert_eq!((Outcome::Unknown, Advice::ResendSameRequestId), (error.outcome, error.advice), "{status}");
        }
    }

    #[test]
    fn an_error_that_claims_a_success_is_unknown() {
        assert_eq!(Outcome::Unknown, CallError::from(status(Outcome::Succeeded.into(), 0)).outcome);
    }

    #[test]
    fn debug_shows_nothing_sensitive() {
        let debit = crate::v1::SepaDebit { iban: "DE89370400440532013000".into(), ..Default::default() };

        assert!(!format!("{debit:?}").contains("DE89"));
    }
}
