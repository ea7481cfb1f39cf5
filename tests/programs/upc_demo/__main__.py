"""A custom payment method is created, charged and refunded through the hub, with the emulator as Zuora."""

import argparse
import asyncio
import copy
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import grpc
import httpx
import structlog
from harness.redis_server import RedisServer, servers
from harness.requests import payment_method_request
from harness.stack import TENANT, LocalStack, running
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from payorch_server.telemetry.logging import start_logging
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.upc.hub_ledger import LEASE_S
from zuora_emulator import Emulator, HttpHubCaller, Settings, parse_fault, seed

from programs.demo import drop_all_but_errors
from programs.upc_demo.parts import ROOT, HubProcess, PluginProcess, send_with_curl

FAULTS: Final = ("plugin:crash", "hub:kill", "redis:restart")
_OVER: Final[Mapping[str, Any]] = {
    "tenants": {TENANT: {"gateways": {"hub": {"id": seed.UPC_GATEWAY_ID, "label": "UPC_Token"}}}},
    "routing": [{"name": "custom", "when": {}, "to": {"tenant": TENANT, "entity": "us", "gateway": "hub"}}],
}
_STEP_S: Final = 15.0
_SLOW: Final = "tok_slow"
"""Token whose charge the example gateway answers only three seconds later."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demonstration; exit status 0 only if every payment was charged once and is Processed."""
    parser = argparse.ArgumentParser(prog="make upc-demo", description=__doc__)
    parser.add_argument("--fault", choices=FAULTS, help="what breaks while a payment is being charged")
    fault = parser.parse_args(arguments).fault
    start_logging(TelemetrySettings(log_level="error", log_format="console"))
    # What the service audits is shown by its answers already.
    structlog.configure(processors=[drop_all_but_errors, *structlog.get_config()["processors"]])
    try:
        return asyncio.run(_demonstrate(fault))
    except (RuntimeError, TimeoutError, httpx.HTTPError) as error:
        print(f"upc-demo: {str(error) or 'something took too long'}", file=sys.stderr)
        return 1


@dataclass(frozen=True, slots=True)
class Scene:
    """All that takes part."""

    emulator: Emulator
    stack: LocalStack
    plugin: PluginProcess
    hub: HubProcess
    redis: RedisServer
    zuora: httpx.AsyncClient
    """To the emulator's control endpoints."""

    async def trigger(self, path: str, **body: Any) -> dict[str, Any]:
        """Have the emulator do something; return the payment or refund."""
        answer = await self.zuora.post(f"/_emulator/upc/{path}", json=body)
        if answer.is_error:
            raise RuntimeError(f"the emulator refuses {path}: {answer.text}")
        return dict(answer.json())


async def _demonstrate(fault: str | None) -> int:
    async with _scene() as scene:
        print(f"service on {scene.stack.target}, emulator on {scene.stack.emulator_url}, hub on {scene.hub.url}")
        token = _SLOW if fault in {"plugin:crash", "hub:kill"} else "3sample54cf04113e3f1595951874003"
        await _create_method(scene, token)
        if fault is None:
            good = await _lose_an_answer(scene)
            await _send_the_examples(scene)
        else:
            good = await _BREAK[fault](scene)
        await _show_traces(scene)
        return 0 if _show_charges(scene, charged_once=good) else 1


@asynccontextmanager
async def _scene() -> AsyncIterator[Scene]:
    """Start the processes, the hub before the service, whose emulator calls it."""
    with servers() as redis_servers, tempfile.TemporaryDirectory(prefix="payorch-upc-") as name:
        folder = Path(name)
        redis = redis_servers.start()
        plugin = PluginProcess(folder)
        hub = HubProcess(folder, redis, plugin, password=seed.HUB_PASSWORD)
        try:
            await plugin.start()
            print(await hub.init_store("--first-start"))
            await hub.start()
            emulator = Emulator(
                settings=Settings(upc_allow_local_endpoints=True),
                upc=seed.upc_with(hub.url),
                hub_caller=HttpHubCaller(),
            )
            async with (
                running(emulator=emulator, tenants=(TENANT,), over=_OVER) as stack,
                httpx.AsyncClient(base_url=stack.emulator_url, timeout=90.0) as zuora,
            ):
                yield Scene(emulator, stack, plugin, hub, redis, zuora)
        finally:
            await hub.kill()
            await plugin.kill()


async def _create_method(scene: Scene, token: str) -> None:
    print("\n=== CreatePaymentMethod over gRPC: Zuora validates the method through the hub")
    request = payment_method_request()
    request.custom.type = seed.AMAZON_PAY.full_name
    for name, text in {"amazonAccount": "SampleAmazonAccount", "amazonToken": token}.items():
        request.custom.fields[name].text = text
    async with grpc.aio.insecure_channel(scene.stack.target) as channel:
        await channel.channel_ready()
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        answer = await stub.CreatePaymentMethod(request, timeout=30)
    print(f"  created {answer.payment_method.id} of type {seed.AMAZON_PAY.full_name}")


