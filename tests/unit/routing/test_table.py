import dataclasses
from decimal import Decimal
from typing import Any

import pytest
from harness.routes import GATEWAY, tenant
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.model.errors import CallError, InvalidRequestError
from payorch_server.model.money import Amount
from payorch_server.model.outcome import Outcome, Reason
from payorch_server.model.route import ZUORA_DEFAULT, Gateway, RouteHints
from payorch_server.routing.conditions import RouteQuery
from payorch_server.routing.settings import AmountSettings, ConditionSettings, RuleSettings, TargetSettings
from payorch_server.routing.table import RoutingTable, policy_hash
from payorch_server.zuora.settings import GatewaySettings, TenantSettings

SOLO = tenant(entities={}, orgs={}, base_url="https://solo.test:8443/")
TENANTS = {"acme": tenant(), "solo": SOLO}


def rule(name: str, to: dict[str, Any] | None = None, **when: Any) -> RuleSettings:
    target = {"tenant": "acme", "gateway": "cards", "entity": "us"} | (to or {})
    return RuleSettings(name, TargetSettings(**target), ConditionSettings(**when))


def table(*rules: RuleSettings) -> RoutingTable:
    return RoutingTable(tenants=TENANTS, rules=rules)


def query(rpc: str = "CreateSession", currency: str = "", **hints: Any) -> RouteQuery:
    return RouteQuery(rpc, RouteHints(**hints), currency)


def by(caller: str) -> RouteQuery:
    """Make a query of a caller."""
    return dataclasses.replace(query(), caller=caller)


def paying(amount: str, currency: str) -> RouteQuery:
    """Make a query with an amount."""
    return dataclasses.replace(query(currency=currency), amount=Amount(Decimal(amount), currency))


def of_account(account: str) -> RouteQuery:
    """Make a query with an account."""
    return dataclasses.replace(query(), account=account)


FALLBACK = rule("fallback")


