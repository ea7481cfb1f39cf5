"""Redis that is down, slow, full, demoted or not ours, each time a real one."""

import asyncio
import inspect
import traceback

import pytest
from harness.raw_server import listening
from harness.redis_server import RedisServer, Servers
from integration.store.conftest import Stores, fresh_prefix
from payorch_server.store.port import Store, StoredValue, StoreUnavailable
from payorch_server.store.settings import StoreSettings

TTL_S = 60.0
NOEVICTION = ("--maxmemory-policy", "noeviction")
# For tests that wait until an operation is given up.
IMPATIENT = {"operation_timeout_s": 0.5}
RIGHTS = ("+eval", "+get", "+set", "+getrange", "+del", "+info", "+wait")

pytestmark = pytest.mark.asyncio


async def until_reachable(store: Store) -> None:
    """Wait until the server answers again."""
    while True:
        try:
            await store.get("anything")
        except StoreUnavailable:
            await asyncio.sleep(0.01)
        else:
            return


async def replica_of(primary: RedisServer, servers: Servers) -> RedisServer:
    """Start a server that follows the primary, and wait until it does."""
    replica = servers.start(*NOEVICTION, "--replicaof", "127.0.0.1", str(primary.port))
    while "master_link_status:up" not in replica.command("INFO", "replication"):
        await asyncio.sleep(0.01)
    return replica


class TestLostServer:
    """A server that is not there."""

    async def test_unreachable(self, stores: Stores, redis_servers: Servers) -> None:
        """Every operation says so."""
        server = redis_servers.start()
        server.kill()
        store = stores.open(server)

        for call in (
            store.get,
            lambda key: store.put_if_absent(key, b"", ttl_s=TTL_S),
            lambda key: store.compare_and_set(key, b"", version=1, ttl_s=TTL_S),
            lambda key: store.compare_and_delete(key, version=1),
            lambda _: store.check(),
        ):
            with pytest.raises(StoreUnavailable, match="cannot be reached"):
                await call("k")

    async def test_silent_from_the_start(self, stores: Stores, redis_servers: Servers) -> None:
        """A port that accepts and never speaks costs the operation's time and no more."""
        server = redis_servers.start()
        server.pause()

        with pytest.raises(StoreUnavailable, match="get: the server is too slow"):
            await stores.open(server, **IMPATIENT).get("k")

    async def test_restarted_empty(self, stores: Stores, redis_servers: Servers) -> None:
        """It is reached again by itself, and what it lost is absent, not an error."""
        server = redis_servers.start()
        store = stores.open(server)
        await store.put_if_absent("k", b"one", ttl_s=TTL_S)

        server.restart_empty()
        await until_reachable(store)

        assert await store.get("k") is None
        assert not await store.compare_and_set("k", b"two", version=1, ttl_s=TTL_S)
        assert await store.put_if_absent("k", b"three", ttl_s=TTL_S) is None

    async def test_killed_mid_operation(self, stores: Stores, redis_servers: Servers) -> None:
        """Whoever waits for an answer learns that it will not come."""
        server = redis_servers.start()
        store = stores.open(server)
        await store.put_if_absent("k", b"one", ttl_s=TTL_S)
        server.pause()
        writes = [
            asyncio.ensure_future(store.compare_and_set("k", b"two", version=1, ttl_s=TTL_S)),
            asyncio.ensure_future(store.put_if_absent("l", b"two", ttl_s=TTL_S)),
        ]
        await asyncio.sleep(0.05)

        server.kill()

        for answer in await asyncio.gather(*writes, return_exceptions=True):
            assert isinstance(answer, StoreUnavailable)

    async def test_every_connection_broken_at_once(self, stores: Stores, redis_servers: Servers) -> None:
        """Connections that died while idle are replaced before anything is sent on them."""
        server = redis_servers.start()
        store = stores.open(server, max_connections=5)
        await asyncio.gather(*(store.put_if_absent(f"k{number}", b"", ttl_s=TTL_S) for number in range(20)))

        server.command("CLIENT", "KILL", "TYPE", "normal")
        await asyncio.sleep(0.05)

        answers = await asyncio.gather(*(store.get(f"k{number}") for number in range(20)))
        assert answers == [StoredValue(b"", 1)] * 20


