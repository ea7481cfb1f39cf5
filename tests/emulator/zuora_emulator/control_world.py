"""The emulator's own endpoints that change its world: time, switches, tokens, scenarios, snapshots."""

import re
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.requests import Request

from zuora_emulator.apple_pay import DEFECTS, VARIANTS, VariantError
from zuora_emulator.apple_tokens import PUBLISHED_MERCHANT, minted_token
from zuora_emulator.clock import FARTHEST_S, USUAL_START, ClockNotAdjustableError, is_possible
from zuora_emulator.control_base import ControlError, Endpoint, check_names, read_body
from zuora_emulator.currency import BY_CODE, Currency, problem_of_amount
from zuora_emulator.scenarios import built_in, end, start
from zuora_emulator.settings import SwitchError
from zuora_emulator.snapshot import Snapshot, restore, taken
from zuora_emulator.world import World

_CLOCK_EXAMPLE = 'The body must be like {"seconds": 3600} or {"set": "2026-12-01T00:00:00Z"}.'
_SCENARIOS = "/_emulator/scenarios"
_MINT_TEXTS = ("application_data", "transaction_id")
_WITH_OFFSET = re.compile(r".+(Z|[+-]\d\d:?\d\d)")


def world_endpoints(world: World) -> list[Endpoint]:
    """Return the endpoints."""
    control = _Control(world)
    clock, switches, tokens = "/_emulator/clock", "/_emulator/switches", "/_emulator/apple-pay-tokens"
    scenarios, snapshot = _SCENARIOS, "/_emulator/snapshot"
    mint = 'mint an Apple Pay token: {"amount": "42.50", "currency": "USD", "defect": "stale"}'
    return [
        Endpoint("GET", clock, "show the time, and when the clock has something to do", control.clock),
        Endpoint("POST", clock, 'move the clock: {"seconds": 3600}, or {"set": "2026-12-01T00:00:00Z"}', control.move),
        Endpoint("GET", switches, "list the switches with their values", control.switches),
        Endpoint("PATCH", switches, 'set switches: {"missing_entity": "first"}', control.switch),
        Endpoint(
            "GET", tokens, "list the variants and defects that a minted Apple Pay token may have", control.defects
        ),
        Endpoint("POST", tokens, mint, control.mint),
        Endpoint("DELETE", "/_emulator/access-tokens", "revoke every access token", control.revoke),
        Endpoint("GET", scenarios, "list the scenarios", control.scenarios),
        Endpoint("POST", f"{scenarios}/{{name}}", "start a scenario, on top of what is", control.start),
        Endpoint("DELETE", scenarios, "end all scenarios: no faults, switches as at the start", control.end),
        Endpoint("GET", snapshot, "list the snapshots", control.snapshots),
        Endpoint("POST", snapshot, 'keep the world as it is: {"name": "paid"}', control.snapshot),
        Endpoint("POST", "/_emulator/restore", 'go back to a snapshot: {"name": "paid"}', control.restore),
    ]


