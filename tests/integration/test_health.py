"""Health, reflection and the probes over HTTP."""

import asyncio
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from harness.keyring import new_key_file
from harness.redis_server import servers
from harness.stack import LocalStack, running
from payorch_server.runtime.clock import SystemClock
from zuora_emulator import Emulator

_SERVICE = "payorch.v1.PaymentOrchestrationService"
_MONEY = f"{_SERVICE}/money"
_SERVING = health_pb2.HealthCheckResponse.SERVING
_NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


async def _health(channel: grpc.aio.Channel, service: str) -> int:
    answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
    return int(answer.status)


async def _wait_for(channel: grpc.aio.Channel, service: str, status: int) -> None:
    watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=service), timeout=10)
    async for answer in watch:
        if answer.status == status:
            return
    pytest.fail(f"The watch of {service or 'the server'} ended before the status was {status}.")


@pytest.mark.asyncio
async def test_the_service_serves_when_a_tenant_is_warm(channel: grpc.aio.Channel) -> None:
    """Each tenant has a name of its own beside the service and the whole."""
    for name in ("", _SERVICE, "tenant/acme", "tenant/solo"):
        await _wait_for(channel, name, _SERVING)


@pytest.mark.asyncio
async def test_nothing_serves_before_the_first_token() -> None:
    """A tenant that never answers keeps the service NOT_SERVING, and alive."""
    emulator = Emulator()
    emulator.faults.add("token:500", times="always")
    async with running(emulator=emulator) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        statuses = [await _health(channel, name) for name in ("", _SERVICE, "tenant/acme")]

        assert [_NOT_SERVING] * 3 == statuses
        async with httpx.AsyncClient() as http:
            assert 503 == (await http.get(f"{stack.admin_url}/readyz")).status_code
            assert 200 == (await http.get(f"{stack.admin_url}/livez")).status_code


class _AheadClock(SystemClock):
    """A machine whose time of day is wrong by an hour."""

    def now(self) -> datetime:
        return super().now() + timedelta(hours=1)


async def _never_ready(stack: LocalStack) -> bool:
    """Look once the tenant has been tried."""
    while not stack.emulator.journal.count("token"):
        await asyncio.sleep(0.01)
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{stack.admin_url}/readyz")).status_code == 503


@pytest.mark.asyncio
async def test_a_clock_that_is_off_keeps_the_service_from_calls() -> None:
    """Time guards intents: an hour wrong, and the 23 hours are 22 or 24."""
    async with running(clock=_AheadClock(), tenants=("acme",)) as stack:
        assert await _never_ready(stack)
        assert {"acme": False} == stack.application.components.health.states


@pytest.mark.asyncio
async def test_a_store_that_evicts_keeps_the_service_from_calls(tmp_path: Path) -> None:
    """A record that Redis may drop is no record."""
    key = tmp_path / "key"
    key.write_text(new_key_file())
    with servers() as redis_servers:
        redis = redis_servers.start("--maxmemory-policy", "allkeys-lru")
        over = {
            "store": {"kind": "redis", "url": redis.url, "operation_timeout_s": 5.0},
            "intents": {"keys": [{"id": "one", "file": str(key)}]},
        }
        async with running(over=over, tenants=("acme",)) as stack, httpx.AsyncClient() as http:
            statuses = [(await http.get(f"{stack.admin_url}/readyz")).status_code for _ in range(20)]

    assert {503} == set(statuses)
    assert 0 == stack.emulator.journal.count("token")


@pytest.mark.asyncio
async def test_a_lost_store_makes_money_alone_unhealthy(tmp_path: Path) -> None:
    """All replicas would leave the load balancer together, and callers would get no error of ours any more."""
    key = tmp_path / "key"
    key.write_text(new_key_file())
    with servers() as redis_servers:
        redis = redis_servers.start("--maxmemory-policy", "noeviction")
        over = {"store": {"kind": "redis", "url": redis.url}, "intents": {"keys": [{"id": "one", "file": str(key)}]}}
        async with (
            running(over=over, tenants=("acme",)) as stack,
            grpc.aio.insecure_channel(stack.target) as channel,
            httpx.AsyncClient() as http,
        ):
            await _wait_for(channel, _MONEY, _SERVING)
            redis.kill()
            await _wait_for(channel, _MONEY, _NOT_SERVING)

            content = await http.get(f"{stack.admin_url}/readyz")
            statuses = [await _health(channel, name) for name in ("", _SERVICE, "tenant/acme")]

            assert [_SERVING] * 3 == statuses
            assert 200 == content.status_code
            money = json.loads(content.content)["money"]
            assert money["accepted"] is False
            assert [
                "the store of intents cannot be used: check: the server cannot be reached or has closed the connection"
            ] == (money["obstacles"])
            metrics = (await http.get(f"{stack.admin_url}/metrics")).text
            assert re.search(r"^payorch_money_accepted\{.*\} 0\.0$", metrics, re.MULTILINE)
            redis.start()
            await _wait_for(channel, _MONEY, _SERVING)


