"""Writes what the emulator supports into its README, from the document that it serves; the gate that finds drift.

python tools/emulator_support.py          write the tables
python tools/emulator_support.py --check  fail if they differ
"""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from zuora_emulator import Emulator, operations
from zuora_emulator.openapi import OPENAPI_PATH

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "tests" / "emulator" / "README.md"
CONTRACT: Final = ROOT / "tests" / "contract"
BEGIN, END = "<!-- support: begin -->\n", "<!-- support: end -->\n"
# The module of tests/contract that calls it.
TESTS: Final = {
    "token": "test_tokens",
    "sessions": "test_sessions",
    "redeem_session": "test_redemption",
    "decryption": "test_decryption",
    "payment_methods": "test_payment_methods",
    "get_payment_method": "test_method_reads",
    "list_payment_methods": "test_method_reads",
    "update_payment_method": "test_method_reads",
    "payment_methods_v1": "test_payment_methods_v1",
    "get_payment_method_v1": "test_method_reads",
    "update_payment_method_v1": "test_method_reads",
    "create_payment": "test_hub_payments",
    "get_payment": "test_hub_payments",
    "refund_payment": "test_hub_payments",
    "get_refund": "test_hub_payments",
}


async def _document() -> dict[str, Any]:
    transport = httpx.ASGITransport(Emulator().app)
    async with httpx.AsyncClient(transport=transport, base_url="http://zuora") as http:
        document: dict[str, Any] = (await http.get(OPENAPI_PATH)).json()
    return document


class Support:
    """The tables, from a document."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._schemas = document["components"]["schemas"]
        self._described = [
            (method.upper(), path, described)
            for path, methods in document["paths"].items()
            for method, described in methods.items()
            if "zuora" in described["tags"]
        ]

    def rows(self) -> Iterator[str]:
        """Yield the rows of both tables."""
        yield "| operation | required fields | optional fields | other fields | tests |"
        yield "|---|---|---|---|---|"
        for method, path, described in self._described:
            name = described["x-operation"]
            file = CONTRACT / f"{TESTS[name]}.py"
            if not file.exists():
                sys.exit(f"There is no {file.relative_to(ROOT)}, which shall test {name}.")
            cells = " | ".join(self._fields(described))
            yield f"| `{method} {path}` | {cells} | [{TESTS[name]}](../contract/{file.name}) |"
        yield ""
        yield "| operation | `type` | it then requires |"
        yield "|---|---|---|"
        for method, path, described in self._described:
            for kind, required in self._kinds(self._request(described)):
                yield f"| `{method} {path}` | `{kind}` | {_listed(required)} |"

    def _fields(self, described: Mapping[str, Any]) -> tuple[str, str, str]:
        schema = self._request(described)
        if not schema:
            return "", _listed([each["name"] for each in described["parameters"] if each["in"] == "query"]), ""
        forms = [schema] if "properties" in schema else schema["anyOf"]
        required = " or ".join(_listed(form.get("required", [])) for form in forms)
        every = {name: None for form in forms for name in form["properties"]}
        needed = {name for form in forms for name in form.get("required", [])}
        is_closed = all(form.get("additionalProperties") is False for form in forms)
        return required, _listed([name for name in every if name not in needed]), "refused" if is_closed else "accepted"

    def _request(self, described: Mapping[str, Any]) -> Mapping[str, Any]:
        [content] = described.get("requestBody", {}).get("content", {"": {"schema": {}}}).values()
        return self._resolved(content["schema"])

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in schema:
            schema = self._schemas[schema["$ref"].rpartition("/")[2]]
        return schema

    def _kinds(self, schema: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
        for form in schema.get("anyOf", []):
            kind = form["properties"].get("type", {}).get("const")
            if kind is not None:
                names = [name for name in form["required"] if name != "type"]
                yield kind, [path for name in names for path in self._paths(schema["properties"].get(name, {}), name)]

    def _paths(self, schema: Mapping[str, Any], name: str) -> list[str]:
        """Return the required fields inside a field, or the field itself if there are none."""
        inner = self._resolved(schema).get("required", [])
        return [f"{name}.{each}" for each in inner] or [name]


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def with_tables(page: str) -> str:
    """Return the page with today's tables."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + "\n".join(Support(asyncio.run(_document())).rows()) + "\n" + END + after


def main() -> None:
    """Write or compare."""
    page = PAGE.read_text(encoding="utf-8")
    if {*TESTS} != {*operations.BY_NAME}:
        sys.exit(f"TESTS and the operations differ: {sorted({*TESTS} ^ {*operations.BY_NAME})}.")
    fresh = with_tables(page)
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(fresh, encoding="utf-8")
    elif fresh != page:
        sys.exit("The tables of what the emulator supports differ from the code; run `make generate`.")


if __name__ == "__main__":
    main()
