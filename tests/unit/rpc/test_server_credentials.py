"""What gRPC is given as the certificate of a listener."""

from collections.abc import Callable
from typing import Any

import grpc
import pytest
from harness.authority import Authority
from payorch_server.model.secret import Secret
from payorch_server.rpc.certificate import ServerCertificate
from payorch_server.rpc.server import Credentials

Fetch = Callable[[], grpc.ServerCertificateConfiguration | None]


def _certificate() -> ServerCertificate:
    issued = Authority().issue("localhost")
    return ServerCertificate(issued.certificate, Secret(issued.key), b"")


@pytest.fixture
def fetches(monkeypatch: pytest.MonkeyPatch) -> list[Fetch]:
    """Return what gRPC would call before each handshake, one for each server."""
    given: list[Fetch] = []

    def take(_initial: Any, fetch: Fetch, **_options: Any) -> None:
        given.append(fetch)

    monkeypatch.setattr(grpc, "dynamic_ssl_server_credentials", take)
    return given


class TestCredentials:
    """gRPC crashes if it replaces a certificate while other threads begin handshakes, so it is not made to."""

    def test_replace_nothing_while_the_certificate_is_the_same(self, fetches: list[Fetch]) -> None:
        """The initial one is in use before the first handshake."""
        Credentials(_certificate()).for_server()

        assert [None, None] == [fetches[0](), fetches[0]()]

    def test_replace_a_certificate_once_in_each_server(self, fetches: list[Fetch]) -> None:
        """Each server has its own place for it."""
        credentials = Credentials(_certificate())
        credentials.for_server()
        credentials.for_server()

        credentials.replace(_certificate())

        assert [True, False] == [fetches[0]() is not None for _ in range(2)]
        assert [True, False] == [fetches[1]() is not None for _ in range(2)]
