from collections.abc import Sequence
from typing import Final

import grpc
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from payorch_server.rpc.health import Health
from payorch_server.rpc.payment_orchestration import PaymentOrchestrationServicer
from payorch_server.rpc.settings import RpcSettings

# Our own limit answers with details; gRPC's, which cannot, only guards memory.
_RECEIVE_BYTES: Final = 16 * 1024 * 1024
_METADATA_BYTES: Final = 16 * 1024
_CONNECTION_GRACE_S: Final = 60.0


def build_server(
    *,
    settings: RpcSettings,
    servicer: PaymentOrchestrationServicer,
    interceptors: Sequence[grpc.aio.ServerInterceptor],
    health: Health,
) -> grpc.aio.Server:
    """Return a server with its services, not yet listening.

    Args:
        settings: Limits.
        servicer: Serves the RPCs.
        interceptors: What every call of ours passes through, outermost first.
        health: Serves the health checks.
    """
    server = grpc.aio.server(
        interceptors=tuple(interceptors),
        options=(
            ("grpc.max_receive_message_length", _RECEIVE_BYTES),
            ("grpc.max_metadata_size", _METADATA_BYTES),
            ("grpc.max_connection_age_ms", int(settings.max_connection_age_s * 1000)),
            ("grpc.max_connection_age_grace_ms", int(_CONNECTION_GRACE_S * 1000)),
            # Two processes that believe they own the port would halve every guarantee.
            ("grpc.so_reuseport", 0),
        ),
    )
    service_grpc.add_PaymentOrchestrationServiceServicer_to_server(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(health.servicer, server)
    if settings.reflection:
        ours = service_pb2.DESCRIPTOR.services_by_name["PaymentOrchestrationService"].full_name
        reflection.enable_server_reflection((ours, "grpc.health.v1.Health", reflection.SERVICE_NAME), server)
    return server
