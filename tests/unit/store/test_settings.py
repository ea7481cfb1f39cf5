import pytest
from payorch_server.store.settings import StoreSettings, problems
from pydantic import TypeAdapter, ValidationError


class TestStoreSettings:
    """What a configuration may say."""

    def test_is_fine_as_it_is(self) -> None:
        """The defaults are usable."""
        assert list(problems(StoreSettings())) == []

    @pytest.mark.parametrize(
        ("url", "address", "tls"),
        [
            ("redis://cache", ("cache", 6379, 0), False),
            ("redis://cache:6380/", ("cache", 6380, 0), False),
            ("rediss://cache.example.com:6380/3", ("cache.example.com", 6380, 3), True),
            ("redis://[::1]:1/2", ("::1", 1, 2), False),
        ],
    )
    def test_reads_the_address(self, url: str, address: tuple[str, int, int], *, tls: bool) -> None:
        """Host, port and database have their usual places and defaults."""
        settings = StoreSettings(kind="redis", url=url)

        assert list(problems(settings)) == []
        assert settings.address == address
        assert settings.tls is tls

    @pytest.mark.parametrize(
        ("members", "problem"),
        [
            ({"url": ""}, "url: must be such as"),
            ({"url": "cache:6379"}, "url: must be such as"),
            ({"url": "http://cache"}, "url: must be such as"),
            ({"url": "redis://"}, "url: must be such as"),
            ({"url": "redis://cache:port"}, "url: must be such as"),
            ({"url": "redis://cache:0"}, "url: must be such as"),
            ({"url": "redis://cache:99999"}, "url: must be such as"),
            ({"url": "redis://cache/name"}, "url: must be such as"),
            ({"url": "redis://cache?db=1"}, "url: must be such as"),
            ({"url": "redis://[::1"}, "url: must be such as"),
            ({"url": "redis://user:hunter2@cache"}, "url: must not hold a user or password"),
            ({"url": "redis://cache", "ca_file": "ca.pem"}, "url: must begin with rediss://"),
            ({"username": "payorch"}, "password_file: is needed"),
        ],
    )
    def test_names_what_is_wrong(self, members: dict[str, object], problem: str) -> None:
        """One sentence that begins with the setting, and never the password."""
        found = list(problems(StoreSettings(**{"kind": "redis", "url": "redis://cache", **members})))

        assert len(found) == 1
        assert found[0].startswith(problem)
        assert "hunter2" not in found[0]

    @pytest.mark.parametrize("name", ["url", "username", "password_file", "ca_file", "client_certificate_file"])
    def test_of_redis_do_nothing_in_memory(self, name: str) -> None:
        """Else the intents of someone who named a Redis would be in memory, and its password in the file."""
        (found,) = problems(StoreSettings(**{name: "redis://user:hunter2@cache"}))

        assert found == f"{name}: has an effect with kind: redis only; set kind: redis, or remove it"

    def test_refuses_unknown_members(self) -> None:
        """A misspelt setting is an error."""
        with pytest.raises(ValidationError, match="prefixx"):
            TypeAdapter(StoreSettings).validate_python({"prefixx": "a"})
