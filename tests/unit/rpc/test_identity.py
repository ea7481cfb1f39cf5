from datetime import UTC, datetime
from typing import Any

import pytest
from harness.authority import AUDIENCE, ISSUER, Issuer, key_set
from payorch_server.access.bearer import parse_key_set
from payorch_server.model.caller import ANONYMOUS
from payorch_server.model.errors import CallError
from payorch_server.model.outcome import Reason
from payorch_server.rpc.identity import UNIX, IdentityResolver, Peer, peer_of
from payorch_server.rpc.settings import IdentitySettings, JwtSettings, MeshSettings

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
TOKENS = Issuer()
JWT = JwtSettings(ISSUER, AUDIENCE, "/nowhere")
PROXY, SHOP, OTHER = "spiffe://x/ns/mesh/sa/proxy", "spiffe://x/ns/shop/sa/checkout", "spiffe://x/ns/other/sa/other"
TOLD = MeshSettings(("10.1.0.0/16", "fd00::/8", PROXY), "x-identity", "identity")
XFCC = MeshSettings(("127.0.0.1/32",))
CANARY = "canary-credential"


def peer(address: str = "10.1.2.3", *identities: str, encrypted: bool = False) -> Peer:
    """Make the other end of a connection."""
    return Peer(address, encrypted, identities)


def bearer(subject: str = "checkout", *, scheme: str = "Bearer") -> tuple[str, str]:
    """Make the metadata of a good token."""
    return ("authorization", f"{scheme} {TOKENS.token(subject, now=NOW)}")


def identity_header(value: str = "checkout", *, header: str = "x-identity") -> tuple[str, str]:
    """Make the metadata of a mesh."""
    return (header, value)


def identities_of(
    caller: Peer,
    *metadata: tuple[str, str | bytes],
    mesh: MeshSettings | None = None,
    jwt: JwtSettings | None = None,
) -> tuple[str, ...]:
    """Find out who calls."""
    keys = {"own": parse_key_set(key_set(TOKENS))} if jwt else {}
    return IdentityResolver(IdentitySettings({"own": jwt} if jwt else {}, mesh), keys).resolve(caller, metadata, NOW)


def refusal_of(caller: Peer, *metadata: tuple[str, str | bytes], **settings: Any) -> dict[str, str]:
    """Return what is told of a credential that is not accepted; never the credential."""
    with pytest.raises(CallError) as caught:
        identities_of(caller, *metadata, **settings)
    assert caught.value.failure.reason is Reason.CALLER_UNAUTHENTICATED
    assert CANARY not in repr(caught.value) + caught.value.failure.detail
    return dict(caught.value.failure.metadata)


