use std::sync::Arc;

use crate::builder::Connects;
use crate::sender::Sender;
use crate::v1::{
    CreatePaymentMethodRequest, CreateSessionRequest, DecryptApplePayRequest, ExplainRouteRequest, GetCallRequest,
    GetIntentRequest, GetQuotaRequest,
};
use crate::{Builder, Call};

/// Calls the service. Clones share their connections, and many tasks may use one.
///
/// No request is ever changed. [`Call::with`] sets deadline and Track-Id of a call.
#[derive(Clone, Debug)]
pub struct Client {
    sender: Arc<Sender>,
}

impl Client {
    /// Returns what connects a client.
    ///
    /// The target is `host:port`, each of whose addresses is used in turn, or a target of gRPC with the scheme dns, ipv4,
    /// ipv6 or unix.
    pub fn builder(target: impl Into<String>) -> Builder<Self> {
        Builder::new(target.into())
    }

    /// Creates a payment session for Zuora's JavaScript library.
    ///
    /// Without a request id it gets a fresh one, which the answer names.
    pub fn create_session<'c>(&'c self, request: &'c CreateSessionRequest) -> Call<'c, CreateSessionRequest> {
        Call::new(&self.sender, request)
    }

    /// Creates a payment method of an Apple Pay token and, if asked, pays an invoice.
    ///
    /// A request that pays an invoice needs a request id.
    pub fn decrypt_apple_pay<'c>(&'c self, request: &'c DecryptApplePayRequest) -> Call<'c, DecryptApplePayRequest> {
        Call::new(&self.sender, request)
    }

    /// Creates a payment method and, with an Apple Pay token, pays an invoice if asked.
    ///
    /// A request that pays an invoice needs a request id.
    pub fn create_payment_method<'c>(
        &'c self,
        request: &'c CreatePaymentMethodRequest,
    ) -> Call<'c, CreatePaymentMethodRequest> {
        Call::new(&self.sender, request)
    }

    /// Returns what became of an intent; sends nothing to Zuora. It needs the request id of the intent.
    pub fn get_intent<'c>(&'c self, request: &'c GetIntentRequest) -> Call<'c, GetIntentRequest> {
        Call::new(&self.sender, request)
    }
}

/// Asks the service's listener for operators.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    sender: Arc<Sender>,
}

impl Diagnostics {
    /// Returns what connects to the listener for operators; as [`Client::builder`].
    pub fn builder(target: impl Into<String>) -> Builder<Self> {
        Builder::new(target.into())
    }

    /// Explains where a call would go and why.
    pub fn explain_route<'c>(&'c self, request: &'c ExplainRouteRequest) -> Call<'c, ExplainRouteRequest> {
        Call::new(&self.sender, request)
    }

    /// Returns the records of the calls with a Track-Id.
    pub fn get_call<'c>(&'c self, request: &'c GetCallRequest) -> Call<'c, GetCallRequest> {
        Call::new(&self.sender, request)
    }

    /// Returns how much of Zuora's limits is left.
    pub fn get_quota<'c>(&'c self, request: &'c GetQuotaRequest) -> Call<'c, GetQuotaRequest> {
        Call::new(&self.sender, request)
    }
}

impl Connects for Client {
    fn of(sender: Arc<Sender>) -> Self {
        Self { sender }
    }
}

impl Connects for Diagnostics {
    fn of(sender: Arc<Sender>) -> Self {
        Self { sender }
    }
}
