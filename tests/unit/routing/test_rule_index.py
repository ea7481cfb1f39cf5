import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from decimal import Decimal

from harness.routing_strategies import CURRENCIES, QUERIES, RPCS, RULES, TENANTS
from hypothesis import given, settings
from hypothesis import strategies as st
from payorch_server.model.caller import ANONYMOUS
from payorch_server.model.money import Amount
from payorch_server.model.route import RouteHints
from payorch_server.routing.conditions import RouteQuery, conditions_of, first_failed
from payorch_server.routing.rule_index import RuleIndex
from payorch_server.routing.settings import AmountSettings, ConditionSettings, RuleSettings
from payorch_server.routing.table import RoutingTable

TABLES = st.lists(RULES, max_size=8).map(
    lambda rules: [dataclasses.replace(rule, name=f"rule-{position}") for position, rule in enumerate(rules)]
)


def first_match(rules: Sequence[RuleSettings], query: RouteQuery) -> str | None:
    """Return the name of the first rule whose conditions all hold, by trying every rule in turn."""
    for rule in rules:
        if first_failed(conditions_of(rule.when), query) is None:
            return rule.name
    return None


def variants_of(query: RouteQuery) -> Iterator[RouteQuery]:
    """Yield the call with each RPC, currency, tenant and entity that rules can name, and without the last three."""
    for rpc, currency, tenant, entity in itertools.product(
        RPCS, ("", *CURRENCIES), ("", "acme", "solo"), ("", "us", "eu")
    ):
        hints = dataclasses.replace(query.hints, tenant=tenant, entity=entity)
        yield dataclasses.replace(query, rpc=rpc, currency=currency, hints=hints)


@settings(max_examples=125, deadline=None)
@given(TABLES, QUERIES)
def test_decides_as_a_walk_over_all_rules(rules: list[RuleSettings], asked: RouteQuery) -> None:
    """Ten thousand calls: the first rule that matches decides, and explanations stop at it."""
    table, names = RoutingTable(tenants=TENANTS, rules=rules), [rule.name for rule in rules]
    for query in variants_of(asked):
        expected = first_match(rules, query)

        decision, rejected = table.decide(query), table.rejected(query)

        assert (decision.route.rule if decision.route else None) == expected
        assert [unmatched.rule for unmatched in rejected] == names[: names.index(expected) if expected else None]


class TestCandidates:
    """Rules that name other values are not tried."""

    def test_are_those_that_allow_every_value_of_the_call(self) -> None:
        """Of a thousand rules for two hundred tenants, five name the tenant of the call, and one the currency too."""
        rules = [
            ConditionSettings(
                tenant=(f"tenant-{number % 200}",),
                currency=("EUR",) if number < 200 else ("USD", "GBP"),
                attributes={} if number < 400 else {"brand": "north"},
            )
            for number in range(1000)
        ]
        index = RuleIndex([conditions_of(when) for when in (*rules, ConditionSettings())])

        def found(currency: str, **hints: str) -> list[int]:
            given_hints = RouteHints(tenant="tenant-7", attributes=hints)
            return list(index.candidates(RouteQuery("CreateSession", given_hints, currency)))

        assert found("EUR") == [7, 1000]
        assert found("GBP") == [207, 1000]
        assert found("GBP", brand="north") == [207, 407, 607, 807, 1000]
        assert found("JPY", brand="south") == [1000]

    def test_are_those_whose_callers_amounts_and_accounts_the_call_meets(self) -> None:
        """A value may be met by its beginning, and an amount by one of several ranges that overlap."""
        usd = [AmountSettings("USD", min="10"), AmountSettings("USD", min="10", max="20"), AmountSettings("EUR")]
        rules = [
            *(ConditionSettings(caller=(caller,)) for caller in ("spiffe://a/*", "spiffe://a/b", "spiffe://a/b*", "*")),
            *(ConditionSettings(amount=amount) for amount in usd),
            *(ConditionSettings(account_prefix=prefixes) for prefixes in (("A",), ("AB", "C"))),
        ]
        index = RuleIndex([conditions_of(when) for when in rules])

        def found(caller: str, amount: Amount | None, account: str) -> list[int]:
            return list(index.candidates(RouteQuery("CreateSession", RouteHints(), "", amount, account, caller)))

        amounts, accounts = (4, 5, 6), (7, 8)
        for caller, callers in {"spiffe://a/b": [0, 1, 2, 3], "spiffe://a/": [0, 3], "x": [3], ANONYMOUS: []}.items():
            assert callers == [rule for rule in found(caller, None, "") if rule not in {*amounts, *accounts}]
        for value, ranges in {"9.99": [], "10": [4, 5], "19.99": [4, 5], "20": [4]}.items():
            given_amount = Amount(Decimal(value), "USD")
            assert ranges == [rule for rule in found("", given_amount, "") if rule in amounts]
        for account, prefixes in {"": [], "A": [7], "ABC": [7, 8], "B": []}.items():
            assert prefixes == [rule for rule in found("", None, account) if rule in accounts]

    def test_are_all_rules_without_values(self) -> None:
        """What the index cannot decide is left to the conditions."""
        index = RuleIndex([conditions_of(ConditionSettings(orgs=("north",))), ()])

        assert list(index.candidates(RouteQuery("CreateSession", RouteHints()))) == [0, 1]