class TestOf:
    """A token counts before the mesh, the mesh before a certificate; what is given and not accepted ends the search."""

    @pytest.mark.parametrize(
        ("caller", "metadata", "expected", "reason"),
        [
            (
                peer("10.1.0.1", PROXY, encrypted=True),
                [bearer(), identity_header()],
                ("jwt:checkout",),
                "all three: the token",
            ),
            (
                peer("10.1.0.1", PROXY, encrypted=True),
                [identity_header()],
                ("mesh:checkout",),
                "mesh and certificate: the mesh",
            ),
            (peer("10.1.0.1", PROXY, encrypted=True), [], (PROXY,), "a certificate alone"),
            (peer("10.1.0.1"), [identity_header()], ("mesh:checkout",), "a mesh alone, by its network"),
            (peer("fd00::1"), [identity_header()], ("mesh:checkout",), "the same in IPv6"),
            (
                peer("192.0.2.1", PROXY, encrypted=True),
                [identity_header()],
                ("mesh:checkout",),
                "a mesh by its certificate",
            ),
            (peer("192.0.2.1", SHOP, "dns:a.shop", encrypted=True), [], (SHOP, "dns:a.shop"), "several names"),
            (peer("192.0.2.1", encrypted=True), [bearer()], ("jwt:checkout",), "a token over TLS"),
            (peer("127.0.0.1"), [bearer()], ("jwt:checkout",), "a token in plaintext on this machine"),
            (peer("::1"), [bearer(scheme="bearer")], ("jwt:checkout",), "the scheme in small letters, and IPv6"),
            (peer(UNIX), [bearer()], ("jwt:checkout",), "a Unix socket is on this machine"),
            (peer("10.1.0.1"), [], (ANONYMOUS,), "a mesh that tells nothing"),
            (peer("192.0.2.1", encrypted=True), [], (ANONYMOUS,), "no name, no token: nobody"),
            (peer(""), [], (ANONYMOUS,), "an unknown address"),
        ],
    )
    def test_names_who_is_vouched_for(
        self, caller: Peer, metadata: list[tuple[str, str]], expected: tuple[str, ...], reason: str
    ) -> None:
        """The sources in their order."""
        assert expected == identities_of(caller, *metadata, jwt=JWT, mesh=TOLD), reason

    @pytest.mark.parametrize(
        ("caller", "reason"),
        [
            (peer("10.2.0.1"), "another network"),
            (peer("127.0.0.1"), "this machine, which is not listed"),
            (peer("::ffff:10.1.0.1"), "a listed network in other clothes"),
            (peer(""), "an address that is not known"),
            (peer(UNIX), "a Unix socket is in no network"),
        ],
    )
    def test_ignores_the_header_of_others(self, caller: Peer, reason: str) -> None:
        """Anybody can write a header."""
        assert (ANONYMOUS,) == identities_of(caller, identity_header("admin"), identity_header("root"), mesh=TOLD), (
            reason
        )

    @pytest.mark.parametrize("identity", [OTHER, f"{PROXY}/x", "dns:proxy", "fd00::/8"])
    def test_ignores_the_header_of_other_certificates(self, identity: str) -> None:
        """Nor does a name that looks like a listed network make a mesh."""
        caller = peer("192.0.2.1", identity, encrypted=True)

        assert (identity,) == identities_of(caller, identity_header("admin"), mesh=TOLD)

    def test_accepts_no_token_without_a_key_set(self) -> None:
        """Not even where a certificate would say who calls."""
        caller = peer("10.1.0.1", SHOP, encrypted=True)

        with pytest.raises(CallError) as caught:
            IdentityResolver(IdentitySettings({"own": JWT}), {}).resolve(caller, [bearer()], NOW)

        assert caught.value.failure.reason is Reason.CALLER_UNAUTHENTICATED
        assert caught.value.failure.metadata["rule"] == "a key set to check it with"

    def test_ignores_what_is_not_configured(self) -> None:
        """Whoever sends a token to a service that takes none is who the certificate says."""
        caller = peer("10.1.0.1", SHOP, encrypted=True)

        assert (SHOP,) == identities_of(
            caller, bearer("admin"), identity_header("admin"), identity_header("x", header="x-forwarded-user")
        )

    @pytest.mark.parametrize(
        ("caller", "metadata", "rule", "reason"),
        [
            (peer("192.0.2.1"), [bearer()], "TLS", "everybody on the way could take the token"),
            (peer(""), [bearer()], "TLS", "who knows where from"),
            (peer("10.1.0.1"), [bearer(), identity_header()], "TLS", "also where a mesh tells more"),
            (peer("::1"), [bearer(), bearer()], "one bearer token", "two tokens, though equal"),
            (peer("::1"), [("authorization", f"Basic {CANARY}")], "one bearer token", "another scheme"),
            (peer("::1"), [("authorization", CANARY)], "one bearer token", "no scheme"),
            (peer("::1"), [("authorization", "")], "one bearer token", "nothing"),
            (peer("::1"), [("authorization", b"Bearer x")], "one bearer token", "bytes"),
            (peer("::1"), [("authorization", f"Bearer {CANARY}")], "malformed", "no token"),
            (peer("::1"), [("authorization", "Bearer ")], "malformed", "an empty one"),
            (peer("::1"), [(bearer()[0], f"{bearer()[1]}, {bearer()[1]}")], "malformed", "two, joined on the way"),
            (peer("::1", SHOP, encrypted=True), [("authorization", f"Bearer {CANARY}")], "malformed", "a name as well"),
        ],
    )
    def test_refuses_tokens(self, caller: Peer, metadata: list[tuple[str, str]], rule: str, reason: str) -> None:
        """Nothing else is tried then: a caller that is refused must not become a lesser one."""
        told_back = refusal_of(caller, *metadata, jwt=JWT, mesh=TOLD)

        assert {"credential": "authorization", "rule": rule} == told_back, reason

    @pytest.mark.parametrize(
        ("values", "rule", "reason"),
        [
            (["checkout", "checkout"], "one value", "two values, though equal"),
            ([""], "one identity without commas and white space", "nobody"),
            (["admin,checkout"], "one identity without commas and white space", "two, joined on the way"),
            (["admin checkout"], "one identity without commas and white space", "white space"),
            (["x" * 513], "one identity without commas and white space", "longer than any"),
            (["ü"], "one identity without commas and white space", "what no policy can name"),
            ([b"checkout"], "one identity without commas and white space", "bytes"),
        ],
    )
    def test_refuses_what_a_mesh_must_not_tell(self, values: list[str | bytes], rule: str, reason: str) -> None:
        """Of several the first may be the caller's own invention."""
        metadata = [("x-identity", value) for value in values]

        assert {"credential": "x-identity", "rule": rule} == refusal_of(peer("10.1.0.1"), *metadata, mesh=TOLD), reason

    def test_reads_the_header_of_envoy(self) -> None:
        """What the proxy was shown, not the proxy itself."""
        header = identity_header(f"By={PROXY};Hash=aa;URI={SHOP};DNS=a.shop", header="x-forwarded-client-cert")

        assert (SHOP, "dns:a.shop") == identities_of(peer("127.0.0.1"), header, mesh=XFCC)

    @pytest.mark.parametrize(
        ("value", "rule", "reason"),
        [
            (f"URI={SHOP},URI={OTHER}", "one element", "two proxies on the way, or a caller who wrote the first"),
            (f"Hash={CANARY}", "a URI or DNS", "a certificate without a name"),
            ("", "a URI or DNS", "nothing"),
            (CANARY, "pairs of key and value, divided by ;", "no such header"),
        ],
    )
    def test_refuses_a_header_of_envoy_that_names_nobody(self, value: str, rule: str, reason: str) -> None:
        """A guess would be somebody's identity."""
        header = identity_header(value, header="x-forwarded-client-cert")

        told_back = refusal_of(peer("127.0.0.1"), header, mesh=XFCC)

        assert {"credential": "x-forwarded-client-cert", "rule": rule} == told_back, reason

    def test_shows_no_secret(self) -> None:
        """Who looks at the object sees names of keys."""
        one = IdentityResolver(IdentitySettings({"own": JWT}, TOLD), {"own": parse_key_set(key_set(TOKENS))})

        assert "IdentityResolver({'own': KeySet(key-1)}, mesh=True)" == repr(one)


