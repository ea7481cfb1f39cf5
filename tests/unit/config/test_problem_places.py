from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from harness.settings_fields import INDEX, NAME, Setting, hub_settings, settings
from payorch_server.config import ConfigError, Document, load, load_document
from payorch_server.config.base_document import BaseDocument
from payorch_server.config.hub_document import HubDocument
from payorch_server.config.reading import failure, read_document

PAYORCH: Final = """\
grpc:
  listn: 127.0.0.1:1
  max_connections: many
tenants:
  acme.eu:
    client_id: 7
    client_secret_file: /secret
    gateways: {cards: {id: x, labl: y}}
"""
POLICY: Final = """\
routing:
  - name: first
    to: {tenant: acme.eu, gateway: cards}
  -
    name: second
    to: {tenant: acme.eu, gateway: cards}
    when: {curency: [EUR], country: DE}
verbos: {}
"""
GOOD_TENANT: Final = {
    "environment": "us_central_sandbox",
    "client_id": "11111111-2222-3333-4444-555555555555",
    "client_secret_file": "/secret",
    "gateways": {"cards": {"id": "a" * 32, "label": "Cards"}},
}
NUMBER: Final = "must be a whole number of connections from 1 to 100000, without quotes"
ENTRIES: Final = "write each entry in a line with '-', or all as JSON in a variable"
# Words of pydantic's that no sentence of ours has.
FOREIGN: Final = ("nput should", "valid ", "dictionary", "tuple", "instance", "extra", "keyword", "argument")


def message_of(kind: type[BaseDocument], *files: Path) -> str:
    """Return what is wrong with a document."""
    try:
        return str(failure(files, read_document(kind, files).problems))
    except ConfigError as error:
        return str(error)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a file."""

    def write_file(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write_file


class TestPlaces:
    """Each problem names where its setting stands."""

    def test_are_files_and_lines(self, write: Callable[[str, str], Path]) -> None:
        """A missing setting is at the section that lacks it."""
        payorch, policy = write("payorch.yaml", PAYORCH), write("policy.yaml", POLICY)

        lines = sorted(message_of(Document, payorch, policy).splitlines()[1:])

        assert lines == sorted(
            [
                f"  - {payorch}:2: grpc.listn: no such setting; did you mean listen?",
                f"  - {payorch}:3: grpc.max_connections: {NUMBER}",
                f"  - {payorch}:6: tenants.acme.eu.client_id: must be a text; write it in quotes",
                f"  - {payorch}:8: tenants.acme.eu.gateways.cards.label: is missing; add it",
                f"  - {payorch}:8: tenants.acme.eu.gateways.cards.labl: no such setting; did you mean label?",
                f"  - {policy}:7: routing.1.when.curency: no such setting; did you mean currency?",
                f"  - {policy}:7: routing.1.when.country: must be a list; {ENTRIES}",
                f"  - {policy}:8: verbos: no such setting; did you mean verbose?",
            ]
        )

    def test_are_variables_where_they_replace_a_setting(
        self, write: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The line in the file is not what is wrong."""
        monkeypatch.setenv("PAYORCH_GRPC__MAX_CONNECTIONS", "few")
        file = write("payorch.yaml", "grpc: {max_connections: 5}\ntenants: {}\nrouting: []\n")

        assert "  - PAYORCH_GRPC__MAX_CONNECTIONS: grpc.max_connections: must be a" in message_of(Document, file)


def problems_of(kind: type[BaseDocument], file: Path) -> tuple[str, ...]:
    """Return what is wrong with a document, if anything is."""
    try:
        return read_document(kind, [file]).problems
    except ConfigError as error:
        return error.problems


def nested(path: Sequence[str], value: Any) -> dict[str, Any]:
    """Return a document with nothing but one setting."""
    for part in reversed(path):
        value = [value] if part == INDEX else {"acme" if part == NAME else part: value}
    content: dict[str, Any] = value
    return content


