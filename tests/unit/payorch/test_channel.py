"""What a channel is made with, and the names that a caller gives."""

import json
import re
import uuid
from pathlib import Path

import pytest
from payorch import SERVICE_CONFIG, new_request_id, tracked
from payorch.channel import channel_options
from payorch.version import VERSION


def test_request_id_tells_its_time_and_is_fresh() -> None:
    """Version 7, which the service refuses when it is older than Zuora remembers."""
    made = [new_request_id() for _ in range(1000)]

    assert 1000 == len(set(made))
    assert {7} == {uuid.UUID(one).version for one in made}
    assert all(
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", one) for one in made
    )
    assert sorted(one[:13] for one in made) == [one[:13] for one in made]


def test_service_config_is_the_published_one() -> None:
    """The package carries a copy, because a wheel holds nothing from outside its folder."""
    assert Path("clients/service_config.json").read_text() == SERVICE_CONFIG


@pytest.mark.parametrize("track_id", ["", "ä", "x\n", "a b", "a:b", "a;b", 'a"b', "a'b", "a,b", "x" * 65])
def test_a_wrong_track_id_is_refused_where_it_is_given(track_id: str) -> None:
    """A call with it would never leave the process, and read as one of unknown outcome."""
    with pytest.raises(ValueError, match=r"^track_id: "), tracked(track_id):
        pass


class TestChannelOptions:
    """What every channel of this package has."""

    def test_leave_retries_to_the_loop(self) -> None:
        """One of the two alone, or attempts of one would be hidden from the other."""
        kept = json.loads(dict(channel_options(SERVICE_CONFIG, (), resends=True))["grpc.service_config"])
        published = json.loads(SERVICE_CONFIG)

        assert "retryPolicy" in published["methodConfig"][0]
        del published["methodConfig"][0]["retryPolicy"]
        assert published == kept

    def test_retry_where_there_is_no_loop(self) -> None:
        """As published."""
        assert SERVICE_CONFIG == dict(channel_options(SERVICE_CONFIG, (), resends=False))["grpc.service_config"]

    def test_name_the_client_and_yield_to_the_callers(self) -> None:
        """The user agent shows operators which clients are old."""
        chosen = dict(
            channel_options("{}", (("grpc.keepalive_time_ms", 60_000), ("grpc.lb_policy_name", "x")), resends=True)
        )

        assert (60_000, "x", f"payorch-python/{VERSION}") == (
            chosen["grpc.keepalive_time_ms"],
            chosen["grpc.lb_policy_name"],
            chosen["grpc.primary_user_agent"],
        )

    def test_connect_again_within_seconds(self) -> None:
        """However long an outage was; gRPC alone waits two minutes, and calls fail meanwhile."""
        chosen = dict(channel_options("{}", (), resends=True))

        assert chosen["grpc.initial_reconnect_backoff_ms"] <= chosen["grpc.max_reconnect_backoff_ms"] <= 1_000

    def test_find_new_replicas_within_seconds(self) -> None:
        """When all were replaced in a row; gRPC alone asks DNS twice a minute."""
        assert dict(channel_options("{}", (), resends=True))["grpc.dns_min_time_between_resolutions_ms"] <= 5_000

    @pytest.mark.parametrize("config", ["", "[]", "{"])
    def test_refuse_a_config_that_is_none(self, config: str) -> None:
        """Before a channel is made of it."""
        with pytest.raises(ValueError, match=r"service_config|Expecting"):
            channel_options(config, (), resends=True)


def test_version_is_that_of_the_package() -> None:
    """It is written down twice, because the package may be vendored."""
    assert f'version = "{VERSION}"' in Path("clients/python/pyproject.toml").read_text()
