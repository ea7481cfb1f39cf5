"""Values of the chart with everything that can be set: the chart's own, those of values.yaml, and each default."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import Any, Final

import generate
import yaml
from harness.settings_fields import INDEX, NAME, Setting, settings
from harness.stack import merged
from payorch_server.config.hub_document import HubDocument

_CHART: Final = generate.ROOT / "helm" / "payorch" / "values.yaml"
_OVERLAY: Final = Path(__file__).with_name("values.yaml")
_EXCLUDED: Final = frozenset({"tenants.NAME.base_url", "tenants.NAME.client_secret_file", "upc.trusted_proxies.INDEX"})
"""Settings that exclude others which are set, or that the chart sets itself."""


def full_values() -> dict[str, Any]:
    """Return the values.

    Raises:
        LookupError: A setting has neither a default nor a value in values.yaml.
    """
    values = merged(yaml.safe_load(_CHART.read_text()), yaml.safe_load(_OVERLAY.read_text()))
    for setting in settings():
        _complete(values["config"], setting)
    for setting in settings(HubDocument):
        _complete(values["upc"]["config"], setting)
    return values


def _complete(document: dict[str, Any], setting: Setting) -> None:
    """Set a setting to its default wherever it is missing, and require that it is set somewhere."""
    *path, name = setting.path
    places = list(_places(document, path, make=name not in {INDEX, NAME}))
    for place in places:
        if name not in {INDEX, NAME} and setting.default is not MISSING and setting.default is not None:
            place.setdefault(name, setting.default)
    is_set = any(place if name in {INDEX, NAME} else name in place for place in places)
    if not is_set and str(setting) not in _EXCLUDED:
        raise LookupError(f"{setting} has no default; give it a value in {_OVERLAY}")


def _places(value: Any, path: Sequence[str], *, make: bool = True) -> Iterator[Any]:
    """Yield what a path leads to, in every element of maps and lists.

    Args:
        value: Where it begins.
        path: Of a section.
        make: Whether sections that are missing are made; those of elements may be ones that must not be empty.
    """
    if not path:
        yield value
        return
    name, *rest = path
    if name in {INDEX, NAME}:
        for element in value.values() if isinstance(value, Mapping) else value:
            if element is not None:
                yield from _places(element, rest, make=False)
        return
    if make and rest[:1] not in ([INDEX], [NAME]):
        value.setdefault(name, {})
    if name in value:
        yield from _places(value[name], rest, make=make)
