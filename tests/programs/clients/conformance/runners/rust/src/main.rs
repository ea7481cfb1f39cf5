//! Makes the calls of cases with the Rust client: one JSON line per case in, one out.
//!
//! It compares nothing: what is right stands in cases.yaml alone.

use std::convert::Infallible;
use std::error::Error;
use std::io::{Write, stdin, stdout};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use payorch::v1::{
    CreatePaymentMethodRequest, CreateSessionRequest, DecryptApplePayRequest, ExplainRouteRequest, GetCallRequest,
    GetIntentRequest, GetQuotaRequest,
};
use payorch::{Builder, Call, CallSettings, Client, Diagnostics, ErrorKind, Resend, Tls};
use prost::Message;
use serde_json::{Value, json};
use tokio::time::timeout;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    for line in stdin().lines() {
        let seen = run(&serde_json::from_str(&line?)?).await?;
        writeln!(stdout(), "{seen}")?;
        stdout().flush()?;
    }
    Ok(())
}

async fn run(case: &Value) -> Result<Value> {
    let connect = &case["connect"];
    let tokens = Arc::new(Mutex::new(Tokens { left: texts(&connect["tokens"]), asked: Vec::new() }));
    let client = match chosen(Client::builder(text(&connect["target"])), connect, &tokens).connect() {
        Ok(client) => client,
        Err(error) => {
            let refused = error.to_string();
            return Ok(json!({"case": case["case"], "connect_error": refused, "token_calls": [], "calls": []}));
        }
    };
    let operators = Diagnostics::builder(text(&connect["operators"]));
    let clients = Clients { client, diagnostics: chosen(operators, connect, &tokens).connect().ok() };
    let mut calls = Vec::new();
    let mut request = None;
    for call in case["calls"].as_array().ok_or("the case has no calls")? {
        if call["reuse"] != true {
            request = Some(Given::read(call)?);
        }
        let request = request.as_ref().ok_or("there is no call before")?;
        let mut seen = clients.seen(&request.message, call).await?;
        seen["request_after"] = request.after()?.into();
        calls.push(seen);
    }
    let asked = &tokens.lock().unwrap_or_else(PoisonError::into_inner).asked;
    Ok(json!({"case": case["case"], "connect_error": null, "token_calls": asked, "calls": calls}))
}

/// Returns how to connect; what a case does not name is left to the client.
fn chosen<C>(mut builder: Builder<C>, connect: &Value, tokens: &Arc<Mutex<Tokens>>) -> Builder<C> {
    if connect["plaintext"] == true {
        builder = builder.plaintext();
    }
    if connect["tls"].is_object() {
        builder = builder.tls(tls(&connect["tls"]));
    }
    if !connect["tokens"].is_null() {
        let tokens = Arc::clone(tokens);
        builder = builder.token(move |refresh| {
            let token = tokens.lock().unwrap_or_else(PoisonError::into_inner).token(refresh);
            async move { Ok::<_, Infallible>(token) }
        });
    }
    match &connect["resend"] {
        Value::Null => builder,
        Value::Bool(_) => builder.without_resend(),
        policy => {
            let attempts = policy["attempts"].as_u64().and_then(|number| number.try_into().ok()).unwrap_or_default();
            builder.resend(Resend { attempts, within: seconds(&policy["within_s"]).unwrap_or_default() })
        }
    }
}

fn tls(files: &Value) -> Tls {
    let mut tls = Tls::new();
    if let Some(file) = files["ca_file"].as_str() {
        tls = tls.ca_file(file);
    }
    if let (Some(certificate), Some(key)) = (files["certificate_file"].as_str(), files["key_file"].as_str()) {
        tls = tls.certificate_files(certificate, key);
    }
    tls
}

/// Supplies the tokens of a case: the first one, and with each refusal the next.
struct Tokens {
    asked: Vec<bool>,
    left: Vec<String>,
}

impl Tokens {
    fn token(&mut self, refresh: bool) -> String {
        self.asked.push(refresh);
        if refresh && self.left.len() > 1 {
            self.left.remove(0);
        }
        self.left[0].clone()
    }
}

struct Clients {
    client: Client,
    diagnostics: Option<Diagnostics>,
}

impl Clients {
    async fn seen(&self, request: &Request, call: &Value) -> Result<Value> {
        let operators = self.diagnostics.as_ref().ok_or("the case has no target for operators");
        match request {
            Request::CreateSession(request) => seen(self.client.create_session(request), call).await,
            Request::DecryptApplePay(request) => seen(self.client.decrypt_apple_pay(request), call).await,
            Request::CreatePaymentMethod(request) => seen(self.client.create_payment_method(request), call).await,
            Request::GetIntent(request) => seen(self.client.get_intent(request), call).await,
            Request::ExplainRoute(request) => seen(operators?.explain_route(request), call).await,
            Request::GetCall(request) => seen(operators?.get_call(request), call).await,
            Request::GetQuota(request) => seen(operators?.get_quota(request), call).await,
        }
    }
}

