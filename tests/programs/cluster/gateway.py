"""A plugged-in payment gateway outside of the cluster, whose ledger is a file.

Run as a program it serves the plug-in of the tests at an address.
"""

import argparse
import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from harness.plugin import Behaviour, Plugin
from payorch.v1 import payment_gateway_service_pb2_grpc as gateway_grpc

_ANSWER_S: Final = 0.2
"""How long an answer takes after the effect, so that the end of a pod meets calls that have moved money."""


def effects(ledger: Path) -> Counter[str]:
    """Return how often money moved, by idempotency key."""
    members = [json.loads(line) for line in ledger.read_text().splitlines()] if ledger.exists() else []
    return Counter(found["effect"][0] for found in members if "effect" in found)


async def _serve(host: str, port: int, ledger: Path) -> None:
    plugin = Plugin(ledger)
    plugin.default = Behaviour(delay_s=_ANSWER_S)
    server = grpc.aio.server()
    gateway_grpc.add_PaymentGatewayServiceServicer_to_server(plugin, server)
    healthy = health.aio.HealthServicer()
    await healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    server.add_insecure_port(f"{host}:{port}")
    await server.start()
    await server.wait_for_termination()


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m programs.cluster.gateway", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(_serve(given.host, given.port, given.ledger))


if __name__ == "__main__":
    main()
