from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from harness.routes import GATEWAY, tenant
from payorch_server.access.callers import AccessTable
from payorch_server.access.settings import CallerSettings, TenantRightsSettings
from payorch_server.model.money import Amount
from payorch_server.model.outcome import Reason
from payorch_server.model.route import ZUORA_DEFAULT, RouteHints
from payorch_server.routing.conditions import RouteQuery
from payorch_server.routing.explain import (
    Difference,
    Explanation,
    HypotheticalCall,
    RejectedRule,
    RouteSummary,
    differences,
    explain,
    summary_of,
)
from payorch_server.routing.settings import AmountSettings, ConditionSettings, RuleSettings, TargetSettings
from payorch_server.routing.table import RoutingTable
from payorch_server.zuora.settings import TenantSettings

US = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
TENANTS = {"acme": tenant(), "solo": tenant(entities={}, orgs={})}
ACCESS = AccessTable(
    [
        CallerSettings("shop", "shop", ("CreateSession",), {"acme": TenantRightsSettings(("us",), ("north",))}),
        CallerSettings("till", "till", ("*",), {"acme": TenantRightsSettings(("*",), ("*",))}),
    ]
)


def rule(name: str, to: dict[str, Any] | None = None, **when: Any) -> RuleSettings:
    target = {"tenant": "acme", "gateway": "cards", "entity": "us"} | (to or {})
    return RuleSettings(name, TargetSettings(**target), ConditionSettings(**when))


def asked(
    rpc: str = "CreateSession", *, caller: str = "", hints: Mapping[str, Any] | None = None, **more: Any
) -> HypotheticalCall:
    query_members = {name: more.pop(name) for name in ("currency", "amount", "account") if name in more}
    return HypotheticalCall(RouteQuery(rpc, RouteHints(**hints or {}), caller=caller, **query_members), **more)


def explained(
    question: HypotheticalCall,
    *rules: RuleSettings,
    tenants: Mapping[str, TenantSettings] | None = None,
    access: AccessTable | None = None,
) -> Explanation:
    return explain(question, routing=RoutingTable(tenants=tenants or TENANTS, rules=rules), access=access)


class TestRejectedRules:
    """Each is told with the first condition that fails."""

    @pytest.mark.parametrize(
        ("when", "question", "expected", "reason"),
        [
            ({"rpc": ("CreateSession", "DecryptApplePay")}, asked("CreatePaymentMethod"),
             ("rpc", "CreateSession, DecryptApplePay", "CreatePaymentMethod"), "a list"),
            ({"country": ("DE",)}, asked(), ("country", "DE", "nothing"), "a hint that is not given"),
            ({"country": ("DE",), "currency": ("EUR",)}, asked(),
             ("currency", "EUR", "nothing"), "the first of several"),
            ({"orgs": ("north",)}, asked(hints={"orgs": ("south",)}), ("orgs", "north", "south"), "names"),
            ({"caller": ("shop-*",)}, asked(caller="till"), ("caller", "shop-*", "till"), "the caller"),
            ({"account_prefix": ("A", "B")}, asked(account="C1"), ("account_prefix", "A*, B*", "C1"), "an account"),
            ({"attributes": {"brand": "n"}}, asked(hints={"attributes": {"brand": "s"}}),
             ("attributes.brand", "n", "s"), "an attribute by name"),
            ({"amount": AmountSettings("EUR", "10", "20.50")}, asked(amount=Amount(Decimal("20.50"), "EUR")),
             ("amount", "at least 10 and below 20.50 EUR", "20.50 EUR"), "a range"),
            ({"amount": AmountSettings("EUR", max="5")}, asked(), ("amount", "below 5 EUR", "nothing"), "one limit"),
        ],
    )  # fmt: skip
    def test_say_what_was_wanted_and_what_there_was(
        self, when: dict[str, Any], question: HypotheticalCall, expected: tuple[str, str, str], reason: str
    ) -> None:
        """In words for people."""
        found = explained(question, rule("first", **when), rule("rest"))

        assert found.rejected == (RejectedRule("first", *expected),), reason
        assert found.route is not None
        assert found.route.rule == "rest"

    def test_are_those_before_the_match(self) -> None:
        """What comes after it was not tried."""
        found = explained(asked(), rule("a", country=("DE",)), rule("b", country=("FR",)), rule("c"), rule("d"))

        assert [one.rule for one in found.rejected] == ["a", "b"]


class TestHeaders:
    """What the route decides of a call to Zuora."""

    @pytest.mark.parametrize(
        ("question", "to", "headers", "gateway", "reason"),
        [
            (asked(), {}, {"zuora-entity-ids": US}, GATEWAY.id, "sessions have no version, and name the id"),
            (
                asked("DecryptApplePay"),
                {"orgs": ("north", "south")},
                {"zuora-entity-ids": US, "zuora-org-ids": "n1,s1", "zuora-version": "2025-08-12"},
                GATEWAY.label,
                "v1 has a version, and the decryption wants the label",
            ),
            (
                asked("CreatePaymentMethod", method="sepa_debit"),
                {"tenant": "solo", "entity": ""},
                {},
                GATEWAY.id,
                "a single-entity tenant gets neither header",
            ),
            (
                asked("CreatePaymentMethod", method="chase_google_pay"),
                {"tenant": "solo", "entity": "", "gateway": ZUORA_DEFAULT},
                {"zuora-version": "2025-08-12"},
                "",
                "a method that v1 creates; Zuora chooses the gateway",
            ),
        ],
    )
    def test_are_those_of_the_operation(
        self, question: HypotheticalCall, to: dict[str, Any], headers: dict[str, str], gateway: str, reason: str
    ) -> None:
        """By RPC and tenant."""
        found = explained(question, rule("all", to))

        assert (found.headers, found.gateway, found.refusal) == (headers, gateway, None), reason


