"""Every values file in ci/ is linted, valid for Kubernetes, and gives a configuration that the service accepts."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.authority import Authority, Issuer, key_set
from harness.keyring import new_key_file
from harness.stack import merged
from payorch_server.cli import main

from chart.rendering import (
    CHART,
    FLEET_FOLDER,
    HELMS,
    KUBERNETES,
    SCENARIOS,
    SECRET_FOLDER,
    config_of,
    conforms,
    pod_of,
    render,
    render_text,
    run,
)

pytestmark = pytest.mark.timeout(60)
every_scenario = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda path: path.stem)


def without_nulls(value: Any) -> Any:
    """Leave out what a values file deletes."""
    if not isinstance(value, dict):
        return value
    return {key: without_nulls(item) for key, item in value.items() if item is not None}


def test_scenarios_are_all_there() -> None:
    names = [path.name.removesuffix("-values.yaml") for path in SCENARIOS]

    assert names == [
        *("default", "emulator", "fleet", "grpcroute", "ingress", "mesh", "minimal", "monitored-otherwise"),
        *("monitored", "mtls", "openshift", "platform", "production", "upc-ingress", "upc"),
    ]


@every_scenario
@pytest.mark.parametrize("helm", HELMS)
def test_lint_has_nothing_to_say(scenario: Path, helm: str) -> None:
    output = run(helm, "lint", "--strict", "--kube-version", KUBERNETES[0], str(CHART), "--values", str(scenario))

    assert "1 chart(s) linted, 0 chart(s) failed" in output
    assert "WARNING" not in output


@every_scenario
def test_both_helms_make_the_same_of_it(scenario: Path) -> None:
    """Line by line, but for empty lines; and object by object."""
    texts = [render_text(scenario=scenario, helm=helm) for helm in HELMS]

    newest, older = ([line for line in text.splitlines() if line.strip()] for text in texts)
    assert older == newest
    newest, older = ([one for one in yaml.safe_load_all(text) if one] for text in texts)
    assert older == newest


@every_scenario
@pytest.mark.parametrize("kubernetes", KUBERNETES)
def test_objects_are_what_kubernetes_knows(scenario: Path, kubernetes: str) -> None:
    conforms(render_text(scenario=scenario, kubernetes=kubernetes), kubernetes)


@every_scenario
def test_service_accepts_the_configuration(scenario: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With a file per mounted secret, `check-config` is content."""
    objects = render(scenario=scenario)
    volumes = {volume["name"]: volume for volume in pod_of(objects)["volumes"]}
    for source in volumes["client-secrets"]["projected"]["sources"]:
        (tmp_path / source["secret"]["items"][0]["path"]).write_text("secret")
    config = config_of(objects)
    fleet = [key["file"] for key in config["intents"]["keys"]] + [config["store"].get("password_file", "")]
    for path in filter(None, fleet):
        (tmp_path / Path(path).name).write_text(new_key_file())
    assert bool(volumes.get("fleet")) == any(fleet)
    (tmp_path / "otlp-headers").write_text("api-key: 1")
    assert bool(volumes.get("tls")) == ("tls" in config["grpc"])
    _write_credentials(tmp_path)
    file = tmp_path / "payorch.yaml"
    # JSON, because PyYAML writes texts such as 1e3 without quotes, which are numbers in YAML 1.2.
    text = json.dumps(config)
    for folder in (
        SECRET_FOLDER,
        FLEET_FOLDER,
        "/etc/payorch/tls",
        "/etc/payorch/key-set",
        "/etc/payorch/collector-ca",
    ):
        text = text.replace(folder, str(tmp_path))
    file.write_text(text)

    status = main(["check-config", "--config", str(file)])

    assert (status, capsys.readouterr().err) == (0, "")


def _write_credentials(folder: Path) -> None:
    authority = Authority()
    server = authority.issue("payorch")
    (folder / "ca.crt").write_bytes(authority.certificate)
    (folder / "tls.crt").write_bytes(server.certificate)
    (folder / "tls.key").write_bytes(server.key)
    (folder / "jwks.json").write_bytes(key_set(Issuer()))


@every_scenario
def test_configuration_is_what_the_values_say(scenario: Path) -> None:
    """No number becomes a float or a word a boolean on the way; only files of secrets, or an emulator, are added."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    values = without_nulls(merged(defaults, yaml.safe_load(scenario.read_text())))

    config = config_of(render(scenario=scenario))

    files = {name: tenant.pop("client_secret_file") for name, tenant in config["tenants"].items()}
    assert files == {name: f"{SECRET_FOLDER}/{name}" for name in values["clientSecrets"]}
    if values["emulator"]["enabled"]:
        for tenant in values["config"]["tenants"].values():
            del tenant["environment"]
            tenant["base_url"] = "http://127.0.0.1:9080"
    assert values["config"] == config
