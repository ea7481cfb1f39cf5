use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::time::Duration;

use crate::sender::Sender;
use crate::{Error, Request};

/// What holds for one call.
///
/// ```
/// use std::time::Duration;
/// let settings = payorch::CallSettings::new().deadline(Duration::from_secs(5)).track_id("ticket-1");
/// ```
#[derive(Clone, Debug, Default)]
pub struct CallSettings {
    pub(crate) deadline: Option<Duration>,
    pub(crate) track_id: Option<String>,
}

impl CallSettings {
    /// Returns the default: the deadline of [`Resend`](crate::Resend), and a Track-Id that the service makes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long the call may take, with all its attempts; not zero.
    #[must_use]
    pub fn deadline(self, deadline: Duration) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    /// Sets the Zuora-Track-Id: 1 to 64 characters from 0x21 to 0x7E without `: ; " ' ,`.
    #[must_use]
    pub fn track_id(self, track_id: impl Into<String>) -> Self {
        Self { track_id: Some(track_id.into()), ..self }
    }
}

/// A call that is sent when it is awaited.
///
/// It must be awaited in a runtime of tokio. Dropped before its end, it is cancelled, and its outcome is not known.
#[must_use = "a call is sent when it is awaited"]
pub struct Call<'c, R> {
    sender: &'c Sender,
    request: &'c R,
    settings: CallSettings,
}

impl<'c, R> Call<'c, R> {
    pub(crate) fn new(sender: &'c Sender, request: &'c R) -> Self {
        Self { sender, request, settings: CallSettings::default() }
    }

    /// Replaces the settings of the call.
    pub fn with(self, settings: CallSettings) -> Self {
        Self { settings, ..self }
    }
}

impl<'c, R: Request> IntoFuture for Call<'c, R> {
    type Output = Result<R::Answer, Error>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send + 'c>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.sender.call(self.request, &self.settings).await })
    }
}

impl<R: Request> fmt::Debug for Call<'_, R> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Call").field("rpc", &R::RPC).field("settings", &self.settings).finish_non_exhaustive()
    }
}
