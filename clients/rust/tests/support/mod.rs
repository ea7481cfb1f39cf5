//! What several tests need: requests, and authorities for TLS.
#![allow(dead_code)] // each test uses a part of it

use std::sync::Arc;

use payorch::v1::{
    CreateSessionRequest, DecryptApplePayRequest, OneTimePayment, PayInvoice, StoredCredentialZuoraDefault,
    create_session_request::Flow, decrypt_apple_pay_request as apple_pay,
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig, crypto};

pub fn session() -> CreateSessionRequest {
    let payment = OneTimePayment { account_id: "a".into(), ..Default::default() };
    CreateSessionRequest { flow: Some(Flow::OneTimePayment(payment)), ..Default::default() }
}

pub fn payment() -> DecryptApplePayRequest {
    DecryptApplePayRequest {
        request_id: payorch::new_request_id(),
        stored_credential: Some(apple_pay::StoredCredential::ZuoraDefault(StoredCredentialZuoraDefault {})),
        charge: Some(apple_pay::Charge::PayInvoice(PayInvoice { invoice: "INV00000001".into() })),
        ..Default::default()
    }
}

/// Issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Returns a certificate for a name, and its key.
    pub fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new([name.into()]).unwrap().signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

/// Puts TLS before a plaintext target, on a port of its own.
pub struct Tls {
    pub target: String,
    task: JoinHandle<()>,
}

impl Tls {
    /// Shows a certificate for a name; with an authority for callers it requires theirs.
    pub async fn before(target: &str, authority: &Authority, name: &str, callers: Option<&Authority>) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(config(authority, name, callers)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, inner) = (listener.local_addr().unwrap().to_string(), target.to_owned());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, inner) = (acceptor.clone(), inner.clone());
                tokio::spawn(async move {
                    let mut secured = acceptor.accept(stream).await?;
                    copy_bidirectional(&mut secured, &mut TcpStream::connect(inner).await?).await
                });
            }
        });
        Self { target: address, task }
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn config(authority: &Authority, name: &str, callers: Option<&Authority>) -> ServerConfig {
    let provider = Arc::new(crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions().unwrap();
    let builder = match callers {
        None => builder.with_no_client_auth(),
        Some(callers) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(callers.pem().as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let (certificate, key) = authority.issue(name);
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let mut config =
        builder.with_single_cert(vec![certificate], PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap()).unwrap();
    config.alpn_protocols = vec![b"h2".into()];
    config
}

/// Passes bytes on to a target, until its connections are ended.
pub struct Proxy {
    pub target: String,
    inner: String,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn before(inner: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap().to_string();
        Self { target, inner: inner.into(), task: passing(listener, inner.into()) }
    }

    /// Ends all connections, until both sides have noticed, and accepts new ones.
    pub async fn end_connections(&mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        self.task = passing(TcpListener::bind(&self.target).await.unwrap(), self.inner.clone());
    }
}

fn passing(listener: TcpListener, inner: String) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut connections = JoinSet::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let inner = inner.clone();
            connections.spawn(async move {
                let passed = copy_bidirectional(&mut stream, &mut TcpStream::connect(inner).await?).await;
                passed.map(|_| ())
            });
        }
    })
}