A, B = "https://a.test", "https://b.test"
# Keys of the same kid, of which each belongs to one issuer.
TOKENS_OF_A, TOKENS_OF_B = Issuer(), Issuer()
OF_TWO = IdentityResolver(
    IdentitySettings(
        {
            "a": JwtSettings(A, AUDIENCE, "/nowhere", subject_prefix="a:"),
            "b": JwtSettings(B, "audience-of-b", "/nowhere", subject_prefix="b:"),
        }
    ),
    {"a": parse_key_set(key_set(TOKENS_OF_A)), "b": parse_key_set(key_set(TOKENS_OF_B))},
)


def identity_of(token: str) -> tuple[str, ...]:
    """Resolve a token where two issuers are accepted."""
    return OF_TWO.resolve(peer("127.0.0.1"), [("authorization", f"Bearer {token}")], NOW)


class TestOfSeveralIssuers:
    """The issuer that a token claims chooses keys and rules; everything is verified with them."""

    def test_names_the_issuer(self) -> None:
        """The same subject of two issuers is two callers."""
        a = TOKENS_OF_A.token("checkout", now=NOW, iss=A)
        b = TOKENS_OF_B.token("checkout", now=NOW, iss=B, aud="audience-of-b")

        assert (("jwt:a:checkout",), ("jwt:b:checkout",)) == (identity_of(a), identity_of(b))

    @pytest.mark.parametrize(
        ("signer", "claims", "rule"),
        [
            (TOKENS_OF_A, {"iss": B, "aud": "audience-of-b"}, "signature"),
            (TOKENS_OF_B, {"iss": A}, "signature"),
            (TOKENS_OF_B, {"iss": B, "aud": AUDIENCE}, "audience"),
            (TOKENS_OF_A, {"iss": "https://c.test"}, "issuer"),
            (TOKENS_OF_A, {"iss": [A, B]}, "issuer"),
            (TOKENS_OF_A, {"iss": None}, "missing claim"),
        ],
        ids=["a-signs-for-b", "b-signs-for-a", "audience-of-a", "unknown-issuer", "two-issuers", "no-issuer"],
    )
    def test_refuses_what_its_issuer_has_not_signed(self, signer: Issuer, claims: dict[str, Any], rule: str) -> None:
        """Neither the keys nor the audience of one issuer count for another."""
        token = signer.token(CANARY, now=NOW, **claims)

        with pytest.raises(CallError) as caught:
            identity_of(token)

        assert {"credential": "authorization", "rule": rule} == dict(caught.value.failure.metadata)

    @pytest.mark.parametrize("token", ["", "..", "a.b", "e30.ü.x", "e30.W10.x", f"e30.{'W1tb' * 1500}.x"])
    def test_refuses_what_claims_no_issuer(self, token: str) -> None:
        """Also content that is deeper than a parser goes."""
        with pytest.raises(CallError) as caught:
            identity_of(token)

        assert caught.value.failure.metadata["rule"] == "malformed"

    def test_refuses_a_long_token_unread(self) -> None:
        """Nothing is decoded of what is longer than any honest one."""
        with pytest.raises(CallError) as caught:
            identity_of(TOKENS_OF_A.token(now=NOW, iss=A, padding="x" * 8192))

        assert caught.value.failure.metadata["rule"] == "length"


