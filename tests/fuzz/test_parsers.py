"""Every module that parses what others write is the subject of a target, or has a reason not to be."""

import re
from pathlib import Path
from typing import Final

from fuzz.all_targets import targets

_SERVICE: Final = Path(__file__).parents[2] / "service" / "payorch_server"
_PARSES: Final = re.compile(
    r"json\.loads|read_json\(|\bDecoder\(|\b(?:json|msgpack)\.decode\(|yaml\.(?:load|compose)|\b(?:ParseFrom|From)String\("
    r"|parsedate|urlsplit\(|b64decode\(|a2b_|load_pem|ip_address\(|ip_network\(|decompressobj"
)
_EXEMPT: Final = {
    "commands.certification_requests": "reads back what it wrote",
    "commands.hub_health": "an answer of the operator's own hub, read by read_json",
    "config.checks": "looks at settings that load_document has read, in the target configuration",
    "config.collector_files": "the same",
    "store.settings": "the same",
    "rpc.overload": "gRPC's own figures of this process",
    "runtime.listen_address": "addresses in settings, in the target configuration",
    "zuora.attempt_span": "the URL of the settings",
}
"""Modules that parse nothing of others, with the reason."""


def _modules() -> dict[str, str]:
    """Return the text of each module of the service by its name below the package."""
    files = _SERVICE.rglob("*.py")
    return {".".join(file.relative_to(_SERVICE).with_suffix("").parts): file.read_text() for file in files}


class TestParsers:
    """The parsers of the service."""

    def test_have_targets(self) -> None:
        """Add a target, or name the module in `covers` of the one that calls it."""
        covered = {module for target in targets().values() for module in target.covers}
        parsing = {name for name, text in _modules().items() if _PARSES.search(text)}

        assert parsing - covered - _EXEMPT.keys() == set()

    def test_exist(self) -> None:
        """No target covers, and no reason exempts, a module that is gone or is covered."""
        covered = {module for target in targets().values() for module in target.covers}

        assert covered - _modules().keys() == set()
        assert {name for name in _EXEMPT if not _PARSES.search(_modules().get(name, ""))} == set()
        assert _EXEMPT.keys() & covered == set()
