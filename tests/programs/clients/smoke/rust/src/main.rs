//! Calls a running service through the package and prints what it reads, one JSON object per line.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use payorch::v1::payment_orchestration_service_client::PaymentOrchestrationServiceClient;
use payorch::v1::{
    CallInfo, CreatePaymentMethodRequest, CreateSessionRequest, DecryptApplePayRequest, GetIntentRequest, IntentState,
    Mandate, OneTimePayment, Operation, PayInvoice, SepaDebit, StoredCredentialZuoraDefault,
    create_payment_method_request as method_request, create_session_request::Flow,
    decrypt_apple_pay_request as apple_pay_request,
};
use payorch::{Call, CallError, CallSettings, Client, Money};
use serde_json::{Map, Value, json};
use tonic::Request;
use tonic::transport::Endpoint;

const ACCOUNT: &str = "2c92c0f8000000000000000000000001";
const DEADLINE: Duration = Duration::from_secs(20); // of a call through the stub; those of the client have one

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [target, token_file] = &arguments[..] else {
        return Err("Two arguments are needed: TARGET and TOKEN_FILE.".into());
    };
    let client = Client::builder(target).plaintext().connect()?;
    let request_id = session(&client, "session").await?;
    apple_pay(&client, std::fs::read(token_file)?).await?;
    method(&client).await?;
    intent(target, request_id).await?;
    error(target).await?;
    print("ready", json!({}));
    std::io::stdin().read_line(&mut String::new())?;
    session(&client, "retry").await?;
    Ok(())
}

async fn session(client: &Client, step: &str) -> Result<String> {
    let request = session_request(ACCOUNT);
    let request_id = request.request_id.clone();
    let answer = tracked(step, client.create_session(&request)).await?;
    let session = answer.session.ok_or("The answer has no session.")?;
    print(step, called(answer.call, json!({"token_length": session.token.len()}))?);
    Ok(request_id)
}

async fn apple_pay(client: &Client, token_json: Vec<u8>) -> Result<()> {
    let invoice = Some(apple_pay_request::Charge::PayInvoice(PayInvoice { invoice: "INV00000001".into() }));
    let request = DecryptApplePayRequest {
        request_id: payorch::new_request_id(),
        token_json,
        merchant_id: "merchant.example.payorch".into(),
        account_id: ACCOUNT.into(),
        stored_credential: Some(apple_pay_request::StoredCredential::ZuoraDefault(StoredCredentialZuoraDefault {})),
        charge: invoice,
        expected_amount: Some(usd(12, 340_000_000)),
        ..Default::default()
    };
    let answer = tracked("apple-pay", client.decrypt_apple_pay(&request)).await?;
    let ids = json!({"payment_method_id": answer.payment_method_id, "payment_id": answer.payment_id});
    print("apple_pay", called(answer.call, ids)?);
    Ok(())
}

async fn method(client: &Client) -> Result<()> {
    let mandate = Some(Mandate { id: "mandate-1".into(), ..Default::default() });
    let debit = SepaDebit { iban: "DE89370400440532013000".into(), mandate, ..Default::default() };
    let account = payorch::v1::AccountByNumber { number: "A00000001".into() };
    let request = CreatePaymentMethodRequest {
        request_id: payorch::new_request_id(),
        account: Some(method_request::Account::AccountByNumber(account)),
        method: Some(method_request::Method::SepaDebit(debit)),
        ..Default::default()
    };
    let answer = tracked("method", client.create_payment_method(&request)).await?;
    let id = answer.payment_method.ok_or("The answer has no payment method.")?.id;
    print("method", called(answer.call, json!({"payment_method_id": id}))?);
    Ok(())
}

/// Uses the stub that tonic generates, and no layer over it.
async fn intent(target: &str, request_id: String) -> Result<()> {
    let request = GetIntentRequest { request_id, operation: Operation::CreateSession.into() };
    let answer = stub(target)?.get_intent(raw("intent", request)?).await?.into_inner();
    print("intent", json!({"state": IntentState::try_from(answer.intent_state)?.as_str_name()}));
    Ok(())
}

async fn error(target: &str) -> Result<()> {
    let Err(status) = stub(target)?.create_session(raw("error", session_request("unknown"))?).await else {
        return Err("A session for an account that does not exist was created.".into());
    };
    let error = CallError::from(status);
    let values = json!({
        "code": error.code as i32,
        "reason": error.reason,
        "outcome": error.outcome.as_str_name(),
        "advice": error.advice.as_str_name(),
        "track_id": error.track_id,
        "zuora_codes": error.zuora_codes,
    });
    print("error", values);
    Ok(())
}

fn session_request(account: &str) -> CreateSessionRequest {
    let payment =
        OneTimePayment { amount: Some(usd(100, 100_000_000)), account_id: account.into(), ..Default::default() };
    CreateSessionRequest {
        request_id: payorch::new_request_id(),
        flow: Some(Flow::OneTimePayment(payment)),
        ..Default::default()
    }
}

fn usd(units: i64, nanos: i32) -> Money {
    Money { currency_code: "USD".into(), units, nanos }
}

fn tracked<'c, R: payorch::Request>(step: &str, call: Call<'c, R>) -> Call<'c, R> {
    call.with(CallSettings::new().track_id(format!("smoke-rust-{step}")))
}

fn stub(target: &str) -> Result<PaymentOrchestrationServiceClient<tonic::transport::Channel>> {
    Ok(PaymentOrchestrationServiceClient::new(Endpoint::from_shared(format!("http://{target}"))?.connect_lazy()))
}

fn raw<T>(step: &str, message: T) -> Result<Request<T>> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request.metadata_mut().insert(payorch::TRACK_ID, format!("smoke-rust-{step}").parse()?);
    Ok(request)
}

fn called(call: Option<CallInfo>, more: Value) -> Result<Value> {
    let call = call.ok_or("The answer has no CallInfo.")?;
    Ok(merged(json!({"track_id": call.track_id, "replayed": call.replayed().as_str_name()}), more))
}

fn print(step: &str, values: Value) {
    println!("{}", merged(json!({"step": step}), values));
}

fn merged(one: Value, other: Value) -> Value {
    let members = [one, other].into_iter().filter_map(|value| value.as_object().cloned()).flatten();
    Value::Object(members.collect::<Map<_, _>>())
}
