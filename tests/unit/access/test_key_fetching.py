"""Keys over HTTPS, from a real server on loopback."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from harness.authority import Authority, Issuer, jwk_of, key_set, rsa_key
from harness.forward_proxy import ForwardProxy
from harness.issuer_server import DISCOVERY, KEYS, IssuerServer, http_answer, issuer_server
from harness.raw_server import listening
from payorch_server.access.key_fetching import MAX_ANSWER_BYTES, FetchedKeySet, KeySetClient
from payorch_server.access.key_source import KeyFetchError, KeySource
from payorch_server.model.proxy import proxy_of
from payorch_server.model.secret import Secret
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.deadlines import Deadlines

FIRST, SECOND = Issuer(kid="first"), Issuer("RS256", kid="second")
CANARY = "canary-password"


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[IssuerServer]:
    """Serve the keys of the first issuer."""
    async with issuer_server(tmp_path) as running:
        running.publish(FIRST)
        yield running


def source(server: IssuerServer, folder: Path, **other: Any) -> KeySource:
    """Return where the server's keys are: by discovery unless a URL is given."""
    return KeySource(**{"issuer": server.url, "ca_file": str(folder / "issuer-ca.pem"), **other})


async def fetched(where: KeySource) -> FetchedKeySet:
    """Fetch once."""
    return await KeySetClient(version="1.2.3", deadlines=Deadlines(SystemClock())).fetch(where)


async def problem_of(where: KeySource) -> str:
    """Return why the keys cannot be fetched."""
    with pytest.raises(KeyFetchError) as caught:
        await fetched(where)
    return str(caught.value)


def with_entries(*entries: object) -> bytes:
    """Return a key set of any entries."""
    return json.dumps({"keys": entries}).encode()


@pytest.mark.asyncio
class TestFetch:
    """What a good server answers."""

    async def test_finds_the_keys_by_discovery(self, server: IssuerServer, tmp_path: Path) -> None:
        """Two requests, without credentials, cookies or an encoding."""
        found = await fetched(source(server, tmp_path))

        assert ["first"] == list(found.keys.keys)
        assert (1, 1) == (server.asked_for(DISCOVERY), server.asked_for(KEYS))
        for head in server.heads:
            assert "user-agent: payorch/1.2.3" in head.lower()
            assert "accept-encoding: identity" in head.lower()
            assert "authorization" not in head.lower()

    async def test_takes_the_keys_from_a_url(self, server: IssuerServer, tmp_path: Path) -> None:
        """One request; the issuer may then be any text."""
        server.publish(FIRST, SECOND, cache_control="max-age=900")

        found = await fetched(source(server, tmp_path, issuer="anything", url=f"{server.url}{KEYS}"))

        assert ["first", "second"] == sorted(found.keys.keys)
        assert 900.0 == found.fresh_s
        assert 0 == server.asked_for(DISCOVERY)

    async def test_reads_a_body_in_chunks(self, server: IssuerServer, tmp_path: Path) -> None:
        """As some servers send it."""
        body = key_set(FIRST)
        server.answers[KEYS] = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (
            len(body),
            body,
        )

        assert ["first"] == list((await fetched(source(server, tmp_path))).keys.keys)

    async def test_skips_keys_that_no_token_of_ours_is_signed_with(self, server: IssuerServer, tmp_path: Path) -> None:
        """Issuers publish keys for others too; none of them is accepted."""
        unusable = (
            {"kty": "EC", "crv": "P-384", "kid": "a", "x": "AA", "y": "AA"},
            {**SECOND.jwk, "kid": "b", "alg": "RS512"},
            {**SECOND.jwk, "kid": "c", "use": "enc"},
            {"kty": "oct", "kid": "d", "k": "AAAA"},
            {"kty": "unheard-of"},
            {name: value for name, value in FIRST.jwk.items() if name != "kid"},
        )
        server.answers[KEYS] = http_answer(with_entries(*unusable, FIRST.jwk))

        assert ["first"] == list((await fetched(source(server, tmp_path))).keys.keys)

    async def test_waits_for_no_file_on_the_event_loop(self, server: IssuerServer, tmp_path: Path) -> None:
        """Here for a named pipe: only a loop that still runs can write into it."""
        pipe = tmp_path / "pipe.pem"
        os.mkfifo(pipe)
        fetch = asyncio.ensure_future(fetched(source(server, tmp_path, ca_file=str(pipe))))
        await asyncio.sleep(0)

        await asyncio.to_thread(pipe.write_bytes, (tmp_path / "issuer-ca.pem").read_bytes())

        assert ["first"] == list((await fetch).keys.keys)