class TestSlowServer:
    """A server that takes its time."""

    async def test_stopped(self, stores: Stores, redis_servers: Servers) -> None:
        """The caller goes on within the limit; the write may still happen, which re-reading tells."""
        server = redis_servers.start()
        store = stores.open(server, **IMPATIENT)
        await store.put_if_absent("k", b"nonce 1", ttl_s=TTL_S)
        server.pause()

        for _ in range(2):
            with pytest.raises(StoreUnavailable, match="compare_and_set: the server is too slow"):
                await store.compare_and_set("k", b"nonce 2", version=1, ttl_s=TTL_S)
        server.resume()
        await until_reachable(store)

        assert await store.get("k") in {StoredValue(b"nonce 1", 1), StoredValue(b"nonce 2", 2)}

    async def test_an_answer_that_comes_late_is_nobodys(self, stores: Stores, redis_servers: Servers) -> None:
        """A connection with an outstanding answer is never used again."""
        server = redis_servers.start()
        store = stores.open(server, max_connections=1, **IMPATIENT)
        await store.put_if_absent("a", b"a", ttl_s=TTL_S)
        await store.put_if_absent("b", b"b", ttl_s=TTL_S)
        server.pause()
        with pytest.raises(StoreUnavailable):
            await store.get("a")

        server.resume()
        await until_reachable(store)

        assert await store.get("b") == StoredValue(b"b", 1)

    async def test_a_cancelled_caller_leaves_nothing_behind(self, stores: Stores, redis_servers: Servers) -> None:
        """Neither a connection of the pool nor an answer for the next one."""
        server = redis_servers.start()
        store = stores.open(server, max_connections=2)
        await store.put_if_absent("a", b"a", ttl_s=TTL_S)
        await store.put_if_absent("b", b"b", ttl_s=TTL_S)

        for turn in range(200):
            call = asyncio.ensure_future(store.get("a"))
            for _ in range(turn % 8):
                await asyncio.sleep(0)
            call.cancel()

            assert await store.get("b") == StoredValue(b"b", 1)


class TestUnfitServer:
    """A server that answers and must not be relied on."""

    async def test_full(self, stores: Stores, redis_servers: Servers) -> None:
        """New records are refused, old ones can be read and deleted."""
        server = redis_servers.start(*NOEVICTION, "--maxmemory", "3mb")
        store = stores.open(server)
        await store.put_if_absent("k0", bytes(65_536), ttl_s=TTL_S)
        puts = [store.put_if_absent(f"k{number}", bytes(65_536), ttl_s=TTL_S) for number in range(1, 100)]

        answers = await asyncio.gather(*puts, return_exceptions=True)

        assert {str(answer) for answer in answers if answer} == {"put_if_absent: the server is full"}

        with pytest.raises(StoreUnavailable, match="full"):
            await store.compare_and_set("k0", b"", version=1, ttl_s=TTL_S)
        assert await store.get("k0") == StoredValue(bytes(65_536), 1)
        assert await store.compare_and_delete("k0", version=1)

    @pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "volatile-lru", "allkeys-random"])
    async def test_that_evicts(self, stores: Stores, redis_servers: Servers, policy: str) -> None:
        """Any policy but noeviction is refused."""
        store = stores.open(redis_servers.start("--maxmemory-policy", policy))

        with pytest.raises(StoreUnavailable, match="set its maxmemory-policy to noeviction"):
            await store.check()

    async def test_read_only_replica(self, stores: Stores, redis_servers: Servers) -> None:
        """It is refused, and writes to it fail."""
        primary = redis_servers.start(*NOEVICTION)
        store = stores.open(await replica_of(primary, redis_servers))

        with pytest.raises(StoreUnavailable, match="check: the server is a replica"):
            await store.check()
        with pytest.raises(StoreUnavailable, match="put_if_absent: the server is a read-only replica"):
            await store.put_if_absent("k", b"", ttl_s=TTL_S)

    async def test_cluster(self, stores: Stores, redis_servers: Servers) -> None:
        """A node of a cluster is refused."""
        store = stores.open(redis_servers.start(*NOEVICTION, "--cluster-enabled", "yes"))

        with pytest.raises(StoreUnavailable, match="Redis Cluster"):
            await store.check()
        with pytest.raises(StoreUnavailable, match="get: the server belongs to a cluster"):
            await store.get("k")

    async def test_foreign_records(self, stores: Stores, shared_server: RedisServer) -> None:
        """What somebody else wrote below our prefix is no record."""
        prefix = fresh_prefix()
        store = stores.open(shared_server, prefix=prefix)
        shared_server.command("SET", f"{prefix}short", "canary")
        shared_server.command("LPUSH", f"{prefix}list", "canary")

        for key in ("short", "list"):
            with pytest.raises(StoreUnavailable, match=r"did not write|refuses") as refusal:
                await store.get(key)
            assert "canary" not in str(refusal.value)


