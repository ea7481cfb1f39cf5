import copy
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from payorch_server import cli
from payorch_server.config import ConfigError, Settings, load, schema
from payorch_server.model.secret import reveal  # noqa: TID251 - that the file was read is the subject
from payorch_server.routing.settings import AmountSettings
from payorch_server.runtime.listen_address import split_address
from payorch_server.zuora.settings import ENVIRONMENTS

CLIENT_ID = "11111111-2222-3333-4444-555555555555"
CANARY = "canary-client-secret"
Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of whoever runs the tests out of them."""
    for name in [name for name in os.environ if name.upper().startswith("PAYORCH_")]:  # noqa: TID251 - to clear it
        monkeypatch.delenv(name)


@pytest.fixture
def good(tmp_path: Path) -> dict[str, Any]:
    """Make the smallest good configuration, with its secret."""
    secret = tmp_path / "secret"
    secret.write_text(f"{CANARY}\n")
    return {
        "tenants": {
            "acme": {
                "base_url": "https://rest.test.zuora.com",
                "client_id": CLIENT_ID,
                "client_secret_file": str(secret),
                "gateways": {"cards": {"id": "a" * 32, "label": "Cards"}},
            }
        },
        "routing": [{"name": "all", "to": {"tenant": "acme", "gateway": "cards"}}],
        "accept_memory_store": True,
    }


@pytest.fixture
def write(tmp_path: Path, good: dict[str, Any]) -> Write:
    """Write a file: the good configuration with changes at dotted paths, or any text."""

    def write_file(text: str | bytes | None = None, **changes: Any) -> Path:
        path = tmp_path / "payorch.yaml"
        content = copy.deepcopy(good)
        for dotted, value in changes.items():
            *parents, last = dotted.split(".")
            place: Any = content
            for name in parents:
                place = place[int(name)] if isinstance(place, list) else place.setdefault(name, {})
            place[last] = value
        data = yaml.safe_dump(content) if text is None else text
        path.write_bytes(data if isinstance(data, bytes) else data.encode())
        return path

    return write_file


def problems_of(path: Path) -> list[str]:
    """List the problems of a file."""
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert CANARY not in str(caught.value)
    return list(caught.value.problems)


class TestLoad:
    """A good file becomes settings."""

    def test_reads_sections_from_several_files(self, write: Write, tmp_path: Path) -> None:
        """What is reloaded and what is not may be mounted separately."""
        path = write()
        content = yaml.safe_load(path.read_text())
        routing = tmp_path / "routing.yaml"
        routing.write_text(yaml.safe_dump({name: content.pop(name) for name in ("tenants", "routing")}))
        path.write_text(yaml.safe_dump(content))

        settings = load(path, routing)

        assert list(settings.document.tenants) == ["acme"]

    def test_refuses_a_section_in_two_files(self, write: Write, tmp_path: Path) -> None:
        """One would win without a word."""
        path = write()
        other = tmp_path / "other.yaml"
        other.write_text("routing: []\n")

        with pytest.raises(ConfigError) as caught:
            load(path, other)

        assert [f"routing: is also defined in {path}; define each section in one file"] == list(caught.value.problems)

    def test_reads_file_and_secrets(self, write: Write) -> None:
        """White space after a secret is not part of it."""
        settings = load(write())

        assert isinstance(settings, Settings)
        assert reveal(settings.client_secrets["acme"]) == CANARY
        assert CANARY not in repr(settings)
        assert settings.document.tenants["acme"].origin == "https://rest.test.zuora.com"

    def test_reads_countries_and_versions_without_quotes(self, write: Write) -> None:
        """Norway is not false, and Zuora's version is not a date."""
        text = write(**{"routing.0.when.country": "COUNTRIES", "tenants.acme.zuora_version": "VERSION"}).read_text()
        text = text.replace("COUNTRIES", "[NO, SE]").replace("VERSION", "2025-08-12")

        document = load(write(text)).document

        assert ("NO", "SE") == document.routing[0].when.country
        assert document.tenants["acme"].zuora_version == "2025-08-12"

    @pytest.mark.parametrize(
        "amount", [{"min": "5", "max": "5.01"}, {"min": "5"}, {"max": "0.01"}], ids=["both", "min", "max"]
    )
    def test_reads_ranges_of_amounts(self, write: Write, amount: dict[str, str]) -> None:
        """A limit that is left out is open."""
        document = load(write(**{"routing.0.when": {"amount": {"currency": "EUR", **amount}}})).document

        assert AmountSettings("EUR", **amount) == document.routing[0].when.amount

    def test_reads_several_entities_and_orgs(self, write: Write) -> None:
        """Each with an id of its own; an org may have that of an entity."""
        entities, orgs = {"us": "a" * 32, "eu": "b" * 32}, {"north": "a" * 32, "south": "s1"}
        changes = {"tenants.acme.entities": entities, "tenants.acme.orgs": orgs, "routing.0.to.entity": "eu"}

        acme = load(write(**changes)).document.tenants["acme"]

        assert (entities, orgs) == (acme.entities, acme.orgs)

    @pytest.mark.parametrize("environment", ENVIRONMENTS)
    def test_knows_the_environments(self, write: Write, environment: str) -> None:
        """Each name stands for one of Zuora's hosts."""
        path = write(**{"tenants.acme.base_url": "", "tenants.acme.environment": environment})

        assert load(path).document.tenants["acme"].origin == ENVIRONMENTS[environment]

    def test_lets_the_environment_win(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """One setting of a section changes and the others stay."""
        monkeypatch.setenv("PAYORCH_GRPC__LISTEN", "127.0.0.1:1")
        monkeypatch.setenv("PAYORCH_TENANTS__ACME__ZUORA_VERSION", "2024-05-20")

        document = load(write(**{"grpc.listen": "127.0.0.1:2", "grpc.reflection": False})).document

        assert (document.grpc.listen, document.grpc.reflection) == ("127.0.0.1:1", False)
        assert document.tenants["acme"].zuora_version == "2024-05-20"
        assert document.tenants["acme"].client_id == CLIENT_ID


class TestProblems:
    """What is wrong is named by its path, without a traceback and without a secret."""

    @pytest.mark.parametrize(
        ("changes", "start", "reason"),
        [
            ({"grpc.listn": "x"}, "grpc.listn: no such setting", "an unknown setting"),
            ({"rcp": {}}, "rcp: no such setting", "an unknown section"),
            ({"_env_prefix": "X_"}, "_env_prefix: no such setting", "an argument of the library that reads settings"),
            ({"__pydantic_self__": 1}, "__pydantic_self__: no such setting", "another one"),
            ({"tenants.acme.paths": {"sesions": "/x"}}, "tenants.acme.paths.sesions: no such setting", "deep inside"),
            ({"grpc.reflection": "perhaps"}, "grpc.reflection: ", "a value of the wrong type"),
            ({"telemetry.traces": "file"}, "telemetry.traces: ", "a word that is not in the list"),
            ({"grpc.listen": "50051"}, "grpc.listen: must be host:port", "no host"),
            ({"admin.listen": "localhost:http"}, "admin.listen: ", "no port"),
            ({"grpc.listen": "0.0.0.0:50051"}, "grpc.listen: 0.0.0.0:50051 can be reached", "plaintext for everyone"),
            ({"grpc.listen": "[::]:50051"}, "grpc.listen: [::]:50051 can be reached", "the same in IPv6"),
            ({"grpc.listen": "pay.internal:1"}, "grpc.listen: pay.internal:1 can be reached", "a name is no loopback"),
            ({"diagnostics.listen": "50052"}, "diagnostics.listen: must be host:port", "no host for operators"),
            ({"diagnostics.listen": "0.0.0.0:1"}, "diagnostics.listen: 0.0.0.0:1 can be reached", "operators for all"),
            ({"tenants.acme.client_id": "short"}, "tenants.acme.client_id: ", "no client id of Zuora's"),
            ({"tenants.acme.client_secret_file": "/no/where"}, "tenants.acme.client_secret_file: the file", "no file"),
            ({"tenants.acme.client_secret_file": "/"}, "tenants.acme.client_secret_file: / cannot", "a folder"),
            (
                {"tenants.acme.client_secret_file": "/dev/null"},
                "tenants.acme.client_secret_file: /dev/null is",
                "empty",
            ),
            (
                {"tenants.acme.declines": [{"code": "53000020", "message": "Transaction declined."}]},
                "tenants.acme.declines.0.code: must be one of Zuora's codes of eight digits that end in 60",
                "a code that is no internal fault",
            ),
            (
                {"tenants.acme.declines": [{"code": "53000060", "message": "  Trans   "}]},
                "tenants.acme.declines.0.message: must have 8 characters",
                "the beginning of any message",
            ),
            (
                {"tenants.acme.declines": [{"code": "53000060"}]},
                "tenants.acme.declines.0.message: ",
                "a code without a message",
            ),
            ({"tenants.acme.base_url": ""}, "tenants.acme: give either", "neither host"),
            ({"tenants.acme.environment": "us1_production"}, "tenants.acme: give either", "both hosts"),
            ({"tenants.acme.base_url": "http://zuora.test"}, "tenants.acme.base_url: http is", "http beyond loopback"),
            ({"tenants.acme.base_url": "http://10.0.0.1:80"}, "tenants.acme.base_url: http is", "the same by address"),
            (
                {"tenants.acme.base_url": "https://zuora.test"},
                "tenants.acme.base_url: zuora.test is not a Zuora sandbox or this machine",
                "a host that nobody listed",
            ),
            (
                {"zuora_http.extra_hosts": ["rest.zuora.com"]},
                "zuora_http.extra_hosts.0: must be a bare host name",
                "a production host in disguise",
            ),
            (
                {"zuora_http.extra_hosts": ["https://x"]},
                "zuora_http.extra_hosts.0: must be a bare host name",
                "a URL",
            ),
            (
                {"zuora_http.proxy_url": "http://user:password@proxy:3128"},
                "zuora_http.proxy_url: must not hold a user or password",
                "credentials where they would be logged",
            ),
            ({"zuora_http.proxy_url": "https://proxy:3128"}, "zuora_http.proxy_url: must be", "TLS to the proxy"),
            ({"zuora_http.proxy_url": "http://proxy"}, "zuora_http.proxy_url: must be", "a proxy without a port"),
            ({"zuora_http.proxy_url": "http://proxy:3128/x"}, "zuora_http.proxy_url: must be", "a proxy with a path"),
            (
                {"zuora_http.proxy_url": "http://proxy:3128", "zuora_http.proxy_username": "payorch"},
                "zuora_http.proxy_username: needs",
                "a proxy's user without a password",
            ),
            ({"tenants.acme.base_url": "ftp://x"}, "tenants.acme.base_url: must be", "another scheme"),
            ({"tenants.acme.base_url": "zuora.test"}, "tenants.acme.base_url: must be", "no scheme"),
            ({"tenants.acme.base_url": "https://x/v1"}, "tenants.acme.base_url: must be", "a path"),
            ({"tenants.acme.base_url": "https://x?a=b"}, "tenants.acme.base_url: must be", "a query"),
            ({"tenants.acme.base_url": "https://x#a"}, "tenants.acme.base_url: must be", "a fragment"),
            ({"tenants.acme.base_url": "https://u:p@x"}, "tenants.acme.base_url: must be", "credentials"),
            ({"tenants.acme.base_url": "https://[bad"}, "tenants.acme.base_url: must be", "half an IPv6 address"),
            ({"tenants.acme.base_url": "https://x:99999"}, "tenants.acme.base_url: must be", "no port number"),
            ({"tenants.acme.base_url": "https://x\ny"}, "tenants.acme.base_url: must be", "a line feed"),
            ({"tenants.acme.entities": {"us": "1"}}, "tenants.acme.entities.us: must be 32", "no id"),
            ({"tenants.acme.gateways": {"cards": {"id": "1", "label": "l"}}}, "tenants.acme.gateways.cards: ", "no id"),
            ({"tenants.acme.orgs": {"n": "1,2"}}, "tenants.acme.orgs.n: ", "two orgs in one"),
            ({"tenants.acme.orgs": {"n": "\u00e9"}}, "tenants.acme.orgs.n: ", "no value of a header"),
            ({"tenants.acme.orgs": {"n": "1\n"}}, "tenants.acme.orgs.n: ", "the end of a header"),
            ({"tenants.acme.zuora_version": ""}, "tenants.acme.zuora_version: ", "no version"),
            ({"tenants.acme.zuora_version": "2025-08-12 "}, "tenants.acme.zuora_version: ", "a blank"),
            ({"tenants.acme.zuora_version": "2025\r\nx: y"}, "tenants.acme.zuora_version: ", "another header"),
            ({"tenants.acme.paths": {"decryption": "v1/x"}}, "tenants.acme.paths.decryption: ", "another host"),
            ({"tenants.acme.paths": {"token": "@other.test/x"}}, "tenants.acme.paths.token: ", "another host"),
            ({"tenants.acme.paths": {"sessions": "//x"}}, "tenants.acme.paths.sessions: ", "an empty segment"),
            ({"tenants.acme.paths": {"payment_methods": "/x?y=1"}}, "tenants.acme.paths.payment_methods: ", "a query"),
            (
                {"tenants.acme.paths": {"payment_methods_v1": "/\u00e9"}},
                "tenants.acme.paths.payment_methods_v1: ",
                "raw",
            ),
            ({"tenants.a b": {}}, "tenants.a b.", "a tenant without members"),
            ({"routing": []}, "routing: must have at least one rule", "no rule"),
            (
                {"routing.0.to": {"tenant": "x", "gateway": "y"}},
                "routing.0 (all).to.tenant: x is not",
                "no such tenant",
            ),
            ({"routing.0.to": {"tenant": "acme", "gateway": "y"}}, "routing.0 (all).to.gateway: ", "no such gateway"),
            ({"routing.0.to": {"tenant": "acme"}}, "routing.0.to.gateway: ", "a gateway is never assumed"),
            ({"routing.0.when": {"rpc": ["Create"]}}, "routing.0 (all).when.rpc: Create is", "no such RPC"),
            ({"routing.0.when": {"rcp": []}}, "routing.0.when.rcp: no such setting", "no such condition"),
            (
                {"routing.0.when": {"amount": {"min": "1"}}},
                "routing.0.when.amount.currency: ",
                "an amount of no currency",
            ),
            (
                {"routing.0.when": {"amount": {"currency": "EUR", "min": 1.5}}},
                "routing.0.when.amount.min: must be",
                "a number that YAML has read as binary",
            ),
            ({"routing.0.name": ""}, "routing.0 ().name: must not", "a rule without a name"),
            *[
                ({"routing.0.when": when}, f"routing.0 (all).when.{start}", reason)
                for when, start, reason in [
                    ({"tenant": ["x"]}, "tenant: x is none of acme", "no such tenant"),
                    ({"entity": ["x"]}, "entity: x is not configured", "no such entity, nor any"),
                    ({"orgs": ["x"]}, "orgs: x is not configured", "no such org"),
                    ({"gateway": ["x"]}, "gateway: x is none of cards, zuora_default", "no such gateway"),
                    ({"currency": ["EURO"]}, "currency: EURO is no", "no currency"),
                    ({"country": ["Germany"]}, "country: Germany is not", "no code of a country"),
                    ({"caller": ["shop-*-eu"]}, "caller: 'shop-*-eu' holds *", "a star in the middle"),
                    ({"caller": [""]}, "caller: '' holds", "nobody"),
                    ({"account_prefix": [""]}, "account_prefix: an empty", "every account"),
                    ({"amount": {"currency": "XXY", "min": "1"}}, "amount.currency: XXY is no", "no currency"),
                    ({"amount": {"currency": "EUR"}}, "amount: give min", "no limit at all"),
                    ({"amount": {"currency": "EUR", "min": "1.0e+3"}}, "amount.min: must be", "no decimal"),
                    ({"amount": {"currency": "EUR", "max": "-1"}}, "amount.max: must be", "less than nothing"),
                    ({"amount": {"currency": "EUR", "min": "5", "max": "5.00"}}, "amount.max: must be more", "empty"),
                    ({"amount": {"currency": "EUR", "max": "0"}}, "amount.max: must be more", "empty as well"),
                    (
                        {"amount": {"currency": "EUR", "min": "5"}, "currency": ["USD"]},
                        "amount.currency: EUR is not among",
                        "two currencies at once",
                    ),
                    (
                        {"amount": {"currency": "EUR", "min": "5"}, "rpc": ["CreatePaymentMethod"]},
                        "amount: CreatePaymentMethod has no",
                        "an amount where there is none",
                    ),
                ]
            ],
            (
                {"grpc.default_deadline_s": 30, "grpc.max_deadline_s": 20},
                "grpc.default_deadline_s: must be at most grpc.max_deadline_s",
                "a default that never applies",
            ),
            (
                {"grpc.listen": "127.0.0.1:6000", "admin.listen": "[::1]:6000"},
                "admin.listen: has the port of grpc.listen",
                "one port for two",
            ),
            (
                {"grpc.listen": "127.0.0.1:6000", "diagnostics.listen": "127.0.0.1:6000"},
                "diagnostics.listen: has the port of grpc.listen",
                "another one",
            ),
            (
                {"tenants.acme.switched_off": ["Create"]},
                "tenants.acme.switched_off: Create is none of",
                "an RPC that is not there stays on",
            ),
            (
                {"tenants.acme.entities": {"us": "a" * 32, "eu": "AAAAAAAA-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}},
                "tenants.acme.entities.us: has the id of eu",
                "one entity under two names",
            ),
            (
                {"tenants.acme.orgs": {"n": "a" * 32, "s": "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"}},
                "tenants.acme.orgs.s: has the id of n",
                "one org under two names",
            ),
            ({"zuora_http.ca_file": "/no/where"}, "zuora_http.ca_file: the file", "no CA file"),
            ({"zuora_http.ca_file": "/dev/null"}, "zuora_http.ca_file: /dev/null is empty", "an empty CA file"),
        ],
    )
    def test_are_named_by_path(self, write: Write, changes: dict[str, Any], start: str, reason: str) -> None:
        """A person finds the line without reading code."""
        found = problems_of(write(**changes))

        assert any(problem.startswith(start) for problem in found), (reason, found)

    @pytest.mark.parametrize(
        ("content", "problem", "reason"),
        [
            (b"\xef\xbb\xbf" + CANARY.encode(), "begins with a byte order mark; save it", "UTF-8 as editors write it"),
            (CANARY.encode("utf-16"), "begins with a byte order mark; save it", "UTF-16"),
            (f"{CANARY}\x00".encode(), "contains a character that is not printable", "NUL"),
            (f"{CANARY}\n{CANARY}".encode(), "has several lines; write the secret as one line", "two lines"),
            (f"client_secret={CANARY}".encode(), "contains name=value; write the value alone", "a variable"),
            (f"export ZUORA_AUTH={CANARY}".encode(), "contains name=value; write the value alone", "a script"),
            (f"password: {CANARY}\n".encode(), "contains name=value; write the value alone", "YAML"),
            (f"\u200b{CANARY}".encode(), "contains a character that is not printable", "a blank of no width"),
            (f"{CANARY}\u00a0".encode(), "contains a character that is not printable", "a blank that does not break"),
            (f"{CANARY}\u00e9".encode(), "must contain characters from 0x20 to 0x7E alone", "a letter beyond ASCII"),
            (b"\xff\x00", "cannot be read: not text in UTF-8", "bytes"),
            (b" \r\n", "is empty", "white space alone"),
            (b"", "is empty", "nothing"),
        ],
    )
    def test_cover_what_is_in_the_file_of_a_client_secret(
        self, write: Write, good: dict[str, Any], content: bytes, problem: str, reason: str
    ) -> None:
        """RFC 6749 allows 0x20 to 0x7E; what an editor added would only be refused by Zuora."""
        file = Path(good["tenants"]["acme"]["client_secret_file"])
        file.write_bytes(content)

        (found,) = problems_of(write())

        assert found.startswith(f"tenants.acme.client_secret_file: {file} {problem}"), reason

    @pytest.mark.parametrize("content", [CANARY, f"{CANARY}\r\n", f"\t{CANARY} \n\n"])
    def test_are_not_made_of_white_space_around_a_secret(
        self, write: Write, good: dict[str, Any], content: str
    ) -> None:
        """Shells and editors end a file with it."""
        Path(good["tenants"]["acme"]["client_secret_file"]).write_text(content, newline="")

        assert reveal(load(write()).client_secrets["acme"]) == CANARY

    @pytest.mark.parametrize("mark", [b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff"])
    @pytest.mark.parametrize(
        ("setting", "section"),
        [
            ("store.password_file", {"store": {"password_file": "FILE"}}),
            ("intents.keys.0 (one).file", {"intents": {"keys": [{"id": "one", "file": "FILE"}]}}),
            ("grpc.tls.key_file", {"grpc": {"tls": {"certificate_file": "/dev/null", "key_file": "FILE"}}}),
            (
                "identity.jwt.own.key_set_file",
                {"identity": {"jwt": {"own": {"key_set_file": "FILE", "issuer": "i", "audience": "a"}}}},
            ),
        ],
    )
    def test_cover_a_byte_order_mark_in_every_file(
        self, write: Write, tmp_path: Path, setting: str, section: dict[str, Any], mark: bytes
    ) -> None:
        """Each reader would make something else of it."""
        file = tmp_path / "marked"
        file.write_bytes(mark + b"k" * 64)
        content = yaml.safe_load(yaml.safe_dump(section).replace("FILE", str(file)))

        assert f"{setting}: {file} begins with a byte order mark; save it without one" in problems_of(write(**content))

    @pytest.mark.parametrize(
        ("target", "tenant", "expected", "reason"),
        [
            ({}, {"entities": {"us": "a" * 32}}, "to.entity: must name one", "a tenant with entities needs one"),
            ({"entity": "eu"}, {"entities": {"us": "a" * 32}}, "to.entity: must name one", "another entity"),
            ({"entity": "us"}, {}, "to.entity: the tenant has no entities", "an entity too many"),
            ({"orgs": ["n"]}, {}, "to.orgs: n is not among", "an org that is not there"),
            ({"orgs": ["n", "n"]}, {"orgs": {"n": "1"}}, "to.orgs: n is named twice", "an org too many"),
        ],
    )
    def test_cover_targets(
        self, write: Write, good: dict[str, Any], target: Any, tenant: Any, expected: str, reason: str
    ) -> None:
        """A rule may only go where the tenant has something."""
        to = {"tenant": "acme", "gateway": "zuora_default", **target}
        acme = good["tenants"]["acme"] | tenant

        (problem,) = problems_of(write(**{"routing.0.to": to, "tenants.acme": acme}))

        assert problem.startswith(f"routing.0 (all).{expected}"), reason

    @pytest.mark.parametrize(
        ("text", "problem", "reason"),
        [
            ("", "must be a mapping with the sections tenants and routing", "an empty file"),
            ("- a", "must be a mapping with the sections tenants and routing", "a list"),
            ("a: 1\nb: 2\na: 3", "line 3: the key 'a' appears twice", "YAML would keep the last silently"),
            ("a: {b: 1, b: 2}", "line 1: the key 'b' appears twice", "also deep inside"),
            ("a: [", "line 1: ", "half a list"),
            ("a: !!python/object:os.system {}", "line 1: ", "an object"),
            ("? [a, b]\n: c", "line 1: a key must be a plain value", "a list as a key"),
            ("a: &x {b: *x}", "line 1: ", "a mapping inside itself"),
            ("a: \x01", "is not YAML: ", "a control character"),
            (b"a: \xff", "is not UTF-8 text", "another encoding"),
        ],
    )
    def test_cover_files_that_are_no_configuration(
        self, write: Write, text: str | bytes, problem: str, reason: str
    ) -> None:
        """With the line, where there is one."""
        (found,) = problems_of(write(text))

        assert found.startswith(problem), reason

    def test_cover_a_file_that_is_not_there(self, tmp_path: Path) -> None:
        """The path is in the message."""
        assert problems_of(tmp_path / "none.yaml") == ["cannot be read: No such file or directory"]

    @pytest.mark.parametrize(
        ("name", "value", "start", "reason"),
        [
            ("PAYORCH_LISTEN", "x", "PAYORCH_LISTEN: no such setting", "an unknown section"),
            ("PAYORCH_GRPC__LISTN", "x", "grpc.listn: no such setting", "an unknown setting"),
            ("PAYORCH_TENANTS", "x", "tenants: must be JSON in a variable", "no JSON where a section is meant"),
            (
                "PAYORCH_ZUORA_HTTP__CONNECT_TIMEOUT_S",
                "soon",
                "zuora_http.connect_timeout_s: ",
                "a value of the wrong type",
            ),
        ],
    )
    def test_cover_the_environment(
        self, write: Write, monkeypatch: pytest.MonkeyPatch, name: str, value: str, start: str, reason: str
    ) -> None:
        """A variable that is misspelt must not be ignored."""
        monkeypatch.setenv(name, value)

        (found,) = problems_of(write())

        assert found.startswith(start), reason

    def test_are_reported_all_at_once(self, write: Write) -> None:
        """Nobody repairs a file problem by problem."""
        path = write(
            **{
                "grpc.listen": "x",
                "admin.listen": "y",
                "tenants.acme.client_id": "z",
                "tenants.acme.client_secret_file": "/no/where",
                "routing.0.to": {"tenant": "nobody", "gateway": "z"},
            }
        )

        found = problems_of(path)

        assert [problem.partition(":")[0] for problem in found] == [
            "tenants.acme.client_secret_file",
            "grpc.listen",
            "admin.listen",
            "tenants.acme.client_id",
            "routing.0 (all).to.tenant",
        ]

    def test_end_the_command_with_status_2(self, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
        """Whatever starts the service can tell a broken file from a broken service."""
        path = write(**{"grpc.listen": "x"})

        statuses = [cli.main([command, "--config", str(path)]) for command in ("check-config", "serve")]

        assert statuses == [2, 2]
        problem = "grpc.listen: must be host:port, such as 127.0.0.1:50051"
        assert capsys.readouterr().err == f"{path}: 1 problem\n  - {path}:3: {problem}\n" * 2

    def test_are_absent_from_a_good_file(self, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
        """The command says so."""
        path = write()

        assert cli.main(["check-config", "--config", str(path)]) == 0
        assert capsys.readouterr().out == f"{path}: OK; 1 tenant, 1 rule\n"


class TestSplitAddress:
    """Listeners are named as host:port."""

    @pytest.mark.parametrize(
        ("listen", "expected"),
        [
            ("127.0.0.1:50051", ("127.0.0.1", 50051)),
            ("[::1]:0", ("::1", 0)),
            ("localhost:65535", ("localhost", 65535)),
            ("localhost:65536", None),
            ("localhost:-1", None),
            ("localhost:\u0661", None),
            ("localhost:", None),
            (":1", None),
            ("localhost", None),
            ("", None),
        ],
    )
    def test_returns_both_or_nothing(self, listen: str, expected: tuple[str, int] | None) -> None:
        """Ports beyond 65535 do not exist."""
        assert split_address(listen) == expected


class TestSchema:
    """Editors check a file by it."""

    def test_describes_every_setting(self) -> None:
        """Each has the sentence that stands below it in the code."""
        described = schema()
        settings = {
            f"{section}.{name}": setting
            for section, one in described["$defs"].items()
            for name, setting in one["properties"].items()
        }

        assert [name for name, setting in settings.items() if not {"description", "$ref"} & set(setting)] == []
        assert all(one["description"] for one in described["$defs"].values())

    def test_allows_nothing_unknown(self) -> None:
        """On every level; what is required at the top has no default."""
        described = schema()

        assert set(described["required"]) == {"tenants", "routing"}
        assert {one["additionalProperties"] for one in (described, *described["$defs"].values())} == {False}

    def test_shows_defaults(self) -> None:
        """The value that counts when nothing is said."""
        listener = schema()["$defs"]["GrpcSettings"]["properties"]

        assert (listener["listen"]["default"], listener["max_deadline_s"]["default"]) == ("127.0.0.1:50051", 55.0)


class TestNamesOfFiles:
    """A problem with a file whose name may be the secret itself, put where its file belongs."""

    @pytest.mark.parametrize(
        "pasted",
        [
            "Sup3rS3cretP4stedValue0123456789abcdef",
            "kJ8s/9dQ+a1Zr0mVq3xYw7uTn5bLc2EhGfPiOoKjHgE=",
            "/J8s9dQ+a1Zr0mVq3xYw7uTn5bLc2EhGfPiOoKjHgE==",
            "-----BEGIN PRIVATE KEY-----\nMIIEvQ/IBADANBg\n-----END PRIVATE KEY-----\n",
            "x" * 5000,
            "x" * 5000 + "/y",
            "Sup3r\0S3cret",
        ],
        ids=[
            "text",
            "base64",
            "base64 that begins with a slash",
            "PEM",
            "longer than a name",
            "a longer folder",
            "a null character",
        ],
    )
    def test_do_not_show_what_names_no_file(self, pasted: str, write: Write, good: dict[str, Any]) -> None:
        """The place is enough to find it."""
        good["tenants"]["acme"]["client_secret_file"] = pasted
        (problem,) = problems_of(write())

        assert problem.startswith("tenants.acme.client_secret_file: the file (its name is not shown")
        assert pasted[:6] not in problem

    def test_are_shown_below_a_folder_that_exists(self, write: Write, good: dict[str, Any], tmp_path: Path) -> None:
        """It is a path then."""
        good["tenants"]["acme"]["client_secret_file"] = str(tmp_path / "none")
        (problem,) = problems_of(write())

        assert problem == f"tenants.acme.client_secret_file: {tmp_path}/none cannot be read: No such file or directory"
