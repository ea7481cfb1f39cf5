"""What callers do: they send, race, leave, come back, and follow the advice they get."""

import asyncio
from typing import Final

from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch_server.intents.executor import idempotency_key
from payorch_server.model.identifiers import RequestId
from zuora_emulator.ledger import short_hash

from programs.simulation.grpc_context import CONNECTION_LOST, FIX, LOOK_UP, NEW, RESEND, Seen
from programs.simulation.intent import (
    MISSING_ACCOUNT,
    OPERATIONS,
    Answer,
    Intent,
    Purpose,
    bodies_of,
    new_request_id,
    new_token,
)
from programs.simulation.world import BILLING, SHOP, World

_RPCS: Final = (("CreateSession", 0.45), ("CreatePaymentMethod", 0.37), ("DecryptApplePay", 0.18))
_TIMEOUTS_S: Final = (None, None, 0.1, 0.4, 2.0, 5.0, 20.0, 20.0, 60.0)
_LEAVES_AFTER_S: Final = (0.01, 0.1, 0.5, 1.5, 3.0, 6.0)
_DEFAULT_TIMEOUT_S: Final = 20.0
_MAX_TIMEOUT_S: Final = 55.0
_MOST_INTENTS: Final = 4


class Callers:
    """All callers of a run."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.purposes: list[Purpose] = []
        self.intents: dict[str, Intent] = {}
        self.by_track_id: dict[str, Intent] = {}
        self._calls = 0

    # --- what they want

    def purpose(self, *, rpc: str = "", plain: bool = False) -> Purpose:
        """Think of something to be done once."""
        rng = self.world.rng
        chosen = rpc or rng.choices([name for name, _ in _RPCS], [weight for _, weight in _RPCS])[0]
        purpose = Purpose(
            name=f"p{len(self.purposes)}",
            namespace=SHOP if plain or rng.random() < 0.85 else BILLING,
            rpc=chosen,
        )
        if chosen == "DecryptApplePay":
            purpose.token = self._token(plain=plain)
            purpose.pays = plain or rng.random() < 0.8
        if not plain and rng.random() < 0.03:
            purpose.account_id = MISSING_ACCOUNT
        self.purposes.append(purpose)
        return purpose

    def _token(self, *, plain: bool) -> bytes:
        rng = self.world.rng
        used = [one.token for one in self.purposes if one.token]
        if used and not plain and rng.random() < 0.35:
            self._did("token_of_another")
            return rng.choice(used)
        return new_token(rng)

    def intent(self, purpose: Purpose) -> Intent:
        """Give the purpose a new request id."""
        rng = self.world.rng
        request_id = new_request_id(rng, self.world.time())
        others = [one for one in self.intents.values() if one.purpose.namespace != purpose.namespace]
        if others and rng.random() < 0.1:
            # Namespaces know nothing of each other's ids.
            request_id = rng.choice(others).request_id
            if any(one.request_id == request_id and one.purpose.rpc == purpose.rpc and
                   one.purpose.namespace == purpose.namespace for one in self.intents.values()):  # fmt: skip
                request_id = new_request_id(rng, self.world.time())
        intent = Intent(
            name=f"{purpose.name}.{len(purpose.intents)}",
            purpose=purpose,
            request_id=request_id,
            key=idempotency_key(namespace=purpose.namespace, rpc=purpose.rpc, request_id=RequestId(request_id)),
            bodies=bodies_of(purpose, request_id),
            sleeper=rng.random() < 0.1,
            late_sleeper=rng.random() < 0.3,
        )
        purpose.intents.append(intent)
        self.intents[intent.name] = intent
        return intent

    def _did(self, behaviour: str) -> None:
        self.world.counts.faults[f"callers/{behaviour}"] += 1

    # --- how they go about it

    async def pursue(self, purpose: Purpose, *, after_s: float) -> None:
        """Try to get it done, for some time."""
        rng = self.world.rng
        await asyncio.sleep(after_s)
        intent = purpose.intents[-1] if purpose.intents else self.intent(purpose)
        for _ in range(rng.randint(1, 6)):
            advice = await self._approach(intent)
            if advice == NEW and len(purpose.intents) < _MOST_INTENTS:
                intent = self.intent(purpose)
                self._renew_token(purpose, intent)
            elif advice != RESEND:
                break
            elif intent.sleeper or rng.random() < 0.1:
                return
            await asyncio.sleep(rng.uniform(0.05, 4.0))
        if rng.random() < 0.2:
            await self.look_up(intent)
        if rng.random() < 0.1:
            # A caller that never heard of the end.
            await self.call(intent)

    def _renew_token(self, purpose: Purpose, intent: Intent) -> None:
        """Let the customer pay by another token, as a payment sheet shown again does."""
        if purpose.token and self.world.rng.random() < 0.5:
            purpose.token = new_token(self.world.rng)
            intent.bodies = bodies_of(purpose, intent.request_id)

    async def _approach(self, intent: Intent) -> str:
        """Send once or several times at once, and return the advice that holds."""
        rng = self.world.rng
        style = rng.random()
        if style < 0.12:
            self._did("race_equal")
            answers = await self._together(intent, [0] * rng.randint(2, 4))
        elif style < 0.18:
            self._did("race_different")
            answers = await self._together(intent, [0, 1])
        elif style < 0.22:
            self._did("different_later")
            answers = [await self.call(intent), await self.call(intent, body=1)]
        elif style < 0.32:
            self._did("leave")
            answers = [await self.call(intent, leave_after_s=rng.choice(_LEAVES_AFTER_S))]
        elif style < 0.42:
            self._did("retried_by_grpc")
            answers = [await self._retried(intent)]
        else:
            answers = [await self.call(intent)]
        return advice_of([answer.seen for answer in answers if answer.body == 0])

    async def _retried(self, intent: Intent) -> Answer:
        """Send as gRPC's own retries do: the connection of the first attempt breaks, perhaps before it arrived."""
        if self.world.rng.random() < 0.7:
            await self.call(intent, leave_after_s=self.world.rng.choice(_LEAVES_AFTER_S))
        return await self.call(intent, is_retry=True)

    async def _together(self, intent: Intent, bodies: list[int]) -> list[Answer]:
        rng = self.world.rng

        async def one(body: int, wait_s: float) -> Answer:
            await asyncio.sleep(wait_s)
            return await self.call(intent, body=body)

        waits = [rng.choice((0.0, 0.001, 0.05, 0.5)) for _ in bodies]
        return list(await asyncio.gather(*(one(body, wait) for body, wait in zip(bodies, waits, strict=True))))

    # --- calls

    async def call(
        self,
        intent: Intent,
        *,
        body: int = 0,
        leave_after_s: float | None = None,
        timeout_s: float | None = -1.0,
        is_retry: bool = False,
    ) -> Answer:
        """Send an intent's request to an instance of its namespace."""
        world, purpose = self.world, intent.purpose
        timeout_s = world.rng.choice(_TIMEOUTS_S) if timeout_s == -1.0 else timeout_s
        allowed_s = min(_DEFAULT_TIMEOUT_S if timeout_s is None else timeout_s, _MAX_TIMEOUT_S)
        instance = await world.somewhere(purpose.namespace)
        number, track_id = self._numbered(intent)
        if timeout_s is not None and timeout_s < 1.0:
            self._did("short_deadline")
        began_s = read_since_s = world.time()
        if (joined := instance.executor._executions.get(intent.key)) is not None:
            world.counts.executions["joins"] += 1
            read_since_s = joined.started_s
        sent_again = ", sent again by gRPC" if is_retry else ""
        world.log.add(instance.name, f"call {number}: body {body}, {allowed_s} s{sent_again}", intent.name)
        seen, response = await instance.call(
            purpose.rpc,
            intent.bodies[body],
            track_id=track_id,
            timeout_s=timeout_s,
            leave_after_s=leave_after_s,
            is_retry=is_retry,
        )
        if response is not None:
            seen.ids, seen.replayed = ids_of(response), response.call.replayed == call_pb2.REPLAY_YES
            world.counts.executions["replays"] += seen.replayed
        left = seen is CONNECTION_LOST
        answer = Answer(
            number, began_s, world.time(), allowed_s, body, seen, instance.name, is_retry, read_since_s, left=left
        )
        self._note(intent, answer)
        return answer

    async def look_up(self, intent: Intent) -> None:
        """Ask what became of an intent."""
        world = self.world
        instance = await world.somewhere(intent.purpose.namespace)
        number, track_id = self._numbered(intent)
        request = service_pb2.GetIntentRequest(
            request_id=intent.request_id, operation=OPERATIONS[intent.purpose.rpc]
        ).SerializeToString()
        began_s = world.time()
        seen, response = await instance.call("GetIntent", request, track_id=track_id, timeout_s=5.0)
        if response is not None:
            seen = seen_record(response)
        left = seen is CONNECTION_LOST
        answer = Answer(number, began_s, world.time(), 5.0, 0, seen, instance.name, looked_up=True, left=left)
        self._note(intent, answer)

    def _numbered(self, intent: Intent) -> tuple[int, str]:
        self._calls += 1
        self.world.counts.calls += 1
        self.world.counts.opportunities["callers"] += 1
        track_id = f"call-{self._calls}"
        self.by_track_id[track_id] = intent
        self.world.network.intents[track_id] = intent.name
        return self._calls, track_id

    def _note(self, intent: Intent, answer: Answer) -> None:
        seen, counts = answer.seen, self.world.counts
        intent.answers.append(answer)
        said = f"{seen.outcome} {seen.advice} {seen.reason} {' '.join(sorted(seen.ids))}"
        asked = "asks and hears" if answer.looked_up else "hears"
        self.world.log.add(f"caller {intent.purpose.name}", f"call {answer.number}: {asked} {said}", intent.name)
        if not answer.looked_up:
            counts.outcomes[seen.outcome, seen.advice] += 1
            counts.reasons[seen.reason or "(success)"] += 1