@pytest.mark.asyncio
async def test_a_store_in_memory_warns_before_it_refuses() -> None:
    """At nine tenths payments still move; when it is full they do not, and both can be read and measured."""
    async with (
        running(over={"store": {"max_entries": 1000}}) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
        httpx.AsyncClient() as http,
    ):
        await _wait_for(channel, _MONEY, _SERVING)
        own = stack.application.components
        seen: list[tuple[str, bool]] = []
        for first, beyond in ((0, 899), (899, 900), (900, 1000)):
            for number in range(first, beyond):
                await own.resources.store.put_if_absent(f"record-{number}", b"", ttl_s=3600.0)
            await own.money.check()
            content = json.loads((await http.get(f"{stack.admin_url}/readyz")).content)
            seen.append((content["store"]["warning"], content["money"]["accepted"]))
        metrics = (await http.get(f"{stack.admin_url}/metrics")).text

    assert seen == [
        ("", True),
        ("the store in memory has 900 of at most 1000 entries", True),
        ("the store in memory has 1000 of at most 1000 entries", False),
    ]
    assert re.search(r"^payorch_store_entries\{.*\} 1000\.0$", metrics, re.MULTILINE)
    assert re.search(r"^payorch_store_max_entries\{.*\} 1000\.0$", metrics, re.MULTILINE)


@pytest.mark.asyncio
async def test_one_tenant_that_works_is_enough() -> None:
    """The other one's name stays NOT_SERVING."""
    over = {"tenants": {"solo": {"base_url": "http://127.0.0.1:9"}}}
    async with running(over=over) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        await _wait_for(channel, _SERVICE, _SERVING)

        assert _NOT_SERVING == await _health(channel, "tenant/solo")
        async with httpx.AsyncClient() as http:
            ready = await http.get(f"{stack.admin_url}/readyz")
        content = json.loads(ready.content)
        assert {"acme": True, "solo": False} == content["tenants"]
        assert (True, []) == (content["ready"], content["refused_change"])


@pytest.mark.asyncio
async def test_the_probes_take_get_alone(stack: LocalStack) -> None:
    """Nothing can be changed through them."""
    async with httpx.AsyncClient() as http:
        statuses = [(await http.request(method, f"{stack.admin_url}/readyz")).status_code for method in ("POST", "PUT")]

    assert [405, 405] == statuses


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
@pytest.mark.asyncio
async def test_reflection_lists_the_services(channel: grpc.aio.Channel, version: str) -> None:
    """What grpcurl and buf curl ask for: v1 first, and v1alpha if there is none."""
    call = channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    answers = call(iter([reflection_pb2.ServerReflectionRequest(list_services="")]), timeout=5)

    names = {service.name async for answer in answers for service in answer.list_services_response.service}

    assert {_SERVICE, "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} == names


@pytest.mark.asyncio
async def test_a_drain_is_announced_before_calls_are_refused(stack: LocalStack, channel: grpc.aio.Channel) -> None:
    """A watcher sees NOT_SERVING while its connection still lives."""
    await _wait_for(channel, _SERVICE, _SERVING)
    seen: list[int] = []

    async def watch() -> None:
        request = health_pb2.HealthCheckRequest(service=_SERVICE)
        async for answer in health_pb2_grpc.HealthStub(channel).Watch(request, timeout=10):
            seen.append(answer.status)
            if answer.status == _NOT_SERVING:
                return

    watching = asyncio.ensure_future(watch())
    while not seen:
        await asyncio.sleep(0)
    await stack.application.drain()
    await watching

    assert [_SERVING, _NOT_SERVING] == seen


@pytest.mark.asyncio
async def test_a_drain_does_not_wait_for_what_is_no_call() -> None:
    """Watches, reflection and calls without a message end before the grace does; watchers see NOT_SERVING first."""
    seen: list[int] = []
    async with (
        running(over={"grpc": {"drain_grace_s": 120.0}}) as stack,
        grpc.aio.insecure_channel(stack.target) as channel,
    ):
        await _wait_for(channel, _SERVICE, _SERVING)
        watch: Any = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=_SERVICE))
        seen.append((await watch.read()).status)
        reflected: Any = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")()
        silent: Any = channel.stream_unary(f"/{_SERVICE}/CreateSession")()
        interceptors = stack.application.interceptors
        while interceptors.streams.open < 2 or not interceptors.receive.waiting:
            await asyncio.sleep(0)

        async with asyncio.timeout(15):
            await stack.application.drain()
        seen.append((await watch.read()).status)

        assert [_SERVING, _NOT_SERVING] == seen
        assert {grpc.StatusCode.UNAVAILABLE} == {await watch.code(), await reflected.code()}
        assert grpc.StatusCode.DEADLINE_EXCEEDED is await silent.code()


@pytest.mark.asyncio
async def test_requests_that_never_end_do_not_pile_up(stack: LocalStack) -> None:
    """Beyond a hundred connections the oldest is closed, so that a probe is always answered."""
    port = stack.application.admin_port
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(120)]
    for _, writer in opened:
        writer.write(b"GET /livez HTTP/1.1\r\n")

    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{stack.admin_url}/livez", timeout=10)

    assert 200 == answer.status_code
    for reader, _ in opened[:20]:
        async with asyncio.timeout(10):
            assert b"" == await reader.read()
    for _, writer in opened:
        writer.close()
