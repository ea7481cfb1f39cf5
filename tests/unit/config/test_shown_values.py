"""What errors show of a configuration with everything that can be set."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from payorch_server.config import ConfigError, load_document
from payorch_server.config.hub_loading import load_hub_document
from released.full_values import full_values

LOAD: Final = {"service": load_document, "hub": load_hub_document}


def document_of(process: str) -> Any:
    """Return a complete document of the service or of the hub, whose files do not exist."""
    values = full_values()
    if process == "hub":
        return values["upc"]["config"]
    document = values["config"]
    document["identity"]["jwt"]["cloud"]["ca_file"] = "/etc/payorch/ca.crt"
    document["tenants"] = {
        name: tenant | {"client_secret_file": f"/etc/payorch/{name}"}
        for name, tenant in document["tenants"].items()
        if tenant
    }
    return document


@pytest.mark.parametrize("process", LOAD)
class TestFiles:
    """Those that settings name."""

    def test_are_not_read_where_secrets_are_not(self, tmp_path: Path, process: str) -> None:
        """The machine that checks a configuration has none of them."""
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump(document_of(process)))

        assert LOAD[process](file)
