"""The other end of a connection: what commands ask a running service."""

from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from payorch_server.model.command_error import CommandError

_HEALTH_TIMEOUT_S: Final = 3.0


class ServiceUnreachableError(CommandError):
    """A question that could not be put, or was answered by a status of gRPC."""


def open_channel(
    address: str, *, ca_file: Path | None, certificate_file: Path | None, key_file: Path | None
) -> grpc.Channel:
    """Return a channel to a service.

    Args:
        address: Host and port.
        ca_file: PEM file of the authorities to believe; None: plaintext.
        certificate_file: PEM file of a certificate to show.
        key_file: PEM file of its key.

    Raises:
        AskingError: A file cannot be read, or a certificate is to be shown in plaintext.
    """
    if ca_file is None:
        if certificate_file or key_file:
            raise ServiceUnreachableError(
                "--ca-file: is missing, so the certificate would not be shown: this would be plaintext"
            )
        return grpc.insecure_channel(address)
    try:
        files = [name.read_bytes() if name else None for name in (ca_file, key_file, certificate_file)]
    except OSError as error:
        raise ServiceUnreachableError(f"{error.filename}: cannot be read: {error.strerror}") from error
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(*files))


def health_of(channel: grpc.Channel, service: str) -> str:
    """Return SERVING or NOT_SERVING.

    Args:
        channel: To the service.
        service: Name of a service; empty: the whole process.

    Raises:
        AskingError: There was no answer, or no such service (NOT_FOUND).
    """
    request = health_pb2.HealthCheckRequest(service=service)
    try:
        answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_HEALTH_TIMEOUT_S)  # type: ignore[attr-defined] # missing in the stubs
    except grpc.RpcError as error:
        raise ServiceUnreachableError(error.code().name) from error
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status))
