"""Gateways that are plugged in, called over real channels: what is known after everything that can happen to a call."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2
from harness.authority import Authority
from harness.black_hole import silent_server
from harness.clock import FakeClock
from harness.plugged import (
    FACTS,
    GATEWAY_NAME,
    KEY,
    REFUND,
    REFUND_FACTS,
    TENANT,
    TYPE,
    VALIDATION,
    Plugged,
    hub_request,
    hub_settings,
    plugged,
    plugin_settings,
)  # fmt: skip
from harness.plugin import DECLINED, FAILED, NOT_ATTEMPTED, PENDING, TOKEN_FIELD, Behaviour, Plugin, running_plugin
from harness.ports import free_port
from harness.spans import KeptRecords, tracer_over
from opentelemetry.trace import get_current_span
from payorch.v1 import payment_gateway_service_pb2 as gateway_pb2
from payorch_server.model.secret import Secret
from payorch_server.telemetry.providers import start_telemetry
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.upc.gateway_outcome import (
    GatewayDescription,
    GatewayOutcome,
    NoOutcome,
    NotHeardOf,
    NotSent,
    Result,
    Silence,
)  # fmt: skip
from payorch_server.upc.gateway_port import Gateway, PluginCertificates
from payorch_server.upc.observation import HubObservation
from payorch_server.upc.request import Operation
from payorch_server.upc.settings import UpcSettings
from structlog.testing import capture_logs

pytestmark = pytest.mark.asyncio


class ScriptedPlugin(Plugin):
    """Answers with an outcome that a test has written, or says other things that the contract does not allow."""

    def __init__(self, outcome: gateway_pb2.GatewayOutcome | None = None) -> None:
        super().__init__()
        self.outcome = outcome
        self.metadata: list[dict[str, str]] = []

    async def ProcessPayment(self, _request: object, context: grpc.aio.ServicerContext) -> object:  # type: ignore[override] # noqa: N802 - gRPC's name
        """Answer as written; without anything written there is no outcome."""
        self.metadata.append({str(name): str(value) for name, value in context.invocation_metadata() or ()})
        return gateway_pb2.ProcessPaymentResponse(outcome=self.outcome)


async def paid(plugged: Plugged, token: str = "", *, within_s: float = 10.0) -> GatewayOutcome | NoOutcome | NotSent:
    """Send a payment whose token chooses what the plug-in does."""
    request = hub_request(token_data={TOKEN_FIELD: token})
    return await plugged.amazon.call(request, FACTS, deadline_s=plugged.within(within_s))


async def until(plugged: Plugged, state: str) -> None:
    """Wait until the channel is in a state; until it has noticed the end of a connection, it counts as the same."""
    while plugged.gateways.states()["amazon"] != state:
        await asyncio.sleep(0)


class TestCall:
    """PluggedGateway.call."""

    @pytest.mark.parametrize(
        ("number", "result"),
        [
            (gateway_pb2.GATEWAY_RESULT_APPROVED, Result.APPROVED),
            (DECLINED, Result.DECLINED),
            (FAILED, Result.FAILED),
            (NOT_ATTEMPTED, Result.NOT_ATTEMPTED),
            (PENDING, Result.PENDING),
        ],
    )
    async def test_returns_what_the_gateway_says(self, number: int, result: Result) -> None:
        """Each result as it is."""
        plugin = Plugin()
        plugin.default = Behaviour(result=number, code="601", message="Said.")
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            outcome = await paid(hub)

            assert isinstance(outcome, GatewayOutcome)
            assert (result, "601", "Said.") == (outcome.result, outcome.code, outcome.message)
            assert [("ProcessPayment", result.value)] == hub.counted.calls

    async def test_calls_the_method_of_the_operation(self) -> None:
        """With the amount, exact to the cent."""
        async with running_plugin() as running, plugged(running.target) as hub:
            await paid(hub)
            await hub.amazon.call(hub_request(VALIDATION), replace(FACTS, idempotency_key="v"), deadline_s=hub.within())
            facts = replace(REFUND_FACTS, idempotency_key="r", payment_idempotency_key=KEY)
            await hub.amazon.call(hub_request(REFUND), facts, deadline_s=hub.within())

            names = [name for name, _ in running.plugin.calls]
            assert names == ["ProcessPayment", "ValidatePaymentMethod", "ProcessRefund"]
            assert [Decimal("200.05")] * 2 == [effect.amount for effect in running.plugin.effects]

    @pytest.mark.parametrize("code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK])
    async def test_knows_nothing_after_any_error(self, code: grpc.StatusCode) -> None:
        """A plug-in can pass an error on after it has charged, UNIMPLEMENTED included."""
        plugin = Plugin()
        plugin.default = Behaviour(error_after=code)
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            silence = Silence.DEADLINE if code is grpc.StatusCode.DEADLINE_EXCEEDED else Silence.ERROR

            assert NoOutcome(silence, code.name) == await paid(hub)
            assert 1 == len(plugin.effects)

    async def test_knows_nothing_after_the_deadline(self) -> None:
        """The plug-in may still be working."""
        plugin = Plugin()
        plugin.default = Behaviour(hold=asyncio.Event())
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            await hub.amazon.describe(deadline_s=hub.within())

            assert NoOutcome(Silence.DEADLINE, "DEADLINE_EXCEEDED") == await paid(hub, within_s=0.3)

    async def test_knows_nothing_after_the_plug_in_died_in_the_middle(self) -> None:
        """It has charged, and its answer is lost."""
        plugin = Plugin()
        plugin.default = Behaviour(hold=asyncio.Event())
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            calling = asyncio.ensure_future(paid(hub))
            await plugin.wait_for_calls(1)
            assert 1 == hub.amazon.in_flight
            await running.stop()
            outcome = await calling

            assert isinstance(outcome, NoOutcome)
            assert Silence.ERROR is outcome.silence
            assert 0 == hub.amazon.in_flight

    async def test_knows_nothing_after_its_channel_was_closed(self) -> None:
        """The hub shuts down and waits no longer."""
        plugin = Plugin()
        plugin.default = Behaviour(hold=asyncio.Event())
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            calling = asyncio.ensure_future(paid(hub))
            await plugin.wait_for_calls(1)
            await hub.gateways.close()

            assert NoOutcome(Silence.ERROR, "CANCELLED") == await calling

    async def test_ends_with_its_task(self) -> None:
        """Its owner sees that it was cancelled."""
        plugin = Plugin()
        plugin.default = Behaviour(hold=asyncio.Event())
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            calling = asyncio.ensure_future(paid(hub))
            await plugin.wait_for_calls(1)
            calling.cancel()

            with pytest.raises(asyncio.CancelledError):
                await calling

    @pytest.mark.parametrize("number", [0, 99])
    async def test_knows_nothing_of_results_that_it_does_not_know(self, number: int) -> None:
        """A later version of the contract may have more of them."""
        plugin = ScriptedPlugin(gateway_pb2.GatewayOutcome(result=number, code="601"))  # type: ignore[arg-type] # not of this version
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            assert NoOutcome(Silence.UNSPECIFIED) == await paid(hub)

    async def test_knows_nothing_without_an_outcome(self) -> None:
        """An empty response is what a handler returns that forgot to answer."""
        async with running_plugin(ScriptedPlugin()) as running, plugged(running.target) as hub:
            with capture_logs() as lines:
                assert NoOutcome(Silence.UNSPECIFIED) == await paid(hub)

        (line,) = (line for line in lines if line["event"] == "upc_gateway_no_outcome")
        assert ("ProcessPayment", FACTS.idempotency_key, "UNSPECIFIED") == (line["method"], line["key"], line["result"])

    async def test_cuts_an_approval_and_reports_it(self) -> None:
        """The money has moved, whatever its answer looks like."""
        outcome = gateway_pb2.GatewayOutcome(result=gateway_pb2.GATEWAY_RESULT_APPROVED, code="x" * 21)
        async with running_plugin(ScriptedPlugin(outcome)) as running, plugged(running.target) as hub:
            read = await paid(hub)

            assert isinstance(read, GatewayOutcome)
            assert (Result.APPROVED, "x" * 20, ("code",)) == (read.result, read.code, read.cut)
            assert ["code_invalid"] == hub.counted.broken

    async def test_does_not_take_a_refusal_that_breaks_a_rule(self) -> None:
        """An answer by which money would be collected again has to be beyond doubt."""
        outcome = gateway_pb2.GatewayOutcome(result=gateway_pb2.GATEWAY_RESULT_DECLINED, code="x" * 21)
        async with running_plugin(ScriptedPlugin(outcome)) as running, plugged(running.target) as hub:
            assert NoOutcome(Silence.RULE_BROKEN) == await paid(hub)
            assert ["code_invalid"] == hub.counted.broken
            assert [("ProcessPayment", "RULE_BROKEN")] == hub.counted.calls

    async def test_does_not_send_what_the_contract_cannot_carry(self) -> None:
        """Half a surrogate pair is no text."""
        async with running_plugin() as running, plugged(running.target) as hub:
            request = hub_request(token_data={TOKEN_FIELD: "\ud800"})

            assert isinstance(await hub.amazon.call(request, FACTS, deadline_s=hub.within()), NotSent)
            assert [] == running.plugin.calls

    async def test_passes_the_trace_on(self) -> None:
        """One client span for each call, whose id the plug-in receives."""
        kept, plugin = KeptRecords(), ScriptedPlugin()
        async with running_plugin(plugin) as running, plugged(running.target, tracer=tracer_over(kept)) as hub:
            await paid(hub)

            (span,) = kept.spans
            assert f"-{span.get_span_context().span_id:016x}-" in plugin.metadata[0]["traceparent"]
            assert span.attributes == {
                "rpc.system.name": "grpc",
                "rpc.method": "payorch.v1.PaymentGatewayService/ProcessPayment",
                "rpc.response.status_code": "OK",
                "payorch.upc.gateway": "amazon",
                "payorch.upc.result": "UNSPECIFIED",
                "error.type": "UNSPECIFIED",
            }

    async def test_passes_on_the_ids_of_a_request_that_is_not_recorded(self) -> None:
        """Where no spans are exported, the plug-in knows the ids of the hub's log."""
        telemetry, plugin = start_telemetry(TelemetrySettings(traces="none")), ScriptedPlugin()
        settings = UpcSettings(hubs={}, gateways={})
        observation = HubObservation(
            tracer=telemetry.tracer, meter=telemetry.meter, clock=FakeClock(), settings=lambda: settings
        )
        async with running_plugin(plugin) as running, plugged(running.target, tracer=telemetry.tracer) as hub:
            with observation.observe("main"):
                ids = get_current_span().get_span_context()
                await paid(hub)

        assert plugin.metadata[0]["traceparent"].startswith(f"00-{ids.trace_id:032x}-{ids.span_id:016x}-")