def advice_of(answers: list[Seen]) -> str:
    """Return what a caller goes by that got several answers: never a new intent while one is in doubt."""
    advices = {seen.advice for seen in answers}
    return next((one for one in ("NONE", LOOK_UP, RESEND, FIX, NEW) if one in advices), FIX)


def ids_of(response: object) -> frozenset[str]:
    """Return the ids that an answer names; a session's is the hash of its token."""
    if isinstance(response, service_pb2.CreateSessionResponse):
        return frozenset({short_hash(response.session.token)})
    if isinstance(response, service_pb2.DecryptApplePayResponse):
        return frozenset({response.payment_method_id, response.payment_id} - {""})
    return frozenset({response.payment_method.id})


def seen_record(response: service_pb2.GetIntentResponse) -> Seen:
    """Return what the record of an intent shows a caller that asks for it."""
    if response.intent_state != service_pb2.INTENT_STATE_SETTLED:
        return Seen("UNKNOWN", RESEND, service_pb2.IntentState.Name(response.intent_state))
    return Seen(
        outcome=call_pb2.Outcome.Name(response.call_outcome.outcome).removeprefix("OUTCOME_"),
        advice=call_pb2.Advice.Name(response.call_outcome.advice).removeprefix("ADVICE_"),
        reason="(record)",
        ids=frozenset({response.existing.payment_method_id, response.existing.payment_id} - {""}),
    )
