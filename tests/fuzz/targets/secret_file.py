"""Files of secrets: headers for collectors, keys of the fleet, passwords, certificates with their keys."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from harness.authority import private_pem
from harness.keyring import new_key_file
from payorch_server.config.fleet_keys import _problem
from payorch_server.config.reading import _line_problem
from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - to look inside
from payorch_server.rpc.certificate import ServerCertificate, problems_of
from payorch_server.telemetry.otlp_headers import OtlpHeadersError, parse_otlp_headers

from fuzz.target import CANARY, Target, note, require

_NOW: Final = datetime(2026, 11, 20, 12, tzinfo=UTC)
_KEY: Final = private_pem(Ed25519PrivateKey.from_private_bytes(b"k" * 32)).decode()
"""Ed25519, of 32 equal bytes."""


def run(data: bytes) -> None:
    """Read a file as each kind; what is wrong is said without a part of the content."""
    try:
        headers = reveal(parse_otlp_headers(data))
    except OtlpHeadersError as error:
        note(error)
    else:
        require(headers and len(dict(headers)) == len(headers), "each header is there once")
        require(all(name == name.lower() and value.isascii() for name, value in headers), "headers can be sent")
    note(_problem(data.strip(b" \t\r\n")), _line_problem(data.decode(errors="replace").strip()))
    note(*problems_of(ServerCertificate(chain=data, key=Secret(data), client_authorities=data), _NOW))


def _seeds() -> Iterator[bytes]:
    yield f"x-api-key: {CANARY}\nauthorization: Bearer {CANARY}\n\n".encode()
    yield f"{CANARY}\nx: 1\nX: 2\ngrpc-a: b".encode()
    yield f"SECRET_KEY={CANARY}".encode()
    yield f"'password': {CANARY}\nmore".encode()
    yield b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
    yield new_key_file().encode()[:20] + CANARY.encode() + b"+/=="
    yield _KEY.encode()
    yield f"-----BEGIN CERTIFICATE-----\n{CANARY}\n-----END CERTIFICATE-----\n".encode()


TARGET = Target(
    "secret_file",
    run,
    _seeds,
    covers=("telemetry.otlp_headers", "config.fleet_keys", "config.reading", "rpc.certificate"),
    words=(
        ": ",
        "\n",
        "\r\n",
        "=",
        "grpc-",
        "-bin",
        "-----BEGIN CERTIFICATE-----\n",
        "-----END CERTIFICATE-----\n",
        "\u00a0",
    ),
)
