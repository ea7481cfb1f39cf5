"""Finds the configurations in a manifest for Kubernetes, such as `helm template` prints, as their pods would see them.

A container that runs `payorch-server serve` or `upc serve` names its files; the chart's names and labels do not count,
because another chart may have changed them. Where no container is in the manifest, ConfigMaps are known by their keys.
"""

import itertools
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from payorch_server.config.base_document import ENV_PREFIX, ConfigError
from payorch_server.config.pod_files import (
    ConfigMaps,
    Known,
    Missing,
    PodFiles,
    Unseen,
    at,
    list_at,
    text_at,
    texts_at,
)
from payorch_server.config.reading import Variables
from payorch_server.config.strict_yaml import NamedText

_PROGRAM: Final = "payorch-server"
_SERVICE_FILES: Final = ("payorch.yaml", "policy.yaml")
_HUB_FILES: Final = ("hub.yaml",)
_COMPONENT: Final = "app.kubernetes.io/component"
_POD_SPECS: Final = (
    ("spec",),
    ("spec", "template", "spec"),
    ("spec", "jobTemplate", "spec", "template", "spec"),
)
"""Where a workload has the specification of its pods."""
_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""Takes every value as the text that it is; the one in C is a hundred times faster, and not everywhere."""
FIX: Final = (
    "pass all that `helm template RELEASE CHART --values FILE` prints; if payorch is a dependency of the chart, "
    "it must be enabled"
)
"""How to get a manifest that can be checked."""


@dataclass(frozen=True, slots=True)
class PodConfiguration:
    """The configuration of one container, or of a ConfigMap that no container of the manifest has."""

    name: str
    """Kind, namespace and name of the object."""
    of_hub: bool
    files: tuple[NamedText, ...]
    """Those that can be read."""
    variables: Variables
    problems: tuple[str, ...] = ()
    """Why some cannot be read."""
    pod: PodFiles | None = None
    """None: which files the pod would have is unknown."""
    unseen_variables: tuple[str, ...] = ()
    """Objects outside of the manifest from which it has variables."""


@dataclass(frozen=True, slots=True)
class _Object:
    kind: str
    namespace: str
    name: str
    content: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def objects_in(text: str, source: str) -> list[Mapping[str, Any]] | None:
    """Return the objects of a manifest; None if the text is none, such as a configuration.

    Args:
        text: YAML, of one or more documents.
        source: How errors name it.

    Raises:
        ConfigError: It is not YAML.
    """
    try:
        documents = [document for document in yaml.load_all(text, _LOADER) if document]
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigError(source, [f"{line}is not YAML: {error.problem or error.context}"]) from error
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise ConfigError(source, ["is not YAML"]) from error
    objects: list[Mapping[str, Any]] = []
    for document in documents:
        members = list_at(document, "items") if text_at(document, "kind").endswith("List") else [document]
        objects += [
            member for member in members if isinstance(member, dict) and {"apiVersion", "kind"} <= member.keys()
        ]
    return objects or None


def configurations_in(objects: Sequence[Mapping[str, Any]], source: str) -> list[PodConfiguration]:
    """Return the configurations of service and hub.

    Args:
        objects: Of a manifest.
        source: How errors name it.

    Raises:
        ConfigError: There are none.
    """
    found = [
        _Object(text_at(each, "kind"), text_at(each, "metadata", "namespace"), text_at(each, "metadata", "name"), each)
        for each in objects
    ]
    maps = ConfigMaps({(each.namespace, each.name): each.content for each in found if each.kind == "ConfigMap"})
    configurations = [made for each in found for made in _of_workload(each, maps)]
    mounted = {name for made in configurations if made.pod for name in made.pod.config_maps}
    bare = (each for each in found if each.kind == "ConfigMap" and (each.namespace, each.name) not in mounted)
    configurations += [made for each in bare if (made := _of_config_map(each))]
    if not configurations:
        raise ConfigError(source, [f"no configuration of payorch is in its {len(found)} objects; {FIX}"])
    names = [str(each) for each in found]
    if twice := [name for name in dict.fromkeys(names) if names.count(name) > 1 and name.startswith("ConfigMap ")]:
        raise ConfigError(source, [f"{name} is there twice; give each release its own name" for name in twice])
    return configurations


def _of_workload(workload: _Object, maps: ConfigMaps) -> Iterator[PodConfiguration]:
    for path in _POD_SPECS:
        pod = at(workload.content, *path)
        for container in (*list_at(pod, "initContainers"), *list_at(pod, "containers")):
            command = _command_of(container)
            if command:
                of_hub, paths = command
                files = PodFiles(pod, container, workload.namespace, maps)
                name = f"{workload}, container {text_at(container, 'name')}"
                yield _of_container(name, files, paths, of_hub=of_hub)


def _of_container(name: str, pod: PodFiles, paths: Sequence[str], *, of_hub: bool) -> PodConfiguration:
    files: list[NamedText] = []
    problems: list[str] = []
    for path in paths:
        match pod.find(path):
            case Known(text):
                files.append(NamedText(posixpath.basename(path), text))
            case Missing(why):
                problems.append(f"--config {path}: {why}")
            case Unseen(origin):
                problems.append(f"--config {path}: what {origin} holds is not in the manifest; {FIX}")
    variables, unseen = _variables_of(pod.container, pod)
    return PodConfiguration(
        name,
        of_hub,
        tuple(files),
        variables,
        problems=tuple(problems),
        pod=pod,
        unseen_variables=unseen,
    )


def _of_config_map(each: _Object) -> PodConfiguration | None:
    """Return the configuration in a ConfigMap that no container has; None if there is none."""
    data = texts_at(each.content, "data")
    of_hub = text_at(each.content, "metadata", "labels", _COMPONENT) == "upc" and _HUB_FILES[0] in data
    if not of_hub and _SERVICE_FILES[0] not in data:
        return None
    files = [NamedText(key, data[key]) for key in (_HUB_FILES if of_hub else _SERVICE_FILES) if key in data]
    return PodConfiguration(str(each), of_hub, tuple(files), Variables({}))


def _command_of(container: Any) -> tuple[bool, list[str]] | None:
    """Return whether a container runs the hub, and its files; None if it runs neither hub nor service."""
    words = [str(word) for key in ("command", "args") for word in list_at(container, key)]
    programs = [at for at, word in enumerate(words) if posixpath.basename(word) == _PROGRAM]
    words = words[programs[0] + 1 :] if programs else words
    of_hub = words[:1] == ["upc"]
    words = words[1:] if of_hub else words
    if words[:1] != ["serve"]:
        return None
    paths = [word.partition("=")[2] for word in words if word.startswith("--config=")]
    paths += [value for word, value in itertools.pairwise(words) if word == "--config"]
    is_ours = programs or of_hub or any(posixpath.basename(path) in _SERVICE_FILES for path in paths)
    return (of_hub, paths) if is_ours and paths else None


def _variables_of(container: Mapping[str, Any], pod: PodFiles) -> tuple[Variables, tuple[str, ...]]:
    """Return the variables of a container that are settings, and the objects from which it has unknown ones."""
    values: dict[str, str] = {}
    unknown: set[str] = set()
    unseen: dict[str, None] = {}
    for source in list_at(container, "envFrom"):
        data = pod.maps.texts(pod.namespace, text_at(source, "configMapRef", "name"))
        if data is None:
            unseen[_origin(source, "Ref")] = None
        else:
            values |= {f"{text_at(source, 'prefix')}{key}": value for key, value in data.items()}
    for entry in list_at(container, "env"):
        name, value = text_at(entry, "name"), text_at(entry, "value")
        if not name.startswith(ENV_PREFIX):
            continue
        source = at(entry, "valueFrom")
        if source:
            reference = at(source, "configMapKeyRef")
            data = pod.maps.texts(pod.namespace, text_at(reference, "name")) or {}
            value = data.get(text_at(reference, "key"), "$(")
            unseen |= {_origin(source, "KeyRef"): None} if value == "$(" else {}
        values.pop(name, None)
        # Kubernetes puts the value of another variable in place of $(NAME).
        if "$(" in value:
            unknown.add(name)
        else:
            values[name] = value
    settings = {name: value for name, value in values.items() if name.startswith(ENV_PREFIX)}
    return Variables(settings, frozenset(unknown)), tuple(unseen)


def _origin(source: Any, ending: str) -> str:
    for kind in ("Secret", "ConfigMap"):
        name = text_at(source, f"{kind[0].lower()}{kind[1:]}{ending}", "name")
        if name:
            return f"{kind} {name}"
    return "the pod itself"
