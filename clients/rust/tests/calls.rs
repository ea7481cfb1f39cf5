//! Calls of a client, against the double of the service.

mod support;

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use payorch::testing::{Failure, FakePayorch};
use payorch::v1::{AmountCheck, DecryptApplePayRequest, ErrorReason, GetIntentRequest, GetQuotaRequest, Replay};
use payorch::{CallSettings, Client, ErrorKind, Resend, money};
use tonic::service::InterceptorLayer;
use tonic::{Code, Status};

use support::{payment, session};

#[tokio::test]
async fn a_message_without_an_id_gets_a_fresh_one_in_each_call_and_is_not_changed() {
    let payorch = FakePayorch::start();
    let request = session();
    let first = payorch.client().create_session(&request).await.unwrap().call.unwrap();
    let second = payorch.client().create_session(&request).await.unwrap().call.unwrap();

    assert!(!first.request_id.is_empty() && first.request_id != second.request_id);
    assert_eq!(("", 2), (request.request_id.as_str(), payorch.executed().len()));
}

#[tokio::test]
async fn what_pays_an_invoice_without_an_id_is_not_sent() {
    let payorch = FakePayorch::start();
    let mut request = payment();
    request.request_id.clear();
    let error = payorch.client().decrypt_apple_pay(&request).await.unwrap_err();

    assert!(error.kind() == ErrorKind::Argument && error.to_string().contains("would charge twice"), "{error}");
    let error = payorch.client().get_intent(&GetIntentRequest::default()).await.unwrap_err();
    assert_eq!("request_id: it is required, because it names the intent that is asked about.", error.to_string());
    assert!(payorch.calls().is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_found_by_a_resend_of_the_same_request() {
    let payorch = FakePayorch::start();
    payorch.fail_with(Failure::of(ErrorReason::UpstreamNoAnswer).executed());
    let request = payment();
    let answer = payorch.client().decrypt_apple_pay(&request).await.unwrap();

    assert_eq!(Replay::Yes, answer.call.unwrap().replayed());
    let sent: Vec<_> = payorch.calls().iter().map(|call| call.request().unwrap()).collect();
    assert_eq!((vec![request.clone(), request], 1), (sent, payorch.executed().len()));
}

#[tokio::test]
async fn the_error_is_that_of_the_least_certain_attempt() {
    let payorch = FakePayorch::start();
    payorch.fail_with(ErrorReason::UpstreamNoAnswer);
    payorch.fail_with(ErrorReason::CallerNotPermitted);
    let error = payorch.client().decrypt_apple_pay(&payment()).await.unwrap_err();

    assert_eq!((ErrorKind::OutcomeUnknown, 2), (error.kind(), error.attempts().len()));
    assert!(error.to_string().contains("after 2 attempts, the last one ended as CALLER_NOT_PERMITTED"), "{error}");
}

#[tokio::test]
async fn a_client_without_resends_sends_once() {
    let payorch = FakePayorch::start();
    payorch.fail_with(Failure::of(ErrorReason::Overloaded).times(9));
    let client = payorch.builder().without_resend().connect().unwrap();
    client.create_session(&session()).await.unwrap_err();

    assert_eq!(1, payorch.calls().len());
}

#[tokio::test]
async fn settings_that_make_no_sense_are_refused() {
    let payorch = FakePayorch::start();
    let client = payorch.client();
    for (settings, name) in [
        (CallSettings::new().deadline(Duration::ZERO), "deadline: "),
        (CallSettings::new().deadline(Duration::MAX), "deadline: "),
        (CallSettings::new().track_id("a b"), "track_id: "),
    ] {
        let error = client.create_session(&session()).with(settings).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Argument && error.to_string().starts_with(name), "{error}");
    }
    for resend in
        [Resend { attempts: 0, ..Default::default() }, Resend { within: Duration::ZERO, ..Default::default() }]
    {
        assert_eq!(ErrorKind::Argument, payorch.builder().resend(resend).connect().unwrap_err().kind());
    }
    assert!(payorch.calls().is_empty());
}

#[tokio::test]
async fn track_id_user_agent_and_layers_reach_the_service() {
    let payorch = FakePayorch::start();
    let add = |mut request: tonic::Request<()>| {
        request.metadata_mut().insert("x-team", "checkout".parse().unwrap());
        Ok(request)
    };
    let client = payorch
        .builder()
        .layer(InterceptorLayer::new(add))
        .endpoint(|endpoint| endpoint.user_agent("shop/1 payorch-rust/0.1.0").unwrap())
        .connect()
        .unwrap();
    client.create_session(&session()).with(CallSettings::new().track_id("ticket-1")).await.unwrap();
    payorch.client().create_session(&session()).await.unwrap();

    let calls = payorch.calls();
    assert_eq!(("ticket-1", "checkout"), (calls[0].track_id.as_str(), calls[0].metadata["x-team"].as_str()));
    assert!(calls[0].metadata["user-agent"].starts_with("shop/1 payorch-rust/"));
    assert!(calls[1].metadata["user-agent"].starts_with(concat!(
        "payorch-rust/",
        env!("CARGO_PKG_VERSION"),
        " tonic/"
    )));
}

#[tokio::test]
async fn what_a_layer_refuses_is_unknown() {
    let payorch = FakePayorch::start();
    let refuse = |_: tonic::Request<()>| Err(Status::permission_denied("not today"));
    let client = payorch.builder().layer(InterceptorLayer::new(refuse)).without_resend().connect().unwrap();

    let error = client.create_session(&session()).await.unwrap_err();

    assert_eq!(ErrorKind::OutcomeUnknown, error.kind());
}

type Asked = Arc<Mutex<Vec<bool>>>;

/// Returns a client whose supplier counts its calls, with the tokens before and after a refusal.
fn with_tokens(payorch: &FakePayorch, stale: &'static str, fresh: &'static str) -> (Client, Asked) {
    let asked = Asked::default();
    let noted = Arc::clone(&asked);
    let client = payorch.builder().token(move |refresh| {
        noted.lock().unwrap().push(refresh);
        async move { Ok::<_, Infallible>(if refresh { fresh } else { stale }.to_owned()) }
    });
    (client.connect().unwrap(), asked)
}

#[tokio::test]
async fn a_refused_token_is_replaced_once_by_a_fresh_one() {
    let payorch = FakePayorch::start();
    payorch.fail_with(ErrorReason::CallerUnauthenticated);
    let (client, asked) = with_tokens(&payorch, "stale", "fresh");
    client.create_session(&session()).await.unwrap();

    let tokens: Vec<_> = payorch.calls().into_iter().map(|call| call.token).collect();
    assert_eq!((vec![false, true], vec!["stale".to_owned(), "fresh".into()]), (asked.lock().unwrap().clone(), tokens));
    assert!(!format!("{client:?} {payorch:?}").contains("fresh"));
}

#[tokio::test]
async fn the_same_token_is_not_sent_twice() {
    let payorch = FakePayorch::start();
    payorch.fail_with(Failure::of(ErrorReason::CallerUnauthenticated).times(9));
    let (client, _) = with_tokens(&payorch, "same", "same");
    let error = client.create_session(&session()).await.unwrap_err();

    assert_eq!((ErrorKind::NotSent, 1), (error.kind(), payorch.calls().len()));
}

#[tokio::test]
async fn a_supplier_that_fails_does_not_hide_a_doubt() {
    let payorch = FakePayorch::start();
    let calls = Arc::new(Mutex::new(0));
    let client = payorch.builder().token(move |_| {
        let number = {
            let mut calls = calls.lock().unwrap();
            *calls += 1;
            *calls
        };
        async move { if number == 2 { Err("no token today") } else { Ok("token".to_owned()) } }
    });
    let client = client.connect().unwrap();
    payorch.fail_with(ErrorReason::UpstreamNoAnswer);
    let error = client.decrypt_apple_pay(&payment()).await.unwrap_err();

    let source = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!((ErrorKind::OutcomeUnknown, "token: the supplier failed: no token today"), (error.kind(), &*source));
}

#[tokio::test]
async fn a_supplier_that_fails_at_first_is_its_own_error() {
    let payorch = FakePayorch::start();
    let client = payorch.builder().token(|_| async { Err::<String, _>("no token today") }).connect().unwrap();
    let error = client.create_session(&session()).await.unwrap_err();

    assert_eq!((ErrorKind::Token, 0), (error.kind(), payorch.calls().len()));
}

#[tokio::test]
async fn an_error_of_a_proxy_is_resent_and_else_unknown() {
    let payorch = FakePayorch::start();
    payorch.fail_without_details(Code::Unavailable, "no healthy upstream");
    payorch.client().create_session(&session()).await.unwrap();
    payorch.fail_without_details(Code::Unavailable, "Connection refused");
    let client = payorch.builder().without_resend().connect().unwrap();

    let error = client.create_session(&session()).await.unwrap_err();

    assert_eq!(ErrorKind::OutcomeUnknown, error.kind());
}

#[tokio::test]
async fn the_double_reports_the_expected_amount_as_paid() {
    let request = DecryptApplePayRequest { expected_amount: Some(money("12.34", "USD").unwrap()), ..payment() };
    let answer = FakePayorch::start().client().decrypt_apple_pay(&request).await.unwrap();

    assert_eq!((AmountCheck::Equal, "12.34"), (answer.amount_check(), answer.reported_amount.as_str()));
}

#[tokio::test]
async fn operators_are_answered() {
    let payorch = FakePayorch::start();
    let diagnostics = payorch.diagnostics_builder().connect().unwrap();
    diagnostics.get_quota(&GetQuotaRequest::default()).await.unwrap();

    assert_eq!("GetQuota", payorch.calls()[0].rpc);
}
