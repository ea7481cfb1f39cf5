from collections.abc import Sequence
from typing import Final

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2
from grpc_reflection.v1alpha._async import ReflectionServicer
from payorch.v1 import diagnostics_service_pb2 as diagnostics_pb2
from payorch.v1 import diagnostics_service_pb2_grpc as diagnostics_grpc
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from payorch_server.model.secret import reveal  # noqa: TID251 - the key of the certificate goes into handshakes here
from payorch_server.rpc.certificate import ServerCertificate
from payorch_server.rpc.diagnostics import DiagnosticsServicer
from payorch_server.rpc.health import Health
from payorch_server.rpc.payment_orchestration import PaymentOrchestrationServicer
from payorch_server.rpc.settings import GrpcSettings

# gRPC reads a whole message before any of our code runs, for every stream of a connection at once. So its own limit
# lies just above max_request_bytes, which refuses with details, and only the identity encoding is accepted: sixteen
# kilobytes of gzip unpack to sixteen megabytes.
_RECEIVE_LIMIT_FACTOR: Final = 2
_IDENTITY_ENCODING_ONLY: Final = 1 << grpc.Compression.NoCompression.value
# A thousand calls that wait and as many of each connection have so much memory unasked: most requests fit into it.
_LOOKAHEAD_BYTES: Final = 16_384
_CONNECTION_GRACE_S: Final = 60.0
_HANDSHAKE_TIMEOUT_MS: Final = 10_000
# A burst of so many is served; under overload they start within a second, most of them to be refused.
_MAX_WAITING_CALLS: Final = 1000
# It is not listed: no package has its descriptor, and tools describe what is listed.
_REFLECTION_V1: Final = "grpc.reflection.v1.ServerReflection"


def build_server(
    *,
    settings: GrpcSettings,
    servicer: PaymentOrchestrationServicer,
    interceptors: Sequence[grpc.aio.ServerInterceptor],
    health: Health,
) -> grpc.aio.Server:
    """Return a server with its services, not yet listening.

    Args:
        settings: Limits.
        servicer: Serves the RPCs.
        interceptors: Wrap every call of our services, outermost first.
        health: Serves the health checks.
    """
    server = _server(settings, interceptors)
    service_grpc.add_PaymentOrchestrationServiceServicer_to_server(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    if settings.reflection:
        name = service_pb2.DESCRIPTOR.services_by_name["PaymentOrchestrationService"].full_name
        _reflect(server, name, "grpc.health.v1.Health")
    return server


def build_diagnostics_server(
    *, settings: GrpcSettings, servicer: DiagnosticsServicer, interceptors: Sequence[grpc.aio.ServerInterceptor]
) -> grpc.aio.Server:
    """Return a server for operators, not yet listening.

    Args:
        settings: Limits, and whether there is reflection.
        servicer: Serves the RPCs.
        interceptors: Wrap every call of our services, outermost first.
    """
    server = _server(settings, interceptors)
    diagnostics_grpc.add_DiagnosticsServiceServicer_to_server(servicer, server)
    if settings.reflection:
        name = diagnostics_pb2.DESCRIPTOR.services_by_name["DiagnosticsService"].full_name
        _reflect(server, name)
    return server


def _reflect(server: grpc.aio.Server, *services: str) -> None:
    """Serve reflection of these services: v1alpha, and v1, which tools try first. Their messages are the same."""
    names = (*services, reflection.SERVICE_NAME)
    reflection.enable_server_reflection(names, server)
    handler = grpc.stream_stream_rpc_method_handler(
        ReflectionServicer(names).ServerReflectionInfo,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    server.add_registered_method_handlers(_REFLECTION_V1, {"ServerReflectionInfo": handler})


def _server(settings: GrpcSettings, interceptors: Sequence[grpc.aio.ServerInterceptor]) -> grpc.aio.Server:
    return grpc.aio.server(
        interceptors=tuple(interceptors),
        options=(
            ("grpc.max_receive_message_length", _RECEIVE_LIMIT_FACTOR * settings.max_request_bytes),
            ("grpc.compression_enabled_algorithms_bitset", _IDENTITY_ENCODING_ONLY),
            ("grpc.max_metadata_size", settings.max_metadata_bytes),
            # What each stream may send before its message is asked for; probes of the bandwidth would raise it.
            ("grpc.http2.lookahead_bytes", _LOOKAHEAD_BYTES),
            ("grpc.http2.bdp_probe", 0),
            ("grpc.max_concurrent_streams", settings.max_streams_per_connection),
            ("grpc.max_allowed_incoming_connections", settings.max_connections),
            # The handshakes of TLS and HTTP/2 together.
            ("grpc.server_handshake_timeout_ms", _HANDSHAKE_TIMEOUT_MS),
            # Beyond these gRPC itself ends calls that wait, without details.
            ("grpc.server.max_pending_requests", _MAX_WAITING_CALLS),
            ("grpc.server.max_pending_requests_hard_limit", _MAX_WAITING_CALLS),
            # Where the counts of calls come from that show how many wait.
            ("grpc.enable_channelz", 1),
            # Clients that ping more often are disconnected with enhance_your_calm.
            ("grpc.http2.min_ping_interval_without_data_ms", int(settings.min_ping_interval_s * 1000)),
            ("grpc.keepalive_permit_without_calls", 1),
            ("grpc.keepalive_time_ms", int(settings.keepalive_s * 1000)),
            ("grpc.max_connection_age_ms", int(settings.max_connection_age_s * 1000)),
            ("grpc.max_connection_age_grace_ms", int(_CONNECTION_GRACE_S * 1000)),
            # With reuse, two services could share a port without noticing, and each limit would count twice.
            ("grpc.so_reuseport", 0),
        ),
    )


class ListenError(Exception):
    """An address that cannot be listened on."""


class Credentials:
    """The certificate that a listener presents; every handshake reads the current one."""

    def __init__(self, certificate: ServerCertificate) -> None:
        self.replace(certificate)

    def replace(self, certificate: ServerCertificate) -> None:
        """Present another certificate and trust its authorities from the next handshake on."""
        self.certificate = certificate
        self._configuration = grpc.ssl_server_certificate_configuration(
            [(reveal(certificate.key), certificate.chain)], certificate.client_authorities or None
        )

    def for_server(self) -> grpc.ServerCredentials:
        """Return the credentials in gRPC's form, for one server."""
        used = self._configuration

        def fetch() -> grpc.ServerCertificateConfiguration | None:
            # None keeps the one in use. From any other, even the same, gRPC makes another factory of handshakes,
            # and frees the one that a handshake in another thread may be about to use: the process would crash.
            nonlocal used
            if self._configuration is used:
                return None
            used = self._configuration
            return used

        return grpc.dynamic_ssl_server_credentials(
            self._configuration,
            fetch,  # type: ignore[arg-type] # gRPC documents None
            require_client_authentication=bool(self.certificate.client_authorities),
        )


def listen(server: grpc.aio.Server, address: str, credentials: Credentials | None) -> int:
    """Bind a server to an address; return the port.

    Args:
        server: A server that does not listen yet.
        address: Host and port; port 0 takes a free one.
        credentials: The certificate; None: plaintext.

    Raises:
        ListenError: The address is in use, or is not of this machine.
    """
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials.for_server())
    except RuntimeError as error:
        raise ListenError(f"cannot listen on {address}; is the port in use?") from error
