"""The emulator's own endpoints, for people and for tests in other languages. Zuora has none of them."""

from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zuora_emulator.answers import MARKER, json_bytes
from zuora_emulator.faults import FaultSyntaxError, Times, parse_fault
from zuora_emulator.state import Account, Invoice
from zuora_emulator.world import World


def control_routes(world: World) -> list[Route]:
    """Return the routes of the control endpoints."""
    control = _Control(world)
    return [
        Route("/_emulator/health", control.health, methods=["GET"]),
        Route("/_emulator/ledger", control.ledger, methods=["GET"]),
        Route("/_emulator/journal", control.journal, methods=["GET"]),
        Route("/_emulator/accounts", control.accounts, methods=["GET"]),
        Route("/_emulator/invoices", control.invoices, methods=["GET"]),
        Route("/_emulator/invoices/{key}", control.invoice, methods=["GET"]),
        Route("/_emulator/faults", control.faults, methods=["GET"]),
        Route("/_emulator/faults", control.add_fault, methods=["POST"]),
        Route("/_emulator/faults", control.clear_faults, methods=["DELETE"]),
        Route("/_emulator/reset", control.reset, methods=["POST"]),
    ]


class _Control:
    def __init__(self, world: World) -> None:
        self._world = world

    async def health(self, _request: Request) -> Response:
        return _json(200, {"status": "ok", "zuora": False})

    async def ledger(self, _request: Request) -> Response:
        return _json(200, {"entries": self._world.ledger.as_json()})

    async def journal(self, _request: Request) -> Response:
        return _json(200, {"entries": self._world.journal.as_json()})

    async def accounts(self, _request: Request) -> Response:
        return _json(200, {"accounts": [_account_json(account) for account in self._world.state.accounts.values()]})

    async def invoices(self, _request: Request) -> Response:
        return _json(200, {"invoices": [_invoice_json(invoice) for invoice in self._world.state.invoices.values()]})

    async def invoice(self, request: Request) -> Response:
        key = request.path_params["key"]
        for invoice in self._world.state.invoices.values():
            if key in {invoice.id, invoice.number}:
                return _json(200, _invoice_json(invoice))
        return _json(404, {"message": "There is no such invoice."})

    async def faults(self, _request: Request) -> Response:
        return _json(200, {"faults": self._world.faults.waiting()})

    async def add_fault(self, request: Request) -> Response:
        """Take `{"fault": "OP:KIND[:ARG]", "times": 1}`; `times` may be "always"."""
        try:
            text, times = _fault_request(await request.body())
            self._world.faults.add(parse_fault(text), times=times)
        except FaultSyntaxError as problem:
            return _json(400, {"message": str(problem)})
        return _json(200, {"faults": self._world.faults.waiting()})

    async def clear_faults(self, request: Request) -> Response:
        self._world.faults.clear(request.query_params.get("operation"))
        return _json(200, {"faults": self._world.faults.waiting()})

    async def reset(self, _request: Request) -> Response:
        self._world.reset()
        return _json(200, {"status": "ok"})


def _fault_request(raw: bytes) -> tuple[str, Times]:
    try:
        body: Any = msgspec.json.decode(raw)
    except msgspec.DecodeError:
        body = None
    if not isinstance(body, dict) or not isinstance(body.get("fault"), str):
        raise FaultSyntaxError('The body must be like {"fault": "decryption:500", "times": 1}.')
    times = body.get("times", 1)
    if times != "always" and (isinstance(times, bool) or not isinstance(times, int)):
        raise FaultSyntaxError('times must be a whole number or "always".')
    return body["fault"], times


def _account_json(account: Account) -> dict[str, Any]:
    return {
        "id": account.id,
        "number": account.number,
        "tenant": account.tenant,
        "entity": account.entity,
        "org": account.org,
        "currency": account.currency,
        "gateway_id": account.gateway_id,
    }


def _invoice_json(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.id,
        "number": invoice.number,
        "account_id": invoice.account_id,
        "currency": invoice.currency,
        "balance": str(invoice.balance),
    }


def _json(status: int, value: Any) -> Response:
    headers = dict([MARKER])
    return Response(json_bytes(value), status_code=status, headers=headers, media_type="application/json")
