"""Plays a script against a fresh emulator with the same ids and a clock that stands still, and returns what it did."""

import copy
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlencode

import msgspec
from samples import Script
from zuora_emulator import Emulator, Settings, seed
from zuora_emulator.clock import USUAL_START, StoppedClock
from zuora_emulator.state import Grant

_TOKEN: Final = "0" * 32
_HUB: Final = "http://127.0.0.1:1/upc"
_FIRST_REFUSAL: Final = 300


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a script did; two outcomes of scripts that differ in one field differ because of it."""

    succeeded: bool
    """Whether its first request did what it asked for."""
    answers: list[Any]
    """Bodies of its answers."""
    elsewhere: list[Any]
    """Statuses, ledger, state, requests to hubs, and headers if they count."""


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: list[tuple[str, str]]
    body: Any


class _Hub:
    """Approves everything and keeps what it was sent."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    async def post(
        self,
        url: str,  # noqa: ARG002 - the signature of a caller of hubs, also below
        headers: Mapping[str, str],  # noqa: ARG002
        body: bytes,
        *,
        connect_timeout_s: float = 0.0,  # noqa: ARG002
        answer_timeout_s: float = 0.0,  # noqa: ARG002
    ) -> tuple[int, bytes]:
        self.bodies.append(msgspec.json.decode(body))
        return 200, b'{"responseCode": "Approved", "gatewayTransactionId": "1"}'


_played: dict[bytes, Outcome] = {}


async def played(script: Script, switches: Mapping[str, Any]) -> Outcome:
    """Return what a script does under some switches: the same outcome whenever it is asked."""
    key = msgspec.json.encode([script, switches])
    if key not in _played:
        _played[key] = await _play(script, switches)
    return _played[key]


async def _play(script: Script, switches: Mapping[str, Any]) -> Outcome:
    hub, settings = _Hub(), Settings(upc_allow_local_endpoints=True, **switches)
    emulator = Emulator(
        clock=StoppedClock(USUAL_START),
        rng=random.Random(7),  # noqa: S311 - ids guard nothing
        settings=settings,
        upc=seed.upc_with(_HUB),
        hub_caller=hub,
    )
    expires_at = USUAL_START + timedelta(hours=1)
    emulator.state.grants[_TOKEN] = Grant(client=seed.CLIENT_A, entities=seed.CLIENT_A.entities, expires_at=expires_at)
    key = await _prepare(emulator, script)
    # A replay and a duplicate show with the second request only.
    answers = [await _send(emulator, script, key) for _ in range(2 if switches or script.also_refused else 1)]
    if script.also_refused:
        answers.append(await _send(emulator, replace(script, body={"no": "field"}), "unknown"))
    seen = [[answer.status, answer.headers if script.also_refused else []] for answer in answers]
    first = answers[0]
    return Outcome(
        succeeded=first.status < _FIRST_REFUSAL and first.body.get("success", True) is True,
        answers=[answer.body for answer in answers],
        elsewhere=[seen, _plain(emulator.ledger.entries), _state(emulator), hub.bodies],
    )


async def _prepare(emulator: Emulator, script: Script) -> str:
    """Make what has to exist; return the id of the last thing made."""
    key = ""
    for path, body in script.before:
        headers = {"Zuora-Entity-Ids": seed.ENTITY_US}
        step = Script(operation="", method="POST", path=path, body=body, headers=headers)
        made = (await _send(emulator, step, key)).body
        key = next(made[name] for name in ("id", "token") if name in made)
    return key


def _state(emulator: Emulator) -> Any:
    """Return what is kept, but for what was answered when methods were created."""
    state = copy.copy(emulator.state)
    state.payment_methods = {key: replace(method, shown={}) for key, method in state.payment_methods.items()}
    state.grants = {}
    return _plain(state)


def _plain(value: Any) -> Any:
    return msgspec.to_builtins(value, str_keys=True, enc_hook=repr)


async def _send(emulator: Emulator, script: Script, key: str) -> _Answer:
    """Send a request in process."""
    headers = {"Host": "zuora"} | dict(script.headers)
    if script.form:
        body = urlencode(script.body).encode()
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    else:
        body = b"" if script.method == "GET" else msgspec.json.encode(_filled(script.body, key))
        headers |= {"Authorization": f"Bearer {_TOKEN}", "Content-Type": "application/json"}
    path = script.path.format(key=key)
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": script.method,
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": urlencode(script.query).encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 1),
        "server": ("zuora", 80),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await emulator.app(scope, receive, send)
    answered = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return _Answer(status=sent[0]["status"], headers=answered, body=msgspec.json.decode(content))


def _filled(body: Any, key: str) -> Any:
    if isinstance(body, Mapping):
        return {name: _filled(value, key) for name, value in body.items()}
    return key if body == "{key}" else body
