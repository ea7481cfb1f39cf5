use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Bytes, Service, StdError};
use tonic::transport::Endpoint;
use tower::ServiceExt;
use tower::layer::Layer;

use crate::error::ERRORS_URL;
use crate::links::Links;
use crate::resend::Budget;
use crate::sender::Sender;
use crate::target::Target;
use crate::token::TokenSource;
use crate::transport::{Dispatch, Transport};
use crate::{Error, Resend, Tls};

/// Between two pings of a connection in use; the service allows one every 10 s.
const KEEPALIVE: Duration = Duration::from_secs(30);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
const USER_AGENT: &str = concat!("payorch-rust/", env!("CARGO_PKG_VERSION"));

type Wrap = Box<dyn FnOnce(Transport) -> Transport + Send + Sync>;
type Configure = Box<dyn FnOnce(Endpoint) -> Endpoint + Send + Sync>;

/// What a builder can make: [`Client`](crate::Client) or [`Diagnostics`](crate::Diagnostics).
pub(crate) trait Connects {
    fn of(sender: Arc<Sender>) -> Self;
}

/// Says how a client connects.
///
/// By default it uses TLS and the authorities of the operating system, and sends calls again by [`Resend::default`].
///
/// ```
/// # use std::convert::Infallible;
/// # async fn cached_token(_refresh: bool) -> String { String::new() }
/// use payorch::{Client, Tls};
///
/// let client = Client::builder("payorch:50051")
///     .tls(Tls::new().ca_file("/tls/ca.pem"))
///     .token(|refresh| async move { Ok::<_, Infallible>(cached_token(refresh).await) })
///     .connect();
/// ```
#[must_use = "it connects by `connect`"]
pub struct Builder<C> {
    target: String,
    tls: Option<Tls>,
    plaintext: bool,
    token: Option<TokenSource>,
    resend: Option<Resend>,
    waits: bool,
    errors_url: String,
    endpoint: Vec<Configure>,
    layers: Vec<Wrap>,
    made: PhantomData<fn() -> C>,
}

impl<C> Builder<C> {
    pub(crate) fn new(target: String) -> Self {
        Self {
            target,
            tls: None,
            plaintext: false,
            token: None,
            resend: Some(Resend::default()),
            waits: true,
            errors_url: ERRORS_URL.into(),
            endpoint: Vec::new(),
            layers: Vec::new(),
            made: PhantomData,
        }
    }

    /// Sets what to trust and to show.
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// Does without TLS, on this machine or in a mesh.
    pub fn plaintext(self) -> Self {
        Self { plaintext: true, ..self }
    }

    /// Sets what returns the caller's JSON Web Token, which is sent with each attempt.
    ///
    /// It is called for each attempt, so it has to cache the token. It is called with `true` when the last one was not
    /// accepted: then it must return a fresh one.
    pub fn token<S, F, E>(self, supplier: S) -> Self
    where
        S: Fn(bool) -> F + Send + Sync + 'static,
        F: Future<Output = Result<String, E>> + Send + 'static,
        E: Into<StdError>,
    {
        Self { token: Some(TokenSource::new(supplier)), ..self }
    }

    /// Sets how often and for how long a call is sent again, where the service advises it.
    pub fn resend(self, resend: Resend) -> Self {
        Self { resend: Some(resend), ..self }
    }

    /// Sends each call once, except after a token that was not accepted.
    pub fn without_resend(self) -> Self {
        Self { resend: None, ..self }
    }

    /// Sets where the texts of errors link to: your copy of docs/errors.md.
    pub fn errors_url(self, url: impl Into<String>) -> Self {
        Self { errors_url: url.into(), ..self }
    }

    /// Changes tonic's settings of HTTP/2, time limits and user agent, over those of this crate.
    ///
    /// The client dials by itself: settings of TCP and TLS have no effect, and the timeout for connecting is that of the
    /// call.
    pub fn endpoint(mut self, change: impl FnOnce(Endpoint) -> Endpoint + Send + Sync + 'static) -> Self {
        self.endpoint.push(Box::new(change));
        self
    }