class TestRefusals:
    """What a real call would be told first."""

    @pytest.mark.parametrize(
        ("question", "to", "reason_name", "metadata", "reason"),
        [
            (asked(), {}, "CALLER_UNAUTHENTICATED", {"credential": "none", "rule": "one is needed"}, "nobody"),
            (asked(caller="thief"), {}, "CALLER_NOT_PERMITTED", {"right": "caller"}, "not in the policy"),
            (
                asked("DecryptApplePay", caller="shop", hints={"tenant": "nowhere"}),
                {},
                "CALLER_NOT_PERMITTED",
                {"right": "rpc", "name": "DecryptApplePay"},
                "the door comes before the route",
            ),
            (
                asked(caller="shop", hints={"tenant": "nowhere"}),
                {},
                "ROUTE_HINT_UNKNOWN",
                {"hint": "route.tenant"},
                "a hint",
            ),
            (
                asked(caller="shop", hints={"entity": "eu"}),
                {},
                "ROUTE_HINT_CONTRADICTED",
                {"rule": "all", "hint": "route.entity"},
                "a contradiction comes before rights",
            ),
            (
                asked(caller="shop"),
                {"entity": "eu"},
                "CALLER_NOT_PERMITTED",
                {"right": "entity", "name": "eu"},
                "a right on the route",
            ),
            (asked(caller="shop"), {}, "CALLER_NOT_PERMITTED", {"right": "orgs", "name": "*"}, "all orgs"),
            (
                asked("DecryptApplePay", caller="till", moves_money=True),
                {"gateway": ZUORA_DEFAULT},
                "CALLER_NOT_PERMITTED",
                {"right": "move_money"},
                "a right to do",
            ),
            (
                asked("CreatePaymentMethod", caller="till", raw_card_data=True),
                {},
                "CALLER_NOT_PERMITTED",
                {"right": "raw_card_data"},
                "another one",
            ),
        ],
    )  # fmt: skip
    def test_come_in_the_order_of_a_real_call(
        self, question: HypotheticalCall, to: dict[str, Any], reason_name: str, metadata: dict[str, str], reason: str
    ) -> None:
        """With the metadata of the real error."""
        found = explained(question, rule("all", to), access=ACCESS)

        assert found.refusal is not None
        assert (found.refusal.failure.reason.name, dict(found.refusal.failure.metadata)) == (reason_name, metadata), (
            reason
        )
        assert summary_of(found) == RouteSummary(refused=reason_name)

    def test_include_the_kill_switch(self) -> None:
        """The route is shown all the same."""
        off = {"acme": tenant(switched_off=("CreateSession",))}

        found = explained(asked(), rule("all"), tenants=off)

        assert found.refusal is not None
        assert found.refusal.failure.reason is Reason.SWITCHED_OFF
        assert found.route is not None
        assert found.headers == {"zuora-entity-ids": US}
        assert explained(asked("DecryptApplePay"), rule("all"), tenants=off).refusal is None

    @pytest.mark.parametrize("pays", [True, False])
    def test_include_a_gateway_that_a_payment_lacks(self, *, pays: bool) -> None:
        """The decryption lets Zuora choose only where nothing is paid."""
        found = explained(asked("DecryptApplePay", moves_money=pays), rule("all", {"gateway": ZUORA_DEFAULT}))

        assert (found.refusal is not None) is pays

    def test_name_the_rules_that_were_tried(self) -> None:
        """As the error does."""
        found = explained(asked(), rule("a", country=("DE",)))

        assert found.refusal is not None
        assert dict(found.refusal.failure.metadata) == {"rulesTried": "a"}
        assert (found.route, found.headers, found.gateway) == (None, {}, "")

    def test_show_the_rule_that_contradicts(self) -> None:
        """But no headers: nothing would be sent."""
        found = explained(asked(hints={"entity": "eu"}), rule("all"))

        assert found.route is not None
        assert (found.route.rule, found.headers) == ("all", {})


class TestDifferences:
    """Two policies, the same calls."""

    def test_are_the_cases_that_end_otherwise(self) -> None:
        """With the members that differ."""
        before, after = explained(asked(), rule("all")), explained(asked(), rule("all", {"entity": "eu"}))
        same = summary_of(before)

        found = differences({"x": same, "y": same}, {"x": summary_of(after), "y": same})

        assert found == [Difference("x", same, summary_of(after))]
        assert found[0].members == ["entity", "entity_id"]
