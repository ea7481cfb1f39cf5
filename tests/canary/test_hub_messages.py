"""What Zuora sends to the hub, and the hub to gateways, is shown nowhere."""

import dataclasses
import random
from typing import Any, NoReturn

import pytest
from harness.hub import APPROVED, PLUGIN, Behaviour, FakeGateway, HubWorld, behave, charge_and_fail, virtually
from harness.memory_records import values_in
from harness.spans import KeptSpans
from harness.upc_bodies import Members, Verbatim, body, doubled, full, paths, replaced
from payorch import redacted
from payorch_server.model.secret import Secret
from payorch_server.store.keyring import Keyring
from payorch_server.telemetry.providers import start_telemetry
from payorch_server.telemetry.settings import TelemetrySettings
from payorch_server.upc.exchange import Caller, HubExchange
from payorch_server.upc.gateway_outcome import CallFacts, Result
from payorch_server.upc.hub_decode import decode, names_in
from payorch_server.upc.hub_parts import HubCallNotes
from payorch_server.upc.observation import HubObservation
from payorch_server.upc.request import HubRequest, UnusableRequest
from payorch_server.upc.settings import UpcSettings

from canary.canaries import GATEWAY, Canary, named, planted_for_gateways
from canary.search import Sinks, hits
from canary.watch import logged

OPERATIONS = ["Validate", "Payment", "Refund"]
SENSITIVE = {
    ("billingAccount", "accountNumber"), ("gatewayOptions", "option"), ("paymentMethod", "upcTokenData", "Token"),
    ("payment", "softDescriptorPhone"), ("refund", "softDescriptorPhone"), ("level3", "item"),
    ("paymentMethod", "unknown"), ("payment", "unknown"), ("refund", "unknown"),
}  # fmt: skip


def planted_body(operation: str) -> tuple[Members, tuple[Canary, ...]]:
    """Return a request with a canary in every member that the contract with gateways marks."""
    rng = random.Random(operation)  # noqa: S311 - repeatable, and no real secret
    members, canaries = full(operation), {}
    for path in sorted(SENSITIVE):
        if path[0] in members or path[0] == "level3":
            value = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=20))
            canaries[".".join(path)] = value
            members = replaced(members, path, value)
    return members, named(canaries)


def leaks(canaries: tuple[Canary, ...], *shown: object) -> list[str]:
    """Name what is found of the canaries."""
    sinks = Sinks()
    sinks.add("shown", *shown)
    return sorted(map(str, hits(canaries, sinks)))


class TestMessagesForGateways:
    """Messages of PaymentGatewayService."""

    def test_show_no_canary(self) -> None:
        """Every sensitive field of every message was filled, and the redactor shows none of them."""
        filled = set()
        for message, canaries in planted_for_gateways():
            assert leaks(canaries, redacted(message)) == []
            filled |= {canary.where for canary in canaries}

        assert filled >= {
            "payorch.v1.CustomPaymentMethod.token_data (key)",
            "payorch.v1.CustomFieldValue.text",
            "payorch.v1.CustomFieldValue.decimal",
            "payorch.v1.BillingAccount.number",
            "payorch.v1.GatewayCall.gateway_options (value)",
            "payorch.v1.GatewayCall.other_members_json",
            "payorch.v1.GatewayOutcome.token_data_changes (key)",
            "payorch.v1.ProcessPaymentRequest.soft_descriptor_phone",
            "payorch.v1.ProcessRefundRequest.soft_descriptor_phone",
        }

    def test_would_be_found_without_the_redactor(self) -> None:
        """A search that finds nothing in plain text proves nothing."""
        shown = {message.DESCRIPTOR.name for message, canaries in planted_for_gateways() if leaks(canaries, message)}

        with_secrets = {"ValidatePaymentMethod", "ProcessPayment", "ProcessRefund"}
        assert shown == {f"{rpc}{kind}" for rpc in with_secrets for kind in ("Request", "Response")} | {
            "LookUpResponse"
        }

    def test_are_of_each_rpc(self) -> None:
        """None is left out."""
        made = {message.DESCRIPTOR.name for message, _ in planted_for_gateways()}

        assert made == {kind.name for method in GATEWAY.methods for kind in (method.input_type, method.output_type)}


