"""The network between service and Zuora, and the faults of Zuora."""

import asyncio
import errno
import hashlib
import random
from collections.abc import Mapping
from dataclasses import replace
from email.utils import format_datetime
from typing import Any, Final

import aiohttp
import httpx
import msgspec
from zuora_emulator import Emulator
from zuora_emulator.answers import Answer, html_answer
from zuora_emulator.faults import Fault, parse_fault
from zuora_emulator.idempotency import Idempotency
from zuora_emulator.settings import Settings

from programs.simulation.bookkeeping import Counts, EventLog
from programs.simulation.clock import SimulatedClock
from programs.simulation.delivery import (
    NEVER_SENT,
    UNDELIVERED,
    answer_of,
    as_httpx,
    brief,
    category_of,
    damaged,
    disguised,
    is_refusal,
    response_of,
)
from programs.simulation.faults import REFUSALS, TOKEN, WIRE, ZUORA, drawn, scripted, status_of
from programs.simulation.random_choices import RandomChoices
from programs.simulation.sends import Proof, Send, Sends

_OPERATIONS: Final = {
    "/oauth/token": "token",
    "/web-payments/sessions": "sessions",
    "/v1/payment-methods/decryption": "decryption",
    "/v2/payment_methods": "payment_methods",
}
_HOP_S: Final = (0.005, 0.08)
_EDGE: Final = (408, 502, 503, 504)
_PRIVATE_4XX: Final = (402, 418, 440, 444, 449, 460, 494, 499)
"""What edges answer in place of a Zuora that may have executed the call."""
_ANY_STATUS: Final = (200, 201, 202, 302, 400, 404, 408, 409, 415, 422, 423, 451, 499, 500, 502, 503, 504, 520)
"""What may come with an unreadable body after an execution; not what says that nothing was executed."""
_NOT_EXECUTED: Final = (401, 403, 429)
_WAITS_S: Final = (1, 3, 8, 25, 60)
_UNDATED: Final = 0.3
_UNREADABLE: Final = ("cut_body", "bad_coding", "too_large", "unreadable_status")
FOREVER_S: Final = 400.0


class ForgetfulKeys(Idempotency):
    """Zuora's idempotency store, which may or may not keep what it says of passing trouble."""

    def __init__(self, *, choices: RandomChoices) -> None:
        super().__init__(Settings(body_mismatch=choices.body_mismatch))
        self._choices = choices
        self.early: set[str] = set()
        """Keys whose stored answer was given before anything looked at them."""

    def finish(self, key: str, answer: Answer) -> None:
        """Store the answer, unless the run says that its kind is not stored."""
        if not self._choices.transient_stored and category_of(answer.body) in {50, 61}:
            self.abandon(key)
            return
        super().finish(key, answer)

    def keep(self, key: str, answer: Answer, **about: Any) -> None:
        """Store an answer of the edge."""
        if key not in self.records:
            self.early.add(key)
        super().keep(key, answer, **about)


