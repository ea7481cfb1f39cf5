"""The store in Redis; no other module knows Redis.

A record is eight bytes of version, most significant first, and the value. Each operation is one command and one round
trip; scripts are sent whole, because a restarted server has forgotten them and they are shorter than an average value.
"""

import asyncio
import contextlib
import math
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from secrets import token_hex
from typing import Any, Final, Protocol, cast

from redis import exceptions
from redis.asyncio.connection import Connection, ConnectionPool, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from payorch_server.model.secret import Secret, reveal  # noqa: TID251 - the password is sent here
from payorch_server.runtime.deadlines import Deadlines
from payorch_server.runtime.interpreter_defaults import client_tls_context
from payorch_server.store.port import FIRST_VERSION, StoredValue, StoreUnavailable, require_version, require_writable
from payorch_server.store.settings import StoreSettings

_VERSION_BYTES: Final = 8
# Long enough for a listener that is being replaced, short enough for the caller to learn of the failure soon.
_REFUSED_PAUSE_S: Final = 0.05
# Replicas get this part of the operation's time, so that their count arrives before it ends, although the server looks
# at its timers only ten times a second.
_REPLICAS_SHARE: Final = 0.5
_PROBE_TTL_S: Final = 5.0

_PUT_IF_ABSENT: Final = b"""
local held = redis.call('GET', KEYS[1])
if held then return held end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return false
"""
_COMPARE_AND_SET: Final = b"""
if redis.call('GETRANGE', KEYS[1], 0, 7) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
_COMPARE_AND_DELETE: Final = b"""
if redis.call('GETRANGE', KEYS[1], 0, 7) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""

_FOREIGN: Final = (
    exceptions.RedisError,
    exceptions.RedisClusterException,
    exceptions.ChildDeadlockedError,
    exceptions.IncorrectPolicyType,
    OSError,  # includes the TimeoutError of a time limit
)
"""Everything that redis and the sockets below it raise."""

_CAUSES: Final[tuple[tuple[tuple[type[Exception], ...], str], ...]] = (
    (
        (
            exceptions.AuthenticationError,
            exceptions.AuthorizationError,
            exceptions.AuthenticationWrongNumberOfArgsError,
        ),
        "the server does not accept the user and password",
    ),
    ((exceptions.NoPermissionError,), "the user lacks a right that this needs"),
    ((exceptions.OutOfMemoryError,), "the server is full"),
    ((exceptions.ReadOnlyError,), "the server is a read-only replica"),
    ((exceptions.BusyLoadingError,), "the server is still loading its data"),
    (
        (exceptions.ClusterError, exceptions.AskError, exceptions.TryAgainError, exceptions.RedisClusterException),
        "the server belongs to a cluster that does not answer for this key",
    ),
    ((ssl.SSLError,), "TLS with the server fails; see ca_file and the name in its certificate"),
    ((socket.gaierror,), "the server's name is not known"),
    ((exceptions.TimeoutError, TimeoutError), "the server is too slow"),
    ((exceptions.ConnectionError, OSError), "the server cannot be reached or has closed the connection"),
    ((Exception,), "the server refuses"),
)
"""The first that matches names the cause."""

_CODES: Final = {
    "OOM": "the server is full",
    "READONLY": "the server is a read-only replica",
    "NOPERM": "the user lacks a right that this needs",
    "can't run this command": "the user lacks a right that this needs",
    "can't access": "the user lacks a right that this needs",
    "MISCONF": "the server refuses writes because it cannot save to disk",
    "NOREPLICAS": "the server refuses writes because it has too few replicas",
    "BUSY": "the server is busy with a script",
    "unknown command": "the server lacks a command that this needs",
}
"""What is looked for in other refusals; before Redis 7 an error inside a script has no class of its own."""


class _Connection(Protocol):
    """What is used of a connection of redis, whose own annotations are incomplete."""

    def pack_commands(self, commands: Sequence[Sequence[bytes | int]]) -> list[bytes]: ...
    async def send_packed_command(self, command: list[bytes], check_health: bool) -> None: ...  # noqa: FBT001 - as in redis
    async def read_response(self, *, disable_decoding: bool) -> Any: ...


class _Pool(Protocol):
    """What is used of a pool of redis, likewise."""

    async def get_connection(self) -> _Connection: ...
    async def release(self, connection: _Connection) -> None: ...
    async def aclose(self) -> None: ...


class _ProbedConnection(Connection):
    """Notices a reset while it is idle; redis itself looks at received bytes and an orderly end alone."""

    async def can_read(self) -> bool:
        """Return whether the pool has to replace it before it is used."""
        return self._writer is None or self._writer.is_closing() or bool(await super().can_read())


