//! Client of the payorch payment orchestration service.
//!
//! [`Client`] calls the service and [`Diagnostics`] its listener for operators. The messages are in [`v1`], with the
//! stubs that tonic generates. `Debug` of a message replaces what the contract marks as sensitive.
//!
//! ```no_run
//! use payorch::v1::{CreateSessionRequest, OneTimePayment, create_session_request::Flow};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), payorch::Error> {
//! let client = payorch::Client::builder("payorch:50051").connect()?;
//! let payment = OneTimePayment {
//!     account_id: "2c92c0f8000000000000000000000001".into(),
//!     amount: Some(payorch::money("100.10", "USD")?),
//!     ..Default::default()
//! };
//! let request = CreateSessionRequest {
//!     request_id: payorch::new_request_id(), // keep it: a resend needs the same
//!     flow: Some(Flow::OneTimePayment(payment)),
//!     ..Default::default()
//! };
//! let answer = client.create_session(&request).await?;
//! # Ok(())
//! # }
//! ```

mod apple_pay;
mod builder;
mod call;
mod call_error;
mod client;
mod codec;
mod connection;
#[path = "generated/debug.rs"]
#[rustfmt::skip]
mod debug;
mod error;
#[path = "generated/mod.rs"]
#[rustfmt::skip]
#[allow(missing_docs, clippy::all, rustdoc::all)] // as the generator writes it
mod generated;
mod identifiers;
mod links;
mod money;
mod pool;
mod resend;
mod rpc;
mod sender;
mod target;
#[cfg(feature = "testing")]
pub mod testing;
mod tls;
mod token;
mod trace_context;
mod transport;

pub use apple_pay::{BrowserToken, apple_pay_token};
pub use builder::Builder;
pub use call::{Call, CallSettings};
pub use call_error::{CallError, FieldViolation};
pub use client::{Client, Diagnostics};
pub use error::{Error, ErrorKind};
pub use generated::google::r#type::Money;
pub use generated::payorch::v1;
pub use identifiers::{TRACK_ID, new_request_id};
pub use money::{decimal_of, money};
pub use resend::Resend;
pub use rpc::Request;
pub use tls::Tls;
pub use transport::Transport;