class _Control:
    def __init__(self, world: World) -> None:
        self._world = world
        self._snapshots: dict[str, Snapshot] = {}

    # --- scenarios and snapshots

    async def scenarios(self, _request: Request) -> Any:
        return {"scenarios": [scenario.as_json() for scenario in built_in().values()]}

    async def start(self, request: Request) -> Any:
        scenario = built_in().get(request.path_params["name"])
        if scenario is None:
            raise ControlError(f"There is no such scenario; GET {_SCENARIOS} lists them.", status=404)
        try:
            await start(self._world, scenario)
        except ClockNotAdjustableError as problem:
            raise ControlError(str(problem)) from problem
        return scenario.as_json()

    async def end(self, _request: Request) -> Any:
        end(self._world)
        return {"status": "ok"}

    async def snapshots(self, _request: Request) -> Any:
        listed = [{"name": name, "taken_at": each.taken_at.isoformat()} for name, each in self._snapshots.items()]
        return {"snapshots": listed}

    async def snapshot(self, request: Request) -> Any:
        """Take `{"name": "paid"}`; a name that exists gets the new one."""
        self._snapshots[_name(await read_body(request))] = taken(self._world)
        return await self.snapshots(request)

    async def restore(self, request: Request) -> Any:
        """Take `{"name": "paid"}`."""
        name = _name(await read_body(request))
        if name not in self._snapshots:
            raise ControlError(f"There is no snapshot {name!r}.", status=404)
        try:
            restore(self._world, self._snapshots[name])
        except ClockNotAdjustableError as problem:
            raise ControlError(str(problem)) from problem
        return await self.clock(request)

    # --- time

    async def clock(self, _request: Request) -> Any:
        due = self._world.next_due()
        return {"now": self._world.clock.now().isoformat(), "next_due": due.isoformat() if due else None}

    async def move(self, request: Request) -> Any:
        """Take `{"seconds": 3600}` or `{"set": "2026-12-01T00:00:00Z"}`."""
        now = self._world.clock.now()
        by = _distance(await read_body(request), now)
        if not is_possible(now + by):
            raise ControlError(f"The clock can be {FARTHEST_S} seconds from {USUAL_START.isoformat()}, not more.")
        try:
            await self._world.advance(by)
        except ClockNotAdjustableError as problem:
            raise ControlError(str(problem)) from problem
        return await self.clock(request)

    # --- switches

    async def switches(self, _request: Request) -> Any:
        return {"switches": asdict(self._world.settings)}

    async def switch(self, request: Request) -> Any:
        """Take `{"missing_entity": "first"}`; all or none of them are set."""
        try:
            self._world.settings.switch(await read_body(request))
        except SwitchError as problem:
            raise ControlError(str(problem)) from problem
        return await self.switches(request)

    # --- tokens

    async def defects(self, _request: Request) -> Any:
        listed = [
            {"name": name, "meaning": defect.meaning, "refused_as": defect.refused_as}
            for name, defect in DEFECTS.items()
        ]
        return {"variants": {name: variant.meaning for name, variant in VARIANTS.items()}, "defects": listed}

    async def mint(self, request: Request) -> Any:
        """Take `amount` (text), `currency`, and if wanted what `minted_token` takes."""
        body = await read_body(request)
        check_names(body, ("amount", "currency", "merchant_id", "wrapped", "defect", *_MINT_TEXTS, "variants"))
        currency = _currency(body)
        name = body.get("defect")
        if name is not None and str(name) not in DEFECTS:
            raise ControlError(f"{name!r} is no defect; there are {', '.join(DEFECTS)}.")
        try:
            token = minted_token(
                merchant_id=body.get("merchant_id", PUBLISHED_MERCHANT),
                amount_minor=int(_amount(body, currency).scaleb(currency.exponent)),
                currency_numeric=currency.numeric,
                now=self._world.clock.now(),
                entropy=self._world.ids.entropy,
                wrapped=body.get("wrapped") is True,
                defect=name,
                **_variant(body),
            )
        except VariantError as problem:
            raise ControlError(str(problem)) from None
        except LookupError:
            raise ControlError(f"{body['merchant_id']!r} is no merchant of the published authority.") from None
        return {"token": token, "refused_as": DEFECTS[name].refused_as if name else None}

    async def revoke(self, _request: Request) -> Any:
        count = len(self._world.state.grants)
        self._world.state.grants.clear()
        return {"revoked": count}


def _name(body: dict[str, Any]) -> str:
    check_names(body, ("name",))
    name = body.get("name", "default")
    if not isinstance(name, str) or not name:
        raise ControlError('The body must be like {"name": "paid"}.')
    return name


def _distance(body: dict[str, Any], now: datetime) -> timedelta:
    check_names(body, ("seconds", "set"))
    if len(body) != 1:
        raise ControlError(_CLOCK_EXAMPLE)
    if "set" in body:
        return _time(body["set"]) - now
    seconds = body["seconds"]
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= FARTHEST_S:
        raise ControlError(_CLOCK_EXAMPLE)
    return timedelta(seconds=seconds)


def _time(text: Any) -> datetime:
    if isinstance(text, str) and _WITH_OFFSET.fullmatch(text):
        try:
            time = datetime.fromisoformat(text)
            if time.tzinfo is not None:
                return time.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise ControlError(f"{text!r} is no time with an offset, like 2026-12-01T00:00:00Z.")


def _currency(body: dict[str, Any]) -> Currency:
    code = body.get("currency")
    currency = BY_CODE.get(code) if isinstance(code, str) else None
    if currency is None:
        raise ControlError(f"{code!r} is no currency that the emulator knows.")
    return currency


def _variant(body: dict[str, Any]) -> dict[str, Any]:
    variants = body.get("variants", [])
    if not isinstance(variants, list) or not all(isinstance(name, str) for name in variants):
        raise ControlError(f"variants must be a list of names: {', '.join(VARIANTS)}.")
    texts = {name: body.get(name) for name in _MINT_TEXTS}
    for name, text in texts.items():
        if text is not None and not isinstance(text, str):
            raise ControlError(f"{name} must be text.")
    return {"variants": variants, **texts}


def _amount(body: dict[str, Any], currency: Currency) -> Decimal:
    text = body.get("amount")
    try:
        amount = Decimal(text) if isinstance(text, str) else None
    except InvalidOperation:
        amount = None
    if amount is None:
        raise ControlError('The body must have an amount as text, like {"amount": "42.50"}.')
    if problem := problem_of_amount(amount, currency=currency.code):
        raise ControlError(problem)
    return amount
