"""Every value of a world replaced by every wrong kind: one sentence with its path, or a world that works."""

import asyncio
import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from harness.openapi_answers import OpenApiAnswers
from unit.zuora_emulator.test_fixtures import MINE
from zuora_emulator import Emulator, FileError, Fixtures, Settings, read_fixtures

Path_ = tuple[str | int, ...]

WORLD = yaml.load(MINE, yaml.BaseLoader)  # noqa: S506 - of texts, lists and mappings only
WORLD["tenants"][0]["orgs"] = ["north"]
WORLD["gateways"][0] |= {"id": "a" * 32, "stored_credentials": "true"}
WORLD["accounts"][0]["id"] = "b" * 32
WORLD["invoices"][0] |= {"id": "c" * 32, "currency": "CAD"}
WORLD["custom_types"][0] |= {"method_reference_id_field": "ShopToken"}
WORLD["custom_types"][0]["fields"][0] |= {"type": "string", "min_length": "1"}
WORLD["hub_gateways"][0] |= {"id": "d" * 32, "default_auth_amount": "1.5", "verifies_new_methods": "true"}


class Plain(str):
    """Stands in the file as it is, not in quotes."""

    __slots__ = ()


class Dumper(yaml.SafeDumper):
    """Writes plain texts."""


def unquoted(dumper: Dumper, value: Plain) -> yaml.ScalarNode:
    """Return a node that is written without quotes, whatever it then means."""
    return yaml.ScalarNode(dumper.resolve(yaml.ScalarNode, str(value), (True, False)), str(value))


Dumper.add_representer(Plain, unquoted)

SCALARS = [
    *map(Plain, ["12", "-1", "1e400", "1E+3", ".nan", ".inf", "-.inf", "true", "False", "0x1F", "1_000", "~"]),
    *map(Plain, ["NaN", "Infinity", "-0", "+1", "1.", ".5", "2026-11-20", "yes", "9" * 400, "0." + "0" * 400 + "1"]),
    *["", " ", "\n", "12", "1e400", "x" * 5_000, "a\nb", "\u0661\u0662", "\U0001f4b0", "|", "a|b", "null"],
]
NO_SCALARS: list[Any] = [[], ["x"], {}, {"a": "b"}, [[]], [{}]]
NUMBERS = ("balance", "default_auth_amount", "min_length", "max_length")
FLAGS = ("multi_org", "stored_credentials", "verifies_new_methods", "required")
WORDS = ("client_secret", "name", "user", "password", "endpoint")
NO_NUMBERS = ["-1", "1e400", "1E+3", ".nan", ".inf", "-.inf", "true", "NaN", "Infinity", "+1", "9" * 400, "x" * 5_000]
NO_WORDS = ["12", "-1", "1e400", ".nan", ".inf", "true", "False", "0x1F", "1.", ".5", "9" * 400]


def leaves(value: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Give the paths of all values that are no mappings, the lists among them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
        return
    yield path
    if isinstance(value, list):
        for index, inner in enumerate(value):
            yield from leaves(inner, (*path, index))


PATHS = [path for path in leaves(WORLD) if path]


def at(value: Any, path: Path_) -> Any:
    """Return what is at a path."""
    for key in path:
        value = value[key]
    return value


def text_with(path: Path_, value: Any) -> str:
    """Return the world as a file, with another value at a path."""
    world = copy.deepcopy(WORLD)
    at(world, path[:-1])[path[-1]] = value
    return yaml.dump(plain(world, path), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=10_000)


def plain(value: Any, kept: Path_, path: Path_ = ()) -> Any:
    """Return the world with plain texts, but for what was put in."""
    if path == kept:
        return value
    if isinstance(value, dict):
        return {key: plain(inner, kept, (*path, key)) for key, inner in value.items()}
    if isinstance(value, list):
        return [plain(inner, kept, (*path, index)) for index, inner in enumerate(value)]
    return Plain(value)


def shown(path: Path_) -> str:
    """Return a path as messages show it; an item of a list of texts is shown as the list."""
    while isinstance(path[-1], int) and not isinstance(at(WORLD, path), dict):
        path = path[:-1]
    return re.sub(r"\.\[", "[", ".".join(f"[{key}]" if isinstance(key, int) else key for key in path))


@pytest.fixture(scope="module")
def answers() -> OpenApiAnswers:
    """The document of the emulator."""
    return OpenApiAnswers(asyncio.run(get_all(Emulator(), ["/_emulator/openapi.json"]))[0].json())


async def get_all(emulator: Emulator, paths: list[str]) -> list[httpx.Response]:
    """Get control endpoints."""
    transport = httpx.ASGITransport(emulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://zuora") as http:
        return [await http.get(path) for path in paths]


def works(world: Fixtures, answers: OpenApiAnswers, file: Path) -> bool:
    """Whether an emulator shows a world as its document says, and a print of it gives the same world."""
    emulator = Emulator(fixtures=world, settings=Settings(upc_allow_local_endpoints=True))
    shows = ["/_emulator/accounts", "/_emulator/invoices", "/_emulator/upc"]
    for path, answer in zip(shows, asyncio.run(get_all(emulator, shows)), strict=True):
        kind = answer.headers["content-type"]
        if answers.problem(method="GET", path=path, status=200, media_type=kind, body=answer.content):
            return False
    file.write_text(world.as_yaml(), encoding="utf-8")
    return read_fixtures(file) == world and list(world.summary()) != []


class TestAWrongKind:
    """Of every value that a file can have."""

    @pytest.mark.parametrize("path", PATHS, ids=shown)
    def test_is_refused_in_a_sentence_or_works(self, path: Path_, tmp_path: Path, answers: OpenApiAnswers) -> None:
        """Each line of a refusal has file, line, key and sentence; one line has the key of the value."""
        file = tmp_path / "world.yaml"
        is_text = isinstance(at(WORLD, path), str)
        name = next(key for key in reversed(path) if isinstance(key, str))
        for value in [*SCALARS, *NO_SCALARS]:
            file.write_text(text_with(path, value), encoding="utf-8")
            try:
                world = read_fixtures(file)
            except FileError as problem:
                lines = str(problem).splitlines()
                assert all(re.match(rf"{file}:\d+: [\w.\[\]]+: .{{10,}}", line) for line in lines), lines
                # A value of the right kind may be missed elsewhere: an org that a client has is then unknown.
                is_right_kind = type(value) is type(at(WORLD, path)) or (isinstance(value, str) and is_text)
                assert is_right_kind or any(f" {shown(path)}: " in line for line in lines), (value, lines)
                continue
            assert works(world, answers, file), (shown(path), value)
            assert isinstance(value, str) == is_text, (shown(path), value)
            assert name not in NUMBERS or value not in NO_NUMBERS, (shown(path), value)
            assert name not in FLAGS or value in {"true", "~", ""}, (shown(path), value)
            assert name not in WORDS or not isinstance(value, Plain) or value not in NO_WORDS, (shown(path), value)

    def test_of_a_secret_says_how_to_write_it(self, tmp_path: Path) -> None:
        """A number would be changed by other readers of the file."""
        file = tmp_path / "world.yaml"
        path: Path_ = ("clients", 0, "client_secret")
        file.write_text(text_with(path, Plain("0012")), encoding="utf-8")

        with pytest.raises(FileError) as caught:
            read_fixtures(file)
        file.write_text(text_with(path, "0012"), encoding="utf-8")

        assert str(caught.value).endswith('clients[0].client_secret: must be text, so write it in quotes: "0012"')
        assert read_fixtures(file).clients[0].client_secret == "0012"
