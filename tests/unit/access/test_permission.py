import dataclasses
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
import structlog
from harness.routes import context, route
from payorch_server.access.permission import (
    Action,
    MissingRight,
    deny_unauthenticated,
    deny_unknown,
    missing_for_rpc,
    missing_on_route,
    permit,
    permit_diagnostics,
    permit_rpc,
)
from payorch_server.model.caller import ANONYMOUS, EVERYTHING, UNIDENTIFIED, Caller, Rights, TenantRights
from payorch_server.model.context import CallContext
from payorch_server.model.errors import CallError, call_error
from payorch_server.model.outcome import Reason
from payorch_server.model.route import Route
from structlog.testing import capture_logs

ALL = frozenset({"*"})
US = route(entity="us", entity_id="a" * 32)
EU = route(entity="eu", entity_id="b" * 32)
NORTH = route(orgs=("north",), org_ids=("n1",))
BOTH = route(orgs=("north", "south"), org_ids=("n1", "s1"))
SOLO = route(tenant="solo")
PAID = Action("DecryptApplePay", moves_money=True)
CARD = Action("CreatePaymentMethod", raw_card_data=True)
FREE = Action("CreateSession")
EVERYWHERE = Action("CreateSession", multi_org=True)


def rights(
    *, entities: frozenset[str] = ALL, orgs: frozenset[str] = ALL, tenant: str = "acme", **members: Any
) -> Rights:
    """Make rights on a tenant."""
    return Rights(frozenset({"CreateSession"}), {tenant: TenantRights(entities, orgs)}, **members)


def names(*some: str) -> frozenset[str]:
    """Make a set of names."""
    return frozenset(some)


class TestMissing:
    """What is not granted is missing."""

    @pytest.mark.parametrize(
        ("granted", "asked", "place", "missing", "reason"),
        [
            (EVERYTHING, dataclasses.replace(PAID, raw_card_data=True, multi_org=True), US, None, "everything"),
            (Rights(), FREE, SOLO, MissingRight("tenant", "solo"), "nothing"),
            (UNIDENTIFIED.rights, FREE, SOLO, MissingRight("tenant", "solo"), "a caller before it is identified"),
            (rights(tenant="other"), FREE, US, MissingRight("tenant", "acme"), "another tenant"),
            (rights(tenant="*"), FREE, US, None, "any tenant"),
            (Rights(tenants={"*": TenantRights(ALL), "acme": TenantRights()}), FREE, US, MissingRight("entity", "us"),
             "a tenant that is named has only what stands there"),
            (rights(entities=names("us")), FREE, US, None, "the entity"),
            (rights(entities=names("us")), FREE, EU, MissingRight("entity", "eu"), "another entity"),
            (rights(entities=names("us", "eu")), FREE, EU, None, "one entity of two"),
            (rights(entities=names()), FREE, US, MissingRight("entity", "us"), "no entity"),
            (rights(entities=names("")), FREE, US, MissingRight("entity", "us"), "an empty name"),
            (rights(entities=names()), FREE, route(), None, "a tenant with a single entity needs none"),
            (rights(orgs=names("north")), EVERYWHERE, NORTH, None, "the org"),
            (rights(orgs=names("south")), EVERYWHERE, NORTH, MissingRight("orgs", "north"), "another org"),
            (rights(orgs=names("north")), EVERYWHERE, BOTH, MissingRight("orgs", "south"), "one org of two"),
            (rights(orgs=names("north", "south")), EVERYWHERE, BOTH, None, "both"),
            (rights(orgs=names("north", "south")), EVERYWHERE, route(), MissingRight("orgs", "*"),
             "a call without orgs goes to all, those that come later too"),
            (rights(), EVERYWHERE, route(), None, "all orgs"),
            (rights(orgs=names()), FREE, route(), None, "a tenant without Multi-Org needs none"),
            (rights(orgs=names()), FREE, NORTH, MissingRight("orgs", "north"), "an org of a tenant that had some"),
            (rights(), PAID, US, MissingRight("move_money", ""), "money"),
            (rights(move_money=True), PAID, US, None, "money, granted"),
            (rights(raw_card_data=True), PAID, US, MissingRight("move_money", ""), "cards are not money"),
            (rights(), CARD, US, MissingRight("raw_card_data", ""), "a card number"),
            (rights(raw_card_data=True), CARD, US, None, "a card number, granted"),
            (rights(move_money=True), CARD, US, MissingRight("raw_card_data", ""), "money is no card"),
            (rights(entities=names()), PAID, US, MissingRight("entity", "us"), "of several, the first is named"),
        ],
    )  # fmt: skip
    def test_on_a_route(
        self, granted: Rights, asked: Action, place: Route, missing: MissingRight | None, reason: str
    ) -> None:
        """The first right that the caller needs and has not."""
        assert missing == missing_on_route(Caller("jwt:a", "shop", granted), asked, place), reason

    @pytest.mark.parametrize(
        ("granted", "rpc", "missing", "reason"),
        [
            (names("CreateSession"), "CreateSession", None, "the RPC"),
            (names("CreateSession"), "GetIntent", MissingRight("rpc", "GetIntent"), "another one"),
            (names("CreateSession"), "createsession", MissingRight("rpc", "createsession"), "other letters"),
            (ALL, "GetIntent", None, "any RPC"),
            (names(), "GetIntent", MissingRight("rpc", "GetIntent"), "none"),
        ],
    )
    def test_for_an_rpc(self, granted: frozenset[str], rpc: str, missing: MissingRight | None, reason: str) -> None:
        """Whatever it would do there."""
        assert missing == missing_for_rpc(Caller("jwt:a", "shop", Rights(granted)), rpc), reason


