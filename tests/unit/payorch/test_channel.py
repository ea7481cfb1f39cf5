"""Which targets and options a client takes."""

import re
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from payorch import SERVICE_CONFIG, Tls, aio, connect, new_request_id
from payorch.channel import checked_target

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
    assert expected == checked_target(target, tls=None, plaintext=False, with_token=False)


@pytest.mark.parametrize("target", ["127.0.0.1:1", "localhost:1", "[::1]:1", "ipv4:127.0.0.1:1,127.0.0.1:2", "unix:/x"])
def test_token_may_stay_on_this_machine_in_plaintext(target: str) -> None:
    """Nobody else reads along."""
    assert checked_target(target, tls=None, plaintext=True, with_token=True).endswith(target)


async def _token() -> str:
    return "token"


@pytest.mark.parametrize(
    "target",
    ["payorch:50051", "127.0.0.1.evil.example:1", "ipv4:127.0.0.1:1,10.0.0.1:1", "unixhost:1", "xds:///localhost:1"],
)
@pytest.mark.parametrize(("connecting", "token"), [(connect, lambda: "token"), (aio.connect, _token)])
def test_token_never_leaves_it_in_plaintext(
    target: str, connecting: Callable[..., object], token: Callable[[], str | Awaitable[str]]
) -> None:
    """Whoever reads it could call in its name."""
    with pytest.raises(ValueError, match="token: it would go out in plaintext beyond this machine; use TLS"):
        connecting(target, plaintext=True, token=token)


def test_tls_and_plaintext_are_not_both() -> None:
    """Nobody should wonder which one won."""
    with pytest.raises(ValueError, match="plaintext: tls is given as well"):
        connect("payorch:1", plaintext=True, tls=Tls())


def test_key_is_not_shown() -> None:
    """Neither in a traceback nor in a log."""
    assert "secret" not in repr(Tls(key=b"secret"))


def test_request_id_tells_its_time_and_is_fresh() -> None:
    """Version 7, which the service refuses when it is older than Zuora remembers."""
    made = [new_request_id() for _ in range(1000)]

    assert 1000 == len(set(made))
    assert {7} == {uuid.UUID(one).version for one in made}
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in made
    )
    assert sorted(one[:13] for one in made) == [one[:13] for one in made]


def test_service_config_is_the_published_one() -> None:
    """The package carries a copy, because a wheel holds nothing from outside its folder."""
    assert Path("clients/service_config.json").read_text() == SERVICE_CONFIG
