"""What Zuora sends to the hub, and the hub to gateways, is shown nowhere."""

import random
from typing import Any

import pytest
from harness.upc_bodies import Members, Verbatim, body, doubled, full, paths, replaced
from payorch import redacted
from payorch_server.upc.hub_decode import decode, names_in
from payorch_server.upc.request import HubRequest, UnusableRequest

from canary.canaries import GATEWAY, Canary, named, planted_for_gateways
from canary.search import Sinks, hits

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