def of(granted: Rights) -> CallContext:
    """Make the context of a caller."""
    return dataclasses.replace(context(), caller=Caller("jwt:a", "shop", granted))


def audited(decide: Callable[[], object]) -> tuple[list[dict[str, Any]], CallError | None]:
    """Return what the audit says of a decision, and its refusal."""
    refusal = None
    with capture_logs() as logs:
        try:
            decide()
        except CallError as error:
            refusal = error
    return [dict(line) for line in logs], refusal


WHO = {"event": "access", "log_level": "info", "caller": "jwt:a", "namespace": "shop", "track_id": "track-1"}
WHERE = {"tenant": "acme", "entity": "us", "orgs": "north", "rule": "all", "policy_hash": "0123456789ab"}
PLACE = route(entity="us", entity_id="a" * 32, orgs=("north",), org_ids=("n1",))


class TestPermit:
    """Each decision is told once: who, what, where, and which right was missing."""

    def test_tells_what_it_allows(self) -> None:
        """With the place and whether money moves."""
        lines, refusal = audited(lambda: permit(of(rights(move_money=True)), PAID, PLACE))

        allowed = {"decision": "allowed", "rpc": "DecryptApplePay", "moves_money": True}
        assert ([WHO | WHERE | allowed], None) == (lines, refusal)

    def test_tells_what_it_denies(self) -> None:
        """The caller hears of the right, the audit of the place as well."""
        lines, refusal = audited(lambda: permit(of(rights(entities=names("eu"))), FREE, PLACE))

        denied = {"decision": "denied", "rpc": "CreateSession", "right": "entity", "needed": "us"}
        assert [WHO | WHERE | denied] == lines
        assert refusal is not None
        assert Reason.CALLER_NOT_PERMITTED is refusal.failure.reason
        assert {"right": "entity", "name": "us"} == dict(refusal.failure.metadata)
        assert "jwt:a lacks the right entity us" == refusal.failure.detail

    def test_names_no_name_where_there_is_none(self) -> None:
        """A right that is a yes or no."""
        _, refusal = audited(lambda: permit(of(rights()), PAID, PLACE))

        assert refusal is not None
        assert {"right": "move_money"} == dict(refusal.failure.metadata)
        assert "jwt:a lacks the right move_money" == refusal.failure.detail

    def test_decides_about_an_rpc_before_anything_else(self) -> None:
        """A refusal is told; that it may be called says nothing yet, so it is not."""
        lines, refusal = audited(lambda: permit_rpc(of(rights()), "GetIntent"))
        silent = audited(lambda: permit_rpc(of(rights()), "CreateSession"))

        assert [WHO | {"decision": "denied", "rpc": "GetIntent", "right": "rpc", "needed": "GetIntent"}] == lines
        assert refusal is not None
        assert {"right": "rpc", "name": "GetIntent"} == dict(refusal.failure.metadata)
        assert ([], None) == silent

    @pytest.mark.parametrize(
        ("granted", "namespace", "right", "reason"),
        [
            (rights(), "shop", {"right": "diagnostics", "needed": ""}, "without the right"),
            (rights(diagnostics=True), "other", {"right": "namespace", "needed": "other"}, "another's intents"),
            (rights(diagnostics=True), "", {"right": "namespace", "needed": ""}, "nobody's intents"),
        ],
    )
    def test_denies_diagnostics(self, granted: Rights, namespace: str, right: dict[str, str], reason: str) -> None:
        """They show what others did."""
        lines, refusal = audited(lambda: permit_diagnostics(of(granted), "Trace", namespace=namespace))

        assert [WHO | {"decision": "denied", "rpc": "Trace"} | right] == lines, reason
        assert refusal is not None

    def test_allows_diagnostics_of_ones_own(self) -> None:
        """To whoever may use them."""
        lines, refusal = audited(lambda: permit_diagnostics(of(rights(diagnostics=True)), "Trace", namespace="shop"))

        assert ([WHO | {"decision": "allowed", "rpc": "Trace"}], None) == (lines, refusal)


