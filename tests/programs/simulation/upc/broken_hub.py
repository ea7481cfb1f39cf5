"""Rules of the hub broken on purpose, each by a patch of the part that keeps it: every one must be noticed."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from payorch_server.upc import answers, hub_execution
from payorch_server.upc.answers import Situation, _Row
from payorch_server.upc.gateway_conversation import GatewayConversation
from payorch_server.upc.gateway_outcome import GatewayOutcome, NoOutcome, Result, Silence
from payorch_server.upc.hub_execution import HubExecution
from payorch_server.upc.hub_ledger import ANSWER_KEPT_S, HubClaim, HubLedger
from payorch_server.upc.hub_record import decode_hub_record, encode_hub_record, record_key

from programs.simulation.upc.choices import DAY_S


@dataclass(frozen=True, slots=True)
class Patch:
    """One thing that a broken rule replaces."""

    owner: Any
    name: str
    value: Any


def _in_doubt_as_alone(*situations: Situation) -> Patch:
    """Answer to these situations in doubt what is answered without doubt."""
    table = dict(answers._TABLE)
    for situation in situations:
        table[situation] = _Row(table[situation].alone, table[situation].alone)
    return Patch(answers, "_TABLE", table)


_init = HubLedger.__init__
_open = HubLedger.open
_execution_init = HubExecution.__init__
_open_rewrite = HubLedger._try_rewrite


def _init_for_a_day(self: HubLedger, **parts: Any) -> None:
    _init(self, **parts | {"keep_s": DAY_S})


async def _open_after_72_hours(self: HubLedger, key: str, fresh: Any) -> Any:
    """Take a record whose sealed part has expired for none."""
    opened = await _open(self, key, fresh)
    if isinstance(opened, HubClaim):
        return opened
    record = decode_hub_record(opened.value)
    if self.age_s(record) < ANSWER_KEPT_S:
        return opened
    await self._store.compare_and_delete(record_key(key), version=opened.version)
    return await _open(self, key, fresh)


async def _open_unrecorded(self: HubLedger, key: str, fresh: Any) -> Any:
    """Claim a request of which there is no record without making one."""
    stored = await self._store.get(record_key(key))
    return stored if stored is not None else HubClaim(key, fresh, 1)


async def _record_at_the_end(self: HubLedger, claim: HubClaim, record: Any) -> bool:
    stored = await self._store.put_if_absent(
        record_key(claim.key), encode_hub_record(record), ttl_s=self._keep_s, version=1
    )
    return stored is None or await _open_rewrite(self, claim, record)


def _key_with_gateway(self: HubExecution, request: Any, gateway: Any, refusal: Any, **parts: Any) -> None:
    _execution_init(self, request, gateway, refusal, **parts)
    name = dataclasses.replace(request.name, tenant_id=f"{request.tenant_id}/{gateway.name if gateway else ''}")
    self.key = hub_execution.idempotency_key(name)


_call = GatewayConversation._call


async def _declined_for_deadline(self: GatewayConversation) -> Any:
    deadline = [False]
    gateway_call = self._gateway.call

    async def call(*request: Any, **about: Any) -> Any:
        ended = await gateway_call(*request, **about)
        deadline[0] = isinstance(ended, NoOutcome) and ended.silence is Silence.DEADLINE
        return ended

    with_deadline = _Calls(self._gateway, call)
    self._gateway = with_deadline  # type: ignore[assignment] # it has what is used
    verdict = await _call(self)
    self._gateway = with_deadline.gateway
    return (Situation.DECLINED, GatewayOutcome(Result.DECLINED, "timeout")) if deadline[0] else verdict


@dataclass(slots=True)
class _Calls:
    gateway: Any
    call: Any


def _no_obstacle(*_about: Any) -> None:
    """Continue with whatever gateway the settings name now."""


_REFUSALS: Final[Iterable[Situation]] = (
    Situation.REQUEST_UNUSABLE,
    Situation.TENANT_UNKNOWN,
    Situation.GATEWAY_UNKNOWN,
    Situation.GATEWAY_CHANGED,
    Situation.SWITCHED_OFF,
)

BROKEN_HUB_RULES: Final[Mapping[str, Sequence[Patch]]] = {
    "declined-after-open-send": (_in_doubt_as_alone(Situation.DECLINED, Situation.FAILED),),
    "first-call-after-sealed-part-expired": (Patch(HubLedger, "open", _open_after_72_hours),),
    "gateway-in-key": (Patch(HubExecution, "__init__", _key_with_gateway),),
    "no-record-before-call": (
        Patch(HubLedger, "open", _open_unrecorded),
        Patch(HubLedger, "_try_rewrite", _record_at_the_end),
    ),
    "400-after-a-call": (_in_doubt_as_alone(*_REFUSALS),),
    "401-with-open-record": (_in_doubt_as_alone(Situation.CREDENTIALS_REFUSED),),
    "declined-for-deadline": (Patch(GatewayConversation, "_call", _declined_for_deadline),),
    "system-after-open-send": (
        _in_doubt_as_alone(Situation.NOT_ATTEMPTED, Situation.NOT_CONNECTED, Situation.NOT_OFFERED),
    ),
    "rerouted-takeover": (
        Patch(HubExecution, "_pin", _no_obstacle),
        Patch(hub_execution, "_obstacle", _no_obstacle),
        Patch(GatewayConversation, "_is_pinned_elsewhere", _no_obstacle),
    ),
    "cut-record-time": (Patch(HubLedger, "__init__", _init_for_a_day),),
}
"""By name: the patches that break the rule of that name."""
