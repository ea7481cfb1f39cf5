"""Makes the calls of cases with the Python client: one JSON line per case in, one out.

The argument is threads or tasks. It compares nothing: what is right stands in cases.yaml alone.
"""

import asyncio
import base64
import json
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import payorch
from payorch import rpcs
from payorch.v1 import call_pb2

RPCS: Final = {
    "CreateSession": (rpcs.CREATE_SESSION, "create_session"),
    "DecryptApplePay": (rpcs.DECRYPT_APPLE_PAY, "decrypt_apple_pay"),
    "CreatePaymentMethod": (rpcs.CREATE_PAYMENT_METHOD, "create_payment_method"),
    "GetIntent": (rpcs.GET_INTENT, "get_intent"),
    "ExplainRoute": (rpcs.EXPLAIN_ROUTE, "explain_route"),
    "GetCall": (rpcs.GET_CALL, "get_call"),
    "GetQuota": (rpcs.GET_QUOTA, "get_quota"),
}
DIAGNOSTICS: Final = {"ExplainRoute", "GetCall", "GetQuota"}
KINDS: Final = {
    payorch.NotSentError: "not_sent",
    payorch.RefusedError: "refused",
    payorch.PartialError: "partial",
    payorch.OutcomeUnknownError: "unknown",
}
Observation = dict[str, Any]


class Tokens:
    """Supplies the tokens of a case: the first one, and with each refusal the next."""

    def __init__(self, tokens: list[str]) -> None:
        self.asked: list[bool] = []
        self._tokens = tokens

    def __call__(self, refresh: bool) -> str:  # noqa: FBT001 - as suppliers of tokens are called
        """Return the current token."""
        self.asked.append(refresh)
        if refresh and len(self._tokens) > 1:
            self._tokens = self._tokens[1:]
        return self._tokens[0]


def options(connect: dict[str, Any], tokens: Tokens | None) -> dict[str, Any]:
    """Return the arguments of `connect`; what a case does not name is left to the client."""
    chosen: dict[str, Any] = {"plaintext": connect["plaintext"], "token": tokens}
    if connect["tls"] is not None:
        chosen["tls"] = payorch.Tls.from_files(**connect["tls"])
    if connect["resend"] is not None:
        chosen["resend"] = payorch.Resend(**connect["resend"]) if connect["resend"] else None
    return chosen


def messages(calls: list[dict[str, Any]]) -> Iterator[Any]:
    """Yield the request of each call; one that is used again is the very same object."""
    request: Any = None
    for call in calls:
        if not call["reuse"]:
            request = RPCS[call["rpc"]][0].request.FromString(base64.b64decode(call["request"]))
        yield request


def failed(error: Exception) -> Observation:
    """Return what is seen of an exception."""
    if isinstance(error, ValueError | TypeError):
        return {"kind": "argument", "text": str(error)}
    assert isinstance(error, payorch.PayorchError), error
    told = error.error
    existing = told.call_outcome.existing if told.call_outcome else call_pb2.ExistingIds()
    return {
        "kind": KINDS[type(error)],
        "text": str(error),
        "code": told.code.name,
        "reason": told.reason,
        "outcome": call_pb2.Outcome.Name(told.outcome),
        "advice": call_pb2.Advice.Name(told.advice),
        "message": told.message,
        "hint": told.hint,
        "violations": [[broken.field, broken.rule, broken.description] for broken in told.violations],
        "metadata": told.metadata,
        "retry_delay_s": told.retry_delay_s,
        "resend_before": told.resend_before_time is not None,
        "track_id": told.track_id,
        "request_id": error.request_id,
        "zuora_codes": list(told.zuora_codes),
        "existing": [existing.payment_method_id, existing.payment_id],
        "attempts": len(error.attempts),
    }


def seen(request: Any, result: Observation) -> Observation:
    """Add what became of the caller's message."""
    return {**result, "request_after": base64.b64encode(request.SerializeToString(deterministic=True)).decode()}


def ok(answer: Any) -> Observation:
    """Return what is seen of an answer."""
    return {"kind": "ok", "answer": base64.b64encode(answer.SerializeToString()).decode()}


def by_threads(connect: dict[str, Any], calls: list[dict[str, Any]], tokens: Tokens | None) -> list[Observation]:
    """Make the calls with the client for threads; a cancelled one is that of a client that is closed meanwhile."""
    found = []
    for call, request in zip(calls, messages(calls), strict=True):
        make, where = maker(call["rpc"], payorch)
        with make(connect[where], **options(connect, tokens)) as client:
            closing = threading.Timer(call["cancel_after_s"] or 0, client.close)
            if call["cancel_after_s"] is not None:
                closing.start()
            method = getattr(client, RPCS[call["rpc"]][1])
            try:
                with tracked(call):
                    result = ok(method(request, deadline_s=call["deadline_s"]))
            except Exception as error:  # noqa: BLE001 - to be told
                result = failed(error)
            closing.cancel()
        found.append(seen(request, result))
    return found


async def by_tasks(connect: dict[str, Any], calls: list[dict[str, Any]], tokens: Tokens | None) -> list[Observation]:
    """Make the calls with the client for tasks."""
    found = []
    for call, request in zip(calls, messages(calls), strict=True):
        make, where = maker(call["rpc"], payorch.aio)
        async with make(connect[where], **{**options(connect, tokens), "token": awaited(tokens)}) as client:
            method = getattr(client, RPCS[call["rpc"]][1])
            try:
                with tracked(call):
                    async with asyncio.timeout(call["cancel_after_s"]):
                        result = ok(await method(request, deadline_s=call["deadline_s"]))
            except TimeoutError:
                result = {"kind": "cancelled"}
            except Exception as error:  # noqa: BLE001 - to be told
                result = failed(error)
        found.append(seen(request, result))
    return found


def maker(rpc: str, module: Any) -> tuple[Callable[..., Any], str]:
    """Return what connects for an RPC, and which target it takes."""
    return (module.connect_diagnostics, "operators") if rpc in DIAGNOSTICS else (module.connect, "target")


def awaited(tokens: Tokens | None) -> Callable[[bool], Awaitable[str]] | None:
    """Return a supplier for tasks."""
    if tokens is None:
        return None

    async def token(refresh: bool) -> str:  # noqa: FBT001 - as suppliers of tokens are called
        return tokens(refresh)

    return token


def tracked(call: dict[str, Any]) -> Any:
    """Return what sets the Track-Id of a call."""
    return payorch.tracked(call["track_id"])


def run(case: dict[str, Any], *, tasks: bool) -> Observation:
    """Make the calls of a case."""
    connect = case["connect"]
    tokens = Tokens(connect["tokens"]) if connect["tokens"] is not None else None
    try:
        payorch.connect(connect["target"], **options(connect, tokens)).close()
    except ValueError as error:
        return {"connect_error": str(error), "token_calls": [], "calls": []}
    calls = case["calls"]
    found = asyncio.run(by_tasks(connect, calls, tokens)) if tasks else by_threads(connect, calls, tokens)
    return {"connect_error": None, "token_calls": tokens.asked if tokens else [], "calls": found}


def main() -> None:
    """Answer each line."""
    tasks = sys.argv[1] == "tasks"
    for line in sys.stdin:
        case = json.loads(line)
        print(json.dumps({"case": case["case"], **run(case, tasks=tasks)}), flush=True)


if __name__ == "__main__":
    main()
