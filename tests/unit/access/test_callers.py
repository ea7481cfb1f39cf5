from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.access.callers import AccessTable, access_table
from payorch_server.access.settings import AccessSettings, CallerSettings, TenantRightsSettings
from payorch_server.model.caller import ANONYMOUS, EVERYTHING, Caller, Rights, TenantRights

SHOP = "spiffe://x/ns/shop/"


def entry(caller: str, **members: Any) -> CallerSettings:
    """Make an entry whose namespace tells it from others."""
    return CallerSettings(**{"caller": caller, "namespace": f"of {caller}"} | members)


TABLE = [
    entry(ANONYMOUS),
    entry("dns:checkout.shop"),
    entry(f"{SHOP}*"),
    entry(f"{SHOP}sa/*"),
    entry(f"{SHOP}sa/checkout"),
    entry("jwt:*"),
]
PARTS = st.sampled_from(["a", "b", "/", ":", "-"])
NAMES = st.builds("x:{}".format, st.text(PARTS, max_size=4))
CALLERS = st.lists(st.builds(lambda name, end: name + end, NAMES, st.sampled_from(["", ":*", "/*", "-*"])), unique=True)


class TestCaller:
    """An identity is one caller or nobody."""

    @pytest.mark.parametrize(
        ("identity", "expected", "reason"),
        [
            (f"{SHOP}sa/checkout", f"{SHOP}sa/checkout", "an exact entry, although two prefixes fit"),
            (f"{SHOP}sa/refunds", f"{SHOP}sa/*", "the longer of two prefixes"),
            (f"{SHOP}sa/checkout2", f"{SHOP}sa/*", "an exact entry is no prefix"),
            (f"{SHOP}job", f"{SHOP}*", "the shorter prefix where the longer does not fit"),
            ("jwt:checkout", "jwt:*", "every token"),
            ("jwt:", "jwt:*", "the prefix itself"),
            (ANONYMOUS, ANONYMOUS, "callers whom nobody vouches for, where they are listed"),
            ("spiffe://x/ns/shops/sa/checkout", None, "a word that only begins alike"),
            ("spiffe://x/ns", None, "less than a prefix"),
            ("dns:checkout.shop.evil.test", None, "more than an exact entry"),
            ("dns:CHECKOUT.SHOP", None, "other letters"),
            (f"x{SHOP}sa/checkout", None, "an entry that stands in the middle"),
            (f"{SHOP}*"[:-2], None, "a prefix without its border"),
            ("", None, "an empty identity"),
            ("*", None, "a star is no identity"),
        ],
    )
    def test_is_that_of_the_closest_entry(self, identity: str, expected: str | None, reason: str) -> None:
        """Exact before prefix, a longer prefix before a shorter one, and nobody without an entry."""
        found = AccessTable(TABLE).caller(identity)

        assert (None if found is None else found.namespace) == (None if expected is None else f"of {expected}"), reason
        assert found is None or found.identity == identity

    def test_matches_a_star_as_an_identity_only_by_prefix(self) -> None:
        """The name of a wildcard certificate is not the prefix that looks like it."""
        table = AccessTable([entry("dns:*.shop")])

        assert table.caller("dns:a.shop") is None

    def test_has_what_is_granted(self) -> None:
        """Nothing that is not listed."""
        granted = entry(
            "jwt:a",
            rpcs=("CreateSession",),
            tenants={"acme": TenantRightsSettings(("us",), ("north",))},
            move_money=True,
        )

        found = AccessTable([granted, entry("jwt:b")])

        rights = Rights(
            frozenset({"CreateSession"}),
            {"acme": TenantRights(frozenset({"us"}), frozenset({"north"}))},
            move_money=True,
        )
        assert Caller("jwt:a", "of jwt:a", rights) == found.caller("jwt:a")
        assert Caller("jwt:b", "of jwt:b", Rights()) == found.caller("jwt:b")

    @given(callers=CALLERS, identity=NAMES, chance=st.randoms(use_true_random=False))
    def test_does_not_depend_on_the_order_of_entries(self, callers: list[str], identity: str, chance: Any) -> None:
        """A line moved in a file changes nobody's rights."""
        entries = [entry(one) for one in callers]
        shuffled = [*entries]
        chance.shuffle(shuffled)

        assert AccessTable(entries).caller(identity) == AccessTable(shuffled).caller(identity)


class TestAccessTable:
    """With an access policy or without."""

    def test_knows_everybody_without_a_policy(self) -> None:
        """Which the configuration allows on loopback only."""
        table = access_table(None, namespace="default")

        assert Caller("spiffe://x", "default", EVERYTHING) == table.caller("spiffe://x")
        assert Caller(ANONYMOUS, "default", EVERYTHING) == table.caller(ANONYMOUS)

    def test_knows_nobody_by_an_empty_policy(self) -> None:
        """No entries are not the same as no policy."""
        table = access_table(AccessSettings(()), namespace="default")

        assert [None, None] == [table.caller("spiffe://x"), table.caller(ANONYMOUS)]

    def test_lists_the_namespace_of_each_caller_once(self) -> None:
        """Diagnostics of all namespaces ask for these."""
        table = AccessTable([entry("jwt:a", namespace="shop"), entry("jwt:b"), entry("jwt:c*", namespace="shop")])

        assert ("shop", "of jwt:b") == table.namespaces
        assert ("default",) == access_table(None, namespace="default").namespaces

    def test_shows_no_names(self) -> None:
        """Counts are enough for a log."""
        assert "AccessTable(3 callers, 3 prefixes)" == repr(AccessTable(TABLE))