class TestResolve:
    """The first rule that matches decides."""

    @pytest.mark.parametrize(
        ("when", "asked", "matches", "reason"),
        [
            ({}, query(), True, "a rule without conditions matches everything"),
            ({"rpc": ("CreateSession",)}, query(), True, "the RPC is listed"),
            ({"rpc": ("DecryptApplePay",)}, query(), False, "another RPC is listed"),
            ({"tenant": ("acme",)}, query(tenant="acme"), True, "the hint is listed"),
            ({"tenant": ("acme",)}, query(), False, "a condition on a hint does not match a call without it"),
            ({"entity": ("us", "eu")}, query(entity="us"), True, "one of several"),
            ({"entity": ("eu",)}, query(entity="us"), False, "another entity"),
            ({"gateway": ("cards",)}, query(gateway="cards"), True, "a gateway by name"),
            ({"gateway": (ZUORA_DEFAULT,)}, query(gateway="cards"), False, "another gateway"),
            ({"currency": ("EUR", "USD")}, query(currency="USD"), True, "the currency is listed"),
            ({"currency": ("EUR",)}, query(), False, "a call without a known currency does not match"),
            ({"country": ("DE",)}, query(country="DE"), True, "the country is listed"),
            ({"country": ("DE",)}, query(country="AT"), False, "another country"),
            (
                {"attributes": {"brand": "n"}},
                query(attributes={"brand": "n", "more": "x"}),
                True,
                "others may be there",
            ),
            ({"attributes": {"brand": "n"}}, query(attributes={"brand": "s"}), False, "another value"),
            ({"attributes": {"brand": "n"}}, query(), False, "no attribute"),
            ({"attributes": {"brand": ""}}, query(), False, "an absent attribute is not an empty one"),
            ({"orgs": ("north", "south")}, query(orgs=("south",)), True, "every org that is named is listed"),
            ({"orgs": ("north",)}, query(orgs=("north", "south")), False, "one org beyond the list"),
            ({"orgs": ("north",)}, query(), False, "a call that names no org"),
            ({"caller": ("shop",)}, by("shop"), True, "the very caller"),
            ({"caller": ("shop",)}, by("shop-2"), False, "an exact identity is no prefix"),
            ({"caller": ("x", "shop-*")}, by("shop-2"), True, "all that begin so"),
            ({"caller": ("*",)}, by("shop"), True, "anybody who is identified"),
            ({"caller": ("*",)}, by(""), False, "nobody is identified"),
            ({"caller": ("*",)}, query(), False, "a call that names no caller"),
            ({"caller": ("*",)}, by("anonymous"), False, "nobody vouches for anybody"),
            ({"caller": ("anonymous",)}, by("anonymous"), True, "unless the rule says so"),
            ({"amount": AmountSettings("EUR", "10", "20")}, paying("10", "EUR"), True, "the minimum is in the range"),
            ({"amount": AmountSettings("EUR", "10", "20")}, paying("20.00", "EUR"), False, "the maximum is beyond it"),
            ({"amount": AmountSettings("EUR", "10", "20")}, paying("9.99", "EUR"), False, "a cent too little"),
            ({"amount": AmountSettings("EUR", "10", "20")}, paying("15", "USD"), False, "another currency"),
            ({"amount": AmountSettings("EUR", max="0.3")}, paying("0.29", "EUR"), True, "no lower limit"),
            ({"amount": AmountSettings("EUR", "10")}, paying("999999999", "EUR"), True, "no upper limit"),
            ({"amount": AmountSettings("EUR", "0")}, query(currency="EUR"), False, "a call without a known amount"),
            ({"account_prefix": ("A", "8a8a")}, of_account("8a8a77"), True, "one of several prefixes"),
            ({"account_prefix": ("A",)}, of_account("BA"), False, "it begins otherwise"),
            ({"account_prefix": ("A",)}, of_account(""), False, "a call without account"),
            ({"country": ("DE",), "currency": ("EUR",)}, query(country="DE"), False, "every condition must hold"),
            ({"country": ("DE",), "currency": ("EUR",)}, query(currency="EUR", country="DE"), True, "both hold"),
        ],
    )
    def test_matches_by_every_condition(
        self, when: dict[str, Any], asked: RouteQuery, *, matches: bool, reason: str
    ) -> None:
        """What a rule leaves out it does not ask for."""
        route = table(rule("first", **when), FALLBACK).decide(asked).route

        assert route is not None
        assert route.rule == ("first" if matches else "fallback"), reason

    def test_gives_ids_and_names(self) -> None:
        """The route holds what headers and bodies need."""
        rules = [rule("all", {"entity": "eu", "orgs": ("south", "north")})]

        route = table(*rules).resolve(query())

        assert (route.tenant, route.host, route.rule) == ("acme", "zuora.test", "all")
        assert route.client_id == TENANTS["acme"].client_id
        assert (route.entity, route.entity_id) == ("eu", "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb")
        assert (route.orgs, route.org_ids) == (("south", "north"), ("s1", "n1"))
        assert route.gateway == GATEWAY
        assert route.policy_hash == policy_hash(TENANTS, rules)

    def test_leaves_out_what_a_simple_tenant_has_not(self) -> None:
        """No entity, no org, the gateway left to Zuora, the port in the host."""
        route = table(rule("solo", {"tenant": "solo", "entity": "", "gateway": ZUORA_DEFAULT})).resolve(query())

        assert (route.entity_id, route.org_ids, route.gateway) == ("", (), Gateway(ZUORA_DEFAULT))
        assert route.host == "solo.test:8443"

    @given(
        st.lists(st.sets(st.sampled_from(["EUR", "USD", "GBP", "JPY"])), max_size=8), st.sampled_from(["EUR", "USD"])
    )
    def test_takes_the_first_match_of_any_table(self, conditions: list[set[str]], currency: str) -> None:
        """Later rules never change the decision of an earlier one."""
        rules = [rule(str(index), currency=tuple(sorted(when))) for index, when in enumerate(conditions)]
        expected = next(
            (one.name for one in rules if not one.when.currency or currency in one.when.currency), "fallback"
        )

        route = table(*rules, FALLBACK).resolve(query(currency=currency))

        assert route.rule == expected


