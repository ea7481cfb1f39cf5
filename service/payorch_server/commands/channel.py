"""gRPC client of the command line."""

from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from payorch_server.model import CommandError

_HEALTH_TIMEOUT_S: Final = 3.0
# A peer that restarts meanwhile is found soon.
_OPTIONS: Final = [("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1_000)]


class ServiceUnreachableError(CommandError):
    """The service was unreachable or answered with an error."""


def open_channel(
    address: str, *, ca_file: Path | None, certificate_file: Path | None, key_file: Path | None
) -> grpc.Channel:
    """Open a channel to a service.

    Args:
        address: Host and port.
        ca_file: CA certificates to trust, PEM; None: plaintext.
        certificate_file: Client certificate, PEM.
        key_file: Its private key, PEM.

    Raises:
        ServiceUnreachableError: A file cannot be read, or there is a client certificate but no CA file.
    """
    if ca_file is None:
        if certificate_file or key_file:
            raise ServiceUnreachableError(
                "--ca-file: is required with a client certificate; without it the connection is plaintext"
            )
        return grpc.insecure_channel(address, _OPTIONS)
    try:
        files = [name.read_bytes() if name else None for name in (ca_file, key_file, certificate_file)]
    except OSError as error:
        raise ServiceUnreachableError(f"{error.filename}: cannot be read: {error.strerror}") from error
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(*files), _OPTIONS)


def health_of(channel: grpc.Channel, service: str) -> str:
    """Return SERVING or NOT_SERVING.

    Args:
        channel: To the service.
        service: Health name; empty: the whole process.

    Raises:
        ServiceUnreachableError: There was no answer, or no such service (NOT_FOUND).
    """
    request = health_pb2.HealthCheckRequest(service=service)
    try:
        answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_HEALTH_TIMEOUT_S)  # type: ignore[attr-defined] # missing in the stubs
    except grpc.RpcError as error:
        raise ServiceUnreachableError(error.code().name) from error
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
