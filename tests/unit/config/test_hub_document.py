import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness.authority import Authority
from harness.hub_configuration import PASSWORD, changed, hub_configuration
from harness.keyring import new_key_file
from payorch_server import cli, version
from payorch_server.config.base_document import ConfigError
from payorch_server.config.hub_changes import fixed_hub_secret_problems, hub_change_problems, watched_hub_files
from payorch_server.config.hub_document import HubConfiguration, hub_schema
from payorch_server.config.hub_loading import load_hub, load_hub_document
from payorch_server.model.secret import reveal  # noqa: TID251 - that the files were read is the subject

Write = Callable[..., Path]
OTHER_GATEWAY = {"hub": "acme", "names": ["Other"], "types": ["AmazonPay__c_12368"], "target": "127.0.0.1:50052"}


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the variables of the machine out of the tests."""
    for name in [name for name in os.environ if name.upper().startswith("PAYORCH_")]:  # noqa: TID251 - to clear it
        monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file: the good configuration with changes at dotted paths. FILE/name stands for a file in its folder."""

    def write_file(name: str = "hub.yaml", **changes: Any) -> Path:
        path = tmp_path / name
        text = yaml.safe_dump(changed(hub_configuration(tmp_path), changes))
        path.write_text(text.replace("FOLDER", str(tmp_path)))
        return path

    return write_file


def problems_of(path: Path) -> list[str]:
    """List the problems of a file."""
    with pytest.raises(ConfigError) as caught:
        load_hub(path)
    assert PASSWORD not in str(caught.value)
    return list(caught.value.problems)