class TestRefusals:
    """What is not said is refused rather than guessed."""

    def test_names_the_rules_tried_when_none_matches(self) -> None:
        """At most 20 of them."""
        rules = [rule(f"r{index}", currency=("EUR",)) for index in range(30)]

        with pytest.raises(CallError) as caught:
            table(*rules).resolve(query())

        assert caught.value.failure.reason is Reason.ROUTE_NOT_FOUND
        assert caught.value.failure.metadata["rulesTried"].split(", ") == [f"r{index}" for index in range(20)]

    @pytest.mark.parametrize(
        ("hints", "fields", "reason"),
        [
            ({"tenant": "acne"}, ["route.tenant"], "an unknown tenant"),
            ({"entity": "mars"}, ["route.entity"], "an unknown entity"),
            ({"orgs": ("north", "moon")}, ["route.orgs"], "one unknown org among known ones"),
            ({"gateway": "bank"}, ["route.gateway"], "an unknown gateway"),
            ({"tenant": "x", "gateway": "y"}, ["route.tenant", "route.gateway"], "all unknown hints at once"),
        ],
    )
    def test_refuses_unknown_names(self, hints: dict[str, Any], fields: list[str], reason: str) -> None:
        """A typing error must not fall through to a rule that matches anything."""
        with pytest.raises(InvalidRequestError) as caught:
            table(FALLBACK).resolve(query(**hints))

        failed = caught.value.failure
        assert failed.reason is Reason.ROUTE_HINT_UNKNOWN, reason
        assert [violation.field for violation in failed.violations] == fields
        assert failed.metadata["hint"] == fields[0]
        assert failed.detail == f"unknown route hints: {', '.join(fields)}"

    @pytest.mark.parametrize(
        ("hints", "to", "hint", "reason"),
        [
            ({"tenant": "solo"}, {}, "route.tenant", "another tenant"),
            ({"entity": "eu"}, {}, "route.entity", "another entity"),
            ({"orgs": ("north",)}, {}, "route.orgs", "orgs where the rule has none"),
            ({"orgs": ("north",)}, {"orgs": ("north", "south")}, "route.orgs", "fewer orgs than the rule's"),
            ({"gateway": ZUORA_DEFAULT}, {}, "route.gateway", "Zuora's choice where the rule names a gateway"),
            ({"gateway": "cards"}, {"gateway": ZUORA_DEFAULT}, "route.gateway", "a gateway where Zuora chooses"),
        ],
    )
    def test_refuses_a_contradicted_hint(
        self, hints: dict[str, Any], to: dict[str, Any], hint: str, reason: str
    ) -> None:
        """A call never goes elsewhere than its caller believes."""
        with pytest.raises(CallError) as caught:
            table(rule("all", to)).resolve(query(**hints))

        assert caught.value.verdict.outcome is Outcome.NOT_SENT

        failed = caught.value.failure
        assert failed.reason is Reason.ROUTE_HINT_CONTRADICTED, reason
        assert dict(failed.metadata) == {"rule": "all", "hint": hint}

    @pytest.mark.parametrize(
        ("hints", "to", "reason"),
        [
            ({"tenant": "acme", "entity": "us", "gateway": "cards"}, {}, "hints that say what the rule says"),
            ({"orgs": ("south", "north")}, {"orgs": ("north", "south")}, "orgs are a set"),
            ({"gateway": ZUORA_DEFAULT}, {"gateway": ZUORA_DEFAULT}, "the reserved word"),
        ],
    )
    def test_takes_hints_that_agree(self, hints: dict[str, Any], to: dict[str, Any], reason: str) -> None:
        """Agreement is no contradiction."""
        assert table(rule("all", to)).resolve(query(**hints)).rule == "all", reason


