"""Where keys may be fetched from, and for how long they are fresh."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.access.key_source import (
    DEFAULT_FRESH_S,
    MAX_FRESH_S,
    MIN_FRESH_S,
    KeyFetchError,
    KeySource,
    fresh_for_s,
    host_and_port,
    key_set_url,
    with_port,
)

SOURCE = KeySource("https://id.example/realm", hosts=frozenset({"keys.example:8443"}))
_NEARLY_URL = r"https://[a-zA-Z0-9.]{1,9}(:[0-9]{1,6})?[/?#@][ -~]*"
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def document(**members: Any) -> bytes:
    """Return a discovery document with other members than the good one."""
    good = {"issuer": SOURCE.issuer, "jwks_uri": "https://id.example/keys"}
    return json.dumps(good | members).encode()


class TestHostAndPort:
    """Of a URL."""

    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("https://id.example", "id.example:443"),
            ("https://ID.example:8443/a/b?c=d", "id.example:8443"),
            ("https://[::1]:8443/keys", "[::1]:8443"),
            ("https://id.example/a@b", "id.example:443"),
        ],
    )
    def test_are_those_that_are_connected_to(self, url: str, expected: str) -> None:
        """Host in lower case, and the port of https where none is written."""
        assert expected == host_and_port(url)

    @pytest.mark.parametrize(
        "url",
        [
            "http://id.example/keys",
            "https://id.example@evil.example/keys",
            "https://user:password@id.example/keys",
            "https://evil.example\\@id.example/keys",
            "https://evil.example#@id.example",
            "https://id.example/keys#fragment",
            "https://id.example:0/",
            "https://id.example:65536/",
            "https://id.example:/keys",
            "https://id..example./keys",
            "https://id.example /keys",
            "https://id.example/\nkeys",
            "https:///keys",
            "https://",
            "//id.example/keys",
            "file:///etc/passwd",
            f"https://id.example/{'a' * 2048}",
            "https://bücher.example/",
            "",
        ],
    )
    def test_are_not_read_from_what_can_be_read_in_two_ways(self, url: str) -> None:
        """No other scheme, user, fragment, or host that others could take for another."""
        assert host_and_port(url) is None

    @given(st.text() | st.text().map("https://".__add__) | st.from_regex(_NEARLY_URL))
    def test_never_fail(self, url: str) -> None:
        """On any text; what is accepted agrees with the client that connects."""
        found = host_and_port(url)
        if found is not None:
            parsed = httpx.URL(url)
            assert (parsed.scheme, parsed.userinfo, parsed.fragment) == ("https", b"", "")
            assert found.rpartition(":")[0].strip("[]") == parsed.host
            assert int(found.rpartition(":")[2]) == (parsed.port or 443)

    @pytest.mark.parametrize(
        ("host", "expected"),
        [("keys.example", "keys.example:443"), ("keys.example:8443", "keys.example:8443"), ("[::1]:1", "[::1]:1")],
    )
    def test_of_a_listed_host_have_a_port(self, host: str, expected: str) -> None:
        """That of https unless another is written."""
        assert expected == with_port(host)

    @pytest.mark.parametrize("host", ["", "https://keys.example", "keys.example/", "a?b", "*.example", "a b", "a@b"])
    def test_of_what_is_no_host_are_none(self, host: str) -> None:
        """No URL, and no pattern."""
        assert with_port(host) is None


class TestDiscovery:
    """An issuer's document names the URL of its keys."""

    def test_is_asked_below_the_path_of_the_issuer(self) -> None:
        """A slash at the end of the issuer counts once."""
        expected = "https://id.example/realm/.well-known/openid-configuration"
        assert expected == SOURCE.discovery_url == KeySource(f"{SOURCE.issuer}/").discovery_url

    @pytest.mark.parametrize("url", ["https://id.example/keys", "https://keys.example:8443/k?v=1"])
    def test_may_name_the_issuers_host_and_those_listed(self, url: str) -> None:
        """With their ports."""
        assert url == key_set_url(document(jwks_uri=url), SOURCE)

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            (document(issuer="https://id.example"), "is of another issuer"),
            (document(issuer="https://id.example/realm/"), "is of another issuer"),
            (document(issuer=["https://id.example/realm"]), "is of another issuer"),
            (document(jwks_uri="https://evil.example/keys"), "names evil.example:443"),
            (document(jwks_uri="https://keys.example/keys"), "names keys.example:443"),
            (document(jwks_uri="https://id.example:8443/keys"), "names id.example:8443"),
            (document(jwks_uri="http://id.example/keys"), "is not an https URL"),
            (document(jwks_uri="https://id.example@evil.example/"), "is not an https URL"),
            (document(jwks_uri=None), "is not an https URL"),
            (document(jwks_uri=[]), "is not an https URL"),
            (b"[]", "is not a JSON object"),
            (b"<html>", "is not a JSON object"),
            (b"", "is not a JSON object"),
            (b"\xff\xfe", "is not a JSON object"),
            (b'{"a":' * 2000, "is not a JSON object"),
            (('["\u0122",' + "[" * 5000).encode("utf-16-le"), "is not a JSON object"),
        ],
    )
    def test_refuses_what_another_could_have_written(self, text: bytes, problem: str) -> None:
        """Another issuer, another host, and what is no document."""
        with pytest.raises(KeyFetchError, match=problem):
            key_set_url(text, SOURCE)

    @given(st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
    def test_fails_in_one_way(self, text: bytes) -> None:
        """Whatever arrives: no document of chance names the issuer."""
        with pytest.raises(KeyFetchError):
            key_set_url(text, SOURCE)

    @given(JSON_VALUES, JSON_VALUES)
    def test_fails_in_one_way_on_any_members(self, issuer: Any, url: Any) -> None:
        """Of the right names."""
        with pytest.raises(KeyFetchError):
            key_set_url(document(issuer=issuer, jwks_uri=url), SOURCE)
        with pytest.raises(KeyFetchError):
            key_set_url(document(jwks_uri=url), SOURCE)


class TestFreshness:
    """How long an answer need not be fetched again."""

    @pytest.mark.parametrize(
        ("cache_control", "age", "expected"),
        [
            ([], "", DEFAULT_FRESH_S),
            (["max-age=600"], "", 600.0),
            (["public, Max-Age=600, must-revalidate"], "", 600.0),
            (['max-age="600"'], "", 600.0),
            (["public", "max-age=600"], "", 600.0),
            (["max-age=600"], "200", 400.0),
            (["max-age=600"], "soon", 600.0),
            (["max-age=1"], "", MIN_FRESH_S),
            (["max-age=600"], "600", MIN_FRESH_S),
            (["max-age=86400"], "", MAX_FRESH_S),
            (["no-store, max-age=600"], "", MIN_FRESH_S),
            (["no-cache"], "", MIN_FRESH_S),
            (["max-age=-5"], "", DEFAULT_FRESH_S),
            (["max-age=1e3"], "", DEFAULT_FRESH_S),
            (["max-age"], "", DEFAULT_FRESH_S),
            (["s-maxage=600"], "", DEFAULT_FRESH_S),
            (["max-age=٣٠٠"], "", DEFAULT_FRESH_S),
        ],
    )
    def test_is_what_the_answer_says_within_bounds(self, cache_control: list[str], age: str, expected: float) -> None:
        """A minute at least, an hour at most."""
        assert expected == fresh_for_s(cache_control, age)

    @given(st.lists(st.text() | st.text().map("max-age=".__add__), max_size=3), st.text())
    def test_is_within_bounds_whatever_is_sent(self, cache_control: list[str], age: str) -> None:
        """And never an error."""
        assert MIN_FRESH_S <= fresh_for_s(cache_control, age) <= MAX_FRESH_S
