from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from harness.authority import Authority, private_pem
from payorch_server.model.secret import Secret
from payorch_server.rpc.certificate import ServerCertificate, problems_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
AUTHORITY = Authority(now=NOW)
GOOD = AUTHORITY.issue("payorch.test", "127.0.0.1")
OTHER = AUTHORITY.issue("payorch.test")
SEALED = private_pem(ec.generate_private_key(ec.SECP256R1()), password=b"canary-password")
NO_CERTIFICATE = "certificate_file: contains no certificate in PEM form"
NO_KEY = "key_file: contains no private key without a password in PEM form"
FOREIGN_KEY = "key_file: does not match the certificate"
NO_AUTHORITIES = "client_ca_file: contains no certificates in PEM form"
UNKNOWN_KEY = b"-----BEGIN PRIVATE KEY-----\nMBwCAQAwDwYLKwYBBAGCNw8BAgEFAAQGY2FuYXJ5\n-----END PRIVATE KEY-----\n"


def certificate(
    chain: bytes = GOOD.certificate, key: bytes = GOOD.key, authorities: bytes = AUTHORITY.certificate
) -> ServerCertificate:
    """Make a good one with changes."""
    return ServerCertificate(chain, Secret(key), authorities)


# Certificates are made at random, which the names of tests must not be.
BROKEN = [
    (certificate(chain=b"x"), [NO_CERTIFICATE], "no PEM for a certificate"),
    (certificate(chain=GOOD.key), [NO_CERTIFICATE], "the key's file for the certificate"),
    (certificate(key=b"x"), [NO_KEY], "no PEM for a key"),
    (certificate(key=GOOD.certificate), [NO_KEY], "the certificate's file for the key"),
    (certificate(key=SEALED), [NO_KEY], "a key with a password"),
    (certificate(key=UNKNOWN_KEY), [NO_KEY], "a kind of key that nobody knows"),
    (certificate(key=OTHER.key), [FOREIGN_KEY], "another one's key"),
    (certificate(authorities=b"x"), [NO_AUTHORITIES], "nobody would be believed"),
    (certificate(key=OTHER.key, authorities=b"x"), [FOREIGN_KEY, NO_AUTHORITIES], "all at once"),
]


class TestServerCertificate:
    """What a listener shows."""

    def test_tells_its_end(self) -> None:
        """The leaf's, whatever follows it in the chain."""
        chain = GOOD.certificate + AUTHORITY.certificate

        assert NOW + timedelta(days=1) == certificate(chain).expires_at

    def test_keeps_its_key_out_of_sight(self) -> None:
        """It may stand in a log."""
        assert GOOD.key.decode().splitlines()[1] not in repr(certificate())


class TestProblemsOf:
    """A broken certificate is found before it locks callers out."""

    @pytest.mark.parametrize("authorities", [AUTHORITY.certificate, b"", AUTHORITY.certificate + OTHER.certificate])
    def test_are_none_where_all_is_well(self, authorities: bytes) -> None:
        """With client certificates or without."""
        assert [] == list(problems_of(certificate(authorities=authorities), NOW))

    @pytest.mark.parametrize(("broken", "expected", "reason"), BROKEN, ids=[row[-1] for row in BROKEN])
    def test_are_sentences_that_begin_with_the_setting(
        self, broken: ServerCertificate, expected: list[str], reason: str
    ) -> None:
        """Nothing of the key is in them."""
        assert expected == list(problems_of(broken, NOW)), reason

    @pytest.mark.parametrize(
        ("now", "valid", "reason"),
        [
            (NOW - timedelta(days=1, seconds=1), False, "not yet"),
            (NOW - timedelta(days=1), True, "from this moment on"),
            (NOW + timedelta(days=1, seconds=-1), True, "the last moment"),
            (NOW + timedelta(days=1), False, "over"),
        ],
    )
    def test_tell_when_it_is_not_valid(self, now: datetime, *, valid: bool, reason: str) -> None:
        """The clock is the service's."""
        found = list(problems_of(certificate(), now))

        assert valid == (not found), reason
        assert all(one.startswith("certificate_file: is valid from ") for one in found)