class TestLoadHub:
    """A good file becomes a configuration, without a tenant's credentials."""

    def test_reads_the_document_and_its_files(self, write: Write, tmp_path: Path) -> None:
        """Passwords, keys and certificates are part of it, and shown by no repr."""
        authority = Authority()
        certificate, key = authority.issue("hub.test").write(tmp_path, "hub")
        (tmp_path / "ca").write_bytes(authority.certificate)
        line = new_key_file()
        (tmp_path / "fleet").write_text(line)
        path = write(
            **{
                "upc.tls": {"certificate_file": certificate, "key_file": key},
                "upc.gateways.acme.tls": {"ca_file": "FOLDER/ca", "certificate_file": certificate, "key_file": key},
                "upc.gateways.acme.target": "dns:///gateway.pay:50051",
                "keys": [{"id": "first", "file": "FOLDER/fleet"}],
            }
        )

        loaded = load_hub(path)

        assert [("zuora", PASSWORD)] == [(user, reveal(password)) for user, password in loaded.passwords["acme"]]
        assert [("first", line.encode())] == [(name, reveal(secret)) for name, secret in loaded.keys]
        assert loaded.plugin_certificates["acme"].authorities == authority.certificate
        assert reveal(loaded.plugin_certificates["acme"].key) == Path(key).read_bytes()
        assert loaded.certificate is not None
        assert loaded.certificate.chain == Path(certificate).read_bytes()
        assert PASSWORD not in repr(loaded)
        assert "PRIVATE KEY" not in repr(loaded)

    def test_names_the_service_for_itself(self, write: Write) -> None:
        """Also where other settings of telemetry are given."""
        assert load_hub(write(**{"telemetry.log_level": "debug"})).document.telemetry.service_name == "payorch-upc"

    def test_lets_the_environment_win(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """A number there is text."""
        monkeypatch.setenv("PAYORCH_UPC__GATEWAYS__ACME__LIMIT_S", "12.5")

        assert load_hub(write()).document.upc.gateways["acme"].limit_s == 12.5

    def test_refuses_sections_of_the_service(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        """The hub must have no client secret, not even by mistake."""
        monkeypatch.setenv("PAYORCH_ROUTING", "[]")

        assert [
            "PAYORCH_ROUTING: no such setting; variables are named PAYORCH_SECTION__SETTING",
            "tenants: no such setting; it belongs to the service, whose file `payorch-server check-config` checks",
        ] == problems_of(write(tenants={"acme": {"client_id": "x"}}))

    def test_names_its_own_section_where_there_is_no_mapping(self, write: Write) -> None:
        """An empty file is one."""
        path = write()
        path.write_text("")

        assert ["must be a mapping with the section upc"] == problems_of(path)

    def test_reads_no_files_where_secrets_are_not_wanted(self, write: Write, tmp_path: Path) -> None:
        """A build pipeline has none."""
        path = write()
        (tmp_path / "password").unlink()

        assert ["acme"] == list(load_hub_document(path).upc.hubs)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"upc.hubs.acme.tenants": [12368]}, "upc.hubs.acme.tenants.0: must be a text; write it in quotes"),
    ({"upc.hubs.acme.tenants": "12368"}, "upc.hubs.acme.tenants: must be a list; write each entry in a line with '-'"),
    ({"upc.tls": "tls.crt"}, "upc.tls: must be a section with settings of its own"),
    ({"upc.gateways": ["amazon"]}, "upc.gateways: must be a section with settings of its own"),
    ({"upc.plaintext_behind_proxy": "perhaps"}, "upc.plaintext_behind_proxy: must be true or false"),
    ({"upc.hubs.acme.token_data_form": "json"}, "upc.hubs.acme.token_data_form: must be 'string' or 'object'"),
    ({"upc.hubs.acme.tenants": None}, "upc.hubs.acme.tenants: must be a list"),
    (
        {"upc.hubs.acme.credentials": [{"user": "zuora"}]},
        "upc.hubs.acme.credentials.0.password_file: is missing; add it",
    ),
    ({"upc.hubs": {}, "upc.gateways": {}}, "upc.hubs: must name at least one hub; add"),
    ({"upc.gateways": {}}, "upc.hubs.acme: no gateway is called through it"),
    ({"upc.hubs.acme.tenants": []}, "upc.hubs.acme.tenants: must not be empty; list"),
    ({"upc.hubs.acme.tenants": [" 12368"]}, "upc.hubs.acme.tenants.0: must be a printable text without blanks"),
    ({"upc.hubs.acme.tenants": ["1", "1"]}, "upc.hubs.acme.tenants.1: 1 is listed twice; remove one"),
    ({"upc.hubs.acme.credentials": []}, "upc.hubs.acme.credentials: must be one generation or two; add one"),
    (
        {"upc.hubs.acme.credentials": [{"user": "zuora", "password_file": "FOLDER/password"}] * 3},
        "upc.hubs.acme.credentials: must be one generation or two; add one, or remove",
    ),
    ({"upc.hubs.acme.credentials.0.user": ""}, "upc.hubs.acme.credentials.0.user: must be a printable name without"),
    ({"upc.hubs.acme.credentials.0.user": "a:b"}, "upc.hubs.acme.credentials.0.user: must be a printable name without"),
    (
        {"upc.hubs.acme.credentials.0.password_file": "FOLDER/none"},
        "upc.hubs.acme.credentials.0.password_file: FOLDER/none cannot be read: No such file",
    ),
    (
        {"upc.hubs.acme.credentials.0.password_file": "FOLDER/empty"},
        "upc.hubs.acme.credentials.0.password_file: FOLDER/empty is empty",
    ),
    (
        {"upc.hubs.acme.credentials.0.password_file": "FOLDER/two-lines"},
        "upc.hubs.acme.credentials.0.password_file: FOLDER/two-lines has several lines; write",
    ),
    (
        {"upc.hubs.acme.credentials.0.password_file": "FOLDER/with-bar"},
        "upc.hubs.acme.credentials.0.password_file: FOLDER/with-bar contains |, which Zuora does not take; choose",
    ),
    ({"upc.gateways.acme.hub": "other"}, "upc.gateways.acme.hub: other is not in upc.hubs; name one of acme"),
    ({"upc.gateways.acme.names": []}, "upc.gateways.acme.names: must not be empty; list"),
    ({"upc.gateways.acme.names": [""]}, "upc.gateways.acme.names.0: must be a printable text without blanks"),
    ({"upc.gateways.acme.names": ["a", "a"]}, "upc.gateways.acme.names.1: a is listed twice; remove one"),
    ({"upc.gateways.acme.types": []}, "upc.gateways.acme.types: must not be empty; list"),
    ({"upc.gateways.acme.types": ["AmazonPay"]}, "upc.gateways.acme.types.0: must be a full type such as"),
    ({"upc.gateways.acme.types": ["AmazonPay__c_"]}, "upc.gateways.acme.types.0: must be a full type such as"),
    ({"upc.gateways.acme.target": "gateway.pay"}, "upc.gateways.acme.target: must be host:port or dns:///host:port"),
    ({"upc.gateways.acme.target": "dns:///gateway.pay"}, "upc.gateways.acme.target: must be host:port or dns:///host"),
    ({"upc.gateways.acme.target": "dns:///:50051"}, "upc.gateways.acme.target: must be host:port or dns:///host:port"),
    ({"upc.gateways.acme.target": "gateway.pay:0"}, "upc.gateways.acme.target: must be host:port or dns:///host:port"),
    ({"upc.gateways.acme.target": "unix:///x:1"}, "upc.gateways.acme.target: must be host:port or dns:///host:port"),
    (
        {"upc.gateways.acme.tls": {"certificate_file": "FOLDER/hub.pem"}},
        "upc.gateways.acme.tls: must have certificate_file and key_file, or neither; add",
    ),
    (
        {"upc.gateways.acme.tls": {"ca_file": "FOLDER/password"}},
        "upc.gateways.acme.tls.ca_file: contains no certificates in PEM form",
    ),
    (
        {"upc.gateways.acme.tls": {"certificate_file": "FOLDER/expired.pem", "key_file": "FOLDER/expired.key"}},
        "upc.gateways.acme.tls.certificate_file: is valid from",
    ),
    (
        {"upc.gateways.other": OTHER_GATEWAY | {"names": ["UPC_Token"], "types": ["amazonpay__C_12368"]}},
        "upc.gateways.other: UPC_Token with amazonpay__c_12368 is also that of upc.gateways.acme, so such a request",
    ),
    ({"upc.allow": ["198.51.100.1/24"]}, "upc.allow.0: must be a network such as 198.51.100.0/24, without bits"),
    ({"upc.trusted_proxies": ["proxy"]}, "upc.trusted_proxies.0: must be a network such as 198.51.100.0/24"),
    ({"upc.trusted_proxies": ["0.0.0.0/0"]}, "upc.trusted_proxies.0: covers every address, so any caller could"),
    ({"upc.listen": "8443"}, "upc.listen: must be host:port, such as 0.0.0.0:8443"),
    ({"admin.listen": "localhost"}, "admin.listen: must be host:port, such as"),
    ({"upc.listen": "0.0.0.0:8443"}, "upc.listen: 0.0.0.0:8443 can be reached from other machines in plaintext; set"),
    ({"upc.listen": "127.0.0.1:1", "admin.listen": "127.0.0.1:1"}, "admin.listen: has the port of upc.listen; give"),
    (
        {"upc.tls": {"certificate_file": "FOLDER/expired.pem", "key_file": "FOLDER/expired.key"}},
        "upc.tls.certificate_file: is valid from",
    ),
    (
        {"upc.tls": {"certificate_file": "FOLDER/hub.pem", "key_file": "FOLDER/expired.key"}},
        "upc.tls.key_file: does not match the certificate",
    ),
    (
        {
            "upc.tls": {"certificate_file": "FOLDER/hub.pem", "key_file": "FOLDER/hub.key"},
            "upc.plaintext_behind_proxy": True,
        },
        "upc.plaintext_behind_proxy: has no effect with upc.tls; remove",
    ),
    ({"upc.accept_memory_store": False}, "store.kind: with memory a restart loses all records"),
    ({"store": {"kind": "redis", "url": "redis://redis:6379/0"}}, "keys: replicas that share a store must share"),
    ({"store": {"kind": "redis", "url": "x"}, "keys": [{"id": "a", "file": "FOLDER/key"}]}, "store.url: must be such"),
    ({"keys": [{"id": "a", "file": "FOLDER/password"}]}, "keys.0 (a).file: FOLDER/password is not base64"),
    ({"keys": [{"id": "a", "file": "FOLDER/key"}] * 2}, "keys: each id must be unique"),
    (
        {"keys": [{"id": "2|a", "file": "FOLDER/key"}]},
        "keys.0.id: must not contain |, which ends the form of a fingerprint",
    ),
    ({"upc.gateways.acme.limit_s": 50}, "upc.gateways.acme.limit_s: must be a number of seconds from 5 to 45"),
]


