"""What holds for every test."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# No test is judged by how fast the machine is at the time.
settings.register_profile("suite", deadline=None, suppress_health_check=(HealthCheck.too_slow,))
settings.load_profile("suite")


@pytest.fixture(scope="session", autouse=True)
def _keep_limits_of_this_process() -> Iterator[None]:
    """Commands that run in this process must not lower its limits for good; those in processes of their own do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("payorch_server.cli.forbid_core_dumps", lambda: None)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add an option for the length of the longest test."""
    parser.addoption("--requests", default="10000", help="requests on which protovalidate judges the compiled checks")
