"""The certificate of a listener, checked before it is used: with a broken one no caller could connect."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the key is compared with the certificate

_UNREADABLE: Final = "contains no {what} in PEM form"


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A listener's certificate and key, and the authorities that it trusts, all in PEM form."""

    chain: bytes
    """The certificate, then those of intermediate authorities."""
    key: Secret[bytes]
    client_authorities: bytes
    """Empty: client certificates are not requested."""

    @property
    def expires_at(self) -> datetime:
        """When the certificate expires, UTC."""
        from cryptography import x509  # noqa: PLC0415 - as below

        return x509.load_pem_x509_certificates(self.chain)[0].not_valid_after_utc


def holds_certificates(pem: bytes) -> bool:
    """Return whether certificates in PEM form can be read."""
    from cryptography import x509  # noqa: PLC0415 - a service without TLS need not load it

    try:
        x509.load_pem_x509_certificates(pem)
    except ValueError:
        return False
    return True


def problems_of(certificate: ServerCertificate, now: datetime) -> Iterator[str]:
    """List the problems of a certificate, each beginning with the name of the setting."""
    from cryptography import x509  # noqa: PLC0415 - as above
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    if not holds_certificates(certificate.chain):
        yield f"certificate_file: {_UNREADABLE.format(what='certificate')}"
        return
    leaf = x509.load_pem_x509_certificates(certificate.chain)[0]
    if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc:
        yield f"certificate_file: is valid from {leaf.not_valid_before_utc} to {leaf.not_valid_after_utc}, not now"
    try:
        key = load_pem_private_key(reveal(certificate.key), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        yield f"key_file: {_UNREADABLE.format(what='private key without a password')}"
    else:
        if key.public_key() != leaf.public_key():
            yield "key_file: does not match the certificate"
    if certificate.client_authorities and not holds_certificates(certificate.client_authorities):
        yield f"client_ca_file: {_UNREADABLE.format(what='certificates')}"
