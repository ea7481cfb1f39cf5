//! Client of the payorch payment orchestration service.
//!
//! Messages and stubs are in [`v1`]. [`Retrying`] makes a channel follow the published service config, and
//! [`CallError`] reads what an error carries.

mod call_error;
mod config;
#[path = "generated/debug.rs"]
#[rustfmt::skip]
mod debug;
#[path = "generated/mod.rs"]
#[rustfmt::skip]
#[allow(missing_docs, clippy::all, rustdoc::all)] // as the generator writes it
mod generated;
mod retry;

pub use call_error::CallError;
pub use config::SERVICE_CONFIG;
pub use generated::google::r#type::Money;
pub use generated::payorch::v1;
pub use retry::Retrying;

/// Metadata with the Zuora-Track-Id of a call: 1 to 64 characters from 0x21 to 0x7E without `: ; " ' ,`.
pub const TRACK_ID: &str = "zuora-track-id";
