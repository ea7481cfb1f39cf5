//! The RPCs that the clients call, by the messages of their requests.

use prost::Message;

use crate::v1::{
    CallInfo, CreatePaymentMethodRequest, CreatePaymentMethodResponse, CreateSessionRequest, CreateSessionResponse,
    DecryptApplePayRequest, DecryptApplePayResponse, ExplainRouteRequest, ExplainRouteResponse, GetCallRequest,
    GetCallResponse, GetIntentRequest, GetIntentResponse, GetQuotaRequest, GetQuotaResponse, apple_pay,
    create_payment_method_request::Method, decrypt_apple_pay_request::Charge,
};

/// A message that is the request of an RPC.
///
/// Implemented for the requests of both services; it is sealed.
pub trait Request: Message + Default + Clone + Send + Sync + sealed::Named + 'static {
    /// The message that answers it.
    type Answer: Message + Default + Send + 'static;
    /// Name of the RPC.
    const RPC: &'static str;
    /// Path of its method.
    #[doc(hidden)]
    const PATH: &'static str;
}

pub(crate) mod sealed {
    use super::CallInfo;

    /// What a client has to know of a request beside its bytes.
    pub trait Named {
        /// Whether the service knows it by a request id.
        fn request_id(&mut self) -> Option<&mut String> {
            None
        }

        /// Why the client may not make an id; empty if it may.
        fn needs_own_id(&self) -> &'static str {
            ""
        }

        /// Returns where an answer has the facts about the call.
        fn call(_answer: &mut <Self as super::Request>::Answer) -> Option<&mut CallInfo>
        where
            Self: super::Request,
        {
            None
        }
    }
}

const PAYS: &str = "because the request pays an invoice. An id made by the client would differ in each call, so a \
    retry around the call would charge twice. Store new_request_id() with the order, and set it";

macro_rules! request {
    ($service:literal, $rpc:literal, $request:ident, $answer:ident) => {
        impl Request for $request {
            type Answer = $answer;
            const RPC: &'static str = $rpc;
            const PATH: &'static str = concat!("/payorch.v1.", $service, "/", $rpc);
        }
    };
}

macro_rules! mutating {
    () => {
        fn request_id(&mut self) -> Option<&mut String> {
            Some(&mut self.request_id)
        }

        fn call(answer: &mut <Self as Request>::Answer) -> Option<&mut CallInfo> {
            Some(answer.call.get_or_insert_default())
        }
    };
}

request!("PaymentOrchestrationService", "CreateSession", CreateSessionRequest, CreateSessionResponse);
request!("PaymentOrchestrationService", "DecryptApplePay", DecryptApplePayRequest, DecryptApplePayResponse);
request!("PaymentOrchestrationService", "CreatePaymentMethod", CreatePaymentMethodRequest, CreatePaymentMethodResponse);
request!("PaymentOrchestrationService", "GetIntent", GetIntentRequest, GetIntentResponse);
request!("DiagnosticsService", "ExplainRoute", ExplainRouteRequest, ExplainRouteResponse);
request!("DiagnosticsService", "GetCall", GetCallRequest, GetCallResponse);
request!("DiagnosticsService", "GetQuota", GetQuotaRequest, GetQuotaResponse);

/// A session moves no money by itself: that happens once a browser uses it.
impl sealed::Named for CreateSessionRequest {
    mutating!();
}

impl sealed::Named for DecryptApplePayRequest {
    mutating!();

    fn needs_own_id(&self) -> &'static str {
        if matches!(self.charge, Some(Charge::PayInvoice(_))) { PAYS } else { "" }
    }
}

impl sealed::Named for CreatePaymentMethodRequest {
    mutating!();

    fn needs_own_id(&self) -> &'static str {
        match &self.method {
            Some(Method::ApplePay(token)) if matches!(token.charge, Some(apple_pay::Charge::PayInvoice(_))) => PAYS,
            _ => "",
        }
    }
}

impl sealed::Named for GetIntentRequest {
    fn request_id(&mut self) -> Option<&mut String> {
        Some(&mut self.request_id)
    }

    // The service would answer truthfully that it knows nothing of a fresh one.
    fn needs_own_id(&self) -> &'static str {
        "because it names the intent that is asked about"
    }
}

impl sealed::Named for ExplainRouteRequest {}
impl sealed::Named for GetCallRequest {}
impl sealed::Named for GetQuotaRequest {}

#[cfg(test)]
mod tests {
    use super::sealed::Named;
    use super::*;
    use crate::v1::{ApplePay, PayInvoice};

    #[test]
    fn what_pays_an_invoice_needs_the_callers_id() {
        let pays = Some(Charge::PayInvoice(PayInvoice::default()));
        assert_eq!(PAYS, DecryptApplePayRequest { charge: pays, ..Default::default() }.needs_own_id());

        let pays = Some(apple_pay::Charge::PayInvoice(PayInvoice::default()));
        let method = Some(Method::ApplePay(ApplePay { charge: pays, ..Default::default() }));
        assert_eq!(PAYS, CreatePaymentMethodRequest { method, ..Default::default() }.needs_own_id());

        assert_eq!("", DecryptApplePayRequest::default().needs_own_id());
        assert_eq!("", CreatePaymentMethodRequest::default().needs_own_id());
    }

    /// Another field of this type would be one that pays, and that the client does not know.
    #[test]
    fn nothing_else_in_the_contract_pays_an_invoice() {
        let generated = include_str!("generated/payorch.v1.rs");
        let fields = generated.lines().filter(|line| line.contains("PayInvoice") && !line.trim().starts_with("//"));

        let expected = ["pub struct PayInvoice {", "PayInvoice(super::PayInvoice),", "PayInvoice(super::PayInvoice),"];
        assert_eq!(expected, *fields.map(str::trim).collect::<Vec<_>>());
    }
}