class TestCheck:
    """What check does to the server."""

    async def test_leaves_no_key_behind(self, stores: Stores, redis_servers: Servers) -> None:
        """It writes one to try every operation, and deletes it itself."""
        server = redis_servers.start(*NOEVICTION)

        await stores.open(server).check()

        assert server.command("DBSIZE").strip() == ":0"


class TestRights:
    """Users and what they may do."""

    USER = ("--user", "payorch", "on", ">right", "~payorch:*", *RIGHTS)

    async def test_documented_ones_are_enough(self, stores: Stores, redis_servers: Servers) -> None:
        """The list in the settings is what check needs, with replicas or without."""
        server = redis_servers.start(*NOEVICTION, *self.USER)
        await replica_of(server, redis_servers)

        assert " ".join(RIGHTS) in inspect.getsource(StoreSettings)
        await stores.open(server, username="payorch", password="right").check()
        await stores.open(server, username="payorch", password="right", min_replicas=1).check()

    @pytest.mark.parametrize("right", ["eval", "get", "set", "getrange", "del", "info"])
    async def test_a_missing_one_is_found(self, stores: Stores, redis_servers: Servers, right: str) -> None:
        """Check uses every command, because a right shows only in use."""
        server = redis_servers.start(*NOEVICTION, *self.USER, f"-{right}")

        with pytest.raises(StoreUnavailable, match="the user lacks a right"):
            await stores.open(server, username="payorch", password="right").check()

    async def test_another_prefix_is_out_of_reach(self, stores: Stores, redis_servers: Servers) -> None:
        """The user of one prefix cannot read below another."""
        server = redis_servers.start(*NOEVICTION, *self.USER)

        with pytest.raises(StoreUnavailable, match="the user lacks a right"):
            await stores.open(server, username="payorch", password="right", prefix="other:").get("k")

    async def test_wrong_password(self, stores: Stores, redis_servers: Servers) -> None:
        """It is refused by name of the cause, without the password."""
        store = stores.open(redis_servers.start(*self.USER), username="payorch", password="hunter2")

        with pytest.raises(StoreUnavailable, match="does not accept the user and password") as refusal:
            await store.check()
        assert "hunter2" not in "".join(traceback.format_exception(refusal.value)) + repr(store)

    async def test_password_of_the_default_user(self, stores: Stores, redis_servers: Servers) -> None:
        """Without a user name the password alone is sent; without a password nothing works."""
        server = redis_servers.start(*NOEVICTION, "--requirepass", "right")

        await stores.open(server, password="right").check()
        with pytest.raises(StoreUnavailable, match="does not accept the user and password"):
            await stores.open(server).check()


