"""Which targets a client takes."""

from collections.abc import Awaitable, Callable

import pytest
from payorch import Tls, aio, connect
from payorch.target import checked_target

TARGETS = [
    ("payorch:50051", "dns:///payorch:50051"),
    ("127.0.0.1:50051", "dns:///127.0.0.1:50051"),
    ("dns:///payorch:50051", "dns:///payorch:50051"),
    ("ipv4:10.0.0.1:1,10.0.0.2:1", "ipv4:10.0.0.1:1,10.0.0.2:1"),
    ("unix:/run/payorch", "unix:/run/payorch"),
    ("xds:///payorch", "xds:///payorch"),
]


@pytest.mark.parametrize(("target", "expected"), TARGETS)
def test_name_is_resolved_to_all_addresses(target: str, expected: str) -> None:
    """A target that says how it is resolved is left alone."""
    assert expected == checked_target(target, tls=False, plaintext=False, with_token=False)


@pytest.mark.parametrize("target", ["127.0.0.1:1", "localhost:1", "[::1]:1", "ipv4:127.0.0.1:1,127.0.0.1:2", "unix:/x"])
def test_token_may_stay_on_this_machine_in_plaintext(target: str) -> None:
    """No other user can read it."""
    assert checked_target(target, tls=False, plaintext=True, with_token=True).endswith(target)


async def _token(_refresh: bool) -> str:  # noqa: FBT001 - as suppliers of tokens are called
    return "token"


@pytest.mark.parametrize(
    "target",
    [
        "payorch:50051",
        "127.0.0.1.evil.example:1",
        "ipv4:127.0.0.1:1,10.0.0.1:1",
        "unixhost:1",
        "unix:1",
        "xds:///localhost:1",
    ],
)
@pytest.mark.parametrize(("connecting", "token"), [(connect, lambda _refresh: "token"), (aio.connect, _token)])
def test_token_never_leaves_it_in_plaintext(
    target: str, connecting: Callable[..., object], token: Callable[[], str | Awaitable[str]]
) -> None:
    """Whoever reads it could call in its name."""
    with pytest.raises(ValueError, match="token: it would be sent in plaintext beyond this machine; use TLS"):
        connecting(target, plaintext=True, token=token)


def test_tls_and_plaintext_are_not_both() -> None:
    """Nobody should wonder which one won."""
    with pytest.raises(ValueError, match="plaintext: tls is given as well"):
        connect("payorch:1", plaintext=True, tls=Tls())


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("", "it is empty"),
        ("https://payorch:50051", "is the address of a web page"),
        ("http://payorch", "is the address of a web page"),
        ("payorch", "needs a host and a port"),
        (":50051", "needs a host and a port"),
        ("payorch:", "needs a port from 1 to 65535"),
        ("payorch:grpc", "needs a port from 1 to 65535"),
        ("payorch:0", "needs a port from 1 to 65535"),
        ("payorch:65536", "needs a port from 1 to 65535"),
        ("payorch:٣", "needs a port from 1 to 65535"),
        ("::1:50051", "needs brackets"),
        ("payorch/v1:50051", "is more than host:port"),
        ("me@payorch:50051", "is more than host:port"),
        ("payorch:50051\n", "blanks or control characters"),
        ("pay orch:50051", "blanks or control characters"),
    ],
)
@pytest.mark.parametrize("connecting", [connect, aio.connect])
def test_what_is_no_target_is_refused_before_anything_is_sent(
    target: str, problem: str, connecting: Callable[..., object]
) -> None:
    """GRPC would report it as a call of unknown outcome."""
    with pytest.raises(ValueError, match=f"^target: .*{problem}"):
        connecting(target)


def test_a_host_may_have_the_name_of_a_scheme() -> None:
    """A port follows it."""
    assert checked_target("dns:50051", tls=False, plaintext=False, with_token=False) == "dns:///dns:50051"