class TestRequestsOfZuora:
    """HubRequest and UnusableRequest."""

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_show_no_canary(self, operation: str) -> None:
        """A request may be printed with an exception, and its ids must be readable then."""
        members, canaries = planted_body(operation)
        request = decode(body(members))

        assert isinstance(request, HubRequest)
        assert leaks(canaries, repr(request), str(request)) == []
        assert "12368" in repr(request)
        assert len(leaks(canaries, body(members))) >= len(canaries)

    @pytest.mark.parametrize("value", [Verbatim('"\\ud800"'), [], Verbatim("1e99999")], ids=str)
    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_show_no_canary_where_they_cannot_be_used(self, operation: str, value: Any) -> None:
        """Whichever member is at fault, it is named, and no text of the request is quoted."""
        members, canaries = planted_body(operation)
        for path in paths(members):
            damaged = body(replaced(members, path, value))

            assert leaks(canaries, repr(decode(damaged)), repr(names_in(damaged))) == []

    @pytest.mark.parametrize("operation", OPERATIONS)
    def test_quote_nothing_where_they_name_what_is_at_fault(self, operation: str) -> None:
        """Neither a value nor the name of a member that only Zuora knows."""
        canary = "CanaryOfWhatIsAtFault"
        members = full(operation)
        requests = [replaced(members, path, value) for path in paths(members) for value in (canary, canary * 400)]
        requests += [replaced(members, path, {canary: {}}) for path in paths(members)]
        requests += [
            doubled(replaced(members, (*path[:-1], canary), 1), (*path[:-1], canary), 2) for path in paths(members)
        ]

        unusable = [found for found in map(decode, map(body, requests)) if isinstance(found, UnusableRequest)]

        assert len(unusable) > len(requests) // 2
        assert leaks(named({"value": canary}), *((found.defect, found.member) for found in unusable)) == []


OF_GATEWAYS = named({"token data change": "CanaryOfANewFieldValue", "message": "CanaryInTheTextOfAGateway"})
PLUGGED = dataclasses.replace(PLUGIN, names=("UPC_Token", "UPCTokenGateway1621965929867"))


async def _raise(_gateway: FakeGateway, request: HubRequest, _facts: CallFacts) -> NoReturn:
    raise ValueError(request, OF_GATEWAYS[1].value)


def behaviours() -> list[Behaviour]:
    """Return what gateways do, with secrets wherever they can put some."""
    changes = Secret({"Token": OF_GATEWAYS[0].value})
    outcomes = [
        dataclasses.replace(APPROVED, result=result, message=OF_GATEWAYS[1].value, token_data_changes=changes)
        for result in Result
    ]
    return [*map(behave, outcomes), charge_and_fail, _raise]


async def what_a_hub_writes(members: Members, behaviour: Behaviour) -> Sinks:
    """Send a request twice, and one that is damaged; return what is logged, traced, measured and stored."""
    sinks, spans = Sinks(), KeptSpans()
    gateway = FakeGateway(settings=PLUGGED, behaviours=[behaviour, behaviour])
    world = await HubWorld(gateway).begin()
    settings = UpcSettings(hubs=world.hubs, gateways={"amazon": PLUGGED})
    telemetry = start_telemetry(TelemetrySettings(), processors=[spans], clock=world.clock)
    observation = HubObservation(
        tracer=telemetry.tracer, meter=telemetry.meter, clock=world.clock, settings=lambda: settings
    )
    hub = world.hub(observer=observation)
    with logged(sinks):
        for sent in (members, members, replaced(members, ("paymentMethod", "type"), [])):
            request, notes = decode(body(sent)), HubCallNotes()
            with observation.observe("main") as report:
                answer = await world.send(hub, request, notes=notes)
                report(HubExchange("main", Caller.KNOWN, request, answer, 1.0, notes))
    sinks.add("spans", *(span.to_json() for span in spans.spans))
    sinks.add("metrics", telemetry.exposition("")[0])
    stored = values_in(world.store.inner)
    sinks.add("store", *stored.values(), *stored)
    telemetry.shutdown()
    return sinks


class TestHub:
    """A hub and what it writes."""

    @pytest.mark.parametrize("number", range(len(behaviours())))
    @pytest.mark.parametrize("operation", OPERATIONS)
    @virtually
    async def test_writes_no_canary(self, operation: str, number: int) -> None:
        """However the gateway behaves: neither what Zuora sent nor what the gateway answered."""
        members, canaries = planted_body(operation)

        sinks = await what_a_hub_writes(members, behaviours()[number])

        assert {name for name, found in sinks.written.items() if found} == {"log", "spans", "metrics", "store"}
        assert sorted(map(str, hits((*canaries, *OF_GATEWAYS), sinks))) == []

    def test_would_be_seen_to_write_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without the seal the store holds what the gateway answered."""
        monkeypatch.setattr(Keyring, "seal", lambda self, value, **_: (self.key_ids[0], value))

        @virtually
        async def run() -> None:
            members, _ = planted_body("Payment")
            sinks = await what_a_hub_writes(members, behaviours()[0])
            assert {hit.sink for hit in hits(OF_GATEWAYS, sinks)} == {"store"}

        run()
