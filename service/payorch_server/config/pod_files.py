"""The files of a container, as far as a manifest for Kubernetes shows them."""

import posixpath
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Known:
    """A file of a ConfigMap in the manifest."""

    text: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """A file that is there, or may be: its content comes from outside of the manifest."""

    origin: str
    """Such as the name of a Secret."""


@dataclass(frozen=True, slots=True)
class Missing:
    """A file that the pod cannot have."""

    why: str


Found: TypeAlias = Known | Unseen | Missing


class ConfigMaps:
    """The ConfigMaps of a manifest."""

    def __init__(self, objects: Mapping[tuple[str, str], Mapping[str, Any]]) -> None:
        """Keep them by namespace and name."""
        self._objects = objects

    def texts(self, namespace: str, name: str) -> dict[str, str] | None:
        """Return the texts of one by key; None if it is not in the manifest."""
        content = self._objects.get((namespace, name))
        return None if content is None else texts_at(content, "data")

    def find(self, namespace: str, name: str, key: str) -> Found:
        """Return what one has under a key."""
        content = self._objects.get((namespace, name))
        if content is None or key in at(content, "binaryData"):
            return Unseen(f"ConfigMap {name}")
        text = texts_at(content, "data").get(key)
        return Missing(f"ConfigMap {name} has no key {key}") if text is None else Known(text)


@dataclass(frozen=True, slots=True)
class PodFiles:
    """What is mounted into a container."""

    pod: Mapping[str, Any]
    """The specification of the pod."""
    container: Mapping[str, Any]
    """That of the container."""
    namespace: str
    maps: ConfigMaps

    @property
    def config_maps(self) -> set[tuple[str, str]]:
        """Namespace and name of the ConfigMaps that the pod mounts."""
        sources = (source for volume in list_at(self.pod, "volumes") for source in _sources(volume))
        return {(self.namespace, text_at(source, "configMap", "name")) for source in sources}

    def find(self, path: str) -> Found:
        """Return what a file of the container holds."""
        mounts = [mount for mount in list_at(self.container, "volumeMounts") if _covers(mount, path)]
        if not mounts:
            return Unseen("the image")
        mount = max(mounts, key=lambda each: len(text_at(each, "mountPath")))
        name = text_at(mount, "name")
        volumes = [volume for volume in list_at(self.pod, "volumes") if text_at(volume, "name") == name]
        if not volumes:
            return Missing(f"volume {name}, which is mounted there, does not exist")
        if text_at(mount, "subPathExpr"):
            return Unseen(f"volume {name}")
        below = path[len(text_at(mount, "mountPath").rstrip("/")) :]
        file = posixpath.normpath(f"{text_at(mount, 'subPath')}/{below}").strip("/")
        return self._in_volume(volumes[0], file)

    def _in_volume(self, volume: Mapping[str, Any], file: str) -> Found:
        found = [self._in_source(volume, source, file) for source in _sources(volume)]
        for kind in (Known, Unseen):
            for each in found:
                if isinstance(each, kind):
                    return each
        return Missing(f"volume {text_at(volume, 'name')}, which is mounted there, has no file {file}")

    def _in_source(self, volume: Mapping[str, Any], source: Any, file: str) -> Found:
        for kind in ("configMap", "secret"):
            reference = at(source, kind)
            if not reference:
                continue
            items = {text_at(item, "path"): text_at(item, "key") for item in list_at(reference, "items")}
            key = items.get(file, "") if items else file
            if not key or "/" in key:
                return Missing("another file")
            name = text_at(reference, "name") or text_at(reference, "secretName")
            return self.maps.find(self.namespace, name, key) if kind == "configMap" else Unseen(f"Secret {name}")
        return Unseen(f"volume {text_at(volume, 'name')}")


def _covers(mount: Any, path: str) -> bool:
    folder = text_at(mount, "mountPath").rstrip("/")
    return bool(folder) and f"{path}/".startswith(f"{folder}/")


def _sources(volume: Any) -> Iterator[Any]:
    if at(volume, "projected"):
        yield from list_at(at(volume, "projected"), "sources")
    else:
        yield volume


def at(node: Any, *path: str) -> Any:
    """Return what is at a path of keys; an empty mapping if nothing is."""
    for key in path:
        node = node.get(key) if isinstance(node, dict) else None
    return {} if node is None else node


def text_at(node: Any, *path: str) -> str:
    """Return the text at a path of keys; empty if none is."""
    found = at(node, *path)
    return found if isinstance(found, str) else ""


def list_at(node: Any, key: str) -> list[Any]:
    """Return the list under a key; empty if none is."""
    found = at(node, key)
    return found if isinstance(found, list) else []


def texts_at(node: Any, key: str) -> dict[str, str]:
    """Return the texts in the mapping under a key, by name."""
    found = at(node, key)
    return {name: text for name, text in found.items() if isinstance(text, str)} if isinstance(found, dict) else {}