async def _lose_an_answer(scene: Scene) -> bool:
    print("\n=== a payment whose answer Zuora never reads")
    scene.emulator.faults.add(parse_fault("hub_payment:lost"), times=1)
    payment = await scene.trigger("payments", amount="200")
    _show(payment, "charged at the gateway, and unknown to Zuora")
    payment = await scene.trigger(f"payments/{payment['id']}/open")
    _show(payment, "sent again under the same id")
    print("\n=== a refund of a part of it")
    refund = await scene.trigger(f"payments/{payment['id']}/refunds", amount="50")
    _show(refund, "found by the key of its payment")
    return [payment["status"], refund["status"]] == ["Processed", "Processed"] and _amounts(scene) == [200, -50]


async def _crash_plugin(scene: Scene) -> bool:
    print("\n=== the gateway crashes after it has charged, before it answers")
    paying = asyncio.ensure_future(scene.trigger("payments", amount="200"))
    await scene.plugin.until_charged(1)
    await scene.plugin.kill()
    return await _settle(scene, await paying, back=scene.plugin.start)


async def _kill_hub(scene: Scene) -> bool:
    print("\n=== the hub is killed while the gateway charges")
    paying = asyncio.ensure_future(scene.trigger("payments", amount="200"))
    await scene.plugin.until_charged(1)
    await scene.hub.kill()
    payment = await paying

    async def back() -> None:
        await scene.hub.start()
        print(f"  the record of the killed hub is leased for {LEASE_S:.0f} s; waiting for its end", flush=True)
        for left_s in range(int(LEASE_S) + 10, 0, -int(_STEP_S)):
            print(f"    {left_s} s", flush=True)
            await asyncio.sleep(min(_STEP_S, left_s))

    return await _settle(scene, payment, back=back)


async def _restart_redis(scene: Scene) -> bool:
    print("\n=== the store is away, and comes back without its records")
    scene.redis.kill()
    payment = await scene.trigger("payments", amount="200")

    async def back() -> None:
        await asyncio.to_thread(scene.redis.start)

    return await _settle(scene, payment, back=back)


async def _settle(scene: Scene, payment: Mapping[str, Any], *, back: Callable[[], Awaitable[None]]) -> bool:
    first = payment["status"]
    _show(payment, "nothing proves that no money moved")
    await back()
    payment = await scene.trigger(f"payments/{payment['id']}/open")
    _show(payment, "sent again under the same id")
    return [first, payment["status"]] == ["Processing", "Processed"] and _amounts(scene) == [200]


_BREAK: Final[Mapping[str, Callable[[Scene], Awaitable[bool]]]] = {
    "plugin:crash": _crash_plugin,
    "hub:kill": _kill_hub,
    "redis:restart": _restart_redis,
}


async def _send_the_examples(scene: Scene) -> None:
    print("\n=== the three requests of Zuora's page of examples, with curl")
    examples = json.loads((ROOT / "tests" / "vectors" / "upc_examples.json").read_text())["examples"]
    requests = [example["request"] for example in examples]
    # The refund is of a payment that the page does not show; without it no gateway would refund anything.
    refunded = copy.deepcopy(requests[1])
    refunded["payment"]["id"] = requests[2]["refund"]["paymentId"]
    for request in (*requests[:2], refunded, requests[2]):
        print(f"  {request['operation']} {'' if request is not refunded else '(the one that the refund names)'}")
        answer = await send_with_curl(scene.hub.url, json.dumps(request).encode(), password=seed.HUB_PASSWORD)
        print(f"    {answer}")


def _show(transaction: Mapping[str, Any], why: str) -> None:
    print(f"  {transaction['number']} {transaction['amount']}: {transaction['status']} ({why})")


async def _show_traces(scene: Scene) -> None:
    print("\n=== what the hub recorded of each request, and the trace of the last payment")
    calls = scene.hub.calls()
    for call in calls:
        facts = {name: call.get(name) for name in ("operation", "id", "key", "answer", "situation", "status")}
        print("  " + " ".join(f"{name}={value}" for name, value in facts.items() if value not in {None, ""}))
    traces = [call["trace_id"] for call in calls if call.get("trace_id") and call.get("operation") == "payment"]
    for line in await scene.hub.spans(traces[-1]) if traces else ():
        print(f"  {line}")


def _show_charges(scene: Scene, *, charged_once: bool) -> bool:
    print("\n=== the gateway's ledger: how money moved")
    for key, moved in scene.plugin.charges():
        print(f"  {key} {moved:>6}")
    print("  charged once, as Zuora shows it" if charged_once else "  NOT as it should be")
    return charged_once


def _amounts(scene: Scene) -> list[int]:
    return [int(moved) for _, moved in scene.plugin.charges()]


if __name__ == "__main__":
    sys.exit(main())
