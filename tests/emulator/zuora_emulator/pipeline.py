"""The way of every call: journal, faults, credentials, headers, limits, idempotency, operation, ledger, answer.

The order is Zuora's as far as the documents tell: what the edge refuses never reaches the idempotency store, and what
the API refuses is stored like a success.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from zuora_emulator import oauth
from zuora_emulator.answers import MARKER, Answer, Answered, ConnectionCut, NeverAnswered, html_answer, json_bytes
from zuora_emulator.async_calls import PendingCall, accepted, wants_async
from zuora_emulator.call import Arrived, decoded_form, decoded_json, unpacked
from zuora_emulator.damage import damaged
from zuora_emulator.declines import USUAL_DECLINE
from zuora_emulator.errors import Context, Reason, Refused, key_refusal_answer, refusal_answer, refused
from zuora_emulator.fault_answers import api_answer, edge_answer
from zuora_emulator.faults import Fault, Kind
from zuora_emulator.headers import (
    authorised,
    check_track_id,
    check_version,
    effective_version,
    entity_of,
    grant_of,
    orgs_of,
)
from zuora_emulator.hub_sends import MASK
from zuora_emulator.idempotency import LONGEST_KEY, Scope, Verdict
from zuora_emulator.journal import Arrival, Outcome
from zuora_emulator.redemption import session_of
from zuora_emulator.settings import Settings
from zuora_emulator.shown_answers import masked_answer
from zuora_emulator.state import Grant
from zuora_emulator.world import World

_KEYED_METHODS = frozenset({"POST", "PATCH"})
_IDS = ("access_token", "token", "paymentMethodId", "paymentId", "id")
"""The promises of a successful answer, which the `no_id` fault breaks."""


class _Passage:
    """One call on its way through."""

    def __init__(self, world: World, arrived: Arrived) -> None:
        self.world = world
        self.arrived = arrived
        self.fault = world.faults.take(arrived.operation.name, arrived.now)
        self.outcome: Outcome = "refused"
        self.place: tuple[str | None, str | None] = (None, None)
        """Tenant and entity, as soon as they are known."""
        self.context = Context(
            operation=arrived.operation,
            settings=world.settings,
            version=effective_version(arrived, world.settings),
            process_id=arrived.process_id,
            request_id=arrived.request_id,
        )

    async def answer(self) -> Answer:
        """Take the call through all steps."""
        if self.fault is not None:
            if self.fault.kind is Kind.DROP:
                raise ConnectionCut
            if self.fault.kind is Kind.SILENCE:
                raise NeverAnswered
            early = edge_answer(self.fault, self.context)
            if early is not None:
                self.outcome = "fault"
                return self._kept_if_asked(self._finished(early))
        try:
            check_track_id(self.arrived)
            if self.arrived.operation.dialect == "oauth":
                return await self._token()
            if self.arrived.operation.dialect == "browser":
                return await self._browser()
            return await self._api()
        except Answered as stop:
            return self._finished(stop.answer)
        except Refused as refusal:
            return self._finished(refusal_answer(refusal, self.context))

    def _finished(self, answer: Answer) -> Answer:
        """Add the headers that every answer has."""
        headers = [("zuora-request-id", self.arrived.request_id)]
        if self.arrived.track_id is not None and self.arrived.track_id.isascii():
            headers.append(("zuora-track-id", self.arrived.track_id))
        return answer.with_headers(*headers)

    def _kept_if_asked(self, answer: Answer) -> Answer:
        grant = grant_of(self.arrived, self.world.state)
        key = self.arrived.idempotency_key
        if self.world.settings.store_unprocessed and key is not None and grant is not None:
            scope = self._scope(grant)
            now = self.arrived.now
            self.world.idempotency.keep(key, answer, scope=scope, body=self.arrived.raw_body, now=now)
        return answer

    # --- tokens

    async def _token(self) -> Answer:
        headers = self.world.limits.count_token_request(peer=self.arrived.peer, now=self.arrived.now)
        answer = self._faulty_answer()
        if answer is None:
            world = self.world
            form = decoded_form(self.arrived.raw_body)
            request = oauth.TokenRequest(
                arrived=self.arrived,
                form=form,
                state=world.state,
                ids=world.ids,
                ledger=world.ledger,
                settings=world.settings,
            )
            answer = self._without_ids(oauth.issue_token(request))
            self.outcome = "executed"
        await self._slow()
        return self._distorted(self._finished(answer.with_headers(*headers)))

    # --- a page in the browser, which has the token of a session in place of one of its own

    async def _browser(self) -> Answer:
        _check_method(self.arrived, self.world.settings)
        session = session_of(self.arrived, self.world.state, self.world.settings)
        self.place = (session.client.tenant, session.entity)
        grant = Grant(client=session.client, entities=(session.entity,), expires_at=self.arrived.now)
        return self._distorted(await self._once(grant, session.entity, session.orgs, ()))

    # --- everything else

    async def _api(self) -> Answer:
        grant = authorised(self.arrived, self.world.state, self.context)
        _check_method(self.arrived, self.world.settings)
        check_version(self.arrived)
        entity = entity_of(self.arrived, grant.entities, self.world.settings)
        orgs = orgs_of(self.arrived, grant.client, self.world.settings)
        limits = self.world.limits
        tenant = grant.client.tenant
        self.place = (tenant, entity)
        rate = limits.count_request(tenant=tenant, now=self.arrived.now, context=self.context)
        with limits.slot(tenant=tenant, entity=entity, context=self.context) as concurrency:
            once = self._once(grant, entity, orgs, (*rate, *concurrency))
            answer = await (self.world.finished_anyway(once) if self.arrived.operation.asks_hub else once)
        return self._distorted(answer)

    async def _once(
        self, grant: Grant, entity: str, orgs: tuple[str, ...], headers: tuple[tuple[str, str], ...]
    ) -> Answer:
        """Execute, unless the idempotency key says otherwise."""
        key = self.arrived.idempotency_key
        if key is None or self.arrived.method not in _KEYED_METHODS:
            answer = self._finished((await self._performed(grant, entity, orgs)).with_headers(*headers))
            await self._slow()
            return answer
        verdict = self.world.idempotency.begin(
            key, scope=self._scope(grant), body=self.arrived.raw_body, now=self.arrived.now
        )
        if verdict is not Verdict.EXECUTE:
            return self._not_executed(verdict)
        try:
            answer = self._finished((await self._performed(grant, entity, orgs)).with_headers(*headers))
        except BaseException:
            self.world.idempotency.abandon(key)
            raise
        try:
            await self._slow()
        finally:  # executed, whether or not anybody still waits for the answer
            self.world.idempotency.finish(key, answer)
        return answer

    def _scope(self, grant: Grant) -> Scope:
        return Scope(tenant=grant.client.tenant, method=self.arrived.method, url=self.arrived.url)

    def _not_executed(self, verdict: Verdict | Answer) -> Answer:
        if isinstance(verdict, Answer):
            self.outcome = "replayed"
            if self.world.settings.replay_headers == "stored":
                return verdict
            kept = tuple(pair for pair in verdict.headers if pair[0] not in {"zuora-request-id", "zuora-track-id"})
            return self._finished(Answer(verdict.status, verdict.body, kept))
        if verdict is Verdict.IN_FLIGHT:
            message = "A request with the same idempotency key is still being processed."
            return self._finished(key_refusal_answer(409, message, self.context))
        what = "body" if verdict is Verdict.OTHER_BODY else "tenant, URL or method"
        message = f"The idempotency key was used with another {what}."
        return self._finished(key_refusal_answer(422, message, self.context))

    async def _performed(self, grant: Grant, entity: str, orgs: tuple[str, ...]) -> Answer:
        answer = self._faulty_answer()
        if answer is not None:
            return answer
        try:
            answer = await self._executed_or_queued(grant, entity, orgs)
        except Refused as refusal:
            self.outcome = "executed" if refusal.existing else "refused"
            return refusal_answer(refusal, self.context)
        return self._without_ids(answer)

    async def _executed_or_queued(self, grant: Grant, entity: str, orgs: tuple[str, ...]) -> Answer:
        is_async = wants_async(self.arrived)
        delay = timedelta(seconds=self.world.settings.async_delay_seconds)
        call = PendingCall(
            due=self.arrived.now + delay,
            arrived=self.arrived,
            client=grant.client,
            entity=entity,
            orgs=orgs,
            body=_body_of(self.arrived),
            decline=self._decline(),
        )
        if is_async and delay:
            self.world.queue(call)
            self.outcome = "queued"
            return accepted(self.arrived)
        answer = await self.world.execute(call)
        self.outcome = "executed"
        return accepted(self.arrived) if is_async else answer

    # --- faults

    def _has(self, kind: Kind) -> bool:
        return self.fault is not None and self.fault.kind is kind

    def _decline(self) -> str | None:
        if self.fault is not None and self.fault.kind is Kind.DECLINED:
            return self.fault.decline or USUAL_DECLINE
        return USUAL_DECLINE if self.world.settings.decline_payments else None

    def _faulty_answer(self) -> Answer | None:
        answer = None if self.fault is None else api_answer(self.fault, self.context)
        if answer is not None:
            self.outcome = "fault"
        return answer

    async def _slow(self) -> None:
        if self.fault is not None and self.fault.kind is Kind.SLOW:
            await self.world.clock.sleep(self.fault.seconds)

    def _without_ids(self, answer: Answer) -> Answer:
        if not self._has(Kind.NO_ID):
            return answer
        body = {name: value for name, value in decoded_json(answer.body).items() if name not in _IDS}
        return Answer(answer.status, json_bytes(body), answer.headers)

    def _distorted(self, answer: Answer) -> Answer:
        """Spoil the answer on its way, after everything was done and stored."""
        if self._has(Kind.DROP_AFTER):
            raise ConnectionCut
        if self._has(Kind.SILENCE_AFTER):
            raise NeverAnswered
        if self.fault is not None and self.fault.kind is Kind.STATUS_AFTER:
            return html_answer(self.fault.status, "An edge answers in place of Zuora")
        if self._has(Kind.EMPTY):
            return Answer(200, b"", answer.headers)
        if self._has(Kind.TRUNCATED):
            return Answer(answer.status, answer.body[: len(answer.body) // 2], answer.headers)
        return answer if self.fault is None else damaged(answer, self.fault)


async def answer_to(world: World, arrived: Arrived) -> Answer:
    """Answer a call.

    Raises:
        ConnectionCut: the answer is that the connection ends.
        NeverAnswered: there is none.
    """
    if world.settings.orphan_days is not None:
        world.state.forget_orphans(arrived.now, days=world.settings.orphan_days)
    arrival = _recorded(world, arrived)
    if grant := grant_of(arrived, world.state):
        arrival.token_client, arrival.token_entities = grant.client.client_id, grant.entities
    passage = _Passage(world, arrived)
    arrival.fault = _text_of(passage.fault)
    try:
        answer = await passage.answer()
    except ConnectionCut:
        arrival.outcome = "cut"
        raise
    finally:
        arrival.tenant, arrival.entity = passage.place
    arrival.outcome = passage.outcome
    arrival.status = answer.status
    arrival.answer = masked_answer(answer.body, lambda: [_readable(arrived), dict(arrived.query)])
    return answer.with_headers(MARKER)


def _recorded(world: World, arrived: Arrived) -> Arrival:
    arrival = world.journal.record(
        operation=arrived.operation.name,
        time=arrived.now,
        method=arrived.method,
        path=_shown_path(arrived),
        headers=arrived.headers.items(),
        body=_readable(arrived),
    )
    arrival.request_id = arrived.request_id
    return arrival


def _shown_path(arrived: Arrived) -> str:
    path = arrived.url.partition("?")[0]
    return path.replace(arrived.key, MASK) if arrived.operation.dialect == "browser" else path


def _text_of(fault: Fault | None) -> str | None:
    return None if fault is None else str(fault)


def _readable(arrived: Arrived) -> Mapping[str, Any] | bytes:
    """Return the body as the journal can mask it."""
    if arrived.operation.dialect == "oauth":
        # A secret that was not URL-encoded spills over into field names, so unknown names are not shown either.
        return {name: value for name, value in decoded_form(arrived.raw_body).items() if name in oauth.FORM_FIELDS}
    try:
        return _body_of(arrived)
    except Refused:
        return arrived.raw_body


def _body_of(arrived: Arrived) -> dict[str, Any]:
    if arrived.operation.method == "GET":
        return {}
    raw = unpacked(arrived.raw_body, encoding=arrived.headers.get("content-encoding"))
    body = decoded_json(raw)
    if not isinstance(body, dict):
        raise refused(90, "The request body must be a JSON object.")
    return body


def _check_method(arrived: Arrived, settings: Settings) -> None:
    key = arrived.idempotency_key
    if key is not None and arrived.method not in _KEYED_METHODS and settings.key_on_reads == "refuse":
        raise _header_problem("The Idempotency-Key header is for POST and PATCH only.")
    if key is not None and not 1 <= len(key) <= LONGEST_KEY:
        raise _header_problem(f"The Idempotency-Key header must have 1 to {LONGEST_KEY} characters.")
    if arrived.method != arrived.operation.method:
        reason = Reason(category=45, message="The method is not allowed.", quickstart_code="method_not_allowed")
        raise Refused((reason,), at_gateway=True)


def _header_problem(message: str) -> Refused:
    return Refused((Reason(category=20, message=message, parameter="idempotency-key"),), at_gateway=True)
