//! One connection to one address, ready before a call is sent on it.

mod opening;
mod unreachable;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::{Channel, Endpoint, Uri};

use opening::Opening;
pub(crate) use unreachable::{Manner, Unreachable};

/// How long a connection may take to be made; a call waits no longer than its deadline.
const MOST_CONNECTING: Duration = Duration::from_secs(20);

/// Where a connection leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    #[cfg_attr(not(unix), allow(dead_code))] // there are no such sockets elsewhere
    Socket(PathBuf),
}

/// How connections are made.
pub(crate) struct Dialler {
    pub(crate) endpoint: Endpoint,
    /// With which host the certificate has to name; none: plaintext.
    pub(crate) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Dialler {
    /// Connects; the channel never connects again by itself, so that a call is never sent on a connection that has not
    /// been proved.
    pub(crate) async fn dial(&self, address: &Address) -> Result<Channel, Unreachable> {
        let connected = tokio::time::timeout(MOST_CONNECTING, self.opened(address)).await;
        connected.unwrap_or_else(|_| Err(Unreachable::not_in_time()))
    }

    async fn opened(&self, address: &Address) -> Result<Channel, Unreachable> {
        let (stream, opening) = Opening::new(self.stream(address).await?);
        let mut once = Some(TokioIo::new(stream));
        let connector = tower::service_fn(move |_: Uri| std::future::ready(once.take().ok_or(Lost)));
        let channel = self.endpoint.connect_with_connector(connector).await.map_err(Unreachable::other)?;
        opening.await.unwrap_or_else(|_| Err(Unreachable::closed()))?;
        Ok(channel)
    }

    async fn stream(&self, address: &Address) -> Result<Box<dyn Stream>, Unreachable> {
        let plain = connected(address).await.map_err(|error| Unreachable::dialling(&error))?;
        let Some((config, host)) = &self.tls else {
            return Ok(plain);
        };
        let secured = TlsConnector::from(Arc::clone(config)).connect(host.clone(), plain).await;
        Ok(Box::new(secured.map_err(|error| Unreachable::handshake(&error))?))
    }
}

async fn connected(address: &Address) -> std::io::Result<Box<dyn Stream>> {
    match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream))
        }
        #[cfg(unix)]
        Address::Socket(path) => Ok(Box::new(tokio::net::UnixStream::connect(path).await?)),
        #[cfg(not(unix))]
        Address::Socket(_) => Err(std::io::ErrorKind::Unsupported.into()),
    }
}

/// The connection of a channel has ended, so a request on it was not sent.
#[derive(Debug)]
pub(crate) struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the connection has ended")
    }
}

impl std::error::Error for Lost {}