class Network:
    """Carries requests of all instances to the emulators, badly."""

    def __init__(
        self,
        *,
        rng: random.Random,
        choices: RandomChoices,
        log: EventLog,
        counts: Counts,
        emulators: Mapping[str, Emulator],
        clock: SimulatedClock,
    ) -> None:
        self._rng = rng
        self._choices = choices
        self._log = log
        self._counts = counts
        self._emulators = emulators
        self._clock = clock
        self._informed: set[tuple[str, str]] = set()
        self._background: dict[asyncio.Task[Any], None] = {}
        self.faults_on = False
        self.silent: dict[str, str] = {}
        """What befalls every call to a host that has stopped answering, by host; tokens still come."""
        self.sends = Sends()
        self.intents: dict[str, str] = {}
        """Name of the intent by Track-Id, for the log."""

    async def settle(self) -> None:
        """Wait until nothing is under way any more."""
        while self._background:
            await asyncio.wait(tuple(self._background))

    async def carry(self, request: httpx.Request, instance: str) -> httpx.Response:
        """Take a request to Zuora and bring its answer, or whatever befalls either."""
        send = self._noted(request, instance)
        others = self.sends.open.setdefault(send.key, [])
        if send.key:
            self.sends.overlaps += ((other, send) for other in others)
        others.append(send)
        try:
            response = self._dated(await self._carried(request, send))
        except httpx.HTTPError as error:
            if isinstance(error.__cause__, NEVER_SENT):
                send.proof = Proof.UNSENT
            raise
        finally:
            others.remove(send)
            send.ended_s = self._clock.monotonic()
        if response.status_code in _NOT_EXECUTED:
            send.proof = Proof.UNSENT
        waits = [text for text in response.headers.get_list("retry-after", split_commas=True) if text.isdigit()]
        send.wait_s = max(map(float, waits), default=0.0)
        if "date" in response.headers:
            self._informed.add((instance, send.host))
        return response

    def _dated(self, response: httpx.Response) -> httpx.Response:
        """Add the time by Zuora's clock, which is always right, to all answers or to most."""
        if self._choices.dates == "sometimes" and self._rng.random() < _UNDATED:
            response.headers.pop("date", None)
            return response
        response.headers["date"] = format_datetime(self._clock.now(), usegmt=True)
        return response

    def _noted(self, request: httpx.Request, instance: str) -> Send:
        headers = request.headers
        host = request.url.host
        place = f"{host}/{headers.get('zuora-entity-ids', '')}"
        meant = hashlib.sha256(f"{place}/".encode() + request.content).hexdigest()[:12]
        send = Send(
            number=len(self.sends.all) + 1,
            time_s=asyncio.get_running_loop().time(),
            instance=instance,
            host=host,
            operation=_OPERATIONS[request.url.path],
            key=headers.get("idempotency-key", ""),
            track_id=headers.get("zuora-track-id", ""),
            meant=meant,
            place=place,
            informed=(instance, host) in self._informed,
        )
        self.sends.all.append(send)
        return send

    def _say(self, send: Send, text: str) -> None:
        self._log.add(send.instance, f"{text} (send {send.number})", self.intents.get(send.track_id, "token"))

    def _draw(self, send: Send) -> tuple[str, str]:
        """Return what the network does, and what Zuora does."""
        if not self.faults_on:
            return "", ""
        counts, factor = self._counts, self._choices.storm
        if send.operation == "token":
            kind = drawn(self._rng, TOKEN, factor=factor)
            counts.opportunities["token"] += 1
            if kind:
                counts.faults[f"token/{kind}"] += 1
            return ("drop_before", "") if kind == "token_drop" else ("", kind)
        wire, zuora = drawn(self._rng, WIRE, factor=factor), drawn(self._rng, ZUORA, factor=factor)
        wire = self.silent.get(send.host, wire)
        counts.opportunities["wire"] += 1
        counts.opportunities["zuora"] += 1
        if wire:
            counts.faults[f"wire/{wire}"] += 1
        if zuora:
            counts.faults[f"zuora/{zuora}"] += 1
        return wire, zuora

    async def _carried(self, request: httpx.Request, send: Send) -> httpx.Response:
        wire, zuora = self._draw(send)
        self._say(send, f"sends {send.operation} {send.key[:12]} meaning {send.meant} [{wire or '-'} {zuora or '-'}]")
        await asyncio.sleep(self._rng.uniform(*_HOP_S))
        if wire in UNDELIVERED:
            raise as_httpx(UNDELIVERED[wire]())
        if wire == "edge_before":
            return self._edge(self._rng.choice(_EDGE))
        # From here on the request is on its way: what Zuora does with it does not depend on who still waits.
        delay_s = self._rng.uniform(1.0, 100.0) if wire == "late" else 0.0
        delivery = self._later(self._delivered(request, send, zuora), delay_s)
        if wire == "reset":
            raise as_httpx(aiohttp.ClientOSError(errno.ECONNRESET, "reset"))
        if wire == "late":
            await asyncio.sleep(self._rng.choice((0.1, FOREVER_S)))
            raise as_httpx(aiohttp.ServerTimeoutError("simulated"))
        answer = await asyncio.shield(delivery)
        if not wire and answer.status in _NOT_EXECUTED and self.faults_on:
            wire = drawn(self._rng, REFUSALS, factor=1.0)
            self._counts.opportunities["refusals"] += 1
            if wire:
                self._counts.faults[f"refusals/{wire}"] += 1
                self._say(send, f"the refusal arrives with {wire}")
        return await self._brought_back(answer, wire, send)

    def _edge(self, status: int) -> httpx.Response:
        """Return an edge's page, which may demand a wait."""
        page = html_answer(status, "simulated edge")
        if self._rng.random() < 0.4:
            page = page.with_headers(("retry-after", str(self._rng.choice(_WAITS_S))))
        return response_of(page)

    async def _brought_back(self, answer: Answer, wire: str, send: Send) -> httpx.Response:
        if wire == "drop_after":
            raise as_httpx(aiohttp.ServerDisconnectedError())
        if wire == "edge_after":
            return self._edge(self._rng.choice(_EDGE))
        if wire == "edge_4xx_after":
            return self._edge(self._rng.choice(_PRIVATE_4XX))
        if wire in _UNREADABLE:
            return self._unreadable(answer, wire)
        if wire == "delay":
            await asyncio.sleep(self._rng.uniform(1.0, 40.0))
        elif wire == "hang":
            await asyncio.sleep(FOREVER_S)
        await asyncio.sleep(self._rng.uniform(*_HOP_S))
        send.refused = is_refusal(answer)
        return response_of(disguised(answer, wire))

    def _unreadable(self, answer: Answer, wire: str) -> httpx.Response:
        """Return an answer whose body cannot be read, perhaps with the status of an edge."""
        damage = wire
        if wire == "unreadable_status":
            damage = self._rng.choice(("cut_body", "bad_coding", "too_large"))
            # What turned the call away stays that; an edge never says of an executed call that it was not executed.
            status = answer.status if answer.status in _NOT_EXECUTED else self._rng.choice(_ANY_STATUS)
            answer = replace(answer, status=status)
            if self._rng.random() < 0.5:
                answer = answer.with_headers(("retry-after", str(self._rng.choice(_WAITS_S))))
        return damaged(answer, damage)

    def _later(self, work: Any, delay_s: float) -> asyncio.Task[Answer]:
        async def delayed() -> Answer:
            if delay_s:
                await asyncio.sleep(delay_s)
            return await work

        task = asyncio.get_running_loop().create_task(delayed())
        self._background[task] = None
        task.add_done_callback(self._arrived)
        return task

    def _arrived(self, task: asyncio.Task[Any]) -> None:
        del self._background[task]
        task.result()

    async def _delivered(self, request: httpx.Request, send: Send, zuora: str) -> Answer:
        emulator = self._emulators[send.host]
        send.arrived_s = asyncio.get_running_loop().time()
        fault = scripted(self._rng, zuora)
        if fault is not None:
            emulator.faults.add(_fault(f"{send.operation}:{fault}"))
        before = len(emulator.ledger.entries)
        answer = await answer_of(emulator, request)
        request_id = answer.header("zuora-request-id") or ""
        executed = any(entry.request_id == request_id for entry in emulator.ledger.entries[before:])
        self.sends.by_request_id.setdefault(request_id, send)
        if executed and zuora == "gateway_99_charged":
            answer = self._charged_99(emulator, send, answer)
        answer = self._in_fashion(answer)
        self._say(send, f"Zuora {'EXECUTES and ' if executed else ''}answers {answer.status} {brief(answer.body)}")
        return answer

    def _charged_99(self, emulator: Emulator, send: Send, answer: Answer) -> Answer:
        """Say that the gateway failed, although it did what was asked; that answer is the stored one."""
        body = {
            "success": False,
            "processId": f"{send.number:016X}",
            "reasons": [{"code": 53000099, "message": "simulated"}],
        }
        kept = tuple(pair for pair in answer.headers if pair[0] in {"zuora-request-id", "zuora-track-id"})
        failed = Answer(200, msgspec.json.encode(body), (*kept, ("content-type", "application/json")))
        if send.key and send.key in emulator._world.idempotency.records:
            emulator._world.idempotency.finish(send.key, failed)
        return failed

    def _in_fashion(self, answer: Answer) -> Answer:
        """Return a refusal with an HTTP status, or with 200 and success: false, as the run says."""
        if not self._choices.errors_as_status or answer.status != 200:
            return answer
        category = category_of(answer.body)
        if category is None or b"paymentMethodId" in answer.body:
            return answer
        return Answer(status_of(category), answer.body, answer.headers)


class InstanceWire(httpx.AsyncBaseTransport):
    """One instance's way into the network."""

    def __init__(self, network: Network, instance: str) -> None:
        self._network = network
        self._instance = instance

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry a request."""
        return await self._network.carry(request, self._instance)


_FAULTS: dict[str, Fault] = {}


def _fault(text: str) -> Fault:
    if text not in _FAULTS:
        _FAULTS[text] = parse_fault(text)
    return _FAULTS[text]
