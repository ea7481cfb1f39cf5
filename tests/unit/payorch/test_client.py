"""What both clients do around a call, with the double of the service; each test runs with threads and with tasks."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import payorch
import pytest
from google.protobuf.descriptor import Descriptor
from grpc_health.v1 import health_pb2
from harness.authority import Authority
from payorch.outgoing import CallSettings, pays_invoice
from payorch.resend import Budget
from payorch.rpcs import CREATE_PAYMENT_METHOD, CREATE_SESSION, DECRYPT_APPLE_PAY
from payorch.testing import FakePayorch
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as pb
from payorch.version import VERSION

AUTHORITY = Authority()
ORDER = "order-4711-0000001"
Call = Callable[..., Any]
NOT_RESENT = {grpc.StatusCode.OK, grpc.StatusCode.CANCELLED, grpc.StatusCode.UNAUTHENTICATED}


def session(request_id: str = "") -> pb.CreateSessionRequest:
    """Return a request for a session."""
    request = pb.CreateSessionRequest(request_id=request_id)
    request.one_time_payment.account_id = "a"
    return request


def payment(request_id: str = "") -> pb.DecryptApplePayRequest:
    """Return a request that pays an invoice."""
    request = pb.DecryptApplePayRequest(request_id=request_id, token_json=b"{}")
    request.zuora_default.SetInParent()
    request.pay_invoice.invoice = "INV1"
    return request


def through_threads(fake: FakePayorch, name: str, request: Any, *, deadline_s: float | None = None, **how: Any) -> Any:
    """Call with the client for threads."""
    with fake.connect(**how) as client:
        return getattr(client, name)(request, deadline_s=deadline_s)


def through_tasks(fake: FakePayorch, name: str, request: Any, *, deadline_s: float | None = None, **how: Any) -> Any:
    """Call with the client for tasks; a supplier of tokens becomes a coroutine function."""
    if supply := how.get("token"):

        async def token(refresh: bool) -> str:  # noqa: FBT001 - as suppliers of tokens are called
            return str(supply(refresh))

        how["token"] = token

    async def call() -> Any:
        async with fake.connect_async(**how) as client:
            return await getattr(client, name)(request, deadline_s=deadline_s)

    return asyncio.run(call())


@pytest.fixture(params=[through_threads, through_tasks])
def call(request: pytest.FixtureRequest) -> Call:
    """Return how a test calls."""
    through: Call = request.param
    return through


@pytest.fixture
def fake() -> Iterator[FakePayorch]:
    """Return a double of the service."""
    with FakePayorch() as double:
        yield double


class TestRequestId:
    """A payment has the caller's own, everything else gets one."""

    def test_is_made_without_a_trace_in_the_callers_message(self, call: Call, fake: FakePayorch) -> None:
        """A template that is used twice is two intents."""
        template = session()

        first, second = call(fake, "create_session", template), call(fake, "create_session", template)

        assert session() == template
        assert 2 == len(fake.executed)
        assert [first.call.request_id, second.call.request_id] == [one.request_id for one in fake.calls]

    @pytest.mark.parametrize("name", ["decrypt_apple_pay", "create_payment_method"])
    def test_of_a_payment_is_the_callers(self, call: Call, fake: FakePayorch, name: str) -> None:
        """A made one and a retry around the call would charge twice."""
        request: Any = payment()
        if name == "create_payment_method":
            request = pb.CreatePaymentMethodRequest()
            request.apple_pay.pay_invoice.invoice = "INV1"

        with pytest.raises(ValueError, match=r"^request_id: it is required, because the request pays an invoice"):
            call(fake, name, request)

        assert [] == fake.calls

    def test_of_a_question_is_the_callers(self, call: Call, fake: FakePayorch) -> None:
        """A fresh id would be answered by "not found", which invites a second payment."""
        with pytest.raises(ValueError, match=r"^request_id: it is required; it names the intent"):
            call(fake, "get_intent", pb.GetIntentRequest(operation=pb.OPERATION_CREATE_SESSION))

    def test_is_in_the_error(self, call: Call, fake: FakePayorch) -> None:
        """Also one that the client made."""
        fake.fail_with("PAYMENT_DECLINED")

        with pytest.raises(payorch.RefusedError) as refused:
            call(fake, "create_session", session())

        assert fake.calls[0].request_id == refused.value.request_id
        assert f"request id {refused.value.request_id}" in str(refused.value)

    @pytest.mark.parametrize("kind", [CREATE_SESSION.request, DECRYPT_APPLE_PAY.request, CREATE_PAYMENT_METHOD.request])
    def test_is_the_callers_wherever_an_invoice_can_be_paid(self, kind: type[Any]) -> None:
        """A new field of the type PayInvoice cannot be forgotten."""
        for path in paths_of_payments(kind.DESCRIPTOR):
            request = kind()
            below = request
            for name in path:
                below = getattr(below, name)
            below.SetInParent()

            assert pays_invoice(request), path


