from typing import Any

import pytest
from payorch_server.model.secret import Secret
from payorch_server.store.redis import _open_pool
from payorch_server.store.settings import StoreSettings


def connection_of(password: Secret[str] | None = None, **settings: Any) -> Any:
    """Return a connection that is not opened yet."""
    pool: Any = _open_pool(StoreSettings(kind="redis", url="redis://redis.test:6380/3", **settings), password)
    return pool.make_connection()


class TestConnection:
    """What a connection to the store is made with."""

    def test_repeats_no_write(self) -> None:
        """One that failed may have happened."""
        assert connection_of().retry.get_retries() == 0

    def test_limits_no_operation_by_itself(self) -> None:
        """The store limits each operation as a whole; a limit of each read would end connections that are good."""
        assert connection_of().socket_timeout is None
        assert connection_of(connect_timeout_s=0.7).socket_connect_timeout == pytest.approx(0.7)

    def test_goes_where_the_settings_say(self) -> None:
        """With the name and the password that they give."""
        connection = connection_of(Secret("canary"), username="payorch")

        assert (connection.host, connection.port, connection.db) == ("redis.test", 6380, 3)
        assert (connection.username, connection.password) == ("payorch", "canary")
        assert (connection_of().username, connection_of().password) == (None, None)
