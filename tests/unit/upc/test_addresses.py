"""Addresses that may call the hub."""

import ipaddress

import pytest
from harness.clock import FakeClock
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.upc.addresses import AddressRules, RefusalLimit

ZUORA = "198.51.100.7"
PROXY = "10.0.0.1"
RULES = AddressRules(allow=["198.51.100.0/24", "2001:db8::/32"], trusted_proxies=["10.0.0.0/8", "fe80::/10"])
NOT_TRUSTED = st.ip_addresses().filter(
    lambda address: (
        address not in ipaddress.ip_network("10.0.0.0/8" if address.version == 4 else "fe80::/10")
        and getattr(address, "ipv4_mapped", None) is None
    )
)
EVERYONE = AddressRules(allow=[], trusted_proxies=["10.0.0.0/8", "fe80::/10"])


def caller(peer: str, *forwarded: str, rules: AddressRules = RULES) -> str | None:
    """Return the address that calls, as text."""
    found = rules.caller_of(peer, forwarded)
    return None if found is None else str(found)


class TestCaller:
    """Whose request it is."""

    @pytest.mark.parametrize(
        ("peer", "forwarded", "expected"),
        [
            (ZUORA, (), ZUORA),
            ("203.0.113.9", (), None),
            (f"::ffff:{ZUORA}", (), ZUORA),
            ("::ffff:203.0.113.9", (), None),
            ("2001:db8::1", (), "2001:db8::1"),
            (PROXY, (ZUORA,), ZUORA),
            (f"::ffff:{PROXY}", (ZUORA,), ZUORA),
            ("fe80::1%eth0", (ZUORA,), ZUORA),
            (PROXY, (f"203.0.113.9, {ZUORA}, 10.2.2.2",), ZUORA),
            (PROXY, (f"{ZUORA}, 203.0.113.9",), None),
            (PROXY, (ZUORA, "203.0.113.9"), None),
            (PROXY, ("203.0.113.9", f"{ZUORA},\t10.2.2.2"), ZUORA),
            (PROXY, (f"::ffff:{ZUORA}",), ZUORA),
            (PROXY, (), None),
            ("203.0.113.9", (ZUORA,), None),
            (ZUORA, ("203.0.113.9",), ZUORA),
            ("", (), None),
            ("junk", (ZUORA,), None),
        ],
    )
    def test_is_the_last_that_is_no_proxy(self, peer: str, forwarded: tuple[str, ...], expected: str | None) -> None:
        """What a stranger writes before it, or without a proxy, counts for nothing."""
        assert expected == caller(peer, *forwarded)

    @pytest.mark.parametrize(
        "junk",
        [
            "",
            "unknown",
            "_hidden",
            f"{ZUORA}:443",
            f"[{ZUORA}]",
            "2001:db8::1%eth0",
            "010.1.1.1",
            "1.2.3",
            "\uff11.1.1.1",
        ],
    )
    def test_is_not_allowed_with_junk_beside_it(self, junk: str) -> None:
        """A list that cannot be read whole says nothing."""
        assert caller(PROXY, f"{junk}, {ZUORA}") is None
        assert caller(PROXY, f"{ZUORA}, {junk}") is None
        assert caller(PROXY, junk, rules=EVERYONE) is None

    @given(st.ip_addresses().map(str), st.lists(st.text(max_size=40), max_size=3))
    def test_is_the_peer_unless_a_proxy_is_trusted(self, peer: str, forwarded: list[str]) -> None:
        """Whatever the header contains, it raises nothing, and lets in only what the peer is."""
        rules = AddressRules(allow=[], trusted_proxies=[])
        same_over_ipv4 = getattr(ipaddress.ip_address(peer), "ipv4_mapped", None) or ipaddress.ip_address(peer)

        assert str(same_over_ipv4) == caller(peer, *forwarded, rules=rules)

    @given(st.lists(st.ip_addresses().map(str), max_size=5), NOT_TRUSTED, st.lists(st.just("10.9.9.9"), max_size=3))
    def test_cannot_be_chosen_by_what_comes_before(self, before: list[str], real: object, proxies: list[str]) -> None:
        """The part of the list that strangers write is not looked at, as long as it is addresses."""
        assert str(real) == caller(PROXY, ", ".join([*before, str(real), *proxies]), rules=EVERYONE)

    @given(st.lists(st.text(max_size=20), max_size=4))
    def test_of_any_list_is_an_address_or_not_allowed(self, lines: list[str]) -> None:
        """Nothing raises."""
        found = caller(PROXY, *lines, rules=EVERYONE)

        assert found is None or ipaddress.ip_address(found)

    def test_needs_networks_as_rules(self) -> None:
        """A network that is none is refused when the rules are made."""
        with pytest.raises(ValueError, match="no network"):
            AddressRules(allow=["example.test"], trusted_proxies=[])


class TestRefusals:
    """Refused requests that are read."""

    def test_are_five_a_second_of_one_address(self) -> None:
        """In any window of a second."""
        clock = FakeClock()
        limit = RefusalLimit(clock)
        admitted = []
        for _ in range(40):
            admitted.append(limit.admits(ipaddress.ip_address(ZUORA)))
            clock.advance(0.1)

        assert max(sum(admitted[begin : begin + 10]) for begin in range(31)) == 5
        assert sum(admitted) == 20

    def test_are_fifty_a_second_of_all(self) -> None:
        """Many addresses do not help."""
        limit = RefusalLimit(FakeClock())

        assert sum(limit.admits(ipaddress.ip_address(0x0A000000 + number)) for number in range(500)) == 50

    def test_are_a_thousand_an_hour_of_all(self) -> None:
        """Each leaves records for 72 hours, so that many weak callers could fill the store."""
        clock = FakeClock()
        limit = RefusalLimit(clock)
        admitted = []
        for number in range(3 * 3_600):
            admitted.append(limit.admits(ipaddress.ip_address(0x0A000000 + number)))
            clock.advance(1.0)

        assert sum(admitted) == 3 * 1_000

    def test_count_a_site_once(self) -> None:
        """Everyone has 2^64 addresses in IPv6."""
        limit = RefusalLimit(FakeClock())
        base = int(ipaddress.ip_address("2001:db8::"))

        assert sum(limit.admits(ipaddress.ip_address(base + number)) for number in range(100)) == 5
        assert limit.admits(ipaddress.ip_address("2001:db8:0:1::1"))

    def test_are_remembered_for_a_bounded_number_of_addresses(self) -> None:
        """The address that has been silent for longest is forgotten first."""
        clock = FakeClock()
        limit = RefusalLimit(clock, most_addresses=2)
        first, second, third = (ipaddress.ip_address(number) for number in (1, 2, 3))
        of_first = [limit.admits(first) for _ in range(6)]
        limit.admits(second)
        still = limit.admits(first)
        limit.admits(third)

        assert [*of_first, still] == [True] * 5 + [False] * 2
        assert len(limit._by_address) == 2
        assert not limit.admits(first)
