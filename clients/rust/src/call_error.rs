use std::collections::HashMap;
use std::fmt;
use std::time::{Duration, SystemTime};

use prost::Message;
use tonic::{Code, Status};
use tonic_types::pb;

use crate::v1::{Advice, CallOutcome, Outcome};

/// An error of the service, decoded.
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
    pub violations: Vec<pb::bad_request::FieldViolation>,
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
}

const DOMAIN: &str = "payorch";

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
            code: status.code(),
            message: status.message().to_owned(),
            reason: info.reason,
            outcome: told.as_ref().and_then(stated_outcome).unwrap_or(Outcome::Unknown),
            advice: told.as_ref().and_then(stated_advice).unwrap_or(Advice::ResendSameRequestId),
            track_id: told.as_ref().map(|told| told.track_id.clone()).unwrap_or_default(),
            violations: bad.field_violations,
            metadata: info.metadata,
            retry_delay: retry.and_then(|retry| retry.retry_delay?.try_into().ok()),
            zuora_codes: told.as_ref().map(|told| told.zuora_codes.clone()).unwrap_or_default(),
            resend_before_time: told.as_ref().and_then(|told| told.resend_before_time?.try_into().ok()),
            call_outcome: told,
        }
    }
}

impl From<Status> for CallError {
    fn from(status: Status) -> Self {
        Self::from(&status)
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = format!("{:?}", self.code);
        let what = if self.reason.is_empty() { &code } else { &self.reason };
        let (outcome, advice) = (self.outcome.as_str_name(), self.advice.as_str_name());
        write!(formatter, "{what}: {} ({outcome}, {advice})", self.message)
    }
}

impl std::error::Error for CallError {}

fn stated_outcome(told: &CallOutcome) -> Option<Outcome> {
    Outcome::try_from(told.outcome).ok().filter(|outcome| *outcome != Outcome::Unspecified)
}

fn stated_advice(told: &CallOutcome) -> Option<Advice> {
    Advice::try_from(told.advice).ok().filter(|advice| *advice != Advice::Unspecified)
}

fn detail<M: Message + Default>(details: &[prost_types::Any], name: &str) -> Option<M> {
    let found = details.iter().find(|detail| detail.type_url.rsplit('/').next() == Some(name))?;
    M::decode(&*found.value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(outcome: i32, advice: i32) -> Status {
        let told = CallOutcome { outcome, advice, track_id: "t-1".into(), ..Default::default() };
        let detail = prost_types::Any {
            type_url: "type.googleapis.com/payorch.v1.CallOutcome".into(),
            value: told.encode_to_vec(),
        };
        let details = pb::Status { details: vec![detail], ..Default::default() }.encode_to_vec();
        Status::with_details(Code::Aborted, "", details.into())
    }

    #[test]
    fn a_reason_of_another_domain_is_not_read() {
        let info = pb::ErrorInfo { domain: "proxy.example".into(), reason: "X".into(), ..Default::default() };
        let detail = prost_types::Any {
            type_url: "type.googleapis.com/google.rpc.ErrorInfo".into(),
            value: info.encode_to_vec(),
        };
        let details = pb::Status { details: vec![detail], ..Default::default() }.encode_to_vec();
        let status = Status::with_details(Code::Unavailable, "", details.into());

        assert_eq!("", CallError::from(status).reason);
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
    fn debug_shows_nothing_sensitive() {
        let debit = crate::v1::SepaDebit { iban: "DE89370400440532013000".into(), ..Default::default() };

        assert!(!format!("{debit:?}").contains("DE89"));
    }
}