class TestHubProblems:
    """Each bad setting gives one sentence: path, rule and fix."""

    @pytest.mark.parametrize(("changes", "start"), BAD, ids=lambda value: value[:60] if isinstance(value, str) else "")
    def test_are_named(self, write: Write, tmp_path: Path, changes: dict[str, Any], start: str) -> None:
        """Alone, so that a good setting is not blamed."""
        authority = Authority()
        authority.issue("hub.test").write(tmp_path, "hub")
        authority.issue("hub.test", expired=True).write(tmp_path, "expired")
        for name, content in (("empty", ""), ("two-lines", "a\nb"), ("with-bar", "a|b"), ("key", new_key_file())):
            (tmp_path / name).write_text(content)

        (problem,) = problems_of(write(**changes))

        assert problem.replace(str(tmp_path), "FOLDER").startswith(start)

    @pytest.mark.parametrize("name", ["Main", "a_b", "a" * 41, "a.b"])
    def test_name_hubs_and_gateways_whose_names_are_no_labels(self, write: Write, name: str) -> None:
        """They are parts of URLs and of metrics."""
        content = yaml.safe_load(write().read_text())["upc"]
        hub, gateway = content["hubs"]["acme"], content["gateways"]["acme"] | {"hub": name}

        assert [
            f"upc.{section}.{name}: a name has 1 to 40 lower-case letters, digits or '-'; rename it"
            for section in ("hubs", "gateways")
        ] == problems_of(write(**{"upc.hubs": {name: hub}, "upc.gateways": {name: gateway}}))

    def test_come_all_at_once(self, write: Write, tmp_path: Path) -> None:
        """Those of files too."""
        path = write(**{"upc.listen": "x", "upc.allow": ["x"], "upc.hubs.acme.credentials.0.user": ""})
        (tmp_path / "password").unlink()

        assert ["upc.hubs.acme", "upc.listen", "upc.allow.0", "upc.hubs.acme"] == [
            problem.partition(":")[0].partition(".credentials")[0] for problem in problems_of(path)
        ]

    @pytest.mark.parametrize(
        "changes",
        [
            {"upc.gateways.acme.target": "[::1]:50051"},
            {"upc.gateways.acme.target": "dns:///amazon-gateway.pay:50051"},
            {"upc.listen": "0.0.0.0:8443", "upc.plaintext_behind_proxy": True},
            {"upc.allow": ["198.51.100.0/24", "2001:db8::/32", "203.0.113.9"]},
            {"upc.gateways.other": OTHER_GATEWAY},
            {"upc.gateways.acme.types": ["AmazonPay__C_12368"]},
        ],
        ids=str,
    )
    def test_are_none_of_good_settings(self, write: Write, changes: dict[str, Any]) -> None:
        """Neighbours of the bad ones."""
        assert isinstance(load_hub(write(**changes)), HubConfiguration)