    /// Adds a layer of tower, such as [`tonic::service::InterceptorLayer`]. It sees every attempt; of several, the one
    /// added last sees it first.
    pub fn layer<L, S, B>(mut self, layer: L) -> Self
    where
        L: Layer<Transport, Service = S> + Send + Sync + 'static,
        S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
        S::Error: Into<StdError>,
        S::Future: Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError>,
    {
        self.layers.push(Box::new(move |inner| boxed(layer.layer(inner))));
        self
    }

    /// Sends again without waiting.
    #[cfg(feature = "testing")]
    pub(crate) fn without_waits(self) -> Self {
        Self { waits: false, ..self }
    }

    #[allow(private_bounds)] // the two that can be made are public
    /// Returns the client, which connects with its first call.
    ///
    /// # Errors
    ///
    /// The target is none, TLS and plaintext are both asked for, a token would be sent in plaintext beyond this machine,
    /// a certificate cannot be read, or a number of [`Resend`] is zero.
    pub fn connect(self) -> Result<C, Error>
    where
        C: Connects,
    {
        self.check_resend()?;
        if self.plaintext && self.tls.is_some() {
            return Err(Error::argument("plaintext: tls is given as well; choose one"));
        }
        let target = Target::read(&self.target)?;
        if self.plaintext && self.token.is_some() && !target.is_local() {
            return Err(Error::argument("token: it would be sent in plaintext beyond this machine; use TLS"));
        }
        let tls = (!self.plaintext).then(|| self.tls.unwrap_or_default());
        let endpoint = self.endpoint.into_iter().fold(endpoint(&target, tls.is_some())?, |made, change| change(made));
        let links = Arc::new(Links::new(target, endpoint, tls)?);
        let dispatch = boxed(Dispatch(Arc::clone(&links)));
        Ok(C::of(Arc::new(Sender {
            transport: self.layers.into_iter().fold(dispatch, |inner, wrap| wrap(inner)),
            target: self.target,
            manner: links.manner(),
            token: self.token,
            resend: self.resend,
            budget: Budget::full(),
            errors_url: self.errors_url,
            waits: self.waits,
        })))
    }

    fn check_resend(&self) -> Result<(), Error> {
        match self.resend {
            Some(Resend { attempts: 0, .. }) => Err(Error::argument("attempts: 0 is less than 1")),
            Some(Resend { within, .. }) if within.is_zero() => Err(Error::argument("within: it is no time")),
            _ => Ok(()),
        }
    }
}

impl<C> fmt::Debug for Builder<C> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Builder")
            .field("target", &self.target)
            .field("tls", &self.tls)
            .field("plaintext", &self.plaintext)
            .field("resend", &self.resend)
            .finish_non_exhaustive()
    }
}

fn boxed<S, B>(service: S) -> Transport
where
    S: Service<http::Request<Body>, Response = http::Response<B>> + Clone + Send + Sync + 'static,
    S::Error: Into<StdError>,
    S::Future: Send + 'static,
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    let answered = service
        .map_err(|error| Status::from_error(error.into()))
        .map_response(|answer: http::Response<B>| answer.map(Body::new));
    Transport::new(answered)
}

/// Returns the settings of connections. The client dials and speaks TLS by itself; tonic is to speak HTTP/2.
fn endpoint(target: &Target, tls: bool) -> Result<Endpoint, Error> {
    let refused = |error: &dyn fmt::Display| Error::argument(format!("target: {:?}: {error}", target.text));
    let uri = |scheme: &str| format!("{scheme}://{}", target.authority);
    let origin =
        uri(if tls { "https" } else { "http" }).parse().map_err(|error: http::uri::InvalidUri| refused(&error))?;
    let endpoint = Endpoint::from_shared(uri("http")).map_err(|error| refused(&error))?;
    let endpoint = endpoint.user_agent(USER_AGENT).map_err(|error| refused(&error))?;
    Ok(endpoint.origin(origin).http2_keep_alive_interval(KEEPALIVE).keep_alive_timeout(KEEPALIVE_TIMEOUT))
}
