"""A fixture of pytest: put `pytest_plugins = ["payorch.testing.pytest_plugin"]` into conftest.py."""

from collections.abc import Iterator

import pytest

from payorch.testing.fake import FakePayorch


@pytest.fixture
def payorch_service() -> Iterator[FakePayorch]:
    """Return a double of the service, fresh for each test."""
    with FakePayorch() as fake:
        yield fake