class TestHubChanges:
    """What a running hub can apply."""

    @pytest.mark.parametrize(
        ("changes", "problems"),
        [
            ({"upc.gateways.acme.enabled": False, "upc.hubs.acme.tenants": ["1"]}, []),
            ({"upc.listen": "127.0.0.1:1"}, ["upc.listen: has changed, which needs a restart"]),
            ({"upc.keep_results_days": 30}, ["upc.keep_results_days: has changed, which needs a restart"]),
            ({"store.max_entries": 1000}, ["store: has changed, which needs a restart"]),
            ({"keys": [{"id": "a", "file": "x"}]}, ["keys: has changed, which needs a restart"]),
            (
                {"upc.tls": {"certificate_file": "x", "key_file": "x"}},
                ["upc.tls: has changed, which needs a restart"],
            ),
        ],
        ids=str,
    )
    def test_name_what_needs_a_restart(self, write: Write, changes: dict[str, Any], problems: list[str]) -> None:
        """Registry and credentials do not."""
        before, after = load_hub_document(write()), load_hub_document(write("after.yaml", **changes))

        assert problems == [*hub_change_problems(before, after)]

    def test_name_keys_whose_files_changed(self, write: Write, tmp_path: Path) -> None:
        """The new content would be read at a restart only."""
        (tmp_path / "key").write_text(new_key_file())
        path = write(keys=[{"id": "a", "file": "FOLDER/key"}])
        before = load_hub(path)
        (tmp_path / "key").write_text(new_key_file())

        assert ["keys: a file has changed; give the new key a new id and restart"] == [
            *fixed_hub_secret_problems(before, load_hub(path))
        ]

    def test_are_noticed_in_every_file_that_may_change(self, write: Write) -> None:
        """Those of keys may not."""
        tls = {"certificate_file": "c", "key_file": "k"}
        path = write(
            **{
                "upc.tls": {"certificate_file": "C", "key_file": "K"},
                "upc.gateways.acme.tls": tls | {"ca_file": "a"},
                "keys": [{"id": "a", "file": "key"}],
            }
        )

        watched = watched_hub_files([path], load_hub_document(path))

        assert {"hub.yaml", "password", "C", "K", "a", "c", "k"} == {file.name for file in watched}