class TestStrangers:
    """Callers who are refused before they are anybody."""

    def test_are_told_that_a_credential_is_needed(self) -> None:
        """Nobody vouches for anybody."""
        stranger = dataclasses.replace(context(), caller=UNIDENTIFIED)

        with capture_logs() as lines:
            refusal = deny_unknown(stranger, "CreateSession", "")

        assert Reason.CALLER_UNAUTHENTICATED is refusal.failure.reason
        assert {"credential": "none", "rule": "one is needed"} == dict(refusal.failure.metadata)
        assert [("denied", ANONYMOUS, "identity", "one is needed")] == [
            (line["decision"], line["caller"], line["right"], line["needed"]) for line in lines
        ]

    def test_are_told_that_the_policy_does_not_know_them(self) -> None:
        """The audit names them, so that an operator can add them."""
        stranger = dataclasses.replace(context(), caller=UNIDENTIFIED)

        with capture_logs() as lines:
            refusal = deny_unknown(stranger, "CreateSession", "dns:new.shop")

        assert Reason.CALLER_NOT_PERMITTED is refusal.failure.reason
        assert {"right": "caller"} == dict(refusal.failure.metadata)
        assert [("denied", "dns:new.shop", "", "caller")] == [
            (line["decision"], line["caller"], line["namespace"], line["right"]) for line in lines
        ]

    def test_are_told_which_rule_a_credential_breaks(self) -> None:
        """The refusal goes on as it is, and the audit has its rule."""
        broken = call_error(Reason.CALLER_UNAUTHENTICATED, "private", credential="authorization", rule="expired")
        stranger = dataclasses.replace(context(), caller=UNIDENTIFIED)

        with capture_logs() as lines:
            refusal = deny_unauthenticated(stranger, "CreateSession", broken)

        assert broken is refusal
        assert [("denied", "identity", "expired")] == [
            (line["decision"], line["right"], line["needed"]) for line in lines
        ]


def test_a_broken_audit_changes_no_decision() -> None:
    """The decision stands, and its line is reported as not accepted."""
    decisions: list[Any] = []

    def broken(_logger: object, _method: str, event: Any) -> NoReturn:
        decisions.append(event["decision"])
        raise OSError("the log is full")

    before = structlog.get_config()
    structlog.configure(processors=[broken])
    try:
        accepted = permit(context(), Action("CreateSession"), route())
    finally:
        structlog.configure(**before)

    assert (["allowed"], False) == (decisions, accepted)