class TestNotSent:
    """What was provably not sent."""

    async def test_is_a_call_of_a_port_that_refuses(self) -> None:
        """Nothing listens there."""
        async with plugged(f"127.0.0.1:{free_port()}") as hub:
            assert isinstance(await paid(hub, within_s=0.5), NotSent)
            assert isinstance(await hub.amazon.describe(deadline_s=hub.within(0.2)), NotSent)
            assert [("ProcessPayment", "NOT_SENT")] == hub.counted.calls

    async def test_is_a_call_of_a_server_that_never_speaks(self) -> None:
        """It accepts connections, which is no HTTP/2."""
        async with silent_server() as silent, plugged(f"127.0.0.1:{silent.port}") as hub:
            await silent.until_accepted(1)

            assert isinstance(await paid(hub, within_s=0.5), NotSent)

    async def test_is_a_call_without_time(self) -> None:
        """By the clock of the hub."""
        clock = FakeClock()
        async with running_plugin() as running, plugged(running.target, clock=clock) as hub:
            await hub.amazon.describe(deadline_s=hub.within())
            deadline_s = hub.within()
            clock.advance(10)

            assert isinstance(await hub.amazon.call(hub_request(), FACTS, deadline_s=deadline_s), NotSent)
            assert [] == running.plugin.calls

    async def test_is_a_call_of_a_plug_in_that_is_not_serving(self) -> None:
        """Its health keeps calls away, and the channel has nowhere to send them."""
        async with running_plugin() as running, plugged(running.target) as hub:
            await hub.amazon.describe(deadline_s=hub.within())
            await running.health.set("", health_pb2.HealthCheckResponse.NOT_SERVING)
            await until(hub, "TRANSIENT_FAILURE")

            assert isinstance(await paid(hub, within_s=0.3), NotSent)
            assert [] == running.plugin.calls

    async def test_is_a_call_over_another_authority(self) -> None:
        """What is not trusted gets no request."""
        server, other = Authority().issue("127.0.0.1"), Authority("other")
        credentials = grpc.ssl_server_credentials([(server.key, server.certificate)])
        believed = PluginCertificates(other.certificate)
        async with (
            running_plugin(credentials=credentials) as running,
            plugged(running.target, certificates=believed) as hub,
        ):
            assert isinstance(await paid(hub, within_s=0.5), NotSent)


