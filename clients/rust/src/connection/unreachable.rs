//! Why there is no connection, and what may be wrong.

use std::error::Error;
use std::{fmt, io};

use tokio_rustls::rustls::{self, AlertDescription, CertificateError, InvalidMessage};

/// A connection that could not be made; a call that waited for it was not started.
#[derive(Clone, Debug)]
pub(crate) struct Unreachable {
    cause: Cause,
    /// What the machine, or TLS, says of it.
    text: String,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    NothingListens,
    HostUnknown,
    NoTls,
    NotTrusted,
    OtherName,
    Expired,
    CertificateRefused,
    SpeaksTls,
    NoHttp2,
    Closed,
    NotInTime,
    Other,
}

/// What a client does, as far as it matters for what may be wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner {
    pub(crate) plaintext: bool,
    pub(crate) shows_certificate: bool,
}

impl Unreachable {
    /// Dialling failed.
    pub(crate) fn dialling(error: &io::Error) -> Self {
        let refused = error.kind() == io::ErrorKind::ConnectionRefused;
        Self::new(if refused { Cause::NothingListens } else { Cause::Other }, error)
    }

    /// The name has no address.
    pub(crate) fn name(text: impl fmt::Display) -> Self {
        Self::new(Cause::HostUnknown, text)
    }

    /// TLS or the first bytes of HTTP/2 failed.
    pub(crate) fn handshake(error: &io::Error) -> Self {
        let cause = match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(error) => cause_of_tls(error),
            None if is_closing(error) => Cause::Closed,
            None => Cause::Other,
        };
        Self::new(cause, error)
    }

    /// The first bytes of the server are not those of HTTP/2.
    pub(crate) fn other_protocol(first: &[u8]) -> Self {
        const TLS_ALERT: u8 = 21;
        match first.first() {
            Some(&TLS_ALERT) => Self::new(Cause::SpeaksTls, "the server answered with an alert of TLS"),
            _ => Self::new(Cause::NoHttp2, "the server does not answer in HTTP/2"),
        }
    }

    /// The server closed the connection before it said anything.
    pub(crate) fn closed() -> Self {
        Self::new(Cause::Closed, "the connection was closed before the server said anything")
    }

    /// The connection was not made in time.
    pub(crate) fn not_in_time() -> Self {
        Self { cause: Cause::NotInTime, text: String::new() }
    }

    /// Something else failed before anything was sent.
    pub(crate) fn other(text: impl fmt::Display) -> Self {
        Self::new(Cause::Other, text)
    }

    fn new(cause: Cause, text: impl fmt::Display) -> Self {
        Self { cause, text: text.to_string() }
    }

    /// Whether a server was found, and it is its answer that prevents a connection.
    pub(crate) fn is_of_a_server(&self) -> bool {
        !matches!(self.cause, Cause::NothingListens | Cause::HostUnknown | Cause::NotInTime | Cause::Other)
    }

    /// Returns what may be wrong; empty if nothing is known.
    pub(crate) fn hint(&self, manner: Manner) -> &'static str {
        match self.cause {
            Cause::NothingListens => "nothing listens there; check host and port",
            Cause::HostUnknown => "the host name is not known",
            Cause::NoTls => "the server speaks no TLS; .plaintext() connects without, if that is intended",
            Cause::NotTrusted => {
                "the server's certificate is not trusted; name its authority with .tls(Tls::new().ca_file(..))"
            }
            Cause::OtherName => "the server's certificate is for another host name",
            Cause::Expired => "the server's certificate is not valid at this time",
            Cause::NotInTime => "it was not made in time",
            Cause::NoHttp2 => "no gRPC server listens there",
            Cause::SpeaksTls => "the server speaks TLS; connect without .plaintext()",
            Cause::Closed if manner.plaintext => {
                "the server closed it at once, as one that speaks TLS does; connect without .plaintext()"
            }
            Cause::Closed | Cause::CertificateRefused if manner.shows_certificate => {
                "the server closed it at once; it may not accept the client's certificate"
            }
            Cause::Closed | Cause::CertificateRefused => {
                "the server closed it at once; it may require a client certificate"
            }
            Cause::Other => "",
        }
    }

    /// Returns the whole problem in words.
    pub(crate) fn message(&self, target: &str, manner: Manner) -> String {
        let hint = self.hint(manner);
        let because = if hint.is_empty() { String::new() } else { format!(": {hint}") };
        let said = if self.text.is_empty() { String::new() } else { format!(" [{}]", self.text) };
        format!("no connection to {target}{because}{said}")
    }

    /// Finds one among the sources of an error.
    pub(crate) fn of<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Self> {
        std::iter::successors(Some(error), |&error| error.source()).find_map(|error| error.downcast_ref())
    }
}

impl fmt::Display for Unreachable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "no connection: {}", self.text)
    }
}

impl Error for Unreachable {}

fn cause_of_tls(error: &rustls::Error) -> Cause {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
            Cause::NoTls
        }
        Tls::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => Cause::OtherName,
        Tls::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => Cause::Expired,
        Tls::InvalidCertificate(_) => Cause::NotTrusted,
        Tls::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::DecryptError
            | AlertDescription::CertificateExpired
            | AlertDescription::UnknownCA
            | AlertDescription::HandshakeFailure
            | AlertDescription::AccessDenied,
        ) => Cause::CertificateRefused,
        _ => Cause::Other,
    }
}

fn is_closing(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAINTEXT: Manner = Manner { plaintext: true, shows_certificate: false };

    #[test]
    fn a_hint_leads_and_the_machines_words_follow() {
        let refused = Unreachable::dialling(&io::Error::from(io::ErrorKind::ConnectionRefused));

        let expected = "no connection to payorch:1: nothing listens there; check host and port [connection refused]";
        assert_eq!(expected, refused.message("payorch:1", PLAINTEXT));
    }

    #[test]
    fn a_server_that_closes_at_once_is_explained_by_what_the_client_does() {
        let secret = Manner { plaintext: false, shows_certificate: true };
        for (manner, hint) in [(PLAINTEXT, "speaks TLS"), (secret, "may not accept the client's certificate")] {
            assert!(Unreachable::closed().hint(manner).contains(hint));
        }
    }
}