class _TlsConnection(_ProbedConnection, SSLConnection):
    """Shares one context; otherwise every connection would read the files again, on the event loop."""

    def __init__(self, *, context: ssl.SSLContext, **rest: Any) -> None:
        super().__init__(**rest)
        self.ssl_context.context = context


class RedisStore:
    """A store that all replicas of the service share."""

    def __init__(self, settings: StoreSettings, *, deadlines: Deadlines, password: Secret[str] | None = None) -> None:
        self._settings = settings
        self._deadlines = deadlines
        self._prefix = settings.prefix.encode()
        self._probe_key = f"check:{token_hex(8)}"
        self._free = asyncio.Semaphore(settings.max_connections)
        self._closed = False
        self._pool = _open_pool(settings, password)

    def __repr__(self) -> str:
        host, port, database = self._settings.address
        return f"RedisStore(host={host!r}, port={port}, database={database}, tls={self._settings.tls})"

    async def get(self, key: str) -> StoredValue | None:
        """Return what the key holds."""
        record = await self._execute("get", [b"GET", self._key(key)])
        return None if record is None else _decode(record)

    async def put_if_absent(
        self, key: str, value: bytes, *, ttl_s: float, version: int = FIRST_VERSION
    ) -> StoredValue | None:
        """Store the value unless the key holds one."""
        require_writable(value=value, ttl_s=ttl_s, version=version)
        command = _script(_PUT_IF_ABSENT, self._key(key), _encode(version) + value, _milliseconds(ttl_s))
        held, replicas = await self._write("put_if_absent", command)
        if held is not None:
            return _decode(held)
        self._require_replicas("put_if_absent", replicas)
        return None

    async def compare_and_set(self, key: str, value: bytes, *, version: int, ttl_s: float) -> bool:
        """Replace the value if it still has the version."""
        require_writable(value=value, ttl_s=ttl_s, version=version)
        record = _encode(version + 1) + value
        command = _script(_COMPARE_AND_SET, self._key(key), _encode(version), record, _milliseconds(ttl_s))
        return await self._compare("compare_and_set", command)

    async def compare_and_delete(self, key: str, *, version: int) -> bool:
        """Delete the key if it still has the version."""
        require_version(version)
        command = _script(_COMPARE_AND_DELETE, self._key(key), _encode(version))
        return await self._compare("compare_and_delete", command)

    @property
    def warning(self) -> str:
        """Nothing: how full the server is, its operators watch."""
        return ""

    async def check(self) -> None:
        """Check what the server is, then use every operation once, because missing rights show only in use."""
        info = _fields(await self._execute("check", [b"INFO"]))
        for problem in self._problems(info):
            raise StoreUnavailable(f"check: {problem}")
        if await self.put_if_absent(self._probe_key, b"", ttl_s=_PROBE_TTL_S) is None:
            await self.compare_and_set(self._probe_key, b"", version=FIRST_VERSION, ttl_s=_PROBE_TTL_S)
            await self.compare_and_delete(self._probe_key, version=FIRST_VERSION + 1)
        await self.get(self._probe_key)

    async def close(self) -> None:
        """Close every connection; what is still under way ends with StoreUnavailable."""
        self._closed = True
        with contextlib.suppress(*_FOREIGN):
            await self._pool.aclose()

    def _key(self, key: str) -> bytes:
        return self._prefix + key.encode()

    def _problems(self, info: dict[bytes, bytes]) -> Iterator[str]:
        if info.get(b"role") != b"master":
            yield "the server is a replica; name the primary"
        if info.get(b"cluster_enabled") == b"1":
            yield "the server is a node of Redis Cluster, which is not supported"
        if info.get(b"maxmemory_policy") != b"noeviction":
            yield "the server may drop records when it is full; set its maxmemory-policy to noeviction"
        if int(info.get(b"connected_slaves", b"0")) < self._settings.min_replicas:
            yield f"the server has fewer than {self._settings.min_replicas} replicas"

    async def _compare(self, what: str, command: list[bytes | int]) -> bool:
        done, replicas = await self._write(what, command)
        if done:
            self._require_replicas(what, replicas)
        return bool(done)

    def _require_replicas(self, what: str, acknowledged: int) -> None:
        if acknowledged < self._settings.min_replicas:
            raise StoreUnavailable(
                f"{what}: {acknowledged} of {self._settings.min_replicas} replicas acknowledged in time"
            )

    async def _write(self, what: str, command: list[bytes | int]) -> tuple[Any, int]:
        """Return the answer and how many replicas have acknowledged it."""
        if not self._settings.min_replicas:
            return await self._execute(what, command), 0
        wait_ms = _milliseconds(self._settings.operation_timeout_s * _REPLICAS_SHARE)
        answer, replicas = await self._execute_all(what, [command, [b"WAIT", self._settings.min_replicas, wait_ms]])
        return answer, replicas

    async def _execute(self, what: str, command: list[bytes | int]) -> Any:
        return (await self._execute_all(what, [command]))[0]

    async def _execute_all(self, what: str, commands: list[list[bytes | int]]) -> list[Any]:
        """Send the commands together; exceptions of redis become StoreUnavailable here and nowhere else.

        The exception is raised outside the handler, because the foreign one may quote the command, value and all.
        """
        try:
            return await self._exchange(commands)
        except _FOREIGN as error:
            cause = _cause(error)
        raise StoreUnavailable(f"{what}: {cause}")

    async def _exchange(self, commands: list[list[bytes | int]]) -> list[Any]:
        async with self._connection() as connection:
            with self._deadlines.limit(self._settings.operation_timeout_s):
                await _send(connection, connection.pack_commands(commands))
                # All answers are read before one is raised, so that none is left for the connection's next user.
                answers = [await _answer(connection) for _ in commands]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[_Connection]:
        if self._closed:
            raise StoreUnavailable("the store is closed")
        async with contextlib.AsyncExitStack() as stack:
            with self._deadlines.limit(self._settings.connect_timeout_s):
                await stack.enter_async_context(self._free)
                connection = await self._connect()
            stack.push_async_callback(self._pool.release, connection)
            yield connection

    async def _connect(self) -> _Connection:
        """Return an open connection; a refusal is tried once more, since nothing has been sent."""
        try:
            return await self._pool.get_connection()
        except exceptions.ConnectionError as error:
            if not isinstance(error.__context__, ConnectionRefusedError):
                raise
        await asyncio.sleep(_REFUSED_PAUSE_S)
        return await self._pool.get_connection()