class TestDescribe:
    """PluggedGateway.describe."""

    async def test_returns_what_the_gateway_says_of_itself(self) -> None:
        """Operations that are not known are left out."""
        plugin = Plugin()
        plugin.description.operations[:] = [2, 99]  # type: ignore[list-item] # not of this version
        plugin.description.currencies[:] = ["EUR"]
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            assert await hub.amazon.describe(deadline_s=hub.within()) == GatewayDescription(
                "test-gateway", "1", frozenset({Operation.PAYMENT}), frozenset({"EUR"}), True, timedelta(days=30)
            )

    async def test_is_not_sent_without_a_name(self) -> None:
        """A payment could not be held to a gateway without one."""
        plugin = Plugin()
        plugin.description.name = ""
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            described = await hub.amazon.describe(deadline_s=hub.within())

            assert NotSent("the gateway does not say its name") == described
            assert {"amazon": "NOT_DESCRIBED"} == hub.gateways.states()

    async def test_asks_again_after_a_minute(self) -> None:
        """Behind the same connection there may be another version by then."""
        clock = FakeClock()
        async with running_plugin() as running, plugged(running.target, clock=clock) as hub:
            await hub.amazon.describe(deadline_s=hub.within())
            running.plugin.description.version = "2"
            clock.advance(59)
            early = await hub.amazon.describe(deadline_s=hub.within())
            clock.advance(1)
            late = await hub.amazon.describe(deadline_s=hub.within())

            assert ["1", "2"] == [said.version for said in (early, late) if isinstance(said, GatewayDescription)]

    async def test_asks_again_after_a_reconnect(self) -> None:
        """The plug-in was replaced by another version."""
        async with running_plugin() as running, plugged(running.target, clock=FakeClock()) as hub:
            await hub.amazon.describe(deadline_s=hub.within())
            await running.stop()
            await until(hub, "TRANSIENT_FAILURE")
            running.plugin.description.version = "2"
            await running.start()
            said = await hub.amazon.describe(deadline_s=hub.within())

            assert isinstance(said, GatewayDescription)
            assert "2" == said.version

    async def test_keeps_what_was_said_where_a_later_question_fails(self) -> None:
        """The connection is the same; a plug-in that is slow for a moment is no other gateway."""

        class Forgetful(Plugin):
            async def DescribeGateway(self, _request: object, context: Any) -> gateway_pb2.DescribeGatewayResponse:  # noqa: N802 - gRPC's name
                if self.description.version == "2":
                    await context.abort(grpc.StatusCode.UNAVAILABLE, "")
                return self.description

        clock = FakeClock()
        async with running_plugin(Forgetful()) as running, plugged(running.target, clock=clock) as hub:
            said = await hub.amazon.describe(deadline_s=hub.within())
            running.plugin.description.version = "2"
            clock.advance(60)

            assert said == await hub.amazon.describe(deadline_s=hub.within())
            await running.stop()
            await until(hub, "TRANSIENT_FAILURE")
            await running.start()
            described = await hub.amazon.describe(deadline_s=hub.within())
            assert NotSent("the gateway does not describe itself") == described

    async def test_reports_another_name_behind_the_same_target(self) -> None:
        """Payments that were begun with the other one stay open."""
        async with running_plugin() as running, plugged(running.target) as hub:
            with capture_logs() as lines:
                await hub.amazon.describe(deadline_s=hub.within())
                await running.stop()
                await until(hub, "TRANSIENT_FAILURE")
                running.plugin.description.name = "other"
                await running.start()
                await hub.amazon.describe(deadline_s=hub.within())

        states = [line["state"] for line in lines if line["event"] == "upc_gateway_state"]
        assert "ANOTHER_NAME" in states
        assert "error" == lines[-1]["log_level"]

    async def test_asks_once_for_all_that_wait(self) -> None:
        """A burst after a start is one question."""
        async with running_plugin() as running, plugged(running.target) as hub:
            await asyncio.gather(*(hub.amazon.describe(deadline_s=hub.within()) for _ in range(50)))

            assert ["OK"] == hub.counted.descriptions


