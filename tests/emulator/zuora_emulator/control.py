"""The emulator's own endpoints, for people and for tests in other languages. Zuora has none of them."""

from datetime import datetime, timedelta
from typing import Any, TypeVar

from starlette.requests import Request

from zuora_emulator.control_base import ControlError, Endpoint, check_names, read_body
from zuora_emulator.digits import whole_number
from zuora_emulator.faults import FaultSyntaxError, Times
from zuora_emulator.journal import Arrival, Journal
from zuora_emulator.ledger import Ledger, LedgerEntry
from zuora_emulator.state import Account, Invoice
from zuora_emulator.world import World

_FAULT_EXAMPLE = '{"fault": "OP:KIND[:ARG]", "times": 1, "seconds": 60}'
_LONGEST_S = 366 * 86_400
_MOST = 1_000_000
_Entry = TypeVar("_Entry", Arrival, LedgerEntry)


def book_endpoints(world: World) -> list[Endpoint]:
    """Return the endpoints for what happened, for accounts and invoices, and for faults."""
    control = _Control(world)
    return [
        Endpoint("GET", "/_emulator/health", "say that the emulator serves", control.health),
        Endpoint("GET", "/_emulator/ledger", "list what was executed; ?track_id= and ?newest= choose", control.ledger),
        Endpoint(
            "GET",
            "/_emulator/journal",
            "list what arrived and was answered, secrets masked; ?track_id= and ?newest= choose",
            control.journal,
        ),
        Endpoint("GET", "/_emulator/accounts", "list the accounts of all tenants", control.accounts),
        Endpoint("GET", "/_emulator/invoices", "list the invoices with their balances", control.invoices),
        Endpoint("GET", "/_emulator/invoices/{key}", "show an invoice, by id or number", control.invoice),
        Endpoint("GET", "/_emulator/faults", "list the faults to come", control.faults),
        Endpoint("POST", "/_emulator/faults", f"add {_FAULT_EXAMPLE}; times may be always", control.add_fault),
        Endpoint(
            "DELETE", "/_emulator/faults", "remove ?fault=, the faults of ?operation=, or all", control.clear_faults
        ),
        Endpoint("POST", "/_emulator/reset", "restore the world as it was at the start", control.reset),
    ]


class _Control:
    def __init__(self, world: World) -> None:
        self._world = world

    async def health(self, _request: Request) -> Any:
        return {"status": "ok", "zuora": False}

    async def ledger(self, request: Request) -> Any:
        return {"entries": Ledger(_chosen(self._world.ledger.entries, request)).as_json()}

    async def journal(self, request: Request) -> Any:
        return {"entries": Journal(_chosen(self._world.journal.entries, request)).as_json()}

    async def accounts(self, _request: Request) -> Any:
        return {"accounts": [_account_json(account) for account in self._world.state.accounts.values()]}

    async def invoices(self, _request: Request) -> Any:
        return {"invoices": [_invoice_json(invoice) for invoice in self._world.state.invoices.values()]}

    async def invoice(self, request: Request) -> Any:
        key = request.path_params["key"]
        for invoice in self._world.state.invoices.values():
            if key in {invoice.id, invoice.number}:
                return _invoice_json(invoice)
        raise ControlError("There is no such invoice.", status=404)

    async def faults(self, _request: Request) -> Any:
        return {"faults": self._world.faults.waiting()}

    async def add_fault(self, request: Request) -> Any:
        """Take `{"fault": "OP:KIND[:ARG]", "times": 1, "seconds": 60}`; `times` may be "always"."""
        body = await read_body(request)
        check_names(body, ("fault", "times", "seconds"))
        try:
            text, times = _fault_request(body)
            self._world.faults.add(text, times=times, until=self._end(body.get("seconds")))
        except FaultSyntaxError as problem:
            raise ControlError(str(problem)) from problem
        return {"faults": self._world.faults.waiting()}

    def _end(self, seconds: Any) -> datetime | None:
        if seconds is None:
            return None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST_S:
            raise ControlError(f"seconds must be a number greater than 0 and at most {_LONGEST_S}.")
        return self._world.clock.now() + timedelta(seconds=seconds)

    async def clear_faults(self, request: Request) -> Any:
        fault = request.query_params.get("fault")
        try:
            if fault is None:
                self._world.faults.clear(request.query_params.get("operation"))
            else:
                self._world.faults.remove(fault)
        except FaultSyntaxError as problem:
            raise ControlError(str(problem)) from problem
        return {"faults": self._world.faults.waiting()}

    async def reset(self, _request: Request) -> Any:
        self._world.reset()
        return {"status": "ok"}


def _chosen(entries: list[_Entry], request: Request) -> list[_Entry]:
    """Return those of `?track_id=`, and of them the `?newest=`."""
    track_id, newest = request.query_params.get("track_id"), request.query_params.get("newest")
    chosen = entries if track_id is None else [entry for entry in entries if entry.track_id == track_id]
    if newest is None:
        return chosen
    number = whole_number(newest) or 0
    if not 0 < number <= _MOST:
        raise ControlError(f"newest must be a whole number from 1 to {_MOST}.")
    return chosen[-number:]


def _fault_request(body: dict[str, Any]) -> tuple[str, Times]:
    if not isinstance(body.get("fault"), str):
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
