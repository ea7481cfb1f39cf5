"""A payment gateway that approves at once: as little work as gRPC allows."""

import asyncio
import sys

import grpc
import uvloop
from google.protobuf.duration_pb2 import Duration
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2

_SERVICE = "payorch.v1.PaymentGatewayService"


async def _serve() -> None:
    outcome = gateway_pb2.GatewayOutcome(
        result=gateway_pb2.GATEWAY_RESULT_APPROVED, code="601", message="Approved.", transaction_id="180404672"
    )
    payment = gateway_pb2.ProcessPaymentResponse(outcome=outcome).SerializeToString()
    described = gateway_pb2.DescribeGatewayResponse(
        name="bench",
        operations=[gateway_pb2.GATEWAY_OPERATION_PAYMENT],
        looks_up=True,
        idempotent_for=Duration(seconds=30 * 86_400),
    ).SerializeToString()

    async def approve(_request: bytes, _context: object) -> bytes:
        return payment

    async def describe(_request: bytes, _context: object) -> bytes:
        return described

    methods = {"ProcessPayment": approve, "DescribeGateway": describe}
    handlers = {name: grpc.unary_unary_rpc_method_handler(method) for name, method in methods.items()}
    server = grpc.aio.server(
        handlers=(grpc.method_handlers_generic_handler(_SERVICE, handlers),), options=(("grpc.so_reuseport", 0),)
    )
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve())
