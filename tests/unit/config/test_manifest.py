"""Configurations in manifests for Kubernetes."""

import io
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from payorch_server import cli
from payorch_server.config.base_document import ConfigError
from payorch_server.config.manifest import PodConfiguration, configurations_in, objects_in
from payorch_server.config.pod_files import ConfigMaps, Found, Known, Missing, PodFiles, Unseen

SERVE = ["serve", "--config", "/etc/payorch/config/payorch.yaml", "--config", "/etc/payorch/config/policy.yaml"]
MOUNT = {"name": "config", "mountPath": "/etc/payorch/config"}


def config_map(name: str, data: dict[str, str], **metadata: Any) -> dict[str, Any]:
    """Return a ConfigMap."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": data}


def deployment(name: str, *, namespace: str = "", of: str = "", volume: Any = None, **container: Any) -> dict[str, Any]:
    """Return a Deployment whose container has the files of a ConfigMap."""
    spec = {
        "containers": [{"name": "main", "args": SERVE, "volumeMounts": [MOUNT]} | container],
        "volumes": [{"name": "config"} | (volume or {"configMap": {"name": of or name}})],
    }
    metadata = {"name": name, "namespace": namespace} if namespace else {"name": name}
    template = {"metadata": {"labels": {"any": "label"}}, "spec": spec}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"template": template}}


def found_in(*objects: Any) -> list[PodConfiguration]:
    """Return the configurations of a stream of these objects."""
    text = yaml.safe_dump_all(objects, explicit_start=True)
    return configurations_in(objects_in(text, "standard input") or [], "standard input")


def texts_of(configuration: PodConfiguration) -> dict[str, str]:
    """Return the files by name."""
    return {file.name: file.text for file in configuration.files}


FILES = {"payorch.yaml": "grpc: {}\n", "policy.yaml": "tenants: {}\n"}


class TestConfigurations:
    """They are found by what containers run."""

    @pytest.mark.parametrize(
        ("container", "of_hub", "reason"),
        [
            ({}, False, "the image's own program"),
            ({"command": ["/opt/bin/payorch-server"]}, False, "its program"),
            ({"command": ["payorch-server", *SERVE], "args": None}, False, "all of it in one list"),
            ({"args": ["serve", "--config=/etc/payorch/config/payorch.yaml"]}, False, "in one word"),
            ({"args": ["upc", *SERVE]}, True, "the hub, whatever its file is called"),
        ],
    )
    def test_are_what_a_container_serves(self, container: dict[str, Any], of_hub: bool, reason: str) -> None:  # noqa: FBT001
        """By any name."""
        (found,) = found_in(config_map("settings", FILES), deployment("till", of="settings", **container))

        assert (found.name, found.of_hub) == ("Deployment till, container main", of_hub), reason
        assert texts_of(found).items() <= FILES.items()
        assert found.problems == ()

    @pytest.mark.parametrize(
        "container",
        [
            {"args": ["serve", "--config", "/etc/payorch/config/keto.yaml"]},
            {"args": ["upc", "init-store", "--config", "/etc/payorch/config/hub.yaml"]},
            {"args": None},
        ],
        ids=str,
    )
    def test_are_not_those_of_other_programs(self, container: dict[str, Any]) -> None:
        """Others have `serve` and `--config` too."""
        with pytest.raises(ConfigError, match=r"no configuration of payorch is in its 1 objects; pass all that `helm"):
            found_in(deployment("other", **container))

    def test_are_known_by_their_keys_where_no_container_is(self) -> None:
        """As with `--show-only templates/configmap.yaml`; only the hub's component says that a hub.yaml is ours."""
        hub = {"labels": {"app.kubernetes.io/component": "upc"}}

        found = found_in(
            config_map("a", FILES, namespace="pay"),
            config_map("b", {"hub.yaml": "upc: {}"}, **hub),
            config_map("c", {"hub.yaml": "jupyter: {}"}),
            config_map("d", {"policy.yaml": "audit: {}"}),
        )

        assert [(each.name, each.of_hub, each.pod) for each in found] == [
            ("ConfigMap pay/a", False, None),
            ("ConfigMap b", True, None),
        ]

    def test_are_looked_for_in_the_namespace_of_the_pod(self) -> None:
        """The same names in two namespaces are two releases."""
        found = found_in(
            *(config_map("pay", {"payorch.yaml": name, "policy.yaml": ""}, namespace=name) for name in ("a", "b")),
            *(deployment("pay", namespace=name) for name in ("b", "a")),
        )

        assert [texts_of(each)["payorch.yaml"] for each in found] == ["b", "a"]

    def test_are_incomplete_without_their_config_map(self) -> None:
        """What it holds may be anything."""
        (found,) = found_in(deployment("pay"))

        assert len(found.problems) == 2
        assert found.problems[0].startswith(
            "--config /etc/payorch/config/payorch.yaml: what ConfigMap pay holds is not in the manifest; pass all that"
        )

    def test_are_ambiguous_if_a_config_map_is_there_twice(self) -> None:
        """Kubernetes would keep the one that is applied last."""
        with pytest.raises(ConfigError, match="ConfigMap pay is there twice; give each release its own name"):
            found_in(config_map("pay", FILES), config_map("pay", FILES), deployment("pay"))

    def test_are_in_lists_and_cron_jobs_too(self) -> None:
        """As `kubectl get -o yaml` writes them, and in any workload."""
        pods = deployment("pay")["spec"]
        job = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "pay"}}
        job |= {"spec": {"jobTemplate": {"spec": pods}}}

        (found,) = found_in({"apiVersion": "v1", "kind": "List", "items": [config_map("pay", FILES), job]})

        assert (found.name, texts_of(found)) == ("CronJob pay, container main", FILES)


