"""Hypothesis strategies for rules and calls, from so few words that they often meet."""

from decimal import Decimal

from hypothesis import strategies as st
from payorch_server.model.money import Amount
from payorch_server.model.route import ZUORA_DEFAULT, RouteHints
from payorch_server.routing.conditions import RouteQuery
from payorch_server.routing.settings import AmountSettings, ConditionSettings, RuleSettings, TargetSettings

from harness.routes import tenant

TENANTS = {"acme": tenant(), "solo": tenant(entities={}, orgs={})}
RPCS = ("CreateSession", "DecryptApplePay", "CreatePaymentMethod")
CURRENCIES = ("EUR", "USD")
AMOUNTS = ("0.01", "10", "10.01", "500")


def _some(*words: str) -> st.SearchStrategy[tuple[str, ...]]:
    return st.just(()) | st.lists(st.sampled_from(words), max_size=2, unique=True).map(tuple)


def _perhaps(*words: str) -> st.SearchStrategy[str]:
    return st.sampled_from(("", *words))


_ATTRIBUTES = st.dictionaries(st.sampled_from(("brand", "shop")), st.sampled_from(("n", "s")), max_size=2)
_RANGES = st.none() | st.builds(
    AmountSettings, st.sampled_from(CURRENCIES), _perhaps("10"), st.sampled_from(("10.01", "500"))
)

CONDITIONS = st.builds(
    ConditionSettings,
    rpc=_some(*RPCS),
    caller=_some("shop-1", "shop-*", "*"),
    tenant=_some("acme", "solo"),
    entity=_some("us", "eu"),
    orgs=_some("north", "south"),
    gateway=_some("cards", ZUORA_DEFAULT),
    currency=_some(*CURRENCIES),
    country=_some("DE", "FR"),
    amount=_RANGES,
    account_prefix=_some("A", "A1"),
    attributes=_ATTRIBUTES,
)
TARGETS = st.builds(
    TargetSettings,
    tenant=st.just("acme"),
    gateway=st.sampled_from(("cards", ZUORA_DEFAULT)),
    entity=st.sampled_from(("us", "eu")),
    orgs=_some("north", "south"),
) | st.builds(TargetSettings, tenant=st.just("solo"), gateway=st.sampled_from(("cards", ZUORA_DEFAULT)))
RULES = st.builds(RuleSettings, st.sampled_from([f"rule-{index}" for index in range(20)]), TARGETS, CONDITIONS)


@st.composite
def _queries(draw: st.DrawFn) -> RouteQuery:
    hints = RouteHints(
        tenant=draw(_perhaps("acme", "solo")),
        entity=draw(_perhaps("us", "eu")),
        orgs=draw(_some("north", "south")),
        gateway=draw(_perhaps("cards", ZUORA_DEFAULT)),
        country=draw(_perhaps("DE", "FR")),
        attributes=draw(_ATTRIBUTES),
    )
    amount = draw(st.none() | st.builds(Amount, st.sampled_from(AMOUNTS).map(Decimal), st.sampled_from(CURRENCIES)))
    return RouteQuery(
        rpc=draw(st.sampled_from(RPCS)),
        hints=hints,
        currency=amount.currency if amount else draw(_perhaps(*CURRENCIES)),
        amount=amount,
        account=draw(_perhaps("A1", "A2", "B")),
        caller=draw(_perhaps("shop-1", "shop-2", "till", "anonymous")),
    )


QUERIES = _queries()
