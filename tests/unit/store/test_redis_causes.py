"""The seam between redis's exceptions and ours, without a server."""

import inspect
import socket
import ssl

import pytest
import redis
from payorch_server.store.redis import _FOREIGN, _cause
from redis import exceptions

CLASSES = [one for one in vars(exceptions).values() if inspect.isclass(one) and issubclass(one, Exception)]
CLASSES += [one for one in vars(redis).values() if inspect.isclass(one) and issubclass(one, Exception)]


@pytest.mark.parametrize("foreign", sorted(set(CLASSES), key=lambda one: one.__name__), ids=lambda one: one.__name__)
def test_every_exception_of_redis_is_caught_and_named(foreign: type[Exception]) -> None:
    """A class that a later version adds fails here until it is caught; its own text is never told."""
    error = foreign.__new__(foreign)
    error.args = ("canary",)

    assert issubclass(foreign, _FOREIGN)
    assert "canary" not in _cause(error)


def test_what_lies_below_a_lost_connection_is_named() -> None:
    """The class of the system's error tells more than redis's own."""
    errors = [ssl.SSLCertVerificationError(), socket.gaierror(), ConnectionRefusedError()]
    wrapped = []
    for error in errors:
        wrapped.append(exceptions.ConnectionError())
        wrapped[-1].__context__ = error

    causes = [_cause(error) for error in wrapped]

    assert [causes[0][:3], causes[1], causes[2][:28]] == [
        "TLS",
        "the server's name is not known",
        "the server cannot be reached",
    ]


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (exceptions.AuthenticationError(), "does not accept the user and password"),
        (exceptions.NoPermissionError(), "lacks a right"),
        (exceptions.OutOfMemoryError(), "is full"),
        (exceptions.ReadOnlyError(), "read-only replica"),
        (exceptions.BusyLoadingError(), "loading"),
        (exceptions.ClusterDownError("down"), "cluster"),
        (exceptions.MovedError("1 other:6379"), "cluster"),
        (exceptions.TimeoutError(), "too slow"),
        (TimeoutError(), "too slow"),
        (exceptions.ConnectionError(), "cannot be reached"),
        (ConnectionResetError(), "cannot be reached"),
        (exceptions.DataError(), "refuses"),
        (exceptions.ResponseError("WRONGTYPE Operation against a key"), "refuses"),
        (exceptions.ResponseError("MISCONF Redis is configured to save"), "cannot save to disk"),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas"), "too few replicas"),
        (exceptions.ResponseError("BUSY Redis is busy running a script"), "busy"),
        (exceptions.ResponseError("Error running script: -OOM command not allowed"), "is full"),
    ],
    ids=lambda one: one if isinstance(one, str) else repr(one),
)
def test_the_cause_is_the_most_precise_one(error: Exception, cause: str) -> None:
    """Order matters, as most classes are special cases of others."""
    assert cause in _cause(error)