class TestReplicas:
    """Failover, and writes that wait for replicas."""

    async def test_failover_may_lose_what_was_acknowledged(self, stores: Stores, redis_servers: Servers) -> None:
        """Records that had not been copied are gone or older, and versions tell."""
        primary = redis_servers.start(*NOEVICTION)
        replica = await replica_of(primary, redis_servers)
        before = stores.open(primary)
        copied = stores.open(replica)
        await before.put_if_absent("older", b"one", ttl_s=TTL_S)
        while await copied.get("older") is None:
            await asyncio.sleep(0.01)
        replica.pause()
        await before.compare_and_set("older", b"two", version=1, ttl_s=TTL_S)
        await before.put_if_absent("lost", b"one", ttl_s=TTL_S)

        primary.kill()  # With what it had sent but the replica had not read.
        replica.resume()
        replica.command("REPLICAOF", "NO", "ONE")
        after = stores.open(replica)
        await after.check()

        assert await after.get("older") in {StoredValue(b"one", 1), StoredValue(b"two", 2)}
        assert await after.get("lost") in {None, StoredValue(b"one", 1)}

    async def test_partition_loses_what_was_acknowledged(self, stores: Stores, redis_servers: Servers) -> None:
        """A replica that had been cut off is promoted: the newer record is gone, its writer's next write fails."""
        primary = redis_servers.start(*NOEVICTION)
        replica = await replica_of(primary, redis_servers)
        before = stores.open(primary, min_replicas=1)
        await before.put_if_absent("older", b"one", ttl_s=TTL_S)
        replica.command("REPLICAOF", "NO", "ONE")
        alone = stores.open(primary)
        assert await alone.compare_and_set("older", b"two", version=1, ttl_s=TTL_S)
        assert await alone.put_if_absent("lost", b"one", ttl_s=TTL_S) is None

        primary.kill()
        after = stores.open(replica)
        await after.check()

        assert await after.get("older") == StoredValue(b"one", 1)
        assert await after.get("lost") is None
        assert not await after.compare_and_set("older", b"three", version=2, ttl_s=TTL_S)
        assert not await after.compare_and_delete("lost", version=1)

    async def test_acknowledged_by_enough(self, stores: Stores, redis_servers: Servers) -> None:
        """With min_replicas an acknowledged write is on the replica."""
        primary = redis_servers.start(*NOEVICTION)
        replica = await replica_of(primary, redis_servers)
        store = stores.open(primary, min_replicas=1)

        await store.check()
        assert await store.put_if_absent("k", b"one", ttl_s=TTL_S) is None
        assert await store.compare_and_set("k", b"two", version=1, ttl_s=TTL_S)

        assert await stores.open(replica).get("k") == StoredValue(b"two", 2)

    async def test_acknowledged_by_too_few(self, stores: Stores, redis_servers: Servers) -> None:
        """The write is on the primary, but its caller learns that it may be lost; the next writer waits again."""
        primary = redis_servers.start(*NOEVICTION)
        replica = await replica_of(primary, redis_servers)
        store = stores.open(primary, min_replicas=1, operation_timeout_s=1.0)
        replica.pause()

        with pytest.raises(StoreUnavailable, match="put_if_absent: 0 of 1 replicas acknowledged in time"):
            await store.put_if_absent("k", b"one", ttl_s=TTL_S)
        assert await store.put_if_absent("k", b"other", ttl_s=TTL_S) == StoredValue(b"one", 1)
        with pytest.raises(StoreUnavailable, match="compare_and_set: 0 of 1 replicas acknowledged in time"):
            await store.compare_and_set("k", b"two", version=1, ttl_s=TTL_S)
        assert not await store.compare_and_set("k", b"two", version=1, ttl_s=TTL_S)

    async def test_too_few_from_the_start(self, stores: Stores, shared_server: RedisServer) -> None:
        """Check counts them."""
        with pytest.raises(StoreUnavailable, match="fewer than 1 replicas"):
            await stores.open(shared_server, min_replicas=1).check()


class TestSecrecy:
    """Messages."""

    async def test_a_quoted_command_is_not_passed_on(self, stores: Stores, redis_servers: Servers) -> None:
        """A server without the command quotes its arguments; neither the error nor its traceback holds them."""
        server = redis_servers.start("--rename-command", "EVAL", "")
        store = stores.open(server, prefix="")

        with pytest.raises(StoreUnavailable, match="put_if_absent: the server lacks a command") as refusal:
            await store.put_if_absent("k-canary", b"v-canary", ttl_s=TTL_S)

        error = refusal.value
        assert "k-canary" in server.command("EVAL", "x", "1", "k-canary")
        assert "canary" not in str(error)
        assert error.__cause__ is None
        assert error.__context__ is None


async def test_a_peer_that_is_no_redis(stores: Stores, shared_server: RedisServer) -> None:
    """Whatever it says, the caller gets the one error."""

    async def talk_nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async with listening(talk_nonsense) as port:
        with pytest.raises(StoreUnavailable):
            await stores.open(shared_server, url=f"redis://127.0.0.1:{port}").get("k")