class TestPolicyHash:
    """The hash tells which version of the policy decided."""

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            (tenant(base_url="https://other.test"), "the host"),
            (tenant(client_id="0" * 36), "the OAuth client, which names the tenant"),
            (tenant(entities={"us": "a" * 32, "eu": "c" * 32}), "an entity's id"),
            (tenant(entities={"us": "a" * 32}), "an entity less"),
            (tenant(orgs={"north": "n1", "south": "s2"}), "an org's id"),
            (tenant(gateways={"cards": GatewaySettings("e" * 32, GATEWAY.label)}), "a gateway's id"),
            (tenant(gateways={"cards": GatewaySettings(GATEWAY.id, "Other")}), "a gateway's label"),
        ],
    )
    def test_changes_with_a_tenants_decision_data(self, changed: TenantSettings, reason: str) -> None:
        """Each of these changes where a call goes."""
        assert policy_hash({"acme": changed}, [FALLBACK]) != policy_hash({"acme": tenant()}, [FALLBACK]), reason

    @pytest.mark.parametrize(
        ("rules", "reason"),
        [
            ([rule("other")], "a rule's name"),
            ([rule("fallback", {"entity": "eu"})], "a target"),
            ([rule("fallback", currency=("EUR",))], "a condition"),
            ([rule("fallback", attributes={"a": "b"})], "an attribute"),
            ([rule("first"), FALLBACK], "a rule more"),
            ([], "a rule less"),
        ],
    )
    def test_changes_with_the_rules(self, rules: list[RuleSettings], reason: str) -> None:
        """Each of these can change a decision."""
        assert policy_hash(TENANTS, rules) != policy_hash(TENANTS, [FALLBACK]), reason

    def test_changes_with_the_order_of_rules(self) -> None:
        """The first match wins, so order is data."""
        rules = [rule("one"), rule("two")]

        assert policy_hash(TENANTS, rules) != policy_hash(TENANTS, rules[::-1])

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"client_secret_file": "/elsewhere"}, "where the secret is"),
            ({"zuora_version": "2024-05-20"}, "the API version"),
            ({"legacy_session_amount": True}, "the form of a body"),
            ({"entities": {"eu": "b" * 32, "us": "a" * 32}}, "the order of names in the file"),
            ({"entities": {"eu": "B" * 32, "us": "AAAAAAAA-" + "aaaa-" * 3 + "a" * 12}}, "the form of ids"),
            ({"max_in_flight": 10, "switched_off": ("CreateSession",)}, "what may be sent, wherever it goes"),
        ],
    )
    def test_stays_when_no_decision_can_change(self, changes: dict[str, Any], reason: str) -> None:
        """Rotating a secret must not look like a new policy."""
        assert policy_hash({"acme": tenant(**changes)}, [FALLBACK]) == policy_hash({"acme": tenant()}, [FALLBACK]), (
            reason
        )

    def test_stays_when_tenants_are_listed_in_another_order(self) -> None:
        """The file's order of tenants decides nothing."""
        assert policy_hash(dict(reversed(TENANTS.items())), [FALLBACK]) == policy_hash(TENANTS, [FALLBACK])

    def test_covers_every_setting_of_a_tenant_by_decision(self) -> None:
        """A setting added later must be put into one of the two lists."""
        decisive = {"environment", "base_url", "entities", "orgs", "gateways"}
        indifferent = {
            "client_id",
            "client_secret_file",
            "previous_client_ids",
            "zuora_version",
            "token_scope",
            "max_in_flight",
            "max_queue_s",
            "switched_off",
            "legacy_session_amount",
            "paths",
            "declines",
        }

        assert {one.name for one in dataclasses.fields(TenantSettings)} == decisive | indifferent


class TestRepr:
    """A table describes itself for diagnosis."""

    def test_tells_size_and_hash(self) -> None:
        """No secret, no names."""
        routing = table(FALLBACK)

        assert repr(routing) == f"RoutingTable(1 rules, policy {routing.policy_hash})"
