"""Which function an operation is."""

import inspect
from collections.abc import Awaitable, Callable, Mapping

from zuora_emulator.answers import Answer
from zuora_emulator.apple_tokens import TokenOpener
from zuora_emulator.call import Call
from zuora_emulator.decryption import decrypt
from zuora_emulator.method_reads import get_method, get_method_v1, list_methods, update_method, update_method_v1
from zuora_emulator.payment_methods import create_payment_method
from zuora_emulator.payment_methods_v1 import create_payment_method_v1
from zuora_emulator.redemption import redeem_session
from zuora_emulator.sessions import create_session
from zuora_emulator.transaction_lists import list_payments, list_refunds
from zuora_emulator.upc_payments import create_payment, get_payment, get_refund, refund_payment

_OPENING: Mapping[str, Callable[[Call, TokenOpener], Answer]] = {
    "decryption": decrypt,
    "payment_methods": create_payment_method,
}
"""Operations that open Apple Pay tokens."""
_OTHERS: Mapping[str, Callable[[Call], Answer | Awaitable[Answer]]] = {
    "sessions": create_session,
    "redeem_session": redeem_session,
    "payment_methods_v1": create_payment_method_v1,
    "get_payment_method": get_method,
    "list_payment_methods": list_methods,
    "update_payment_method": update_method,
    "get_payment_method_v1": get_method_v1,
    "update_payment_method_v1": update_method_v1,
    "create_payment": create_payment,
    "list_payments": list_payments,
    "get_payment": get_payment,
    "refund_payment": refund_payment,
    "list_refunds": list_refunds,
    "get_refund": get_refund,
}


async def operate(call: Call, opener: TokenOpener) -> Answer:
    """Execute an authorised call.

    Raises:
        Refused: with everything that is wrong with it.
    """
    name = call.arrived.operation.name
    if name in _OPENING:
        return _OPENING[name](call, opener)
    answer = _OTHERS[name](call)
    return await answer if inspect.isawaitable(answer) else answer
