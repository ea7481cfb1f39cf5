from collections.abc import AsyncIterator

import grpc
import pytest_asyncio
from harness.stack import LocalStack, running
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: TID251 - to look at spans
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: TID251
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

Stub = "service_grpc.PaymentOrchestrationServiceAsyncStub"


@pytest_asyncio.fixture
async def spans() -> AsyncIterator[InMemorySpanExporter]:
    """Every span that ended."""
    yield InMemorySpanExporter()


@pytest_asyncio.fixture
async def stack(spans: InMemorySpanExporter) -> AsyncIterator[LocalStack]:
    """The service and the emulator over loopback sockets."""
    async with running(span_processors=(SimpleSpanProcessor(spans),)) as stack:
        yield stack


@pytest_asyncio.fixture
async def channel(stack: LocalStack) -> AsyncIterator[grpc.aio.Channel]:
    """A connection to the service."""
    async with grpc.aio.insecure_channel(stack.target) as channel:
        yield channel


@pytest_asyncio.fixture
async def stub(channel: grpc.aio.Channel) -> Stub:
    """The public stub."""
    return service_grpc.PaymentOrchestrationServiceStub(channel)
