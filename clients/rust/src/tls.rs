//! What a client trusts and shows in TLS, from bytes or from files that are renewed.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::Error;

const HTTP_2: &[u8] = b"h2";

/// What is trusted of the service, and what is shown to it.
///
/// By default the authorities of the operating system are trusted, and no certificate is shown. Files are read when the
/// client connects, and again once they have changed.
///
/// ```
/// use payorch::Tls;
/// let tls = Tls::new().ca_file("/tls/ca.pem").certificate_files("/tls/tls.crt", "/tls/tls.key");
/// let builder = payorch::Client::builder("payorch:50051").tls(tls);
/// ```
#[derive(Clone, Default)]
pub struct Tls {
    ca: Option<Pem>,
    certificate: Option<Pem>,
    key: Option<Pem>,
}

#[derive(Clone)]
enum Pem {
    File(PathBuf),
    Bytes(Vec<u8>),
}

impl Tls {
    /// Returns the default.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the authorities of a PEM file, instead of those of the operating system.
    #[must_use]
    pub fn ca_file(self, file: impl Into<PathBuf>) -> Self {
        Self { ca: Some(Pem::File(file.into())), ..self }
    }

    /// Trusts the authorities of a PEM text, instead of those of the operating system.
    #[must_use]
    pub fn ca_pem(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { ca: Some(Pem::Bytes(pem.into())), ..self }
    }

    /// Shows the certificate of a PEM file, with the intermediate ones after it; the other file is of its private key.
    #[must_use]
    pub fn certificate_files(self, certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: Some(Pem::File(certificate.into())), key: Some(Pem::File(key.into())), ..self }
    }

    /// Shows the certificate of a PEM text, with the intermediate ones after it; the other text is of its private key.
    #[must_use]
    pub fn certificate_pem(self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        Self { certificate: Some(Pem::Bytes(certificate.into())), key: Some(Pem::Bytes(key.into())), ..self }
    }

    /// Whether the client shows a certificate.
    pub(crate) fn shows_certificate(&self) -> bool {
        self.certificate.is_some()
    }

    /// Reads the files.
    pub(crate) fn read(&self) -> Result<Material, Error> {
        let read = |name, pem: &Option<Pem>| pem.as_ref().map(|pem| pem.read(name)).transpose();
        Ok(Material {
            ca: read("ca", &self.ca)?,
            certificate: read("certificate", &self.certificate)?,
            key: read("key", &self.key)?,
        })
    }

    /// Returns what a connection takes, of what was read.
    pub(crate) fn config(&self, material: &Material) -> Result<Arc<ClientConfig>, Error> {
        let provider = CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::argument(format!("tls: {error}")))?
            .with_root_certificates(self.roots(material)?);
        let mut config = match (&material.certificate, &material.key) {
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate).ok_or_else(|| unreadable("certificate", &self.certificate))?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| unreadable("key", &self.key))?;
                builder.with_client_auth_cert(chain, key).map_err(|_| mismatched(&self.key))?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![HTTP_2.into()];
        Ok(Arc::new(config))
    }

    fn roots(&self, material: &Material) -> Result<RootCertStore, Error> {
        let mut roots = RootCertStore::empty();
        let Some(ca) = &material.ca else {
            // A machine without authorities trusts no service, which is what its connections will say.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        for certificate in certificates(ca).ok_or_else(|| unreadable("ca", &self.ca))? {
            roots.add(certificate).map_err(|_| unreadable("ca", &self.ca))?;
        }
        Ok(roots)
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [ca, certificate, key] = [&self.ca, &self.certificate, &self.key].map(|pem| pem.as_ref().map(Pem::shown));
        formatter.debug_struct("Tls").field("ca", &ca).field("certificate", &certificate).field("key", &key).finish()
    }
}

impl Pem {
    fn read(&self, name: &str) -> Result<Vec<u8>, Error> {
        match self {
            Self::Bytes(pem) => Ok(pem.clone()),
            Self::File(file) => std::fs::read(file).map_err(|error| {
                Error::argument(format!("tls: the {name} cannot be read: {}: {error}", file.display()))
            }),
        }
    }

    fn shown(&self) -> String {
        match self {
            Self::Bytes(pem) => format!("<{} bytes>", pem.len()),
            Self::File(file) => file.display().to_string(),
        }
    }
}

/// The contents of the files at some time.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Material {
    ca: Option<Vec<u8>>,
    certificate: Option<Vec<u8>>,
    key: Option<Vec<u8>>,
}

fn certificates(pem: &[u8]) -> Option<Vec<CertificateDer<'static>>> {
    let read: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().ok()?;
    Some(read).filter(|certificates| !certificates.is_empty())
}

fn unreadable(name: &str, pem: &Option<Pem>) -> Error {
    Error::argument(format!("tls: the {name} is not in PEM form{}", place(pem)))
}

fn mismatched(key: &Option<Pem>) -> Error {
    Error::argument(format!("tls: the key is not readable, or is not that of the certificate{}", place(key)))
}

fn place(pem: &Option<Pem>) -> String {
    match pem {
        Some(Pem::File(file)) => format!(": {}", file.display()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use super::*;

    fn made() -> (String, String) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["caller".into()]).unwrap();
        (cert.pem(), signing_key.serialize_pem())
    }

    fn refusal(tls: &Tls) -> String {
        tls.read().and_then(|material| tls.config(&material)).unwrap_err().to_string()
    }

    #[test]
    fn certificates_and_key_are_read() {
        let (certificate, key) = made();
        let tls = Tls::new().ca_pem(certificate.clone()).certificate_pem(certificate, key);

        assert!(tls.config(&tls.read().unwrap()).unwrap().client_auth_cert_resolver.has_certs());
    }

    #[test]
    fn what_could_never_connect_is_refused() {
        let (certificate, key) = made();
        let other = made().1;
        for (tls, problem) in [
            (Tls::new().ca_file("/nowhere.pem"), "tls: the ca cannot be read: /nowhere.pem: "),
            (Tls::new().ca_pem("nonsense"), "tls: the ca is not in PEM form"),
            (Tls::new().certificate_pem("nonsense", key), "tls: the certificate is not in PEM form"),
            (Tls::new().certificate_pem(certificate.clone(), "nonsense"), "tls: the key is not in PEM form"),
            (Tls::new().certificate_pem(certificate, other), "is not that of the certificate"),
        ] {
            assert!(refusal(&tls).contains(problem), "{}", refusal(&tls));
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let tls = Tls::new().ca_file("ca.pem").certificate_pem("certificate", "secret");

        let expected = "Tls { ca: Some(\"ca.pem\"), certificate: Some(\"<11 bytes>\"), key: Some(\"<6 bytes>\") }";
        assert_eq!(expected, format!("{tls:?}"));
    }
}
