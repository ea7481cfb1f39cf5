"""The command of docs/personal-data.md names the record of an intent."""

import json
import re
import subprocess
from pathlib import Path

from payorch_server.intents.intent_record import store_key
from payorch_server.model.identifiers import IdempotencyKey
from payorch_server.store.settings import StoreSettings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "personal-data.md").read_text(encoding="utf-8")
VECTORS = json.loads((ROOT / "tests" / "vectors" / "0.1.0" / "idempotency_key.json").read_text(encoding="utf-8"))[
    "vectors"
]


def test_shows_a_command_that_computes_the_key() -> None:
    """For every vector of the frozen computation, non-ASCII namespaces aside: shells count characters."""
    (command,) = re.findall(r"^ *```sh\n(.*?)^ *```$", PAGE, re.MULTILINE | re.DOTALL)
    vectors = [vector for vector in VECTORS if vector["namespace"].isascii()]

    for vector in vectors:
        given = {"NAMESPACE": vector["namespace"], "RPC": vector["rpc"], "REQUEST_ID": vector["request_id"]}
        done = subprocess.run(  # noqa: S603 - the page's own
            ["/bin/bash", "-c", command],
            env={"PATH": "/usr/bin:/bin", **given},
            capture_output=True,
            text=True,
            check=True,
        )
        expected = StoreSettings().prefix + store_key(IdempotencyKey(vector["idempotency_key"]))
        assert expected == done.stdout.strip()
    assert vectors


def test_names_every_kind_of_key() -> None:
    """Those that the service and the hub write."""
    folders = [ROOT / "service" / "payorch_server" / name for name in ("calls", "intents", "upc")]
    source = "".join(path.read_text() for folder in folders for path in folder.glob("*.py"))
    written = set(re.findall(r'return f"(\w+):\{|key = f"(\w+):\{', source))
    kinds = {kind for pair in written for kind in pair if kind}

    assert kinds >= {"intent", "token", "call", "unsettled", "upc"}
    assert not [kind for kind in kinds if f"| `{kind}:" not in PAGE]
