"""Payments at a steady pace as Zuora sends them to a hub: over TLS, and again while a payment is in Processing."""

import asyncio
import base64
import itertools
import json
import ssl
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final, TypeAlias

from payorch_server.upc.request import Operation, RequestName, idempotency_key
from zuora_emulator.hub_caller import ANSWER_TIMEOUT_S

from harness.raw_http import Connection, body_of, status_of
from harness.upc_bodies import Members, example

Address: TypeAlias = tuple[str, int]
_MOST_SENDS: Final = 400
_OVERLAP_EVERY: Final = 10
_OK, _UNKNOWN = 200, 503


@dataclass(slots=True)
class ZuoraLoad:
    """What was sent and what came of it."""

    addresses: Callable[[], Sequence[Address]]
    """Returns where the hub is reached at this moment, as something in front of it knows."""
    path: str
    user: str
    password: str
    payments_per_s: float
    changes: Members = field(default_factory=dict)
    """Top-level members of each request over those of the published example."""
    again_s: float = 0.5
    """Between two sends of a payment in Processing, in place of an hour."""
    started: list[str] = field(default_factory=list)
    """Ids of all payments."""
    approved: set[str] = field(default_factory=set)
    """Ids of the payments that Zuora shows as Processed."""
    refused: set[str] = field(default_factory=set)
    """Ids of the payments that Zuora shows as Error."""
    errors: list[str] = field(default_factory=list)
    """Answers that mean Error."""
    answers: Counter[str] = field(default_factory=Counter)
    """How many sends ended how: by response code or status, or `lost` without an answer."""
    latencies_s: list[float] = field(default_factory=list)
    """Of the sends that were answered."""
    _idle: dict[Address, list[Connection]] = field(default_factory=dict)
    _turns: Iterator[int] = field(default_factory=itertools.count)

    async def run(self, stop: asyncio.Event) -> None:
        """Begin payments until the event, and wait until each is approved, is an Error, or was sent too often."""
        next_s = perf_counter()
        async with asyncio.TaskGroup() as payments:
            while not stop.is_set():
                id_ = f"{len(self.started):032x}"
                self.started.append(id_)
                payments.create_task(self._pay(id_))
                next_s += 1 / self.payments_per_s
                await asyncio.sleep(max(next_s - perf_counter(), 0.0))
        for connection in itertools.chain(*self._idle.values()):
            await connection.close()

    def keys(self) -> set[str]:
        """Return the idempotency keys of all payments."""
        return {self.key(id_) for id_ in self.started}

    def key(self, id_: str) -> str:
        """Return the idempotency key of a payment."""
        tenant = str(self._members(id_).get("tenantId"))
        return idempotency_key(RequestName(tenant, Operation.PAYMENT, id_))

    def problems(self, effects: Counter[str]) -> list[str]:
        """List what is wrong, in sentences.

        Args:
            effects: How often a gateway moved money, by idempotency key.
        """
        found = [f"{count} answers mean Error: {error}" for error, count in Counter(self.errors).items()]
        if left := len(self.started) - len(self.approved):
            found.append(f"{left} of {len(self.started)} payments were not approved in the end.")
        if doubled := {key: count for key, count in effects.items() if count != 1}:
            found.append(f"Money moved more than once under {len(doubled)} keys.")
        if set(effects) != self.keys():
            found.append(f"Money moved under {len(effects)} keys for {len(self.started)} payments.")
        return found

    async def _pay(self, id_: str) -> None:
        """Send a payment until it is not in Processing any more; every tenth is sent twice at once."""
        at_once = 2 if len(self.started) % _OVERLAP_EVERY == 0 else 1
        for _ in range(_MOST_SENDS):
            settled = await asyncio.gather(*(self._send(id_) for _ in range(at_once)))
            if any(settled):
                return
            at_once = 1
            await asyncio.sleep(self.again_s)

    async def _send(self, id_: str) -> bool:
        """Send once; return whether Zuora has the payment's result now."""
        began_s = perf_counter()
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                answer = await self._exchange(id_)
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            self.answers["lost"] += 1
            return False
        self.latencies_s.append(perf_counter() - began_s)
        status = status_of(answer)
        content = json.loads(body_of(answer))
        self.answers[str(content.get("responseCode", status))] += 1
        if status == _OK and content["responseCode"] == "Approved":
            self.approved.add(id_)
            return True
        if status == _UNKNOWN:
            return False
        self.refused.add(id_)
        self.errors.append(f"{status}: {content}")
        return True

    async def _exchange(self, id_: str) -> bytes:
        addresses = self.addresses()
        if not addresses:
            raise ConnectionError("There is no instance.")
        address = addresses[next(self._turns) % len(addresses)]
        idle = self._idle.setdefault(address, [])
        connection = idle.pop() if idle else await self._connect(address)
        connection.send(self._request(id_))
        answer = await connection.answer()
        if b"connection: close" in answer.partition(b"\r\n\r\n")[0].lower():
            await connection.close()
        else:
            idle.append(connection)
        return answer

    async def _connect(self, address: Address) -> Connection:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE  # Whom Zuora trusts is its own matter; the bytes are what counts here.
        return Connection(*await asyncio.open_connection(*address, ssl=context))

    def _members(self, id_: str) -> Members:
        members = example("Payment") | self.changes
        members["payment"]["id"] = id_
        return members

    def _request(self, id_: str) -> bytes:
        body = json.dumps(self._members(id_)).encode()
        credentials = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        head = (
            f"POST {self.path} HTTP/1.1\r\nHost: hub.example.com\r\nAuthorization: Basic {credentials}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body