def paths_of_payments(described: Descriptor, above: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of all fields that pay an invoice."""
    for field in described.fields:
        if field.message_type is None or field.is_repeated:
            continue
        if field.message_type.full_name == "payorch.v1.PayInvoice":
            yield (*above, field.name)
        elif field.message_type.full_name != "google.protobuf.Struct" and len(above) < 4:
            yield from paths_of_payments(field.message_type, (*above, field.name))


def test_payments_are_where_they_are_known_to_be() -> None:
    """The walk above sees both."""
    assert [("pay_invoice",)] == list(paths_of_payments(DECRYPT_APPLE_PAY.request.DESCRIPTOR))
    assert [("apple_pay", "pay_invoice")] == list(paths_of_payments(CREATE_PAYMENT_METHOD.request.DESCRIPTOR))


class TestOutgoingCall:
    """A call on its way, which tools for errors show with the frames of a traceback."""

    def test_shows_nothing_of_its_message(self) -> None:
        """It may hold a card number."""
        request = pb.CreatePaymentMethodRequest(request_id=ORDER)
        request.card.number = "4111111111111111"

        settings = CallSettings(can_refresh=False, resend=None, budget=Budget())

        assert "4111111111111111" not in repr(settings.outgoing(CREATE_PAYMENT_METHOD, request, None))


class TestResend:
    """The service's advice is followed, and nothing else."""

    def test_pays_once_however_often_it_is_sent(self, call: Call, fake: FakePayorch) -> None:
        """An answer that was lost is found in the record."""
        fake.fail_with("UPSTREAM_NO_ANSWER", executed=True)
        fake.fail_with("OVERLOADED")

        answer = call(fake, "decrypt_apple_pay", payment(ORDER))

        assert answer.payment_id
        assert call_pb2.REPLAY_YES == answer.call.replayed
        assert [ORDER] * 3 == [one.request_id for one in fake.calls]
        assert 1 == len(fake.executed)

    def test_raises_the_doubt_of_an_earlier_attempt(self, call: Call, fake: FakePayorch) -> None:
        """A later refusal to send says nothing of it."""
        fake.fail_with("UPSTREAM_NO_ANSWER")
        fake.fail_with("CALLER_NOT_PERMITTED")

        with pytest.raises(
            payorch.OutcomeUnknownError, match="after 2 attempts, the last one ended as CALLER_NOT"
        ) as unknown:
            call(fake, "decrypt_apple_pay", payment(ORDER))

        assert ["UPSTREAM_NO_ANSWER", "CALLER_NOT_PERMITTED"] == [one.reason for one in unknown.value.attempts]

    @pytest.mark.parametrize("reason", ["PAYMENT_DECLINED", "UPSTREAM_INTERNAL", "REQUEST_INVALID", "INTENT_EXPIRED"])
    def test_is_not_done_on_other_advice(self, call: Call, fake: FakePayorch, reason: str) -> None:
        """A resend would be refused, or settle nothing."""
        fake.fail_with(reason, times=9)

        with pytest.raises(payorch.PayorchError):
            call(fake, "decrypt_apple_pay", payment(ORDER))

        assert 1 == len(fake.calls)

    def test_ends_with_the_policy(self, call: Call, fake: FakePayorch) -> None:
        """As many attempts as it says, or one."""
        fake.fail_with("OVERLOADED", times=9)
        for policy in (payorch.Resend(attempts=3), None):
            with pytest.raises(payorch.NotSentError):
                call(fake, "create_session", session(), resend=policy)

        assert 4 == len(fake.calls)

    def test_is_logged_without_the_message(
        self, call: Call, fake: FakePayorch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Reason and ids are enough."""
        fake.fail_with("OVERLOADED", retry_after_s=1.5)
        with caplog.at_level(logging.INFO, logger="payorch"), payorch.tracked("ticket-1"):
            call(fake, "decrypt_apple_pay", payment(ORDER))

        (line,) = [one.getMessage() for one in caplog.records if one.name == "payorch"]
        assert line.startswith("DecryptApplePay is sent again in 1.")
        assert line.endswith(f"s after OVERLOADED; request id {ORDER}, Track-Id ticket-1")

    def test_follows_an_error_without_details(self, call: Call, fake: FakePayorch) -> None:
        """It says nothing certain, and the contract advises to resend."""
        fake.fail_without_details(grpc.StatusCode.UNAVAILABLE, message="upstream connect error")

        assert call(fake, "create_session", session()).session.token

    @pytest.mark.parametrize("code", sorted(set(grpc.StatusCode) - NOT_RESENT, key=str))
    def test_of_errors_without_details_ends_with_the_policy(
        self, call: Call, fake: FakePayorch, code: grpc.StatusCode
    ) -> None:
        """Whatever the code says, the outcome stays unknown; the same bytes cannot be executed twice."""
        fake.fail_without_details(code, times=9)

        with pytest.raises(payorch.OutcomeUnknownError) as unknown:
            call(fake, "decrypt_apple_pay", payment(ORDER))

        assert [code] * 4 == [attempt.code for attempt in unknown.value.attempts]
        assert [payment(ORDER)] * 4 == [received.request for received in fake.calls]

    @pytest.mark.parametrize("code", sorted(NOT_RESENT - {grpc.StatusCode.OK}, key=str))
    def test_is_not_done_where_no_resend_can_help(self, call: Call, fake: FakePayorch, code: grpc.StatusCode) -> None:
        """The caller has left, or the credential is wrong."""
        fake.fail_without_details(code, times=9)

        with pytest.raises(payorch.OutcomeUnknownError):
            call(fake, "decrypt_apple_pay", payment(ORDER))

        assert 1 == len(fake.calls)


class TestToken:
    """It is the caller's, fresh when it has to be, and never shown."""

    def test_is_asked_for_afresh_when_it_is_not_accepted(self, call: Call, fake: FakePayorch) -> None:
        """Once, whatever the policy."""
        asked = list[bool]()

        def token(refresh: bool) -> str:  # noqa: FBT001 - as suppliers of tokens are called
            asked.append(refresh)
            return f"token-{len(asked)}"

        fake.fail_with("CALLER_UNAUTHENTICATED")
        call(fake, "create_session", session(), token=token, resend=None)

        assert [False, True] == asked
        assert ["token-1", "token-2"] == [one.token for one in fake.calls]

    @pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b"]])
    def test_that_stays_wrong_ends_the_call(self, call: Call, fake: FakePayorch, tokens: list[str]) -> None:
        """The same one is not even sent again."""
        fake.fail_with("CALLER_UNAUTHENTICATED", times=9)
        supply = iter(tokens)

        with pytest.raises(payorch.NotSentError, match=r"^CALLER_UNAUTHENTICATED"):
            call(fake, "create_session", session(), token=lambda _refresh: next(supply))

        assert len(set(tokens)) == len(fake.calls)

    @pytest.mark.parametrize("token", ["secret\n", " secret", "sec ret", "", "sécret"])
    def test_that_no_header_can_carry_is_refused_unseen(self, call: Call, fake: FakePayorch, token: str) -> None:
        """GRPC would fail the call with an unknown outcome."""
        with pytest.raises(ValueError, match=r"^token: ") as refused:
            call(fake, "create_session", session(), token=lambda _refresh: token)

        assert not token or token.strip() not in str(refused.value)
        assert [] == fake.calls

    def test_that_cannot_be_had_does_not_hide_a_doubt(self, call: Call, fake: FakePayorch) -> None:
        """The first attempt may have paid."""
        fake.fail_with("UPSTREAM_NO_ANSWER")
        supply = iter(["token"])

        with pytest.raises(payorch.OutcomeUnknownError) as unknown:
            call(fake, "decrypt_apple_pay", payment(ORDER), token=lambda _refresh: next(supply))

        assert unknown.value.__cause__ is not None

    def test_that_cannot_be_had_is_the_callers_own_problem(self, call: Call, fake: FakePayorch) -> None:
        """Its exception comes as it is."""

        def token(_refresh: bool) -> str:  # noqa: FBT001 - as suppliers of tokens are called
            raise LookupError("no file")

        with pytest.raises(LookupError, match="no file"):
            call(fake, "create_session", session(), token=token)


class TestClose:
    """The end of a client while a call waits to be sent again."""

    @pytest.mark.parametrize("aio", [False, True])
    def test_does_not_hide_a_doubt(self, aio: Any, fake: FakePayorch) -> None:
        """What gRPC raises then is an error of an argument, and would read as if nothing had been sent."""
        fake.fail_with("UPSTREAM_NO_ANSWER")

        with pytest.raises(payorch.OutcomeUnknownError) as unknown:
            asyncio.run(closed_within_async(fake)) if aio else closed_within(fake)

        assert unknown.value.__cause__ is not None
        assert 1 == len(fake.calls)


def closed_within(fake: FakePayorch) -> None:
    """Close a client for threads before the second attempt of a call."""
    supplied: list[bool] = []

    def token(refresh: bool) -> str:  # noqa: FBT001 - as suppliers of tokens are called
        if supplied:
            client.close()
        supplied.append(refresh)
        return "token"

    with fake.connect(token=token) as client:
        client.decrypt_apple_pay(payment(ORDER))


async def closed_within_async(fake: FakePayorch) -> None:
    """Close a client for tasks before the second attempt of a call."""
    supplied: list[bool] = []

    async def token(refresh: bool) -> str:  # noqa: FBT001 - as suppliers of tokens are called
        if supplied:
            await client.close()
        supplied.append(refresh)
        return "token"

    async with fake.connect_async(token=token) as client:
        await client.decrypt_apple_pay(payment(ORDER))


class TestArguments:
    """What is wrong in this process never reads as a payment in doubt."""

    @pytest.mark.parametrize("wrong", [{}, None, payment(ORDER)])
    def test_of_another_type_are_named(self, call: Call, fake: FakePayorch, wrong: Any) -> None:
        """With the type that is needed."""
        with pytest.raises(TypeError, match=r"^request: a CreateSessionRequest is needed, not a "):
            call(fake, "create_session", wrong)

    @pytest.mark.parametrize("deadline_s", [0.0, -1.0, float("nan"), float("inf")])
    def test_like_a_deadline_make_sense(self, call: Call, fake: FakePayorch, deadline_s: float) -> None:
        """Seconds from now."""
        with pytest.raises(ValueError, match=r"^deadline_s: "):
            call(fake, "create_session", session(), deadline_s=deadline_s)


class TestMetadata:
    """What goes along."""

    def test_names_client_and_track_id(self, call: Call, fake: FakePayorch) -> None:
        """The operator sees which clients are old."""
        with payorch.tracked("ticket-1"):
            call(fake, "create_session", session())

        assert fake.calls[0].metadata["user-agent"].startswith(f"payorch-python/{VERSION} grpc-python")
        assert "ticket-1" == fake.calls[0].track_id


def refused_port() -> dict[str, Any]:
    """Return how to connect to a port where nothing listens."""
    return {"target": "127.0.0.1:1", "plaintext": True}


def connected(aio: Any, how: dict[str, Any]) -> None:
    """Create a session, sent once."""
    if not aio:
        with payorch.connect(how.pop("target"), resend=None, **how) as client:
            client.create_session(session(), deadline_s=5)
        return

    async def call() -> None:
        async with payorch.aio.connect(how.pop("target"), resend=None, **how) as client:
            await client.create_session(session(), deadline_s=5)

    asyncio.run(call())


def served_and_left(fake: FakePayorch) -> None:
    """Call a service, have it go, and call again once the channel has noticed."""
    noticed = threading.Event()
    with fake.connect(resend=None) as client:
        client.create_session(session())
        channel: grpc.Channel = client._sender.links.all()[0]
        channel.subscribe(lambda state: None if state is grpc.ChannelConnectivity.READY else noticed.set())
        fake.stop()
        noticed.wait(10)
        client.create_session(session())


async def served_and_left_async(fake: FakePayorch) -> None:
    """The same with tasks."""
    async with fake.connect_async(resend=None) as client:
        await client.create_session(session())
        (channel,) = client._sender.links.all()
        await asyncio.to_thread(fake.stop)
        while (state := channel.get_state()) is grpc.ChannelConnectivity.READY:
            await channel.wait_for_state_change(state)
        await client.create_session(session())


def not_serving(_request: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
    """Answer as a service that starts or drains, until its caller leaves."""
    left = threading.Event()
    context.add_callback(left.set)
    yield health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.NOT_SERVING).SerializeToString()
    left.wait()


def unavailable_by_proxy(_request: bytes, context: grpc.ServicerContext) -> bytes:
    """Answer as a proxy that has no route for this method."""
    context.set_trailing_metadata((("server", "proxy"),))
    context.abort(grpc.StatusCode.UNAVAILABLE, "no route")


@pytest.fixture
def tls_port() -> Iterator[int]:
    """Return the port of a server that speaks TLS."""
    issued = AUTHORITY.issue("127.0.0.1")
    server = grpc.server(None)
    port = server.add_secure_port(
        "127.0.0.1:0", grpc.ssl_server_credentials([(issued.key, issued.certificate)], AUTHORITY.certificate, True)
    )
    server.start()
    yield port
    server.stop(None).wait()


@pytest.mark.parametrize("aio", [False, True])
class TestConnection:
    """Without one nothing was sent, and the error says what to try."""

    def test_to_nothing(self, aio: Any) -> None:
        """A port that is refused."""
        with pytest.raises(
            payorch.NotSentError, match=r"127\.0\.0\.1:1: nothing listens there; check host and port"
        ) as not_sent:
            connected(aio, refused_port())

        assert ("nothing listens there; check host and port", call_pb2.ADVICE_RESEND_SAME_REQUEST_ID) == (
            not_sent.value.error.hint,
            not_sent.value.error.advice,
        )

    def test_in_plaintext_to_tls(self, aio: Any, tls_port: int) -> None:
        """The server closes it."""
        with pytest.raises(payorch.NotSentError, match="connect without plaintext=True"):
            connected(aio, {"target": f"127.0.0.1:{tls_port}", "plaintext": True})

    def test_with_tls_to_plaintext(self, aio: Any, fake: FakePayorch) -> None:
        """The server speaks no TLS."""
        with pytest.raises(payorch.NotSentError, match="the server speaks no TLS; plaintext=True"):
            connected(aio, {"target": fake.target})

    def test_without_its_authority(self, aio: Any, tls_port: int) -> None:
        """The certificate is not trusted."""
        with pytest.raises(payorch.NotSentError, match=r"tls=Tls\.from_files\(ca_file="):
            connected(aio, {"target": f"127.0.0.1:{tls_port}"})

    def test_without_a_certificate(self, aio: Any, tls_port: int) -> None:
        """The server wants one."""
        with pytest.raises(payorch.NotSentError, match="it may require a client certificate"):
            connected(aio, {"target": f"127.0.0.1:{tls_port}", "tls": payorch.Tls(ca=AUTHORITY.certificate)})

    def test_to_a_name_that_does_not_exist(self, aio: Any) -> None:
        """Reserved for that (RFC 2606)."""
        with pytest.raises(payorch.NotSentError, match="the host name is not known"):
            connected(aio, {"target": "nowhere.invalid:1", "plaintext": True})

    def test_to_a_service_that_does_not_serve(self, aio: Any) -> None:
        """It starts or drains, and its health says that."""
        watch = {"Watch": grpc.unary_stream_rpc_method_handler(not_serving)}
        server = grpc.server(ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("grpc.health.v1.Health", watch),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()

        with pytest.raises(payorch.NotSentError, match="does not serve yet, or no more"):
            connected(aio, {"target": f"127.0.0.1:{port}", "plaintext": True})

        server.stop(None).wait()

    def test_through_a_proxy_that_knows_no_health_is_one(self, aio: Any) -> None:
        """It answers for itself, so something is there."""
        received = list[bytes]()
        health = grpc.method_handlers_generic_handler(
            "grpc.health.v1.Health", {"Check": grpc.unary_unary_rpc_method_handler(unavailable_by_proxy)}
        )
        service = grpc.method_handlers_generic_handler(
            CREATE_SESSION.service,
            {
                "CreateSession": grpc.unary_unary_rpc_method_handler(
                    lambda request, _context: received.append(request) or b""
                )
            },
        )
        server = grpc.server(ThreadPoolExecutor(4))
        server.add_generic_rpc_handlers((health, service))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()

        connected(aio, {"target": f"127.0.0.1:{port}", "plaintext": True, "service_config": "{}"})

        server.stop(None).wait()
        assert 1 == len(received)

    def test_that_is_gone_by_the_next_call(self, aio: Any) -> None:
        """That call is not started, although the one before had a connection."""
        run = (lambda fake: asyncio.run(served_and_left_async(fake))) if aio else served_and_left

        with FakePayorch() as fake, pytest.raises(payorch.NotSentError, match="nothing listens there"):
            run(fake)

    def test_that_breaks_within_a_call_leaves_it_in_doubt(self, aio: Any) -> None:
        """Whatever gRPC says of it."""
        with FakePayorch() as fake:
            fake.fail_without_details(grpc.StatusCode.UNAVAILABLE, message="failed to connect to all addresses")
            with pytest.raises(payorch.OutcomeUnknownError):
                connected(aio, {"target": fake.target, "plaintext": True, "service_config": "{}"})
