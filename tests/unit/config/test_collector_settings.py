"""The collector's headers and authorities in the configurations of the service and of the hub."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.authority import Authority
from harness.hub_configuration import hub_configuration
from harness.stack import configuration
from payorch_server.config import ConfigError, load, watched_files
from payorch_server.config.hub_changes import watched_hub_files
from payorch_server.config.hub_loading import load_hub
from payorch_server.model.secret import reveal  # noqa: TID251 - that the file was read is the subject

CANARY = "canary-api-key"
Load = Callable[[dict[str, Any]], Any]


@pytest.fixture(params=["service", "hub"])
def load_with(request: pytest.FixtureRequest, tmp_path: Path) -> Load:
    """Load a configuration with some settings of telemetry; files are in the folder of the test."""
    (tmp_path / "headers").write_text(f"api-key: {CANARY}\n")
    (tmp_path / "wrong").write_text(f"api-key={CANARY}\n")
    (tmp_path / "ca.pem").write_bytes(Authority().certificate)
    is_hub = request.param == "hub"

    def load_it(telemetry: dict[str, Any]) -> Any:
        content = hub_configuration(tmp_path)
        if not is_hub:
            content = configuration(emulator_url="http://127.0.0.1:1", folder=tmp_path)
        named = {name: str(tmp_path / text) if name.endswith("_file") else text for name, text in telemetry.items()}
        file = tmp_path / "configuration.yaml"
        file.write_text(yaml.safe_dump(content | {"telemetry": named}))
        return load_hub(file) if is_hub else load(file)

    return load_it


class TestCollectorSettings:
    """Of both processes."""

    @pytest.mark.parametrize(
        "telemetry",
        [
            {"otlp_endpoint": "https://collector.example:4317", "otlp_ca_file": "ca.pem"},
            {"otlp_endpoint": "http://127.0.0.1:4317"},
            {},
        ],
    )
    def test_name_files_that_are_read(self, load_with: Load, telemetry: dict[str, Any], tmp_path: Path) -> None:
        """The headers are shown by no repr, and their file is watched."""
        settings = load_with(telemetry | {"otlp_headers_file": "headers"})

        assert (("api-key", CANARY),) == reveal(settings.otlp_headers)
        assert CANARY not in repr(settings)
        watched = watched_files if hasattr(settings.document, "tenants") else watched_hub_files
        assert tmp_path / "headers" in watched([], settings.document)

    @pytest.mark.parametrize(
        ("telemetry", "problem"),
        [
            ({"otlp_headers_file": "nowhere"}, "otlp_headers_file: FOLDER/nowhere cannot be read"),
            ({"otlp_headers_file": "wrong"}, "otlp_headers_file: FOLDER/wrong line 1: must be written as name: value"),
            (
                {"otlp_headers_file": "headers", "otlp_endpoint": "http://collector.example:4317"},
                "otlp_endpoint: must begin with https:// when otlp_headers_file is given",
            ),
            (
                {"otlp_headers_file": "headers", "otlp_endpoint": "collector.example:4317"},
                "otlp_endpoint: must begin with https:// when otlp_headers_file is given",
            ),
            (
                {"otlp_endpoint": f"https://user:{CANARY}@collector.example:4317"},
                "otlp_endpoint: must not hold a user or password",
            ),
            (
                {"otlp_headers_file": "headers", "otlp_endpoint": "http://[::1"},
                "otlp_endpoint: must begin with https:// when otlp_headers_file is given",
            ),
            (
                {"otlp_ca_file": "nowhere", "otlp_endpoint": "https://collector.example:4317"},
                "otlp_ca_file: FOLDER/nowhere cannot be read",
            ),
            ({"otlp_ca_file": "ca.pem"}, "otlp_endpoint: must begin with https:// when otlp_ca_file is given"),
            (
                {"otlp_ca_file": "headers", "otlp_endpoint": "https://collector.example:4317"},
                "otlp_ca_file: FOLDER/headers contains no readable certificates",
            ),
        ],
    )
    def test_are_refused(self, load_with: Load, telemetry: dict[str, Any], problem: str, tmp_path: Path) -> None:
        """The file is named, and nothing that is in it."""
        with pytest.raises(ConfigError) as caught:
            load_with(telemetry)

        (found,) = caught.value.problems
        assert found.startswith(f"telemetry.{problem.replace('FOLDER', str(tmp_path))}")
        assert CANARY not in str(caught.value)
