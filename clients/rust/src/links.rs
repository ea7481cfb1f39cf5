//! The connections of a client, replaced by new ones once its certificates have been renewed.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_rustls::rustls::pki_types::ServerName;
use tonic::transport::Endpoint;

use crate::connection::{Dialler, Manner};
use crate::pool::Pool;
use crate::target::{Places, Target};
use crate::tls::Material;
use crate::{Error, Tls};

const CHECK_EVERY: Duration = Duration::from_secs(10);

/// Gives each call connections that show the current certificates.
pub(crate) struct Links {
    target: Target,
    endpoint: Endpoint,
    /// None: plaintext.
    tls: Option<Tls>,
    current: Mutex<Current>,
}

struct Current {
    pool: Arc<Pool>,
    material: Option<Material>,
    looked_at: Instant,
}

impl Links {
    /// Reads the certificates; the first call connects.
    pub(crate) fn new(target: Target, endpoint: Endpoint, tls: Option<Tls>) -> Result<Self, Error> {
        let material = tls.as_ref().map(Tls::read).transpose()?;
        let pool = made(&target, &endpoint, tls.as_ref().zip(material.as_ref()))?;
        let current = Mutex::new(Current { pool, material, looked_at: Instant::now() });
        Ok(Self { target, endpoint, tls, current })
    }

    pub(crate) fn manner(&self) -> Manner {
        let shows_certificate = self.tls.as_ref().is_some_and(Tls::shows_certificate);
        Manner { plaintext: self.tls.is_none(), shows_certificate }
    }

    /// Returns the connections for a call; those of before a renewal close when their calls have ended.
    pub(crate) fn current(&self) -> Arc<Pool> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tls) = self.tls.as_ref().filter(|_| current.looked_at.elapsed() >= CHECK_EVERY) {
            current.looked_at = Instant::now();
            match self.renewed(tls, current.material.as_ref()) {
                Ok(None) => {}
                Ok(Some((pool, material))) => (current.pool, current.material) = (pool, Some(material)),
                // They may just be being replaced.
                Err(error) => tracing::warn!(target: "payorch", "the certificates are not renewed: {error}"),
            }
        }
        Arc::clone(&current.pool)
    }

    fn renewed(&self, tls: &Tls, known: Option<&Material>) -> Result<Option<(Arc<Pool>, Material)>, Error> {
        let material = tls.read()?;
        if known == Some(&material) {
            return Ok(None);
        }
        let pool = made(&self.target, &self.endpoint, Some((tls, &material)))?;
        Ok(Some((pool, material)))
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Links")
            .field("target", &self.target.text)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

fn made(target: &Target, endpoint: &Endpoint, tls: Option<(&Tls, &Material)>) -> Result<Arc<Pool>, Error> {
    let tls = match tls {
        None => None,
        Some((tls, material)) => Some((tls.config(material)?, server_name(target)?)),
    };
    let dialler = Dialler { endpoint: endpoint.clone(), tls };
    Ok(Arc::new(Pool::new(target.places.clone(), dialler)))
}

/// Returns which host the certificate of the service has to name.
fn server_name(target: &Target) -> Result<ServerName<'static>, Error> {
    let host = match &target.places {
        Places::Name { host, .. } => host.clone(),
        Places::Addresses(addresses) => addresses[0].ip().to_string(),
        Places::Socket(_) => "localhost".into(),
    };
    let no_name = |_| Error::argument(format!("target: {:?} has no name that a certificate could be for", target.text));
    ServerName::try_from(host).map_err(no_name)
}