class TestLookUp:
    """PluggedGateway.look_up."""

    async def test_returns_the_outcome_of_the_key(self) -> None:
        """What the plug-in recorded."""
        async with running_plugin() as running, plugged(running.target) as hub:
            paid_for = await paid(hub)

            assert paid_for == await hub.amazon.look_up(hub_request(), KEY, deadline_s=hub.within())

    async def test_masks_what_a_message_quotes_of_the_request(self) -> None:
        """The plug-in may have written it into its record."""
        plugin = Plugin()
        plugin.default = Behaviour(message="No account for secret-of-the-payer.")
        request = hub_request(token_data={TOKEN_FIELD: "secret-of-the-payer"})
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            await paid(hub)

            found = await hub.amazon.look_up(request, KEY, deadline_s=hub.within())

        assert isinstance(found, GatewayOutcome)
        assert "secret-of-the-payer" not in found.message

    async def test_returns_that_the_gateway_has_not_heard_of_it(self) -> None:
        """Only where the plug-in answers and leaves the outcome out."""
        async with running_plugin() as running, plugged(running.target) as hub:
            assert NotHeardOf() == await hub.amazon.look_up(hub_request(), KEY, deadline_s=hub.within())

    async def test_knows_nothing_where_it_is_not_implemented(self) -> None:
        """That is no proof that nothing happened."""

        class WithoutLookUp(Plugin):
            async def LookUp(self, request: object, *_: object) -> object:  # type: ignore[override] # noqa: N802 - gRPC's name
                raise NotImplementedError

        async with running_plugin(WithoutLookUp()) as running, plugged(running.target) as hub:
            found = await hub.amazon.look_up(hub_request(), KEY, deadline_s=hub.within())

            assert isinstance(found, NoOutcome)

    async def test_knows_nothing_where_the_gateway_cannot_be_reached(self) -> None:
        """The look-up was not sent; the calls before it may have been."""
        async with plugged(f"127.0.0.1:{free_port()}") as hub:
            found = await hub.amazon.look_up(hub_request(), KEY, deadline_s=hub.within(0.2))

            assert NoOutcome(Silence.ERROR, "UNAVAILABLE") == found