def _open_pool(settings: StoreSettings, password: Secret[str] | None) -> _Pool:
    host, port, database = settings.address
    options: dict[str, Any] = {"context": _tls_context(settings)} if settings.tls else {}
    pool = ConnectionPool(
        connection_class=_TlsConnection if settings.tls else _ProbedConnection,
        max_connections=settings.max_connections,
        host=host,
        port=port,
        db=database,
        username=settings.username or None,
        password=reveal(password) if password else None,
        socket_connect_timeout=settings.connect_timeout_s,
        socket_timeout=None,  # an operation is limited as a whole
        retry=Retry(NoBackoff(), 0),  # a write is never repeated
        protocol=2,
        driver_info=None,  # saves two commands at every connection
        **options,
    )
    return cast("_Pool", pool)


def _tls_context(settings: StoreSettings) -> ssl.SSLContext:
    context = client_tls_context(settings.ca_file)
    if settings.client_certificate_file:
        context.load_cert_chain(settings.client_certificate_file)
    return context


def _script(script: bytes, key: bytes, *arguments: bytes | int) -> list[bytes | int]:
    return [b"EVAL", script, 1, key, *arguments]


def _milliseconds(seconds: float) -> int:
    return math.ceil(seconds * 1000)


def _encode(version: int) -> bytes:
    return version.to_bytes(_VERSION_BYTES, "big")


def _decode(record: bytes) -> StoredValue:
    if len(record) < _VERSION_BYTES:
        raise StoreUnavailable("the key holds what this service did not write; is its prefix shared?", is_foreign=True)
    return StoredValue(record[_VERSION_BYTES:], int.from_bytes(record[:_VERSION_BYTES], "big"))


async def _send(connection: _Connection, packed: list[bytes]) -> None:
    try:
        await connection.send_packed_command(packed, check_health=False)
    except RuntimeError as error:
        raise exceptions.ConnectionError("closed") from error  # as uvloop words what asyncio reports by an OSError


async def _answer(connection: _Connection) -> Any:
    try:
        return await connection.read_response(disable_decoding=True)
    except exceptions.ResponseError as error:
        return error


def _fields(info: bytes) -> dict[bytes, bytes]:
    """Return the members of an answer to INFO."""
    pairs = (line.partition(b":") for line in info.splitlines())
    return {name: value for name, _, value in pairs}


def _cause(error: BaseException) -> str:
    """Return our words for the error; its own may quote values."""
    origin = error.__context__ if isinstance(error.__context__, OSError) else error
    cause = next(words for classes, words in _CAUSES if isinstance(origin, classes))
    if type(error) is exceptions.ResponseError:
        cause = next((words for code, words in _CODES.items() if code in str(error)), cause)
    return cause