async fn seen<R: payorch::Request>(sent: Call<'_, R>, call: &Value) -> Result<Value> {
    let mut settings = CallSettings::new().track_id(text(&call["track_id"]));
    if let Some(deadline_s) = call["deadline_s"].as_f64() {
        // A Duration is never negative; the least is zero.
        settings = settings.deadline(Duration::try_from_secs_f64(deadline_s).unwrap_or_default());
    }
    let patience = seconds(&call["cancel_after_s"]).unwrap_or(Duration::MAX);
    Ok(match timeout(patience, sent.with(settings)).await {
        Err(_) => json!({"kind": "cancelled"}),
        Ok(Ok(answer)) => json!({"kind": "ok", "answer": BASE64_STANDARD.encode(answer.encode_to_vec())}),
        Ok(Err(error)) => failed(&error)?,
    })
}

fn failed(error: &payorch::Error) -> Result<Value> {
    let kind = match error.kind() {
        ErrorKind::Argument => return Ok(json!({"kind": "argument", "text": error.to_string()})),
        ErrorKind::NotSent => "not_sent",
        ErrorKind::Refused => "refused",
        ErrorKind::Partial => "partial",
        ErrorKind::OutcomeUnknown => "unknown",
        _ => return Err(error.to_string().into()),
    };
    let told = error.call_error().ok_or("the error of a call has no details")?;
    let existing = told.call_outcome.clone().unwrap_or_default().existing.unwrap_or_default();
    let violations = told.violations.iter().map(|broken| [&broken.field, &broken.rule, &broken.description]);
    Ok(json!({
        "kind": kind,
        "text": error.to_string(),
        "code": named(&format!("{:?}", told.code)),
        "reason": told.reason,
        "outcome": told.outcome.as_str_name(),
        "advice": told.advice.as_str_name(),
        "message": told.message,
        "hint": told.hint,
        "violations": violations.collect::<Vec<_>>(),
        "metadata": told.metadata,
        "retry_delay_s": told.retry_delay.map(|delay| delay.as_secs_f64()),
        "resend_before": told.resend_before_time.is_some(),
        "track_id": told.track_id,
        "request_id": error.request_id(),
        "zuora_codes": told.zuora_codes,
        "existing": [existing.payment_method_id, existing.payment_id],
        "attempts": error.attempts().len(),
    }))
}

/// Returns the name of a code as gRPC writes it: tonic's `NotFound` is `NOT_FOUND`.
fn named(code: &str) -> String {
    let mut name = String::new();
    for letter in code.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(letter.to_uppercase());
    }
    name
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().into()
}

fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(text).collect()
}

fn seconds(value: &Value) -> Option<Duration> {
    value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
}

/// What a case gives for a call; one that is used again is the very same value.
struct Given {
    rpc: String,
    packed: String,
    message: Request,
}

impl Given {
    fn read(call: &Value) -> Result<Self> {
        let (rpc, packed) = (text(&call["rpc"]), text(&call["request"]));
        let message = Request::read(&rpc, &packed)?;
        Ok(Self { rpc, packed, message })
    }

    /// Returns the message as it is now: as it was given if it is equal, since prost writes maps in no fixed order.
    fn after(&self) -> Result<String> {
        let unchanged = Request::read(&self.rpc, &self.packed)? == self.message;
        Ok(if unchanged { self.packed.clone() } else { self.message.packed() })
    }
}

#[derive(PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
enum Request {
    CreateSession(CreateSessionRequest),
    DecryptApplePay(DecryptApplePayRequest),
    CreatePaymentMethod(CreatePaymentMethodRequest),
    GetIntent(GetIntentRequest),
    ExplainRoute(ExplainRouteRequest),
    GetCall(GetCallRequest),
    GetQuota(GetQuotaRequest),
}

impl Request {
    fn read(rpc: &str, packed: &str) -> Result<Self> {
        let packed = &*BASE64_STANDARD.decode(packed)?;
        Ok(match rpc {
            "CreateSession" => Self::CreateSession(Message::decode(packed)?),
            "DecryptApplePay" => Self::DecryptApplePay(Message::decode(packed)?),
            "CreatePaymentMethod" => Self::CreatePaymentMethod(Message::decode(packed)?),
            "GetIntent" => Self::GetIntent(Message::decode(packed)?),
            "ExplainRoute" => Self::ExplainRoute(Message::decode(packed)?),
            "GetCall" => Self::GetCall(Message::decode(packed)?),
            "GetQuota" => Self::GetQuota(Message::decode(packed)?),
            other => return Err(format!("{other} is no RPC").into()),
        })
    }

    fn packed(&self) -> String {
        BASE64_STANDARD.encode(match self {
            Self::CreateSession(message) => message.encode_to_vec(),
            Self::DecryptApplePay(message) => message.encode_to_vec(),
            Self::CreatePaymentMethod(message) => message.encode_to_vec(),
            Self::GetIntent(message) => message.encode_to_vec(),
            Self::ExplainRoute(message) => message.encode_to_vec(),
            Self::GetCall(message) => message.encode_to_vec(),
            Self::GetQuota(message) => message.encode_to_vec(),
        })
    }
}
