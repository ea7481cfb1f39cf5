import pytest
from payorch_server.rpc.interceptors.payloads import payload_interceptors
from payorch_server.runtime.settings import TelemetrySettings


@pytest.mark.parametrize(("level", "expected"), [("debug", 1), ("info", 0), ("warning", 0), ("error", 0)])
def test_payloads_are_looked_at_only_where_they_are_written(level: str, expected: int) -> None:
    """What is not there costs nothing."""
    settings = TelemetrySettings(log_level=level)  # type: ignore[arg-type] # one of the levels

    assert expected == len(payload_interceptors(settings))
