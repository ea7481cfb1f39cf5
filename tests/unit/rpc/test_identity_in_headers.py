import pytest
from hypothesis import given
from hypothesis import strategies as st
from payorch_server.rpc.identity import HeaderFormatError, parse_client_certificate_header

SHOP = "spiffe://example.org/ns/shop/sa/checkout"
HASH = "a" * 64
PLAIN = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='",;\\'), min_size=1)
QUOTED = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1)


def quoted(value: str) -> str:
    """Write a value as Envoy does when it has characters that divide."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


class TestParseHeader:
    """The proxy's word about one certificate."""

    @pytest.mark.parametrize(
        ("text", "expected", "reason"),
        [
            (f"URI={SHOP}", (SHOP,), "the least there can be"),
            (f"By=spiffe://x/proxy;Hash={HASH};URI={SHOP}", (SHOP,), "By is the proxy, not the caller"),
            (f'Hash={HASH};Subject="CN=a,O=b;c";URI={SHOP}', (SHOP,), "quoted commas and semicolons divide nothing"),
            (f'Subject="CN=\\"x\\",URI=spiffe://x/evil";URI={SHOP}', (SHOP,), "quotes within quotes do not end them"),
            (f'Subject="\\\\";URI={SHOP}', (SHOP,), "a backslash before the closing quote is itself quoted"),
            (f'URI="{SHOP}"', (SHOP,), "a quoted URI"),
            ("DNS=a.shop;DNS=b.shop", ("dns:a.shop", "dns:b.shop"), "several names, in order"),
            (f"DNS=a.shop;URI={SHOP}", (SHOP, "dns:a.shop"), "URIs first"),
            (f"uri={SHOP};dns=a.shop", (SHOP, "dns:a.shop"), "keys in small letters"),
            (f"URI=;URI={SHOP}", (SHOP,), "an empty URI is none"),
            (f"URI=dns:a.shop;URI={SHOP}", (SHOP,), "a URI that looks like a DNS name is none"),
            (f"URI={SHOP};", (SHOP,), "a semicolon at the end"),
            ("URI=https://x/a=b", ("https://x/a=b",), "an equals sign in the value"),
        ],
    )
    def test_returns_the_names_of_the_caller(self, text: str, expected: tuple[str, ...], reason: str) -> None:
        """URIs as they are, then DNS names."""
        assert expected == parse_client_certificate_header(text), reason

    @pytest.mark.parametrize(
        ("text", "rule", "reason"),
        [
            ("", "a URI or DNS", "nothing"),
            (f"Hash={HASH}", "a URI or DNS", "a certificate without names"),
            ("URI=;DNS=", "a URI or DNS", "empty names"),
            ("URI=jwt:checkout", "a URI or DNS", "a proxy that saw a certificate does not vouch for tokens"),
            ("URI=anonymous", "a URI or DNS", "nobody is no name either"),
            ('Subject="CN=checkout"', "a URI or DNS", "a subject is no name: anybody can have any"),
            (f"URI={SHOP},URI=spiffe://x/evil", "one element", "who of the two calls is a guess"),
            (f"URI={SHOP},", "one element", "a second element, empty"),
            (f'Subject="CN=a",URI={SHOP}', "one element", "a comma after quotes"),
            (f",URI={SHOP}", "pairs of key and value, divided by ;", "an empty first element"),
            (f";URI={SHOP}", "pairs of key and value, divided by ;", "an empty first pair"),
            (f"URI={SHOP};;DNS=a", "pairs of key and value, divided by ;", "an empty pair"),
            (f"URI = {SHOP}", "pairs of key and value, divided by ;", "white space around the equals sign"),
            (f"URI={SHOP}; DNS=a", "pairs of key and value, divided by ;", "white space before a key"),
            (SHOP, "pairs of key and value, divided by ;", "the bare identity"),
            (f'URI="{SHOP}', "pairs of key and value, divided by ;", "quotes without an end"),
            (f'URI="{SHOP}\\"', "pairs of key and value, divided by ;", "an end that is quoted itself"),
            (f'URI="{SHOP}"x', "pairs of key and value, divided by ;", "more after the quotes"),
            (f'URI={SHOP}"x"', "pairs of key and value, divided by ;", "quotes in the middle"),
            (f"Key-2={SHOP}", "pairs of key and value, divided by ;", "a key that Envoy does not write"),
        ],
    )
    def test_refuses_what_names_nobody(self, text: str, rule: str, reason: str) -> None:
        """The rule is told, nothing of the header."""
        with pytest.raises(HeaderFormatError) as caught:
            parse_client_certificate_header(text)

        assert rule == str(caught.value), reason

    @given(uris=st.lists(PLAIN, min_size=1, max_size=3), names=st.lists(PLAIN, max_size=3), subject=QUOTED)
    def test_reads_what_envoy_writes(self, uris: list[str], names: list[str], subject: str) -> None:
        """No subject, however chosen, adds or hides a name."""
        pairs = [f"Hash={HASH}", f"Subject={quoted(subject)}", *(f"URI=urn:{one}" for one in uris)]
        pairs += [f"DNS={one}" for one in names]

        expected = (*(f"urn:{one}" for one in uris), *(f"dns:{one}" for one in names))
        assert expected == parse_client_certificate_header(";".join(pairs))

    @given(st.lists(QUOTED, min_size=1, max_size=3))
    def test_reads_quoted_names(self, uris: list[str]) -> None:
        """Whatever is quoted comes back as it was."""
        urns = tuple(f"urn:{one}" for one in uris)

        assert urns == parse_client_certificate_header(";".join(f"URI={quoted(one)}" for one in urns))

    @given(st.text())
    def test_never_fails_otherwise(self, text: str) -> None:
        """Any text has names or breaks a rule."""
        try:
            found = parse_client_certificate_header(text)
        except HeaderFormatError:
            return

        assert found
