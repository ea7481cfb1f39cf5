//! A double of the service for the tests of its callers: in this process, without Zuora. Feature `testing`.
//!
//! [`FakePayorch`] answers as the service does: idempotent by request id, able to fail with every reason, and it records
//! calls.
//!
//! ```
//! use payorch::testing::{FakePayorch, Failure};
//! use payorch::v1::{CreateSessionRequest, ErrorReason, OneTimePayment, create_session_request::Flow};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), payorch::Error> {
//! let payorch = FakePayorch::start();
//! payorch.fail_with(Failure::of(ErrorReason::UpstreamNoAnswer).executed());
//! let request = CreateSessionRequest {
//!     request_id: "order-4711-attempt-1".into(),
//!     flow: Some(Flow::OneTimePayment(OneTimePayment::default())),
//!     ..Default::default()
//! };
//! payorch.client().create_session(&request).await?;
//! let calls: Vec<_> = payorch.calls().into_iter().map(|call| (call.reason, call.executed)).collect();
//! assert_eq!([("UPSTREAM_NO_ANSWER".to_owned(), true), (String::new(), false)], *calls);
//! # Ok(())
//! # }
//! ```

mod answers;
mod failure;
mod recorded;
mod script;
mod server;

use std::net::TcpListener;

use tokio::task::JoinHandle;
use tonic::Code;

use crate::{Builder, Client, Diagnostics};
pub use failure::Failure;
pub use recorded::RecordedCall;
use script::Ending;
use server::Shared;

/// A double of the service, which ends when it is dropped.
#[derive(Debug)]
pub struct FakePayorch {
    target: String,
    shared: Shared,
    server: JoinHandle<()>,
}

impl FakePayorch {
    /// Starts one on a free port of the loopback address.
    ///
    /// # Panics
    ///
    /// There is no runtime of tokio, or no free port.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let target = listener.local_addr().expect("a bound socket has an address").to_string();
        let shared = Shared::default();
        let server = server::serve(listener, shared.clone()).expect("a bound socket can be served");
        Self { target, shared, server }
    }

    /// Returns what a client connects to, in plaintext.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Returns a client of it, which resends without waiting.
    ///
    /// # Panics
    ///
    /// Never, as nothing is wrong with its arguments.
    #[must_use]
    pub fn client(&self) -> Client {
        self.builder().connect().expect("the target is one")
    }

    /// Returns what connects a client of it, for tests that set more; it resends without waiting.
    pub fn builder(&self) -> Builder<Client> {
        Client::builder(&self.target).plaintext().without_waits()
    }

    /// Returns what connects a client for operators, which resends without waiting.
    pub fn diagnostics_builder(&self) -> Builder<Diagnostics> {
        Diagnostics::builder(&self.target).plaintext().without_waits()
    }

    /// Makes the next calls fail as the service does, after those of earlier plans: with a reason, or a [`Failure`].
    pub fn fail_with(&self, failure: impl Into<Failure>) {
        let failure = failure.into();
        let (rpc, times) = (failure.rpc.clone(), failure.times);
        self.shared.locked().script.plan(rpc, times, Ending::Failure(Box::new(failure)));
    }

    /// Makes the next call fail as with a proxy between client and service: nothing is known of its outcome.
    pub fn fail_without_details(&self, code: Code, message: impl Into<String>) {
        self.shared.locked().script.plan(String::new(), 1, Ending::Nothing(code, message.into()));
    }

    /// Returns every call, in the order in which they were answered.
    #[must_use]
    pub fn calls(&self) -> Vec<RecordedCall> {
        self.shared.locked().calls.clone()
    }

    /// Returns the calls that were executed, each intent once.
    #[must_use]
    pub fn executed(&self) -> Vec<RecordedCall> {
        self.calls().into_iter().filter(|call| call.executed).collect()
    }
}

impl Drop for FakePayorch {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call_error::code_name;
    use crate::v1::{
        CreateSessionRequest, DecryptApplePayRequest, ErrorReason, OneTimePayment, create_session_request::Flow,
    };
    use crate::v1::{GetIntentRequest, IntentState, Operation, Replay};
    use crate::{Error, Request};

    const REASONS: &str = include_str!("reasons.json");

    fn session() -> CreateSessionRequest {
        let flow = Some(Flow::OneTimePayment(OneTimePayment::default()));
        CreateSessionRequest { request_id: crate::new_request_id(), flow, ..Default::default() }
    }

    async fn refused(payorch: &FakePayorch, request: &CreateSessionRequest) -> Error {
        let client = payorch.builder().without_resend().connect().unwrap();
        client.create_session(request).await.unwrap_err()
    }

