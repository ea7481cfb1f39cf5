"""The floor of the hub: aiohttp's server in front of a grpc.aio client, and nothing between them but JSON."""

import argparse
import asyncio
import sys

import grpc
import msgspec
import uvloop
from aiohttp import web
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_gateway_service_pb2_grpc as gateway_grpc

_TIMEOUT_S = 44.0


async def _serve(target: str) -> None:
    async with grpc.aio.insecure_channel(target) as channel:
        stub = gateway_grpc.PaymentGatewayServiceStub(channel)

        async def handle(request: web.BaseRequest) -> web.Response:
            body = msgspec.json.decode(await request.read())
            call = gateway_pb2.ProcessPaymentRequest(payment_id=body["payment"]["id"])
            answer = await stub.ProcessPayment(call, timeout=_TIMEOUT_S)
            content = {"responseCode": "Approved", "gatewayTransactionId": answer.outcome.transaction_id}
            return web.Response(body=msgspec.json.encode(content), content_type="application/json")

        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        print(runner.addresses[0][1], flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await runner.cleanup()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("target")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(parser.parse_args().target))