class TestChannels:
    """PluginChannel."""

    async def test_use_every_address_in_turn(self) -> None:
        """Replicas share the calls."""
        async with running_plugin() as one, running_plugin() as other:
            target = f"ipv4:{one.target},{other.target}"
            async with plugged(target) as hub:
                while not (one.plugin.calls and other.plugin.calls):
                    assert isinstance(await paid(hub), GatewayOutcome)

    async def test_show_a_certificate(self) -> None:
        """Mutual TLS: without the certificate nothing is ready."""
        authority = Authority()
        server, client = authority.issue("127.0.0.1"), authority.issue("hub.test")
        credentials = grpc.ssl_server_credentials(
            [(server.key, server.certificate)], authority.certificate, require_client_auth=True
        )
        shown = PluginCertificates(authority.certificate, client.certificate, Secret(client.key))
        async with running_plugin(credentials=credentials) as running:
            async with plugged(running.target, certificates=shown) as hub:
                assert isinstance(await paid(hub), GatewayOutcome)
            async with plugged(running.target, certificates=PluginCertificates(authority.certificate)) as hub:
                assert isinstance(await paid(hub, within_s=0.5), NotSent)

    async def test_log_when_they_stop_serving_and_when_they_serve_again(self) -> None:
        """Each change once, without the steps between."""
        async with running_plugin() as running, plugged(running.target) as hub:
            with capture_logs() as lines:
                await hub.amazon.describe(deadline_s=hub.within())
                await running.stop()
                await until(hub, "TRANSIENT_FAILURE")
                await running.start()
                await hub.amazon.describe(deadline_s=hub.within())

        shown = [(line["log_level"], line["state"]) for line in lines if line["event"] == "upc_gateway_state"]
        assert [("info", "READY"), ("warning", "TRANSIENT_FAILURE"), ("info", "READY")] == shown

    async def test_send_nothing_once_they_are_closed(self) -> None:
        """A request that comes during the shutdown does not wait for a connection."""
        async with running_plugin() as running, plugged(running.target) as hub:
            await hub.gateways.close()

            assert isinstance(await paid(hub), NotSent)
            assert isinstance(await hub.amazon.describe(deadline_s=hub.within()), NotSent)
            assert [] == running.plugin.calls