    #[tokio::test]
    async fn every_reason_is_as_the_catalogue_says() {
        let payorch = FakePayorch::start();
        for (reason, entry) in failure::reasons() {
            payorch.fail_with(reason);
            let error = refused(&payorch, &session()).await;
            let told = error.call_error().unwrap();

            let text = |member: &str| entry[member].as_str().unwrap().to_owned();
            let advice = entry["adviceByRpc"]["CreateSession"].as_str().map_or_else(|| text("advice"), Into::into);
            let expected =
                [text("code"), text("message"), format!("OUTCOME_{}", text("outcome")), format!("ADVICE_{advice}")];
            let (outcome, advice) = (told.outcome.as_str_name(), told.advice.as_str_name());
            assert_eq!(expected, [code_name(told.code), &told.message, outcome, advice], "{reason:?}");
            assert_eq!(reason.as_str_name(), format!("ERROR_REASON_{}", error.reason()));
            assert_eq!(entry["retryDelaySeconds"].as_f64(), told.retry_delay.map(|delay| delay.as_secs_f64()));
            assert_eq!(entry["namesFields"] == true, !error.violations().is_empty());
            assert_eq!(entry["metadata"].as_array().map_or(0, Vec::len), told.metadata.len());
        }
    }

    #[test]
    fn the_contract_and_the_catalogue_have_the_same_reasons() {
        let reasons: serde_json::Map<_, _> = serde_json::from_str(REASONS).unwrap();
        let contract = (1..=1000).filter_map(|number| ErrorReason::try_from(number).ok());

        assert_eq!(reasons.len(), contract.count());
    }

    #[tokio::test]
    async fn an_intent_is_executed_once_and_another_request_is_a_mismatch() {
        let payorch = FakePayorch::start();
        let mut request = session();
        let first = payorch.client().create_session(&request).await.unwrap();
        let second = payorch.client().create_session(&request).await.unwrap();
        request.gateway_options.insert("name".into(), "value".into());
        request.flow = Some(Flow::StoreOnly(Default::default()));
        let mismatch = refused(&payorch, &request).await;

        assert_eq!((first.session, Replay::Yes), (second.session, second.call.unwrap().replayed()));
        let fields: Vec<_> = mismatch.violations().iter().map(|broken| broken.field.as_str()).collect();
        assert_eq!(
            ("INTENT_MISMATCH", vec!["gateway_options", "one_time_payment", "store_only"]),
            (mismatch.reason(), fields)
        );
        assert_eq!(1, payorch.executed().len());
    }

    #[tokio::test]
    async fn what_settles_is_answered_again_and_what_does_not_is_executed() {
        let payorch = FakePayorch::start();
        let (settled, open) = (session(), session());
        payorch.fail_with(ErrorReason::PaymentDeclined);
        payorch.fail_with(ErrorReason::UpstreamNoAnswer);
        refused(&payorch, &settled).await;
        refused(&payorch, &open).await;

        assert_eq!("PAYMENT_DECLINED", refused(&payorch, &settled).await.reason());
        assert!(payorch.client().create_session(&open).await.is_ok());
    }

    #[tokio::test]
    async fn rules_that_need_no_policy_are_checked() {
        let payorch = FakePayorch::start();
        let request = DecryptApplePayRequest { request_id: "short".into(), ..Default::default() };
        let error = payorch.client().decrypt_apple_pay(&request).await.unwrap_err();

        let fields: Vec<_> = error.violations().iter().map(|broken| broken.field.as_str()).collect();
        assert_eq!(vec!["request_id", "stored_credential", "charge"], fields);
    }

    #[tokio::test]
    async fn a_check_executes_nothing() {
        let payorch = FakePayorch::start();
        let request = CreateSessionRequest { validate_only: true, ..session() };
        let answer = payorch.client().create_session(&request).await.unwrap();

        assert!(answer.upstream_request.is_some() && answer.session.is_none() && payorch.executed().is_empty());
    }

    #[tokio::test]
    async fn an_intent_is_answered_from_the_record() {
        let payorch = FakePayorch::start();
        let request = session();
        payorch.client().create_session(&request).await.unwrap();
        for (operation, expected) in
            [(Operation::CreateSession, IntentState::Settled), (Operation::DecryptApplePay, IntentState::NotFound)]
        {
            let asked = GetIntentRequest { request_id: request.request_id.clone(), operation: operation.into() };
            assert_eq!(expected, payorch.client().get_intent(&asked).await.unwrap().intent_state());
        }
    }

    #[tokio::test]
    async fn a_plan_for_an_rpc_waits_for_its_calls() {
        let payorch = FakePayorch::start();
        payorch.fail_with(Failure::of(ErrorReason::RequestInvalid).rpc(DecryptApplePayRequest::RPC));
        payorch.client().create_session(&session()).await.unwrap();

        assert!(payorch.client().decrypt_apple_pay(&DecryptApplePayRequest::default()).await.is_err());
    }

    #[test]
    #[should_panic(expected = "PAYMENT_DECLINED says that the request was not executed")]
    fn what_was_refused_was_not_executed() {
        let _ = Failure::of(ErrorReason::PaymentDeclined).executed();
    }
}
