"""Values of released charts, rendered by this one: `helm upgrade` takes them and leaves no object behind."""

import json
from typing import Any

import pytest
import yaml
from harness.released import RELEASES, VECTORS

from chart.rendering import HELMS, KUBERNETES, conforms, identities, render_text


def values_of(release: str) -> dict[str, Any]:
    """Return the values of a release."""
    values: dict[str, Any] = yaml.safe_load((VECTORS / release / "values.yaml").read_text())
    return values


pytestmark = pytest.mark.timeout(60)


@pytest.mark.parametrize("release", RELEASES)
class TestValuesOfARelease:
    @pytest.mark.parametrize("helm", HELMS)
    def test_are_still_valid(self, release: str, helm: str) -> None:
        for kubernetes in KUBERNETES:
            conforms(render_text(values_of(release), helm=helm, kubernetes=kubernetes), kubernetes)

    @pytest.mark.parametrize("values", ["values.yaml", "no values"])
    def test_make_the_same_objects(self, release: str, values: str) -> None:
        """A renamed Service loses its callers, and Kubernetes refuses another selector of a Deployment."""
        expected = json.loads((VECTORS / release / "objects.json").read_text())[values]
        made = identities(render_text(values_of(release) if values == "values.yaml" else {}))

        assert [identity for identity in expected if identity not in made] == []