def found(
    hub: Plugged, *, method_type: str = TYPE, tenant_id: str = TENANT, name: str = GATEWAY_NAME
) -> Gateway | None:
    """Find a gateway."""
    return hub.gateways.find(hub="main", gateway_name=name, tenant_id=tenant_id, method_type=method_type)


class TestGateways:
    """Gateways."""

    async def test_finds_a_gateway_by_all_that_names_it(self) -> None:
        """The type in any case, and everything else as it is."""
        async with plugged("127.0.0.1:1") as hub:
            assert found(hub) is hub.amazon
            assert found(hub, method_type="AMAZONPAY__C_12368") is hub.amazon
            assert found(hub, method_type="AmazonPay__c_1") is None
            assert found(hub, tenant_id="1") is None
            assert found(hub, name="upc_token") is None
            assert hub.gateways.find(hub="other", gateway_name=GATEWAY_NAME, tenant_id=TENANT, method_type=TYPE) is None

    async def test_finds_what_is_switched_off(self) -> None:
        """What that means for earlier requests is decided elsewhere."""
        async with plugged("127.0.0.1:1") as hub:
            off = replace(plugin_settings("127.0.0.1:1"), enabled=False)
            hub.gateways.replace({"amazon": off}, {"main": replace(hub_settings(), enabled=False)}, {})
            gateway = found(hub)

            assert gateway is not None
            assert gateway.settings is off

    async def test_keeps_the_channel_of_a_target_that_stays(self) -> None:
        """A call that is under way, and the count of calls, belong to the gateway under its new settings as well."""
        plugin = Plugin()
        plugin.default = Behaviour(hold=asyncio.Event())
        async with running_plugin(plugin) as running, plugged(running.target, linger_s=0) as hub:
            calling = asyncio.ensure_future(paid(hub))
            await plugin.wait_for_calls(1)
            changed = replace(plugin_settings(running.target), max_in_flight=1)
            hub.gateways.replace({"amazon": changed}, {"main": hub_settings()}, {})

            assert (1, 1) == (hub.amazon.in_flight, hub.amazon.settings.max_in_flight)
            plugin.default.hold.set()  # type: ignore[union-attr] # set above
            assert isinstance(await calling, GatewayOutcome)

    async def test_lets_calls_of_a_removed_gateway_finish(self) -> None:
        """Those that are under way, and those of requests that found the gateway before it was removed."""
        plugin = Plugin()
        plugin.default = Behaviour(hold=asyncio.Event())
        async with running_plugin(plugin) as running, plugged(running.target) as hub:
            before = hub.amazon
            calling = asyncio.ensure_future(paid(hub))
            await plugin.wait_for_calls(1)
            hub.gateways.replace({}, {"main": hub_settings()}, {})
            plugin.default.hold.set()  # type: ignore[union-attr] # set above

            assert found(hub) is None
            assert isinstance(await calling, GatewayOutcome)
            late = await before.call(hub_request(), replace(FACTS, idempotency_key="late"), deadline_s=hub.within())
            assert isinstance(late, GatewayOutcome)

    async def test_connects_to_the_target_of_today(self) -> None:
        """Another target is another channel, which connects by itself."""
        async with running_plugin() as one, running_plugin() as other, plugged(one.target, linger_s=0) as hub:
            await hub.amazon.describe(deadline_s=hub.within())
            hub.gateways.replace({"amazon": plugin_settings(other.target)}, {"main": hub_settings()}, {})

            assert isinstance(await paid(hub), GatewayOutcome)
            assert ([], 1) == (one.plugin.calls, len(other.plugin.calls))
