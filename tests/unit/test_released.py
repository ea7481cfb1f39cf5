"""What released versions stored and accepted, read by this one."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from harness.keyring import counted_entropy
from harness.released import RELEASES, VECTORS, StoredKey, digest_of, keyring_of, read_stored, stored_keys
from payorch.version import VERSION
from payorch_server.config.hub_loading import load_hub_document
from payorch_server.config.loading import load_document
from released.__main__ import redis_content

DIGESTS: Final = {"0.1.0": "ebbc5aa1394c21e1bc1325a36df9abedfd231d3eda8304aae8ae025b9c465ab7"}
"""Of all files of a version. A version that is tagged never gets another one."""
KEYS: Final = [(release, stored) for release in RELEASES for stored in stored_keys(release)]
WRITERS: Final = {
    "calls/history.py": ("call:",),
    "intents/claim.py": ("intent:",),
    "intents/ledger.py": ("intent:",),
    "intents/token_guard.py": ("token:",),
    "intents/unsettled.py": ("unsettled:",),
    "upc/epoch.py": ("upc:epoch",),
    "upc/hub_ledger.py": ("upc:upc1-", "upc:upc1-.+:answer:"),
    "upc/hub_validation.py": ("upc:validation-", "upc:validation-.+:answer:"),
}
"""What each module writes into the store, as the beginning of its keys."""


def holds(actual: Any, expected: Any) -> bool:
    """Return whether a value is the expected one, apart from members that a later version added."""
    if isinstance(expected, Mapping):
        is_map = isinstance(actual, Mapping) and expected.keys() <= actual.keys()
        return is_map and all(holds(actual[name], value) for name, value in expected.items())
    if isinstance(expected, list):
        is_list = isinstance(actual, list) and len(actual) == len(expected)
        return is_list and all(map(holds, actual, expected))
    return bool(actual == expected)


@pytest.mark.parametrize("release", RELEASES)
def test_nothing_of_a_release_was_changed(release: str) -> None:
    """A red test means: restore the files. They are in the stores of others."""
    assert DIGESTS[release] == digest_of(release)


@pytest.mark.parametrize(("release", "stored"), KEYS, ids=[stored.key for _, stored in KEYS])
def test_what_a_release_stored_means_the_same(release: str, stored: StoredKey) -> None:
    """Every member keeps its name and its value."""
    read = read_stored(stored.key, stored.value[8:], keyring_of(release, entropy=counted_entropy()))

    assert holds(read, stored.reads_as), read


@pytest.mark.skipif(VERSION not in RELEASES, reason="what this version writes is kept when it is released")
def test_this_version_writes_what_is_kept_of_it() -> None:
    """Byte by byte: the version before reads it too. Until the tag, `python -m released --again` may replace it."""
    assert redis_content() == (VECTORS / VERSION / "redis.json").read_text()


def test_every_module_that_writes_is_covered() -> None:
    """Each form that the service and the hub store is among those that are kept."""
    service = Path("service/payorch_server")
    writing = {
        str(path.relative_to(service))
        for path in service.rglob("*.py")
        if path.parent.name != "store" and re.search(r"\.(put_if_absent|compare_and_set)\(", path.read_text())
    }

    assert WRITERS.keys() == writing
    for begin in [begin for begins in WRITERS.values() for begin in begins]:
        assert any(re.match(begin, stored.key) for _, stored in KEYS), begin


@pytest.mark.parametrize("release", RELEASES)
def test_a_configuration_is_still_accepted(release: str, tmp_path: Path) -> None:
    """With every setting that there was; a setting that is gone must be refused with the name of what replaces it."""
    values = yaml.safe_load((VECTORS / release / "values.yaml").read_text())
    service, hub = values["config"], values["upc"]["config"]
    # As Helm does.
    service["tenants"] = {name: tenant for name, tenant in service["tenants"].items() if tenant is not None}
    for tenant in service["tenants"].values():
        tenant["client_secret_file"] = "/etc/payorch/client-secrets/secret"
    files = [tmp_path / "payorch.yaml", tmp_path / "hub.yaml"]
    for file, document in zip(files, (service, hub), strict=True):
        file.write_text(yaml.safe_dump(document))

    assert load_document(files[0]).intents.keys[0].id == "2026b"
    assert load_hub_document(files[1]).keys[0].id == "2026b"