class FakeContext:
    """What gRPC knows of a connection."""

    def __init__(self, address: str, **properties: list[bytes]) -> None:
        self._address = address
        self._properties = properties

    def peer(self) -> str:
        """Return the address as gRPC writes it."""
        return self._address

    def auth_context(self) -> dict[str, list[bytes]]:
        """Return what the handshake told."""
        return self._properties


class TestPeerOf:
    """The other end as gRPC tells of it."""

    @pytest.mark.parametrize(
        ("text", "address", "local", "reason"),
        [
            ("ipv4:127.0.0.1:50000", "127.0.0.1", True, "this machine"),
            ("ipv4:127.8.8.8:50000", "127.8.8.8", True, "this machine by another number"),
            ("ipv4:192.0.2.1:50000", "192.0.2.1", False, "another machine"),
            ("ipv6:[::1]:50000", "::1", True, "this machine in IPv6"),
            ("ipv6:%5B::1%5D:50000", "::1", True, "the same, as gRPC quotes it"),
            ("ipv6:%5Bfe80::1%25eth0%5D:50000", "fe80::1", False, "with the name of an interface"),
            ("ipv6:%5B2001:db8::1%5D:50000", "2001:db8::1", False, "another machine in IPv6"),
            ("unix:", UNIX, True, "a socket without a name"),
            ("unix:/run/payorch.sock", UNIX, True, "a socket"),
            ("unix-abstract:x", "", False, "a socket that any container of a pod may reach"),
            ("ipv4:127.0.0.1", "", False, "no port"),
            ("ipv4:localhost:1", "", False, "a name"),
            ("unknown", "", False, "gRPC does not know"),
            ("", "", False, "gRPC tells nothing"),
        ],
    )
    def test_knows_addresses(self, text: str, address: str, *, local: bool, reason: str) -> None:
        """What cannot be read is nowhere near."""
        found = peer_of(FakeContext(text))

        assert (address, local, False, ()) == (found.address, found.is_local, found.encrypted, found.identities), reason

    def test_knows_what_a_certificate_says(self) -> None:
        """URIs and DNS names; a common name or an address is no identity."""
        context = FakeContext(
            "ipv4:192.0.2.1:1",
            transport_security_type=[b"ssl"],
            x509_common_name=[b"admin"],
            x509_subject_alternative_name=[b"10.1.0.1", SHOP.encode(), b"a.shop"],
            peer_ip=[b"10.1.0.1"],
            peer_uri=[SHOP.encode(), b"jwt:admin"],
            peer_dns=[b"a.shop", b"\xff"],
        )

        assert Peer("192.0.2.1", encrypted=True, identities=(SHOP, "dns:a.shop", "dns:\ufffd")) == peer_of(context)

    def test_takes_no_other_transport_for_encrypted(self) -> None:
        """Credentials for tests on one machine encrypt nothing."""
        assert not peer_of(FakeContext("ipv4:192.0.2.1:1", transport_security_type=[b"insecure"])).encrypted