class TestVariables:
    """Variables of the container replace settings."""

    def test_come_from_the_manifest_or_are_unknown(self) -> None:
        """The last one of a name counts; a variable in a variable is known to Kubernetes alone."""
        (found,) = found_in(
            config_map("pay", FILES),
            config_map("more", {"A": "1", "B": "2", "C": "3"}),
            deployment(
                "pay",
                envFrom=[{"prefix": "PAYORCH_", "configMapRef": {"name": "more"}}, {"secretRef": {"name": "hidden"}}],
                env=[
                    {"name": "PAYORCH_B", "value": "4"},
                    {"name": "PAYORCH_C", "valueFrom": {"secretKeyRef": {"name": "secret", "key": "c"}}},
                    {"name": "PAYORCH_D", "value": "$(HOST):1"},
                    {"name": "PAYORCH_E", "valueFrom": {"configMapKeyRef": {"name": "more", "key": "A"}}},
                    {"name": "GRPC_VERBOSITY", "value": "ERROR"},
                ],
            ),
        )

        assert found.variables.values == {"PAYORCH_A": "1", "PAYORCH_B": "4", "PAYORCH_E": "1"}
        assert found.variables.unknown == {"PAYORCH_C", "PAYORCH_D"}
        assert found.unseen_variables == ("Secret hidden", "Secret secret")


def find(path: str, volume: dict[str, Any], *objects: dict[str, Any], **mount: str) -> Found:
    """Return what a pod with one volume at /etc/app finds at a path."""
    made = deployment("pay", volume=volume, volumeMounts=[{"name": "config", "mountPath": "/etc/app"} | mount])
    spec = made["spec"]["template"]["spec"]
    maps = {("", each["metadata"]["name"]): each for each in objects}
    return PodFiles(spec, spec["containers"][0], "", ConfigMaps(maps)).find(path)


EXAMPLE = config_map("m", {"a.yaml": "text"}) | {"binaryData": {"b.der": "AAAA"}}
RENAMED = [{"key": "a.yaml", "path": "deep/b.yaml"}]


class TestPodFiles:
    """A file is known, elsewhere, or cannot be there."""

    @pytest.mark.parametrize(
        ("path", "volume", "mount", "expected", "reason"),
        [
            ("/etc/app/a.yaml", {"configMap": {"name": "m"}}, {}, Known("text"), "by its key"),
            ("/etc/app/b.yaml", {"configMap": {"name": "m"}}, {}, Missing, "no such key"),
            ("/etc/app/b.der", {"configMap": {"name": "m"}}, {}, Unseen("ConfigMap m"), "bytes"),
            ("/etc/app/a.yaml", {"configMap": {"name": "x"}}, {}, Unseen("ConfigMap x"), "of another chart"),
            ("/etc/app/deep/b.yaml", {"configMap": {"name": "m", "items": RENAMED}}, {}, Known("text"), "renamed"),
            ("/etc/app/a.yaml", {"configMap": {"name": "m", "items": RENAMED}}, {}, Missing, "only under its new name"),
            ("/etc/app/a", {"secret": {"secretName": "s"}}, {}, Unseen("Secret s"), "any key may be there"),
            ("/etc/app/a/b", {"secret": {"secretName": "s"}}, {}, Missing, "no key has a slash"),
            ("/etc/app/a", {"secret": {"secretName": "s", "items": RENAMED}}, {}, Missing, "none of its items"),
            ("/etc/app/a", {"emptyDir": {}}, {}, Unseen("volume config"), "whatever fills it"),
            (
                "/etc/app/a",
                {"projected": {"sources": [{"secret": {"name": "s"}}]}},
                {},
                Unseen("Secret s"),
                "projected",
            ),
            ("/etc/apps/a", {"secret": {"secretName": "s"}}, {}, Unseen("the image"), "another folder"),
            ("/etc/app", {"configMap": {"name": "m"}}, {"subPath": "a.yaml"}, Known("text"), "one file"),
            ("/etc/app/a.yaml", {"configMap": {"name": "m"}}, {"name": "none"}, Missing, "no such volume"),
            ("/etc/app/a.yaml", {"configMap": {"name": "m"}}, {"subPathExpr": "$(A)"}, Unseen("volume config"), "?"),
        ],
    )
    def test_are_found_as_a_container_finds_them(
        self, path: str, volume: dict[str, Any], mount: dict[str, str], expected: Any, reason: str
    ) -> None:
        """Nothing is called missing that could be there."""
        found = find(path, volume, EXAMPLE, **mount)

        assert found == expected if not isinstance(expected, type) else isinstance(found, expected), reason

    def test_come_from_any_source_of_a_projected_volume(self) -> None:
        """And are missing only if no source can have them."""
        known = {"configMap": {"name": "m", "items": [{"key": "a.yaml", "path": "a"}]}}
        secret = {"secret": {"name": "s", "items": [{"key": "k", "path": "b"}]}}
        volume = {"projected": {"sources": [secret, known]}}

        assert find("/etc/app/a", volume, EXAMPLE) == Known("text")
        assert find("/etc/app/b", volume, EXAMPLE) == Unseen("Secret s")
        assert find("/etc/app/c", volume, EXAMPLE) == Missing("volume config, which is mounted there, has no file c")


NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=60)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from(["spec", "template", "containers", "volumes", "args", "name", "env"]), below)
    ),
    max_leaves=8,
)


@st.composite
def streams(draw: st.DrawFn) -> tuple[str, dict[str, dict[str, str]]]:
    """Return a manifest, and what it holds by the name of its Deployment."""
    releases = draw(st.dictionaries(NAMES, st.tuples(NAMES, TEXTS, TEXTS), min_size=1, max_size=4))
    objects: list[Any] = [
        {"apiVersion": "v1", "kind": draw(st.sampled_from(["Service", "Deployment", "Pod"])), "spec": draw(JUNK)}
        for _ in range(draw(st.integers(0, 3)))
    ]
    expected = {}
    for at, (name, (namespace, payorch, policy)) in enumerate(releases.items()):
        files = {"payorch.yaml": payorch, "policy.yaml": policy}
        objects.append(config_map(f"map-{at}", files, namespace=namespace))
        objects.append(deployment(name, namespace=namespace, of=f"map-{at}"))
        expected[f"Deployment {namespace}/{name}, container main"] = files
    dumped = [
        yaml.safe_dump(each, default_flow_style=draw(st.booleans()), allow_unicode=draw(st.booleans()))
        for each in draw(st.permutations(objects))
    ]
    return "".join(f"---\n# Source: chart/templates/any.yaml\n{text}" for text in dumped), expected


class TestStreams:
    """Whatever else is in a stream."""

    @settings(deadline=None)
    @given(streams())
    def test_give_back_each_release(self, stream: tuple[str, dict[str, dict[str, str]]]) -> None:
        """File by file and character by character, in any order and style."""
        text, expected = stream

        found = configurations_in(objects_in(text, "standard input") or [], "standard input")

        assert {each.name: texts_of(each) for each in found} == expected

    @settings(deadline=None)
    @given(st.text(max_size=40) | JUNK.map(yaml.safe_dump))
    def test_are_read_or_refused(self, text: str) -> None:
        """Nothing else happens."""
        found: list[PodConfiguration] = []
        with suppress(ConfigError):
            objects = objects_in(f"apiVersion: v1\nkind: Pod\n{text}", "standard input")
            found = configurations_in(objects or [], "standard input")

        assert not found

    def test_are_configurations_if_they_have_no_objects(self) -> None:
        """A configuration has neither kind nor version."""
        assert objects_in("grpc: {}\ntenants: {}\n", "standard input") is None

    def test_name_the_line_that_is_not_yaml(self) -> None:
        """Of the whole stream."""
        with pytest.raises(ConfigError, match="line 3: is not YAML: "):
            objects_in("kind: a\n---\na: b: c\n", "standard input")


class TestNamesOfFiles:
    """A secret put where the name of its file belongs."""

    @pytest.mark.parametrize("in_pod", [False, True], ids=["a bare ConfigMap", "a pod"])
    def test_are_not_shown(
        self,
        in_pod: bool,  # noqa: FBT001
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """The setting is named instead."""
        pasted = "/J8s9dQ+a1Zr0mVq3xYw7uTn5bLc2EhGfPiOoKjHgE=="
        tenant = {
            "base_url": "https://rest.test.zuora.com",
            "client_id": "11111111-2222-3333-4444-555555555555",
            "client_secret_file": pasted,
        }
        content = {
            "accept_memory_store": True,
            "tenants": {"acme": tenant},
            "routing": [{"name": "all", "to": {"tenant": "acme", "gateway": "zuora_default"}}],
        }
        maps = [config_map("settings", {"payorch.yaml": yaml.safe_dump(content)})]
        serve = deployment("till", of="settings", args=SERVE[:3])
        manifest = yaml.safe_dump_all([*maps, *([serve] if in_pod else [])]).encode()
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(manifest)))

        status = cli.main(["check-config", "-"])

        shown = "".join(capsys.readouterr())
        assert status == 0, shown
        assert "(tenants.acme.client_secret_file)" in shown
        assert pasted[1:6] not in shown