class TestCommands:
    """`payorch-server upc` on configurations."""

    def test_check_a_configuration(self, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
        """Good ones are counted."""
        path = write()

        assert cli.main(["upc", "check-config", "--config", str(path)]) == 0
        assert capsys.readouterr().out == f"{path}: OK; 1 hub, 1 gateway\n"

    def test_refuse_a_bad_configuration(self, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
        """With every problem, and status 2."""
        path = write(**{"upc.listen": "x"})

        assert cli.main(["upc", "check-config", "--config", str(path)]) == 2
        assert capsys.readouterr().err.startswith(f"{path}: 1 problem\n  - {path}:")

    def test_refuse_a_change_that_needs_a_restart(self, write: Write, capsys: pytest.CaptureFixture[str]) -> None:
        """Of a hub that runs with another file."""
        path, old = write(), write("old.yaml", **{"upc.idle_timeout_s": 10.0})

        status = cli.main(["upc", "check-config", "--config", str(path), "--against", str(old), "--without-secrets"])

        assert status == 2
        assert capsys.readouterr().err == (
            f"against {old}: 1 problem\n  - upc.idle_timeout_s: has changed, which needs a restart\n"
        )

    def test_print_the_schema(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Closed, with a description of each setting, and without what one of several files may lack."""
        assert cli.main(["upc", "config-schema"]) == 0

        schema = json.loads(capsys.readouterr().out)
        assert schema | {"required": ["upc"]} == json.loads(json.dumps(hub_schema()))
        assert schema["$id"] == f"https://payorch.internal/schemas/{version()}/hub.json"
        assert {"upc", "admin", "telemetry", "store", "keys"} == set(schema["properties"])
        assert schema["additionalProperties"] is False
        parts = [schema, *schema["$defs"].values()]
        undescribed = [
            name
            for part in parts
            for name, item in part["properties"].items()
            # Sections are described by what they refer to.
            if not {"description", "$ref"} & set(item)
        ]
        assert [] == undescribed
