"""The health check of the hub is content with a hub alone, with TLS and without."""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from harness.authority import Authority
from harness.ports import free_port
from payorch_server.cli import main

HUB = b'{"gatewayResponseMessage":"The hub takes POST alone."}'


@contextmanager
def answering(body: bytes, folder: Path | None = None) -> Iterator[str]:
    """Answer every GET with 405 and a body, over TLS if there is a folder for its files; yield host and port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(405)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    if folder:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*Authority().issue("hub.example.com").write(folder, "hub"))
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class TestHealthCheck:
    """Its exit status, and what it says."""

    def test_is_content_with_a_hub_whose_certificate_is_for_another_name(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Within the cluster it is called by another one than Zuora uses."""
        with answering(HUB, tmp_path) as address:
            status = main(["upc", "healthcheck", "--address", address])

        assert (status, capsys.readouterr().out) == (0, "405: The hub takes POST alone.\n")

    def test_is_content_with_a_hub_behind_a_proxy(self) -> None:
        """Which speaks plaintext."""
        with answering(HUB) as address:
            assert main(["upc", "healthcheck", "--address", address, "--plaintext"]) == 0

    @pytest.mark.parametrize("body", [b"", b"405 not allowed", b"[]", b'{"gatewayResponseMessage":1}'])
    def test_is_not_content_with_something_else(self, body: bytes, capsys: pytest.CaptureFixture[str]) -> None:
        """Such as the page of a proxy."""
        with answering(body) as address:
            status = main(["upc", "healthcheck", "--address", address, "--plaintext"])

        assert (status, capsys.readouterr().err) == (1, f"{address}: something answers that is no hub.\n")

    def test_is_not_content_with_plaintext_where_tls_is_wanted(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A hub that lost its certificate is found."""
        with answering(HUB) as address:
            status = main(["upc", "healthcheck", "--address", address])

        assert status == 1
        assert capsys.readouterr().err.startswith(f"{address}: ")

    @pytest.mark.parametrize("with_port", [False, True])
    def test_names_an_address_where_nothing_is(self, capsys: pytest.CaptureFixture[str], *, with_port: bool) -> None:
        """In a sentence."""
        address = f"127.0.0.1:{free_port()}" if with_port else "127.0.0.1"

        status = main(["upc", "healthcheck", "--address", address])

        assert status == 1
        assert capsys.readouterr().err.startswith(f"{address}: ")