BROKEN: dict[str, tuple[Callable[[IssuerServer], None], str]] = {
    "status 500": (lambda it: it.answers.update({KEYS: http_answer(b"", status="500 No")}), "status 500"),
    "no such path": (lambda it: it.answers.pop(DISCOVERY) and None, "status 404"),
    "redirect": (
        lambda it: it.answers.update({KEYS: http_answer(b"", status="302 Found", location=f"{it.url}/other")}),
        "status 302, and redirects are not followed",
    ),
    "redirected discovery": (
        lambda it: it.answers.update({DISCOVERY: http_answer(b"", status="307 Moved", location=f"{it.url}/other")}),
        "status 307, and redirects are not followed",
    ),
    "another issuer": (lambda it: it.discover(issuer="https://other.example"), "of another issuer"),
    "another host": (lambda it: it.discover(jwks_uri="https://169.254.169.254/keys"), "names 169.254.169.254:443"),
    "plaintext": (lambda it: it.discover(jwks_uri="http://127.0.0.1:1/keys"), "is not an https URL"),
    "huge": (
        lambda it: it.answers.update({KEYS: http_answer(b" " * (MAX_ANSWER_BYTES + 1))}),
        "more than 262144 bytes",
    ),
    "huge discovery": (
        lambda it: it.answers.update({DISCOVERY: http_answer(b" " * (MAX_ANSWER_BYTES + 1))}),
        "more than 262144 bytes",
    ),
    "compressed": (
        lambda it: it.answers.update({KEYS: http_answer(key_set(FIRST), content_encoding="gzip")}),
        "content encoding",
    ),
    "garbage": (lambda it: it.answers.update({KEYS: http_answer(b"<html>")}), "is not a JSON Web Key Set"),
    "nothing": (lambda it: it.answers.update({KEYS: http_answer(b"")}), "is not a JSON Web Key Set"),
    "no keys": (lambda it: it.answers.update({KEYS: http_answer(with_entries())}), "contains no signing key"),
    "no usable keys": (
        lambda it: it.answers.update({KEYS: http_answer(with_entries({"kty": "oct", "k": "AAAA"}))}),
        "keys.0: has no kid",
    ),
    "private key": (
        lambda it: it.answers.update(
            {KEYS: http_answer(with_entries(FIRST.jwk, jwk_of(SECOND.key, "RS256", kid="x", private=True)))}
        ),
        "keys.1: is a private key",
    ),
    "kid twice": (
        lambda it: it.answers.update({KEYS: http_answer(with_entries(FIRST.jwk, {**SECOND.jwk, "kid": "first"}))}),
        "has the kid of an earlier key",
    ),
    "short key": (
        lambda it: it.answers.update({KEYS: http_answer(with_entries(jwk_of(rsa_key(1024), "RS256", kid="short")))}),
        "fewer than 2048 bits",
    ),
    "spoiled key": (
        lambda it: it.answers.update({KEYS: http_answer(with_entries({**FIRST.jwk, "kid": "y", "x": "!"}))}),
        "keys.0: cannot be read",
    ),
    "no HTTP": (lambda it: it.answers.update({KEYS: b"SSH-2.0-OpenSSH\r\n\r\n"}), "RemoteProtocolError"),
}


