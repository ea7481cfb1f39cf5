"""Which addresses may call the hub, and how often a refused one is given attention."""

import ipaddress
from collections import OrderedDict, deque
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from payorch_server.runtime.clock import Clock
from payorch_server.runtime.listen_address import network_of

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

_SECOND: Final = 1.0
_HOUR: Final = 3_600.0
_PER_ADDRESS: Final = 5
_OVERALL: Final = 50
_PER_HOUR: Final = 1_000
"""Each leaves two records of half a kilobyte at most, for 72 hours."""
_MOST_ADDRESSES: Final = 10_000
_SITE_BITS: Final = 64
"""A site has so many addresses of its own in IPv6 that each counts as one."""


class AddressRules:
    """Which addresses may call the hub."""

    def __init__(self, *, allow: Iterable[str], trusted_proxies: Iterable[str]) -> None:
        """Read the rules.

        Args:
            allow: Networks that may call; empty: all.
            trusted_proxies: Networks of proxies whose X-Forwarded-For is believed.

        Raises:
            ValueError: A text names no network.
        """
        self._allow = tuple(map(_network, allow))
        self._proxies = tuple(map(_network, trusted_proxies))

    def caller_of(self, peer: str, forwarded: Sequence[str]) -> Address | None:
        """Return the address that calls, or None if it may not.

        Args:
            peer: The other end of the connection.
            forwarded: The values of all X-Forwarded-For lines in their order. They count only if a trusted proxy sends
                them, and then all must be lists of plain addresses: the caller is the last that is no trusted proxy.
        """
        # A zone, as in fe80::1%eth0, says through which interface it came.
        caller = _address(peer.partition("%")[0])
        if caller is not None and _is_in(caller, self._proxies):
            caller = self._last_untrusted(caller, forwarded)
        if caller is None or (self._allow and not _is_in(caller, self._allow)):
            return None
        return caller

    def _last_untrusted(self, proxy: Address, forwarded: Sequence[str]) -> Address | None:
        addresses = [_address(part.strip(" \t")) for line in forwarded for part in line.split(",")]
        caller: Address | None = proxy
        for address in reversed(addresses):
            caller = address
            if address is None or not _is_in(address, self._proxies):
                break
        return None if None in addresses else caller


class RefusalLimit:
    """How many refused requests are worth reading: a few a second of each address, and not many in all."""

    def __init__(self, clock: Clock, *, most_addresses: int = _MOST_ADDRESSES) -> None:
        self._clock = clock
        self._most_addresses = most_addresses
        self._overall = (_Window(_OVERALL), _Window(_PER_HOUR, period_s=_HOUR))
        self._by_address: OrderedDict[Address, _Window] = OrderedDict()

    def admits(self, caller: Address) -> bool:
        """Return whether another refused request of the address is read, and count it if so."""
        now_s = self._clock.monotonic()
        key = _site_of(caller)
        of_address = self._by_address.pop(key, None) or _Window(_PER_ADDRESS)
        self._by_address[key] = of_address
        if len(self._by_address) > self._most_addresses:
            # The one that has been silent for longest.
            self._by_address.popitem(last=False)
        windows = (of_address, *self._overall)
        if not all(window.has_room(now_s) for window in windows):
            return False
        for window in windows:
            window.count(now_s)
        return True


class _Window:
    """The newest events of a period."""

    __slots__ = ("_period_s", "_times_s")

    def __init__(self, most: int, *, period_s: float = _SECOND) -> None:
        self._times_s: deque[float] = deque(maxlen=most)
        self._period_s = period_s

    def has_room(self, now_s: float) -> bool:
        return len(self._times_s) < (self._times_s.maxlen or 0) or now_s - self._times_s[0] >= self._period_s

    def count(self, now_s: float) -> None:
        self._times_s.append(now_s)


def _network(text: str) -> _Network:
    network = network_of(text)
    if network is None:
        raise ValueError(f"{text!r} is no network")
    return network


def _address(text: str) -> Address | None:
    """Return an address, an IPv4 address in IPv6 form as what it is; None for anything else, a zone included."""
    if "%" in text:
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_in(address: Address, networks: Iterable[_Network]) -> bool:
    return any(address in network for network in networks)


def _site_of(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv4Address):
        return address
    return ipaddress.IPv6Network((address, _SITE_BITS), strict=False).network_address
