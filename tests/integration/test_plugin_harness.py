"""The plug-in that tests of the hub drive: it keeps the contract, and its knobs do what they say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import grpc
import pytest
from google.type.money_pb2 import Money
from harness.plugin import DECLINED, PAYMENT, PENDING, TOKEN_FIELD, Behaviour, Plugin, RunningPlugin, running_plugin
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch.v1 import payment_gateway_service_pb2_grpc as gateway_grpc

pytestmark = pytest.mark.asyncio
KEY = "upc1-" + "0" * 40


def payment(key: str = KEY, *, token: str = "", units: int = 10) -> gateway_pb2.ProcessPaymentRequest:
    """Return a request for a payment in dollars."""
    request = gateway_pb2.ProcessPaymentRequest(amount=Money(currency_code="USD", units=units, nanos=990_000_000))
    request.call.idempotency_key = key
    request.call.method.token_data[TOKEN_FIELD].text = token
    return request


def refund(key: str, amount: str, *, payment_key: str = KEY) -> gateway_pb2.ProcessRefundRequest:
    """Return a request for a refund."""
    request = gateway_pb2.ProcessRefundRequest(amount=amount, payment_idempotency_key=payment_key)
    request.call.idempotency_key = key
    return request


@asynccontextmanager
async def called(
    plugin: Plugin,
) -> AsyncIterator[tuple[RunningPlugin, gateway_grpc.PaymentGatewayServiceStub]]:
    """Run a plug-in; yield it and a stub for it."""
    async with running_plugin(plugin) as running, grpc.aio.insecure_channel(running.target) as channel:
        yield running, gateway_grpc.PaymentGatewayServiceStub(channel)


async def looked_up(stub: gateway_grpc.PaymentGatewayServiceStub, key: str = KEY) -> gateway_pb2.LookUpResponse:
    """Look up a payment."""
    return await stub.LookUp(gateway_pb2.LookUpRequest(idempotency_key=key, operation=PAYMENT))


class TestPlugin:
    """What it does unless told otherwise is right."""

    async def test_moves_money_once_for_each_key(self) -> None:
        """Also when the calls overlap; another amount is refused."""
        plugin = Plugin()
        async with called(plugin) as (_, stub):
            first, second = await asyncio.gather(stub.ProcessPayment(payment()), stub.ProcessPayment(payment()))
            with pytest.raises(grpc.RpcError) as refused:
                await stub.ProcessPayment(payment(units=11))

        assert first == second
        assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert [Decimal("10.99")] == [effect.amount for effect in plugin.effects]

    async def test_refunds_no_more_than_was_paid(self) -> None:
        """By the payment's key."""
        plugin = Plugin()
        async with called(plugin) as (_, stub):
            await stub.ProcessPayment(payment())
            answers = [
                await stub.ProcessRefund(refund("one", "10.98")),
                await stub.ProcessRefund(refund("two", "0.02")),
                await stub.ProcessRefund(refund("three", "1", payment_key="unknown")),
            ]

        assert [1, DECLINED, DECLINED] == [answer.outcome.result for answer in answers]
        assert plugin.moved("one") == Decimal("10.98")

    async def test_crashes_after_charging(self) -> None:
        """The call ends without an answer; after it is back LookUp knows the truth."""
        plugin = Plugin()
        plugin.behaviours["crash"] = Behaviour(hold=asyncio.Event())
        async with called(plugin) as (running, stub):
            call = stub.ProcessPayment(payment(token="crash"))
            await plugin.wait_for_calls(1)
            await running.stop()
            with pytest.raises(grpc.RpcError):
                await call
            await running.start()
            async with grpc.aio.insecure_channel(running.target) as channel:
                truth = await looked_up(gateway_grpc.PaymentGatewayServiceStub(channel))

        assert (truth.outcome.result, plugin.moved(KEY)) == (1, Decimal("10.99"))

    async def test_fails_before_or_after_charging(self) -> None:
        """As its behaviours say."""
        plugin = Plugin()
        plugin.behaviours["before"] = Behaviour(error_before=grpc.StatusCode.UNAVAILABLE)
        plugin.behaviours["after"] = Behaviour(error_after=grpc.StatusCode.INTERNAL)
        codes = []
        async with called(plugin) as (_, stub):
            for token in ("before", "after"):
                with pytest.raises(grpc.RpcError) as failed:
                    await stub.ProcessPayment(payment(token, token=token))
                codes.append(failed.value.code().name)
            known = [(await looked_up(stub, key)).HasField("outcome") for key in ("before", "after")]

        assert codes == ["UNAVAILABLE", "INTERNAL"]
        assert known == [False, True]
        assert (plugin.moved("before"), plugin.moved("after")) == (0, Decimal("10.99"))

    async def test_settles_what_was_pending(self) -> None:
        """LookUp says the final result from then on."""
        plugin = Plugin()
        plugin.default = Behaviour(PENDING)
        async with called(plugin) as (_, stub):
            before = await stub.ProcessPayment(payment())
            plugin.settle(KEY, DECLINED)
            after = await looked_up(stub)

        assert (before.outcome.result, after.outcome.result) == (PENDING, DECLINED)

    async def test_keeps_its_ledger_in_a_file(self, tmp_path: Path) -> None:
        """Another process with the same file knows the keys and what moved."""
        async with called(Plugin(tmp_path / "ledger")) as (_, stub):
            first = await stub.ProcessPayment(payment())
        again = Plugin(tmp_path / "ledger")
        async with called(again) as (_, stub):
            second = await stub.ProcessPayment(payment())

        assert first == second
        assert again.moved(KEY) == Decimal("10.99")
