from typing import Any

import pytest
from harness.routes import GATEWAY, tenant
from harness.routing_strategies import QUERIES, RULES, TENANTS
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.routing.conditions import RouteQuery
from payorch_server.routing.lint import lint
from payorch_server.routing.settings import AmountSettings, ConditionSettings, RuleSettings, TargetSettings
from payorch_server.routing.table import RoutingTable
from payorch_server.zuora.settings import GatewaySettings

ONE = {"acme": tenant(entities={}, orgs={})}
EUR_10_20, EUR_12_15, EUR_15_25 = (
    AmountSettings("EUR", *limits) for limits in (("10", "20"), ("12", "15"), ("15", "25"))
)


def rule(name: str, to: dict[str, Any] | None = None, **when: Any) -> RuleSettings:
    return RuleSettings(
        name, TargetSettings(**{"tenant": "acme", "gateway": "cards"} | (to or {})), ConditionSettings(**when)
    )


class TestShadowedRules:
    """A rule whose calls an earlier one takes is a mistake."""

    @pytest.mark.parametrize(
        ("earlier", "later", "shadowed", "reason"),
        [
            ({}, {"currency": ("EUR",)}, True, "a rule without conditions takes all"),
            ({"currency": ("EUR", "USD")}, {"currency": ("USD",)}, True, "a part of a list"),
            ({"currency": ("EUR",)}, {"currency": ("EUR", "USD")}, False, "more than the list"),
            ({"currency": ("EUR",)}, {}, False, "no condition is wider than any"),
            ({"currency": ("EUR",)}, {"amount": EUR_10_20}, True, "an amount has its currency"),
            ({"amount": EUR_10_20}, {"amount": EUR_12_15}, True, "a range within a range"),
            ({"amount": EUR_10_20}, {"amount": EUR_15_25}, False, "ranges that overlap"),
            ({"amount": EUR_10_20}, {"amount": AmountSettings("USD", "12", "15")}, False, "another currency"),
            ({"amount": EUR_10_20}, {"currency": ("EUR",)}, False, "any amount"),
            ({"caller": ("shop-*",)}, {"caller": ("shop-1", "shop-2-*")}, True, "callers within a prefix"),
            ({"caller": ("shop-1",)}, {"caller": ("shop-*",)}, False, "a prefix is wider than one caller"),
            ({"caller": ("*",)}, {"caller": ("anonymous",)}, False, "no prefix takes in anonymous"),
            ({"account_prefix": ("A",)}, {"account_prefix": ("A1", "AB")}, True, "longer prefixes"),
            ({"account_prefix": ("A1",)}, {"account_prefix": ("A",)}, False, "a shorter prefix"),
            ({"attributes": {"a": "1"}}, {"attributes": {"a": "1", "b": "2"}}, True, "one attribute more"),
            ({"attributes": {"a": "1"}}, {"attributes": {"a": "2"}}, False, "another value"),
            ({"rpc": ("CreateSession",)}, {"rpc": ("CreateSession",), "country": ("DE",)}, True, "a condition more"),
        ],
    )
    def test_are_those_whose_conditions_imply_an_earlier_rules(
        self, earlier: dict[str, Any], later: dict[str, Any], *, shadowed: bool, reason: str
    ) -> None:
        """Condition by condition."""
        found = lint([rule("first", **earlier), rule("second", **later)], ONE)

        assert [(one.kind, one.subject) for one in found] == ([("shadowed", "second")] if shadowed else []), reason

    @given(st.lists(RULES, min_size=1, max_size=6, unique_by=lambda one: one.name), QUERIES)
    def test_never_decide(self, rules: list[RuleSettings], query: RouteQuery) -> None:
        """Nor does a dead rule send anything: whatever the call."""
        idle = {one.subject for one in lint(rules, TENANTS) if one.kind != "unreachable"}

        decision = RoutingTable(tenants=TENANTS, rules=rules).decide(query)

        assert decision.refusal is not None or decision.route is None or decision.route.rule not in idle


class TestDeadRules:
    """A rule whose every match is refused."""

    @pytest.mark.parametrize(
        ("to", "when", "dead", "reason"),
        [
            ({}, {"tenant": ("solo",)}, True, "it asks for one tenant and goes to another"),
            ({}, {"tenant": ("solo", "acme")}, False, "a hint of two may be right"),
            ({"entity": "eu"}, {"entity": ("us",)}, True, "another entity"),
            ({"orgs": ("north", "south"), "entity": "us"}, {"orgs": ("north",)}, True, "the hint must name both"),
            ({"orgs": ("north",), "entity": "us"}, {"orgs": ("north", "south")}, False, "the hint may name one"),
            ({"entity": "us"}, {"orgs": ("north",)}, True, "the target names no org"),
            ({"gateway": "zuora_default", "entity": "us"}, {"gateway": ("cards",)}, True, "Zuora chooses"),
        ],
    )
    def test_ask_for_a_hint_that_their_target_contradicts(
        self, to: dict[str, Any], when: dict[str, Any], *, dead: bool, reason: str
    ) -> None:
        """The caller gets ROUTE_HINT_CONTRADICTED whatever it does."""
        found = lint([rule("it", to, **when)], {"acme": tenant()})

        assert (("dead", "it") in {(one.kind, one.subject) for one in found}) is dead, reason


class TestUnreachablePlaces:
    """What is configured and never used."""

    def test_are_named_by_path(self) -> None:
        """Of a tenant that is not reached its parts are not named as well."""
        gateways = {"cards": GatewaySettings(GATEWAY.id, GATEWAY.label), "bank": GatewaySettings("c" * 32, "Bank")}
        tenants = {"acme": tenant(gateways=gateways), "solo": tenant()}

        found = lint([rule("all", {"entity": "us", "orgs": ("north",)})], tenants)

        assert [one.subject for one in found] == [
            "tenants.acme.entities.eu",
            "tenants.acme.orgs.south",
            "tenants.acme.gateways.bank",
            "tenants.solo",
        ]
        assert {one.kind for one in found} == {"unreachable"}

    def test_include_what_only_an_idle_rule_reaches(self) -> None:
        """It never gets there."""
        rules = [rule("all", {"entity": "us"}), rule("late", {"entity": "eu"}, currency=("EUR",))]

        found = lint(rules, {"acme": tenant()})

        assert [(one.kind, one.subject) for one in found] == [
            ("shadowed", "late"),
            ("unreachable", "tenants.acme.entities.eu"),
        ]

    def test_do_not_include_orgs_where_a_rule_names_none(self) -> None:
        """Such a call goes to all of them."""
        found = lint(
            [rule("us", {"entity": "us"}, currency=("USD",)), rule("eu", {"entity": "eu"})], {"acme": tenant()}
        )

        assert found == []
