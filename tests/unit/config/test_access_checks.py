"""What is wrong with who may do what: listeners, certificates, tokens, meshes, and the access policy."""

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.authority import Authority, Issuer, key_set
from harness.clock import FakeClock
from payorch_server.config import ConfigError, Settings, load
from payorch_server.model.names import label
from payorch_server.model.secret import reveal  # noqa: TID251 - that the file was read is the subject

CLOCK = FakeClock()
AUTHORITY = Authority(now=CLOCK.now())
ISSUER = Issuer()
JWT = {"key_set_file": "keys.json", "issuer": "https://issuer.test", "audience": "payorch"}
TLS = {"certificate_file": "server.pem", "key_file": "server.key"}
MUTUAL = {**TLS, "client_ca_file": "authority.pem"}
XFCC = {"peers": ["127.0.0.1/32"]}
TOLD = {"peers": ["127.0.0.1/32"], "header": "x-identity", "format": "identity"}
SHOP = "spiffe://example.org/ns/shop/sa/checkout"
Change = Callable[..., Path]


def caller(identity: str = "jwt:checkout", **members: Any) -> dict[str, Any]:
    """Make a good entry of the access policy, with changes."""
    return {
        "caller": identity,
        "namespace": "shop",
        "rpcs": ["CreateSession"],
        "tenants": {"acme": {"entities": ["us"], "orgs": ["north"]}},
    } | members


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.upper().startswith("PAYORCH_")]:  # noqa: TID251 - to clear it
        monkeypatch.delenv(name)


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    """Write a good configuration with sections over it, and every file that one may name."""
    server, other = AUTHORITY.issue("payorch.test"), AUTHORITY.issue("payorch.test")
    server.write(tmp_path, "server")
    other.write(tmp_path, "other")
    AUTHORITY.issue("payorch.test", expired=True).write(tmp_path, "expired")
    files = {
        "secret": b"client-secret",
        "authority.pem": AUTHORITY.certificate,
        "keys.json": key_set(ISSUER),
        "broken.json": b"{}",
        "empty": b"",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    monkeypatch.chdir(tmp_path)
    acme = {
        "base_url": "https://rest.test.zuora.com",
        "client_id": "11111111-2222-3333-4444-555555555555",
        "client_secret_file": "secret",
        "entities": {"us": "a" * 32, "eu": "b" * 32},
        "orgs": {"north": "1"},
        "gateways": {"cards": {"id": "c" * 32, "label": "Cards"}},
    }
    good = {
        "accept_memory_store": True,
        "tenants": {"acme": acme},
        "routing": [{"name": "all", "to": {"tenant": "acme", "entity": "us", "gateway": "cards"}}],
        "identity": {"jwt": {"own": JWT}},
        "access": {"callers": [caller()]},
    }

    def write(**sections: Any) -> Path:
        path = tmp_path / "payorch.yaml"
        path.write_text(yaml.safe_dump(copy.deepcopy(good) | sections))
        return path

    return write


def problems_of(path: Path) -> list[str]:
    """List the problems of a file; never with a key in them."""
    with pytest.raises(ConfigError) as caught:
        load(path, clock=CLOCK)
    assert "PRIVATE KEY" not in str(caught.value)
    return list(caught.value.problems)


def settings_of(path: Path) -> Settings:
    """Read a file that is good."""
    return load(path, clock=CLOCK)


class TestAccess:
    """An entry that can never count is a mistake somebody made."""

    @pytest.mark.parametrize(
        ("entry", "problem", "reason"),
        [
            (caller(""), "caller: must be 1 to 512 characters from 0x21 to 0x7E", "nobody"),
            (caller("*"), "caller: must be 1 to 512 characters", "everybody"),
            (caller("jwt:a b"), "caller: must be 1 to 512 characters", "white space"),
            (caller("jwt:ü"), "caller: must be 1 to 512 characters", "a letter that looks like another"),
            (caller("jwt:" + "x" * 509), "caller: must be 1 to 512 characters", "one character too many"),
            (caller("dns:*.shop"), "caller: must be 1 to 512 characters", "a star that is not at the end"),
            (caller("jwt:**"), "caller: must be 1 to 512 characters", "two stars"),
            (caller("jwt:check*"), "caller: a prefix must end with one of / : . - @ before the *", "half a word"),
            (caller("anonymous*"), "caller: a prefix must end with", "nobody and all that begin so"),
            (caller("checkout"), "caller: must begin with a scheme such as spiffe:", "no scheme"),
            *[
                (caller(malformed), "caller: must be a SPIFFE id such as", "no certificate can carry it")
                for malformed in (
                    "spiffe://corp/ns/../admin",
                    "spiffe://corp/ns/../*",
                    "spiffe://corp/ns//*",
                    "spiffe://corp/ns/.*",
                    "spiffe://corp/ns/",
                    "spiffe://corp/%2e%2e/x",
                    "spiffe://Corp/*",
                    "SPIFFE://corp/ns",
                    "spiffe://*",
                    "spiffe:*",
                )
            ],
            (caller("mesh:checkout"), "caller: no header carries it; set identity.mesh with", "no mesh"),
            (
                caller("dns:a.shop"),
                "caller: client certificates are not requested; set grpc.tls.client_ca_file or",
                "no certificates",
            ),
            (caller(SHOP), "caller: client certificates are not requested;", "the same for URIs"),
            (caller(namespace=""), "namespace: a name has 1 to 64", "no namespace"),
            (caller(namespace="a b"), "namespace: a name has 1 to 64", "white space in it"),
            (caller(namespace="x" * 65), "namespace: a name has 1 to 64", "one character too many"),
            (caller(namespace="shop\n"), "namespace: a name has 1 to 64", "a line feed at its end"),
            (
                caller(rpcs=["createSession"]),
                "rpcs: createSession is none of CreateSession, DecryptApplePay,",
                "no RPC",
            ),
            (caller(tenants={"acne": {}}), "tenants.acne: is not in tenants", "no such tenant"),
            (
                caller(tenants={"acme": {"entities": ["uk"]}}),
                "tenants.acme.entities: uk is none of the tenant's entities",
                "no entity",
            ),
            (
                caller(tenants={"acme": {"orgs": ["n"]}}),
                "tenants.acme.orgs: n is none of the tenant's orgs",
                "no such org",
            ),
            (
                caller(tenants={"*": {"orgs": ["n"]}}),
                "tenants.*.orgs: n is none of the tenant's orgs",
                "in no tenant at all",
            ),
            (caller("anonymous", move_money=True), "move_money: for anonymous callers it also needs", "whoever"),
            (caller(raw_card_data=True), "raw_card_data: card numbers are refused while", "switched off"),
        ],
    )
    def test_entries_that_cannot_count_are_named(
        self, change: Change, entry: dict[str, Any], problem: str, reason: str
    ) -> None:
        """By their place and by the caller."""
        (found,) = problems_of(change(access={"callers": [entry]}))

        assert found.startswith(f"access.callers.0{label(entry['caller'])}.{problem}"), reason

    @pytest.mark.parametrize(
        ("entry", "reason"),
        [
            (caller(), "an exact one"),
            (caller("jwt:*"), "every token"),
            (caller("jwt:team@*"), "a prefix that ends with a border"),
            (caller("anonymous"), "anybody on this machine"),
            (caller(rpcs=["*"], tenants={"*": {"entities": ["*"], "orgs": ["*"]}}), "everything, of every tenant"),
            (caller(tenants={"*": {"entities": ["us"]}}), "what one of the tenants has"),
            (caller(tenants={}, rpcs=[]), "nothing"),
            (caller(move_money=True), "money, for somebody"),
        ],
    )
    def test_entries_that_count_are_taken(self, change: Change, entry: dict[str, Any], reason: str) -> None:
        """Whatever may be granted."""
        access = settings_of(change(access={"callers": [entry]})).document.access

        assert access is not None
        assert [entry["caller"]] == [one.caller for one in access.callers], reason

    def test_the_same_caller_twice_is_refused(self, change: Change) -> None:
        """One of the two would win without a word."""
        twice = {"callers": [caller(), caller("jwt:b"), caller(rpcs=["*"])]}

        assert ["access.callers.2 (jwt:checkout).caller: is listed twice"] == problems_of(change(access=twice))

    def test_an_empty_policy_is_refused(self, change: Change) -> None:
        """Whoever means everybody leaves the section out."""
        problem = "access.callers: must list at least one caller, or every call would be refused"

        assert [problem] == problems_of(change(access={"callers": []}))

    def test_anonymous_may_move_money_where_two_settings_say_so(self, change: Change) -> None:
        """One line alone never lets whoever reaches the port take payments."""
        access = {"callers": [caller("anonymous", move_money=True)], "anonymous_may_move_money": True}

        assert settings_of(change(access=access)).document.access is not None

    def test_nobody_is_anonymous_where_everybody_shows_a_certificate(self, change: Change) -> None:
        """An entry that could never count."""
        (found,) = problems_of(change(access={"callers": [caller("anonymous")]}, grpc={"tls": MUTUAL}))

        assert found.endswith(".caller: every caller must present a certificate, so none is anonymous")

    @pytest.mark.parametrize(
        ("identity", "sections", "reason"),
        [
            (SHOP, {"grpc": {"tls": MUTUAL}}, "certificates"),
            ("dns:a.shop", {"grpc": {"tls": MUTUAL}}, "names in certificates"),
            (SHOP, {"identity": {"mesh": XFCC}}, "a mesh that was shown a certificate"),
            ("mesh:checkout", {"identity": {"mesh": TOLD}}, "a mesh that tells"),
        ],
    )
    def test_identities_that_somebody_vouches_for_are_taken(
        self, change: Change, identity: str, sections: dict[str, Any], reason: str
    ) -> None:
        """Each source has its own."""
        settings = settings_of(change(access={"callers": [caller(identity)]}, **sections))

        assert settings.document.access is not None, reason

    @pytest.mark.parametrize(
        ("identity", "sections", "problem", "reason"),
        [
            ("jwt:checkout", {"identity": {}}, "tokens are not accepted; set identity.jwt", "no issuer"),
            (
                "mesh:checkout",
                {"identity": {"mesh": XFCC}},
                "no header carries it;",
                "a mesh with certificates",
            ),
            (
                SHOP,
                {"identity": {"mesh": TOLD}},
                "client certificates are not requested;",
                "a mesh with bare names",
            ),
            (SHOP, {"grpc": {"tls": TLS}}, "client certificates are not requested;", "TLS that asks for none"),
        ],
    )
    def test_identities_that_nobody_vouches_for_are_refused(
        self, change: Change, identity: str, sections: dict[str, Any], problem: str, reason: str
    ) -> None:
        """Somebody forgot the other half."""
        (found,) = problems_of(change(access={"callers": [caller(identity)]}, **sections))

        assert found.startswith(f"access.callers.0 ({identity}).caller: {problem}"), reason


class TestListen:
    """Who can reach the port decides what must be configured."""

    @pytest.mark.parametrize(
        ("sections", "starts", "reason"),
        [
            ({}, ["in plaintext; set grpc.tls"], "plaintext"),
            ({"access": None}, ["in plaintext; set grpc.tls", "without an access policy"], "and for everybody"),
            (
                {"access": None, "grpc": {"tls": TLS}},
                ["without an access policy; add access"],
                "everybody, in TLS",
            ),
            (
                {"access": None, "grpc": {"plaintext_beyond_loopback": True}},
                ["without an access policy; add access"],
                "whoever the network lets through",
            ),
        ],
    )
    @pytest.mark.parametrize("listen", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:127.0.0.1]:1", "payorch:1"])
    def test_beyond_loopback_everything_is_demanded(
        self, change: Change, listen: str, sections: dict[str, Any], starts: list[str], reason: str
    ) -> None:
        """TLS or a word about plaintext, and an access policy without exception."""
        listener = {"listen": listen, **sections.get("grpc", {})}

        found = problems_of(change(**sections | {"grpc": listener}))

        assert len(starts) == len(found), reason
        for start, problem in zip(starts, found, strict=True):
            assert problem.startswith(f"grpc.listen: {listen} can be reached from other machines"), reason
            assert start in problem, reason

    @pytest.mark.parametrize(
        ("listener", "reason"),
        [
            ({"listen": "0.0.0.0:1", "tls": TLS}, "TLS and a policy"),
            ({"listen": "0.0.0.0:1", "plaintext_beyond_loopback": True}, "plaintext and a policy, where it is said"),
            ({"listen": "127.0.0.1:1"}, "loopback"),
            ({"listen": "[::1]:1"}, "loopback in IPv6"),
            ({"listen": "localhost:1"}, "loopback by name"),
        ],
    )
    def test_what_is_said_is_taken(self, change: Change, listener: dict[str, Any], reason: str) -> None:
        """No more is demanded than is needed."""
        assert settings_of(change(grpc=listener)).document.grpc.listen == listener["listen"], reason

    def test_on_loopback_no_policy_is_demanded(self, change: Change) -> None:
        """Laptops."""
        assert settings_of(change(access=None)).document.access is None


class TestIdentity:
    """Whoever vouches for callers must be somebody."""

    @pytest.mark.parametrize(
        ("mesh", "problem", "reason"),
        [
            ({"peers": []}, "identity.mesh.peers: must list at least one trusted peer", "nobody"),
            ({**XFCC, "header": "X-Identity"}, "identity.mesh.header: must be the lower-case name", "capitals"),
            ({**XFCC, "header": "x-identity-bin"}, "identity.mesh.header: must be the lower-case name", "bytes"),
            ({**XFCC, "header": ""}, "identity.mesh.header: must be the lower-case name", "no name"),
            ({**XFCC, "header": "x identity"}, "identity.mesh.header: must be the lower-case name", "no header's name"),
            ({"peers": ["proxy"]}, "identity.mesh.peers: proxy is neither a network", "a host name"),
            ({"peers": ["10.0.0.1/8"]}, "identity.mesh.peers: 10.0.0.1/8 is neither", "a host with a mask"),
            ({"peers": ["fd00::1/8"]}, "identity.mesh.peers: fd00::1/8 is neither", "the same in IPv6"),
            ({"peers": ["127.0.0.1:80"]}, "identity.mesh.peers: 127.0.0.1:80 is neither", "an address with a port"),
            ({"peers": ["jwt:proxy"]}, "identity.mesh.peers: jwt:proxy is neither", "no certificate's identity"),
            (
                {"peers": ["0.0.0.0/0"]},
                "identity.mesh.peers: 0.0.0.0/0 covers every address",
                "every client that reaches the port",
            ),
            ({"peers": ["::/0"]}, "identity.mesh.peers: ::/0 covers every address", "the same in IPv6"),
            ({**XFCC, "format": "xfcc2"}, "identity.mesh.format: ", "no such format"),
        ],
    )
    def test_a_mesh_is_looked_at(self, change: Change, mesh: dict[str, Any], problem: str, reason: str) -> None:
        """What it says is believed, so who says it matters."""
        found = problems_of(change(identity={"jwt": {"own": JWT}, "mesh": mesh}))

        assert [True] == [one.startswith(problem) for one in found], (reason, found)

    @pytest.mark.parametrize(
        "peer",
        [
            "127.0.0.1",
            "127.0.0.1/32",
            "::1",
            "fd00::/8",
            "spiffe://x/ns/mesh/sa/proxy",
            "dns:proxy.mesh",
            "https://proxy",
        ],
    )
    def test_peers_are_networks_or_identities(self, change: Change, peer: str) -> None:
        """An address is the network of one."""
        settings = settings_of(change(identity={"jwt": {"own": JWT}, "mesh": {"peers": [peer]}}))

        assert settings.document.identity.mesh is not None

    @pytest.mark.parametrize(
        ("jwt", "problem", "reason"),
        [
            ({**JWT, "issuer": ""}, "identity.jwt.own: must have issuer and audience", "tokens of anybody"),
            ({**JWT, "audience": ""}, "identity.jwt.own: must have issuer and audience", "tokens for anybody"),
            (
                {**JWT, "clock_skew_s": 60, "max_lifetime_s": 60},
                "identity.jwt.own.clock_skew_s: must be less",
                "no end",
            ),
            ({**JWT, "key_set_file": "none"}, "identity.jwt.own.key_set_file: the file (its name is not", "no file"),
            ({**JWT, "key_set_file": "empty"}, "identity.jwt.own.key_set_file: empty is empty", "an empty file"),
            (
                {**JWT, "key_set_file": "broken.json"},
                "identity.jwt.own.key_set_file: is not a JSON Web Key Set",
                "no keys",
            ),
        ],
    )
    def test_an_issuer_is_looked_at(self, change: Change, jwt: dict[str, Any], problem: str, reason: str) -> None:
        """Before the first token is."""
        (found,) = problems_of(change(identity={"jwt": {"own": jwt}}))

        assert found.startswith(problem), reason

    @pytest.mark.parametrize(
        ("changes", "problem", "reason"),
        [
            ({"subject_prefix": "corp"}, "must be up to 64 characters", "it would run into the subject"),
            ({"subject_prefix": "a*:"}, "must be up to 64 characters", "the policy's sign for any"),
            ({"subject_prefix": "a b:"}, "must be up to 64 characters", "white space"),
            ({"subject_prefix": "x" * 64 + ":"}, "must be up to 64 characters", "one character too many"),
        ],
    )
    def test_a_prefix_of_subjects_is_checked(
        self, change: Change, changes: dict[str, Any], problem: str, reason: str
    ) -> None:
        """It is a part of every identity of the issuer."""
        (found,) = problems_of(change(identity={"jwt": {"own": JWT | changes}}, access=None))

        assert found.startswith(f"identity.jwt.own.subject_prefix: {problem}"), reason

    @pytest.mark.parametrize(
        ("one", "other", "problem"),
        [
            ("", "", "identity.jwt.b.subject_prefix: begins with that of identity.jwt.a"),
            ("", "b:", "identity.jwt.b.subject_prefix: begins with that of identity.jwt.a"),
            ("a:", "", "identity.jwt.a.subject_prefix: begins with that of identity.jwt.b"),
            ("a:", "a:", "identity.jwt.b.subject_prefix: begins with that of identity.jwt.a"),
            ("a:", "a:b:", "identity.jwt.b.subject_prefix: begins with that of identity.jwt.a"),
        ],
    )
    def test_two_issuers_never_issue_the_same_identity(
        self, change: Change, one: str, other: str, problem: str
    ) -> None:
        """A subject of one could otherwise be chosen so that it is a caller of the other."""
        a, b = JWT | {"subject_prefix": one}, JWT | {"issuer": "https://b.test", "subject_prefix": other}

        (found,) = problems_of(change(identity={"jwt": {"a": a, "b": b}}, access=None))

        assert found.startswith(problem)

    def test_an_issuer_is_listed_once(self, change: Change) -> None:
        """The issuer in a token chooses the keys, so it must not name two sets."""
        a, b = JWT | {"subject_prefix": "a:"}, JWT | {"subject_prefix": "b:"}

        (found,) = problems_of(change(identity={"jwt": {"a": a, "b": b}}, access=None))

        assert found == "identity.jwt.b.issuer: is that of identity.jwt.a; list each issuer once"

    @pytest.mark.parametrize(
        ("identity", "problem"),
        [
            ("jwt:a:checkout", ""),
            ("jwt:b:*", ""),
            ("jwt:checkout", "no issuer of identity.jwt issues it; identities begin with jwt:a: or jwt:b:"),
            ("jwt:*", "covers tokens of several issuers, a, b; give each an entry of its own"),
        ],
    )
    def test_an_entry_is_of_one_issuer(self, change: Change, identity: str, problem: str) -> None:
        """An entry that no token matches is a mistake, and one issuer's rights are not the other's."""
        a, b = JWT | {"subject_prefix": "a:"}, JWT | {"issuer": "https://b.test", "subject_prefix": "b:"}
        path = change(identity={"jwt": {"a": a, "b": b}}, access={"callers": [caller(identity)]})

        if problem:
            assert [f"access.callers.0 ({identity}).caller: {problem}"] == problems_of(path)
        else:
            assert {"a", "b"} == set(settings_of(path).key_sets)

    def test_a_key_set_is_read(self, change: Change) -> None:
        """By the names of its keys."""
        assert "{'own': KeySet(key-1)}" == repr(settings_of(change()).key_sets)

    def test_a_key_set_with_a_private_key_is_not_shown(self, change: Change, tmp_path: Path) -> None:
        """The sentence says what is wrong, and no more."""
        (tmp_path / "keys.json").write_text(json.dumps({"keys": [{**ISSUER.jwk, "d": "canary-private-key"}]}))

        (found,) = problems_of(change())

        assert "identity.jwt.own.key_set_file: keys.0: is a private key; only the public part belongs here" == found


class TestCertificate:
    """A listener that nobody can shake hands with is found before it listens."""

    @pytest.mark.parametrize(
        ("tls", "problem", "reason"),
        [
            ({**TLS, "certificate_file": "none"}, "grpc.tls.certificate_file: the file (its name is not", "no file"),
            ({**TLS, "key_file": "/"}, "grpc.tls.key_file: / cannot be read", "a folder"),
            ({**TLS, "key_file": "empty"}, "grpc.tls.key_file: empty is empty", "an empty file"),
            (
                {**MUTUAL, "client_ca_file": "none"},
                "grpc.tls.client_ca_file: the file (its name is not",
                "no authorities",
            ),
            (
                {**MUTUAL, "client_ca_file": "empty"},
                "grpc.tls.client_ca_file: empty is empty",
                "callers would go unasked",
            ),
            ({**MUTUAL, "client_ca_file": "secret"}, "grpc.tls.client_ca_file: contains no certificates", "no PEM"),
            ({**TLS, "key_file": "other.key"}, "grpc.tls.key_file: does not match the certificate", "another key"),
            (
                {**TLS, "certificate_file": "server.key"},
                "grpc.tls.certificate_file: contains no certificate",
                "a mix-up",
            ),
            (
                {"certificate_file": "expired.pem", "key_file": "expired.key"},
                "grpc.tls.certificate_file: is valid from ",
                "it has ended",
            ),
            ({"certificate_file": "server.pem"}, "grpc.tls.key_file: ", "no key"),
        ],
    )
    def test_is_looked_at(self, change: Change, tls: dict[str, Any], problem: str, reason: str) -> None:
        """With the clock of the service."""
        (found,) = problems_of(change(grpc={"tls": tls}))

        assert found.startswith(problem), reason

    def test_is_read(self, change: Change, tmp_path: Path) -> None:
        """Certificate, key and authorities."""
        certificate = settings_of(change(grpc={"tls": MUTUAL}, access=None)).certificate

        assert certificate is not None
        assert AUTHORITY.certificate == certificate.client_authorities
        assert (tmp_path / "server.key").read_bytes() == reveal(certificate.key)

    def test_asks_callers_for_nothing_unless_told(self, change: Change) -> None:
        """Tokens alone are enough."""
        certificate = settings_of(change(grpc={"tls": TLS})).certificate

        assert certificate is not None
        assert b"" == certificate.client_authorities
