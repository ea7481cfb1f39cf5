"""What the page may ask for. Account, invoice and amount are always those of the order, never the page's."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from payorch import PayorchError, apple_pay_token, money
from payorch.aio import AsyncClient
from payorch.v1 import payment_orchestration_service_pb2 as pb

from shop.apple import Merchant, MerchantValidationError
from shop.intents import Intents
from shop.orders import Order, Orders
from shop.payer import DEBIT, PAYMENT, shown

_PAGE: Final = Path(__file__).resolve().parent.parent / "page"
_MOST_BYTES: Final = 65_536  # an Apple Pay token has a few thousand
_HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Shop:
    """The handlers of the page's requests."""

    def __init__(self, client: AsyncClient, orders: Orders, merchant: Merchant) -> None:
        """Use what calls payorch, what keeps the orders, and who asks for the money."""
        self._client = client
        self._orders = orders
        self._merchant = merchant
        self._intents = Intents(client, orders)

    def application(self) -> web.Application:
        """Return the routes. Who may see an order is for your shop's own login to decide."""
        application = web.Application(client_max_size=_MOST_BYTES, middlewares=[_with_headers])
        application.add_routes(
            [
                web.get("/", self.page),
                web.get("/.well-known/apple-developer-merchantid-domain-association", self.association),
                web.static("/page", _PAGE),
                web.get("/orders/{id}", self.order),
                web.post("/orders/{id}/payment", self.pay),
                web.post("/orders/{id}/direct-debit", self.set_up_debit),
                web.post("/orders/{id}/card-session", self.card_session),
                web.post("/apple-pay/session", self.validate_merchant),
            ]
        )
        return application

    async def page(self, _request: web.Request) -> web.FileResponse:
        """Return the page."""
        return web.FileResponse(_PAGE / "index.html")

    async def order(self, request: web.Request) -> web.Response:
        """Return what is owed, and what became of it so far."""
        order = self._order(request)
        intents = {purpose: shown(self._orders.intent(order.id, purpose)) for purpose in (PAYMENT, DEBIT)}
        return web.json_response(
            {
                "id": order.id,
                "amount": order.amount,
                "currency": order.currency,
                "country": order.country,
                "merchant": self._merchant.name,
                "payment": asdict(intents[PAYMENT]),
                "debit": asdict(intents[DEBIT]),
            }
        )

    async def pay(self, request: web.Request) -> web.Response:
        """Pay the order with an Apple Pay token, or, without one, send again or look up what was sent."""
        order, token = self._order(request), (await _body(request)).get("token")

        def make(request_id: str) -> pb.DecryptApplePayRequest | None:
            if token is None:
                return None
            made = pb.DecryptApplePayRequest(
                request_id=request_id,
                token_json=_token(token),
                merchant_id=self._merchant.identifier,
                account_id=order.account_id,
                expected_amount=money(order.amount, order.currency),
            )
            made.zuora_default.SetInParent()
            made.pay_invoice.invoice = order.invoice
            return made

        intent = await self._intents.run(
            order,
            PAYMENT,
            make=make,
            send=self._client.decrypt_apple_pay,
            look_up=pb.OPERATION_DECRYPT_APPLE_PAY,
            # The amount is inside the token, and the page asked Apple for it: only Zuora's answer shows what was paid.
            is_as_asked=lambda answer: bool(answer.amount_check == pb.AMOUNT_CHECK_EQUAL),
        )
        return web.json_response(asdict(shown(intent)))

    async def set_up_debit(self, request: web.Request) -> web.Response:
        """Save a bank account for direct debits."""
        order, iban = self._order(request), (await _body(request)).get("iban")

        def make(request_id: str) -> pb.CreatePaymentMethodRequest | None:
            if not isinstance(iban, str):
                return None
            made = pb.CreatePaymentMethodRequest(request_id=request_id)
            made.account_by_id.id = order.account_id
            made.sepa_debit.iban = iban
            made.sepa_debit.mandate.id = f"{order.id}-mandate"
            return made

        intent = await self._intents.run(
            order,
            DEBIT,
            make=make,
            send=self._client.create_payment_method,
            look_up=pb.OPERATION_CREATE_PAYMENT_METHOD,
        )
        return web.json_response(asdict(shown(intent)))

    async def card_session(self, request: web.Request) -> web.Response:
        """Return a fresh session in which Zuora's own form saves a card; no money moves, so each time is a new one."""
        order = self._order(request)
        made = pb.CreateSessionRequest()
        made.store_only.account_id = order.account_id
        made.store_only.verification_amount.CopyFrom(money(1, order.currency))
        try:
            session = (await self._client.create_session(made)).session
        except PayorchError as failed:
            return web.json_response({"track_id": failed.error.track_id}, status=502)
        return web.json_response({"token": session.token})

    async def validate_merchant(self, request: web.Request) -> web.Response:
        """Return Apple's session for the payment sheet."""
        url = (await _body(request)).get("validation_url")
        try:
            session = await self._merchant.session(url if isinstance(url, str) else "")
        except MerchantValidationError as error:
            raise web.HTTPBadGateway(text=str(error)) from error
        return web.Response(body=session, content_type="application/json")

    async def association(self, _request: web.Request) -> web.FileResponse:
        """Return what Apple fetches to see that the domain is ours."""
        if self._merchant.association_file is None:
            raise web.HTTPNotFound
        return web.FileResponse(self._merchant.association_file, headers={"Content-Type": "text/plain"})

    def _order(self, request: web.Request) -> Order:
        order = self._orders.order(request.match_info["id"])
        if order is None:
            raise web.HTTPNotFound(text="there is no such order")
        return order


async def _body(request: web.Request) -> dict[str, Any]:
    """Return what the page sent. The type of the content keeps forms of other sites out: browsers ask first."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    try:
        body = await request.json()
    except ValueError:
        raise web.HTTPBadRequest(text="this is not JSON") from None
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="an object is needed")
    return body


def _token(token: Any) -> bytes:
    if not isinstance(token, dict):
        raise web.HTTPBadRequest(text="token: what onpaymentauthorized gave is needed")
    return apple_pay_token(token)


@web.middleware
async def _with_headers(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    response = await handler(request)
    response.headers.update({name: value for name, value in _HEADERS.items() if name not in response.headers})
    return response
