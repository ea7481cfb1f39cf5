"""What a client trusts and shows in TLS, from bytes or from files that are renewed."""

import ssl
from dataclasses import dataclass, field
from pathlib import Path

import grpc

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_KEY = b"PRIVATE KEY-----"


@dataclass(frozen=True, slots=True)
class Tls:
    """What is trusted of the service, and what is shown to it.

    Raises:
        ValueError: A part is not in PEM form, or certificate and key do not belong together.
    """

    ca: bytes | None = None
    """PEM of the authorities to trust; None: those that gRPC ships with."""
    certificate: bytes | None = None
    """PEM of the client's certificate, intermediate ones after it; None: none is shown."""
    key: bytes | None = field(default=None, repr=False)
    """PEM of its private key."""
    files: tuple[str, str, str] | None = None
    """Where the three were read, by `from_files`, and are read again once they change; an empty name means none."""

    def __post_init__(self) -> None:
        """Refuse what could never connect."""
        if (self.certificate is None) != (self.key is None):
            raise ValueError("tls: certificate and key come together")
        for name, content, mark in (
            ("ca", self.ca, _CERTIFICATE),
            ("certificate", self.certificate, _CERTIFICATE),
            ("key", self.key, _KEY),
        ):
            if content is not None and mark not in content:
                raise ValueError(f"tls: the {name} is not in PEM form{self._where(name)}")
        if self.ca is not None:
            self._check_authorities(self.ca)
        if self.files is not None and self.certificate is not None:
            self._check_pair(self.files)

    @classmethod
    def from_files(cls, *, ca_file: str = "", certificate_file: str = "", key_file: str = "") -> "Tls":
        """Read PEM files; an empty name means none. A client reads them again once they have changed.

        Raises:
            OSError: A file cannot be read.
            ValueError: A file is not in PEM form, or certificate and key do not belong together.
        """
        names = (ca_file, certificate_file, key_file)
        ca, certificate, key = (Path(name).read_bytes() if name else None for name in names)
        return cls(ca, certificate, key, names)

    def reread(self) -> "Tls":
        """Return what the files contain now; the same object if nothing has changed.

        Raises:
            OSError: A file cannot be read.
            ValueError: The new contents do not fit together, as while they are being replaced.
        """
        if self.files is None:
            return self
        ca, certificate, key = (Path(name).read_bytes() if name else None for name in self.files)
        if (ca, certificate, key) == (self.ca, self.certificate, self.key):
            return self
        return Tls(ca, certificate, key, self.files)

    def credentials(self) -> grpc.ChannelCredentials:
        """Return what a channel takes."""
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)

    def _where(self, name: str) -> str:
        if self.files is None:
            return ""
        return f": {self.files[('ca', 'certificate', 'key').index(name)]}"

    def _check_authorities(self, ca: bytes) -> None:
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=ca.decode("ascii", errors="replace"))
        except (ssl.SSLError, ValueError):
            raise ValueError(f"tls: the ca cannot be read as certificates{self._where('ca')}") from None

    def _check_pair(self, files: tuple[str, str, str]) -> None:
        try:
            # With a password, so that an encrypted key fails instead of asking on the terminal.
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(files[1], files[2], password="")
        except (ssl.SSLError, ValueError):
            problem = "is not readable, or is not that of the certificate"
            raise ValueError(f"tls: the key {problem}{self._where('key')}") from None
