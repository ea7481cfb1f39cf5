"""Certificates of tests and of the emulator have every extension that Python 3.13 and newer demand by default."""

import ssl
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from harness.authority import Authority, machine_now, private_pem
from zuora_emulator.apple_pay import AppleAuthority

ROOT = Path(__file__).parents[2]
# The clients of other languages have certificates of their own, which no Python reads.
FOLDERS = ("clients/python", "clients/examples", "service", "tests", "tools")


def handshake(chain_and_key: Path, root: bytes) -> str | None:
    """Connect to a server with a certificate, as a client that verifies strictly; return the version of TLS."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain_and_key)
    client = ssl.create_default_context(cadata=root.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.check_hostname = False
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    calling = client.wrap_bio(to_client, to_server)
    serving = server.wrap_bio(to_server, to_client, server_side=True)
    for end in (calling, serving, calling, serving):
        with suppress(ssl.SSLWantReadError):
            end.do_handshake()
    calling.do_handshake()
    return calling.version()


def apple_chains() -> Iterator[tuple[str, list[x509.Certificate], ec.EllipticCurvePrivateKey]]:
    """List the chains that the emulator's authority issues, each with its name and the key of its first certificate."""
    authority = AppleAuthority.published()
    signing = authority.signing_chain(now=machine_now())
    yield "leaf", [signing.leaf, signing.intermediate], signing.leaf_key
    for merchant in authority.merchants:
        for key in merchant.keys:
            yield merchant.merchant_id, [key.certificate, signing.intermediate], key.private_key


class TestStrictVerification:
    """What OpenSSL refuses with X509_V_FLAG_X509_STRICT."""

    @pytest.mark.parametrize("names", [(), ("127.0.0.1", "shop.example", "spiffe://example/shop")], ids=["none", "all"])
    def test_accepts_what_the_authority_of_tests_issues(self, names: tuple[str, ...], tmp_path: Path) -> None:
        """With and without names of the owner."""
        authority = Authority()
        issued = authority.issue(*names)
        (tmp_path / "server.pem").write_bytes(issued.certificate + issued.key)

        assert handshake(tmp_path / "server.pem", authority.certificate) == "TLSv1.3"

    @pytest.mark.parametrize(("chain", "key"), [pytest.param(*rest, id=name) for name, *rest in apple_chains()])
    def test_accepts_what_the_emulators_apple_issues(
        self, chain: list[x509.Certificate], key: ec.EllipticCurvePrivateKey, tmp_path: Path
    ) -> None:
        """By way of the intermediate."""
        parts = [certificate.public_bytes(Encoding.PEM) for certificate in chain]
        (tmp_path / "server.pem").write_bytes(b"".join([*parts, private_pem(key)]))

        root = AppleAuthority.published().root.public_bytes(Encoding.PEM)

        assert handshake(tmp_path / "server.pem", root) == "TLSv1.3"

    def test_refuses_a_bare_authority(self, tmp_path: Path) -> None:
        """So the tests above can fail."""
        authority = Authority(bare=True)
        issued = authority.issue("127.0.0.1")
        (tmp_path / "server.pem").write_bytes(issued.certificate + issued.key)

        with pytest.raises(ssl.SSLCertVerificationError, match="Missing Authority Key Identifier"):
            handshake(tmp_path / "server.pem", authority.certificate)

    def test_covers_every_place_that_builds_certificates(self) -> None:
        """A third authority would need a test here."""
        files = (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py") if file != Path(__file__))
        building = {str(file.relative_to(ROOT)) for file in files if "CertificateBuilder" in file.read_text()}

        assert building == {"tests/harness/authority.py", "tests/emulator/zuora_emulator/apple_pay/authority.py"}
