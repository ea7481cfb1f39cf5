//! The successful answers of a double of the service, and the rules that it checks.

use std::time::SystemTime;

use crate::rpc::sealed::Named;
use crate::v1::{
    AmountCheck, CallInfo, CreatePaymentMethodRequest, CreatePaymentMethodResponse, CreateSessionRequest,
    CreateSessionResponse, DecryptApplePayRequest, DecryptApplePayResponse, PaymentMethod, Replay, RouteTaken, Session,
    UpstreamRequest,
};
use crate::{Request, decimal_of};

const RULE: &str = "must be 16 to 128 characters from 0x21 to 0x7E";

/// A request that is executed once.
pub(super) trait Executes: Request + PartialEq {
    /// The groups of which one field has to be set, and is not.
    fn missing(&self) -> Vec<&'static str>;

    /// The fields, of the first level, in which two requests differ.
    fn differing(&self, other: &Self) -> Vec<String>;

    fn is_only_checked(&self) -> bool;

    /// Returns the answer to the request that is executed as the one with this number.
    fn executed(&self, number: u64) -> Self::Answer;

    /// Returns the answer to a request that is only checked.
    fn checked() -> Self::Answer;

    /// Returns what is wrong with it, as descriptions by field. The service knows many more rules.
    fn broken_rules(&self) -> Vec<(String, String)> {
        let mut copy = self.clone();
        let id = copy.request_id().map(std::mem::take).unwrap_or_default();
        let fits = (16..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
        let of_id = (!fits).then(|| ("request_id".to_owned(), RULE.to_owned()));
        let group = |name: &str| (name.to_owned(), "exactly one field is required in oneof".to_owned());
        of_id.into_iter().chain(self.missing().into_iter().map(group)).collect()
    }
}

/// Implements what has to look at every field, with its groups at the end.
macro_rules! looks_at {
    ($($field:ident)*; $($group:ident)*) => {
        fn missing(&self) -> Vec<&'static str> {
            [$((stringify!($group), self.$group.is_none())),*].iter().filter(|group| group.1).map(|group| group.0).collect()
        }

        fn differing(&self, other: &Self) -> Vec<String> {
            // Without `..`, so that the compiler misses a new field here.
            let Self { $($field,)* $($group,)* } = self;
            let mut names = Vec::new();
            $(if *$field != other.$field {
                names.push(stringify!($field).to_owned());
            })*
            $(if *$group != other.$group {
                names.extend([$group, &other.$group].iter().filter_map(|arm| arm.as_ref()).map(|arm| field_of(&format!("{arm:?}"))));
            })*
            names.dedup();
            names
        }

        fn is_only_checked(&self) -> bool {
            self.validate_only
        }
    };
}

impl Executes for CreateSessionRequest {
    looks_at!(request_id route validate_only gateway_options; flow);

    fn executed(&self, number: u64) -> CreateSessionResponse {
        let session = Some(Session { token: format!("fake-session-{number}") });
        CreateSessionResponse { session, ..Default::default() }
    }

    fn checked() -> CreateSessionResponse {
        CreateSessionResponse { upstream_request: upstream_request(), ..Default::default() }
    }
}

impl Executes for DecryptApplePayRequest {
    looks_at!(
        request_id route validate_only token_json merchant_id account_id card_holder expected_amount;
        stored_credential charge
    );

    fn executed(&self, number: u64) -> DecryptApplePayResponse {
        let (payment_method_id, payment_id) = ids(self, number);
        // The expected amount is reported as the one that was paid, because nothing here reads tokens.
        let (reported_amount, check) = match &self.expected_amount {
            None => (String::new(), AmountCheck::Unspecified),
            Some(_) if payment_id.is_empty() => (String::new(), AmountCheck::NotReported),
            Some(amount) => (decimal_of(amount), AmountCheck::Equal),
        };
        let amount_check = check.into();
        DecryptApplePayResponse { payment_method_id, payment_id, reported_amount, amount_check, ..Default::default() }
    }

    fn checked() -> DecryptApplePayResponse {
        DecryptApplePayResponse { upstream_request: upstream_request(), ..Default::default() }
    }
}

impl Executes for CreatePaymentMethodRequest {
    looks_at!(
        request_id route validate_only default_method billing_details custom_fields gateway_options retry_rule
        device_session_id consent_ip_address bank_identification_number selection currency_code;
        account method
    );

    fn executed(&self, number: u64) -> CreatePaymentMethodResponse {
        let (id, payment_id) = ids(self, number);
        let payment_method = Some(PaymentMethod { id, payment_id, ..Default::default() });
        CreatePaymentMethodResponse { payment_method, ..Default::default() }
    }

    fn checked() -> CreatePaymentMethodResponse {
        CreatePaymentMethodResponse { upstream_request: upstream_request(), ..Default::default() }
    }
}

/// Returns the facts about a call that executed its request.
pub(super) fn facts(request_id: &str, track_id: &str) -> CallInfo {
    CallInfo {
        replayed: Replay::No.into(),
        attempt_count: 1,
        executed_track_id: track_id.into(),
        first_send_time: Some(SystemTime::now().into()),
        ..facts_of_check(request_id, track_id)
    }
}

/// Returns the facts about a call whose request was only checked.
pub(super) fn facts_of_check(request_id: &str, track_id: &str) -> CallInfo {
    CallInfo {
        track_id: track_id.into(),
        request_id: request_id.into(),
        route_taken: Some(RouteTaken { tenant: "fake".into(), ..Default::default() }),
        matched_rule: "fake".into(),
        ..Default::default()
    }
}

/// Returns the ids of the method and, if it is paid with, of the payment.
fn ids(request: &impl Named, number: u64) -> (String, String) {
    let pays = !request.needs_own_id().is_empty();
    (format!("fake-method-{number}"), if pays { format!("fake-payment-{number}") } else { String::new() })
}

fn upstream_request() -> Option<UpstreamRequest> {
    Some(UpstreamRequest { method: "POST".into(), uri: "https://zuora.invalid/".into(), ..Default::default() })
}

/// Returns the name of the field of a group's arm, as `Debug` shows it: `OneTimePayment(..)` is `one_time_payment`.
fn field_of(shown: &str) -> String {
    let mut name = String::new();
    for letter in shown.chars().take_while(char::is_ascii_alphanumeric) {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}