class TestSentences:
    """Every problem is described in this project's words."""

    @pytest.mark.parametrize(
        ("kind", "setting"),
        [(Document, setting) for setting in settings()] + [(HubDocument, setting) for setting in hub_settings()],
        ids=str,
    )
    def test_name_no_types_of_python(
        self, write: Callable[[str, str], Path], kind: type[BaseDocument], setting: Setting
    ) -> None:
        """Whatever stands where the setting or a section around it should be."""
        for value in ("text", 7, 1.5, True, None, [], {}, ["a"], {"a": "b"}, [{"a": 1}]):
            for depth in range(1, len(setting.path) + 1):
                file = write("bad.yaml", yaml.safe_dump(nested(setting.path[:depth], value)))
                message = "\n".join(problems_of(kind, file)).replace("extra_hosts", "")
                assert [word for word in FOREIGN if word in message] == [], message


BAD: Final = """\
grpc: {listen: 0.0.0.0, max_connections: many}
store: {kind: redis, url: "redis://user:canary@redis:6379/0", max_entries: all}
tenants:
  acme: {environment: us_central_sandbox, client_id: z, max_in_flight: few}
routing:
  - {name: first, when: {currency: EUR}, to: {tenant: other, gateway: cards}}
"""


class TestOneRound:
    """Problems of values do not hide problems between settings."""

    def test_finds_what_types_hid_before(self, write: Callable[[str, str], Path]) -> None:
        """Everything that is wrong in a file of ordinary mistakes."""
        with pytest.raises(ConfigError) as caught:
            load(write("bad.yaml", BAD))

        assert sorted(problem.partition(": ")[0] for problem in caught.value.problems) == [
            "grpc.listen",
            "grpc.max_connections",
            "intents.keys",
            "routing.0 (first).to.tenant",
            "routing.0.when.currency",
            "store.max_entries",
            "store.url",
            "tenants.acme.client_id",
            "tenants.acme.client_secret_file",
            "tenants.acme.max_in_flight",
        ]

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("tenants: {acme: 7}", "the tenant is there, though nothing of it could be read"),
            ("tenants: {acme: {gateways: 7}}", "its gateways could not be read"),
            ("tenantz: {}", "the section has another name"),
            ("grpc: {listen: '0.0.0.0:1', tls: 7}", "there may be a certificate"),
            ("grpc: {listen: '0.0.0.0:1', tlz: {certificate_file: a, key_file: b}}", "it is misspelt"),
            ("grpc: {listen: '0.0.0.0:1', plaintext_beyond_loopbak: true}", "the permission is misspelt"),
            ("store: {kynd: redis}", "the store may be Redis"),
            ("accept_memory_stor: true", "the permission is misspelt"),
            ("routing: 7", "rules may be there"),
            ("routing: [7]", "a rule is there"),
        ],
    )
    def test_reports_nothing_that_follows_from_another_problem(
        self, write: Callable[[str, str], Path], text: str, reason: str
    ) -> None:
        """A check that lacks what it needs is silent: its problem may be none."""
        good = {
            "tenants": {"acme": GOOD_TENANT},
            "routing": [{"name": "all", "to": {"tenant": "acme", "gateway": "cards"}}],
            "accept_memory_store": True,
            "identity": {"mesh": {"peers": ["10.0.0.0/8"], "header": "x-caller"}},
        }
        changes = yaml.safe_load(text)
        changes = {
            key: good[key] | value if isinstance(good.get(key), dict) else value for key, value in changes.items()
        }
        if "tenants" in changes and isinstance(changes["tenants"]["acme"], dict):
            changes["tenants"]["acme"] = GOOD_TENANT | changes["tenants"]["acme"]
        for wrong, right in (("tenantz", "tenants"), ("accept_memory_stor", "accept_memory_store")):
            if wrong in changes:
                del good[right]
        file = write("bad.yaml", yaml.safe_dump(good | changes))

        with pytest.raises(ConfigError) as caught:
            load_document(file)

        alone = read_document(Document, [file]).problems
        assert [
            problem for problem in caught.value.problems if problem not in alone and "access" not in problem
        ] == [], reason
        assert alone, reason