@pytest.mark.asyncio
class TestProblems:
    """What a server may answer instead."""

    @pytest.mark.parametrize("name", BROKEN)
    async def test_end_the_fetch_with_a_reason(self, name: str, server: IssuerServer, tmp_path: Path) -> None:
        """And with no key at all."""
        spoil, expected = BROKEN[name]
        spoil(server)

        assert expected in await problem_of(source(server, tmp_path))
        assert 0 == server.asked_for("/other")

    async def test_show_no_query(self, server: IssuerServer, tmp_path: Path) -> None:
        """It may have a key in it, and the reason becomes a line of the log."""
        url = f"{server.url}/other?api_key=s3cret"

        problem = await problem_of(source(server, tmp_path, url=url))

        assert problem.startswith(f"{server.url}/other answered with status 404")
        assert "s3cret" not in problem

    async def test_quote_little_of_the_answer(self, server: IssuerServer, tmp_path: Path) -> None:
        """A key id can be any text of any length, and the reason becomes a line of the log."""
        kid = "a\nb\x1b[31m" + "k" * 100_000
        server.answers[KEYS] = http_answer(with_entries({**FIRST.jwk, "kid": kid}, {**SECOND.jwk, "kid": kid}))

        problem = await problem_of(source(server, tmp_path))

        assert problem.startswith("the key set has an error: keys.1: has the kid of an earlier key")
        assert len(problem) < 300

    @pytest.mark.parametrize("slow", ["no answer", "half a body"])
    async def test_of_a_slow_server_end_in_time(self, slow: str, server: IssuerServer, tmp_path: Path) -> None:
        """Whether it sends nothing, or never the rest."""
        server.stalled = slow == "no answer"
        server.answers[DISCOVERY] = b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n{"
        client = KeySetClient(version="1", deadlines=Deadlines(SystemClock()), timeout_s=0.2)

        with pytest.raises(KeyFetchError, match=r"no complete answer within 0\.2 s"):
            await client.fetch(source(server, tmp_path))

    async def test_of_its_certificate_end_the_fetch(self, server: IssuerServer, tmp_path: Path) -> None:
        """It must be of a trusted authority, and for the host."""
        (tmp_path / "other.pem").write_bytes(Authority("stranger").certificate)

        assert "CERTIFICATE_VERIFY_FAILED" in await problem_of(
            source(server, tmp_path, ca_file=str(tmp_path / "other.pem"))
        )
        by_name = server.url.replace("127.0.0.1", "localhost")
        assert "localhost" in await problem_of(source(server, tmp_path, issuer=by_name))
        assert [] == server.heads

    async def test_of_the_network_end_the_fetch(self, server: IssuerServer, tmp_path: Path) -> None:
        """A port that nothing listens on, and authorities that cannot be read."""
        assert "ConnectError" in await problem_of(source(server, tmp_path, issuer="https://127.0.0.1:1"))
        assert "ca_file /none cannot be read" in await problem_of(source(server, tmp_path, ca_file="/none"))


@pytest.mark.asyncio
class TestProxy:
    """Between the service and the issuer."""

    async def test_makes_a_tunnel(self, server: IssuerServer, tmp_path: Path) -> None:
        """It receives its own credentials, and the issuer none of them."""
        proxy = ForwardProxy()
        async with listening(proxy.serve) as port:
            through = proxy_of(f"http://127.0.0.1:{port}", "payorch", Secret(CANARY))
            found = await fetched(source(server, tmp_path, proxy=through))

        assert ["first"] == list(found.keys.keys)
        assert proxy.heads[0].startswith(f"CONNECT {server.url.removeprefix('https://')} ".encode())
        assert b"proxy-authorization: basic " in proxy.heads[0].lower()
        assert all("proxy-authorization" not in head.lower() for head in server.heads)

    async def test_is_not_taken_from_the_environment(
        self, server: IssuerServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whatever variables name."""
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")

        assert ["first"] == list((await fetched(source(server, tmp_path))).keys.keys)

    @pytest.mark.parametrize("answer", [b"HTTP/1.1 407 Who are you\r\ncontent-length: 0\r\n\r\n", b"garbage\r\n\r\n"])
    async def test_that_makes_no_tunnel_ends_the_fetch(
        self, server: IssuerServer, tmp_path: Path, answer: bytes
    ) -> None:
        """With a reason that contains no credential."""
        proxy = ForwardProxy(answer)
        async with listening(proxy.serve) as port:
            through = proxy_of(f"http://127.0.0.1:{port}", "payorch", Secret(CANARY))
            problem = await problem_of(source(server, tmp_path, proxy=through))

        assert "Error: " in problem
        assert CANARY not in problem
        assert [] == server.heads
