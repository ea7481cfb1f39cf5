import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from harness.routing_strategies import CURRENCIES, QUERIES, RPCS, RULES, TENANTS
from hypothesis import given, settings
from hypothesis import strategies as st
from payorch_server.model.route import RouteHints
from payorch_server.routing.conditions import RouteQuery, conditions_of, first_failed
from payorch_server.routing.rule_index import RuleIndex
from payorch_server.routing.settings import ConditionSettings, RuleSettings
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

    def test_are_all_rules_without_values(self) -> None:
        """What the index cannot decide is left to the conditions."""
        index = RuleIndex([conditions_of(ConditionSettings(account_prefix=("A",))), ()])

        assert list(index.candidates(RouteQuery("CreateSession", RouteHints()))) == [0, 1]
