"""Who calls, over real sockets: certificates, tokens, a mesh, or nobody."""

import asyncio
import ssl
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from harness.authority import AUDIENCE, ISSUER, Authority, Issued, Issuer, key_set
from harness.calls import refusal
from harness.requests import decryption_request, new_request_id, payment_method_request, session_request
from harness.stack import LocalStack, running
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: TID251 - to look at spans
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: TID251
from payorch import CallError
from payorch.v1 import call_pb2
from payorch.v1 import payment_orchestration_service_pb2 as service_pb2
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc
from structlog.testing import capture_logs

Stub = service_grpc.PaymentOrchestrationServiceStub
AUTHORITY = Authority()
STRANGER = Authority("stranger")
TOKENS = Issuer()
SHOP = "spiffe://example.org/ns/shop/sa/checkout"
CANARY = "canary-credential"


def caller(identity: str, namespace: str = "shop") -> dict[str, Any]:
    """Make an entry of the access policy with every right that costs nothing."""
    everything = {"*": {"entities": ["*"], "orgs": ["*"]}}
    return {"caller": identity, "namespace": namespace, "rpcs": ["*"], "tenants": everything}


def settings(folder: Path, *callers: str, tls: bool = False, certificates: bool = False, **over: Any) -> dict[str, Any]:
    """Make settings for callers, each in a namespace of its own, and the files that they name.

    Args:
        folder: For the files.
        callers: Identities.
        tls: Whether the listener speaks TLS.
        certificates: Whether callers must show certificates.
        over: Further sections.
    """
    (folder / "keys.json").write_bytes(key_set(TOKENS))
    (folder / "authority.pem").write_bytes(AUTHORITY.certificate)
    certificate, key = AUTHORITY.issue("127.0.0.1", "localhost").write(folder, "server")
    listener: dict[str, Any] = {"certificate_file": certificate, "key_file": key}
    if certificates:
        listener["client_ca_file"] = str(folder / "authority.pem")
    jwt = {"key_set_file": str(folder / "keys.json"), "issuer": ISSUER, "audience": AUDIENCE}
    access = {"callers": [caller(one, f"ns-{index}") for index, one in enumerate(callers)]}
    return {"grpc": {"tls": listener} if tls else {}, "identity": {"jwt": {"own": jwt}}, "access": access} | over


@asynccontextmanager
async def connected(stack: LocalStack, shown: Issued | None = None, *, tls: bool = True) -> AsyncIterator[Any]:
    """Open a connection, perhaps with a certificate, and yield its stub."""
    credentials = grpc.ssl_channel_credentials(
        AUTHORITY.certificate, shown.key if shown else None, shown.certificate if shown else None
    )
    opened = grpc.aio.secure_channel(stack.target, credentials) if tls else grpc.aio.insecure_channel(stack.target)
    async with opened as channel:
        yield Stub(channel)


def look(request_id: str = "") -> Any:
    """Make a request that sends nothing to Zuora."""
    request = session_request(request_id)
    request.validate_only = True
    return request


def bearer(token: str) -> tuple[tuple[str, str], ...]:
    """Make the metadata of a token."""
    return (("authorization", f"Bearer {token}"),)


def outcome_of(error: CallError) -> tuple[Any, ...]:
    """Return what a caller acts on."""
    return error.code, error.reason, error.outcome, error.advice, error.metadata


def unauthenticated(credential: str, rule: str) -> tuple[Any, ...]:
    """Return what a caller is told whose credential is missing or broken."""
    return (
        grpc.StatusCode.UNAUTHENTICATED,
        "CALLER_UNAUTHENTICATED",
        call_pb2.OUTCOME_NOT_SENT,
        call_pb2.ADVICE_RESEND_SAME_REQUEST_ID,
        {"credential": credential, "rule": rule},
    )


UNKNOWN_CALLER = (
    grpc.StatusCode.PERMISSION_DENIED,
    "CALLER_NOT_PERMITTED",
    call_pb2.OUTCOME_NOT_SENT,
    call_pb2.ADVICE_FIX_REQUEST,
    {"right": "caller"},
)


async def known_as(stub: Any, **call: Any) -> list[tuple[str, str]]:
    """Make a call that is allowed; return as whom, and in which namespace."""
    with capture_logs() as logs:
        answer = await stub.CreateSession(look(), timeout=10, **call)
    assert answer.HasField("upstream_request")
    return [(line["caller"], line["namespace"]) for line in logs if line["event"] == "access"]


class TestCertificates:
    """The names in the certificate that a caller showed."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("names", "expected", "reason"),
        [
            ([SHOP], (SHOP, "ns-0"), "a SPIFFE id"),
            (["checkout.shop"], ("dns:checkout.shop", "ns-1"), "a DNS name"),
            (["checkout.shop", SHOP], (SHOP, "ns-0"), "both: the URI"),
            (["spiffe://example.org/other", "127.0.0.1", "checkout.shop"], ("dns:checkout.shop", "ns-1"), "the known"),
        ],
    )
    async def test_name_the_caller(
        self, tmp_path: Path, names: list[str], expected: tuple[str, str], reason: str
    ) -> None:
        """And its namespace."""
        over = settings(tmp_path, SHOP, "dns:checkout.shop", tls=True, certificates=True)
        async with running(over=over) as stack, connected(stack, AUTHORITY.issue(*names)) as stub:
            assert [expected] == await known_as(stub), reason

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("names", "expected", "reason"),
        [
            ([f"{SHOP}2"], UNKNOWN_CALLER, "a name that nobody listed"),
            (["jwt:checkout"], unauthenticated("none", "one is needed"), "the name that a token would have"),
            (["anonymous"], UNKNOWN_CALLER, "a host whose name is anonymous"),
            (["127.0.0.1"], unauthenticated("none", "one is needed"), "an address is no name"),
            ([], unauthenticated("none", "one is needed"), "a common name is none either"),
        ],
    )
    async def test_name_nobody_else(
        self, tmp_path: Path, names: list[str], expected: tuple[Any, ...], reason: str
    ) -> None:
        """The refusal carries all details, and the connection stays usable."""
        over = settings(tmp_path, SHOP, "jwt:checkout", tls=True, certificates=True)
        async with running(over=over) as stack, connected(stack, AUTHORITY.issue(*names)) as stub:
            error = await refusal(stub.CreateSession(look(), timeout=10))

        assert expected == outcome_of(error), reason

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("shown", "reason"),
        [
            (None, "none at all"),
            (STRANGER.issue(SHOP), "one that another authority issued"),
            (AUTHORITY.issue(SHOP, expired=True), "one that has ended"),
        ],
        ids=["none", "of another authority", "expired"],
    )
    async def test_that_are_not_believed_end_the_handshake(
        self, tmp_path: Path, shown: Issued | None, reason: str
    ) -> None:
        """No byte of a request is read, whatever token comes with it."""
        over = settings(tmp_path, SHOP, "jwt:checkout", tls=True, certificates=True)
        async with running(over=over) as stack, connected(stack, shown) as stub:
            metadata = bearer(TOKENS.token())
            error = await refusal(stub.CreateSession(look(), timeout=10, metadata=metadata))

        assert (grpc.StatusCode.UNAVAILABLE, "") == (error.code, error.reason), reason


async def shake_hands(stack: LocalStack, version: ssl.TLSVersion) -> str | None:
    """Make a TLS connection of one version; return what was agreed."""
    context = ssl.create_default_context(cadata=AUTHORITY.certificate.decode())
    context.set_alpn_protocols(["h2"])
    # Today's OpenSSL offers TLS 1.1 at this level alone.
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    _, writer = await asyncio.open_connection("127.0.0.1", stack.application.grpc_port, ssl=context)
    agreed: ssl.SSLObject = writer.get_extra_info("ssl_object")
    writer.close()
    return agreed.version()


class TestTls:
    """Versions of TLS."""

    @pytest.mark.asyncio
    @pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
    async def test_before_1_2_are_refused(self, tmp_path: Path) -> None:
        """By the service, which hangs up on the client's offer; with an alert where it has the time."""
        async with running(over=settings(tmp_path, "jwt:checkout", tls=True)) as stack:
            with pytest.raises((ssl.SSLError, ConnectionResetError)) as caught:
                await shake_hands(stack, ssl.TLSVersion.TLSv1_1)

        assert getattr(caught.value, "reason", None) in {None, "TLSV1_ALERT_PROTOCOL_VERSION"}

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("version", "agreed"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
    )
    async def test_from_1_2_on_are_taken(self, tmp_path: Path, version: ssl.TLSVersion, agreed: str) -> None:
        """The two that are in use."""
        async with running(over=settings(tmp_path, "jwt:checkout", tls=True)) as stack:
            assert agreed == await shake_hands(stack, version)

    @pytest.mark.asyncio
    async def test_plaintext_is_refused(self, tmp_path: Path) -> None:
        """By a listener that speaks TLS."""
        async with (
            running(over=settings(tmp_path, "jwt:checkout", tls=True)) as stack,
            connected(stack, tls=False) as stub,
        ):
            error = await refusal(stub.CreateSession(look(), timeout=10))

        assert grpc.StatusCode.UNAVAILABLE is error.code


class TestTokens:
    """The subject of a token."""

    @pytest.mark.asyncio
    @pytest.mark.parametrize("tls", [True, False], ids=["over TLS", "in plaintext on this machine"])
    async def test_name_the_caller(self, tmp_path: Path, *, tls: bool) -> None:
        """On any connection that nobody can listen to."""
        over = settings(tmp_path, "jwt:checkout", tls=tls)
        async with running(over=over) as stack, connected(stack, tls=tls) as stub:
            assert [("jwt:checkout", "ns-0")] == await known_as(stub, metadata=bearer(TOKENS.token()))

    @pytest.mark.asyncio
    async def test_count_before_certificates(self, tmp_path: Path) -> None:
        """Who brings both is who the token says, and is refused if it says nothing."""
        over = settings(tmp_path, "jwt:checkout", SHOP, tls=True, certificates=True)
        async with running(over=over) as stack, connected(stack, AUTHORITY.issue(SHOP)) as stub:
            assert [("jwt:checkout", "ns-0")] == await known_as(stub, metadata=bearer(TOKENS.token()))
            assert [(SHOP, "ns-1")] == await known_as(stub)

            error = await refusal(stub.CreateSession(look(), timeout=10, metadata=bearer(TOKENS.token(exp=1))))

        assert unauthenticated("authorization", "expired") == outcome_of(error)

    @pytest.mark.asyncio
    async def test_are_no_ones_but_their_calls(self, tmp_path: Path) -> None:
        """Calls at once on one connection: each is its own caller's, in its own namespace."""
        over = settings(tmp_path, "jwt:one", "jwt:two", "jwt:three")
        async with running(over=over) as stack, connected(stack, tls=False) as stub:
            tokens = [bearer(TOKENS.token(name)) for name in ("one", "two", "three")]
            request = look(new_request_id())

            with capture_logs() as logs:
                calls = [stub.CreateSession(request, timeout=10, metadata=tokens[n % 3]) for n in range(60)]
                answers = await asyncio.gather(*calls)

        seen = Counter((line["caller"], line["namespace"]) for line in logs if line["event"] == "access")
        assert {("jwt:one", "ns-0"): 20, ("jwt:two", "ns-1"): 20, ("jwt:three", "ns-2"): 20} == seen
        keys = [answer.upstream_request.headers["idempotency-key"] for answer in answers]
        assert 3 == len(set(keys))
        assert all(keys[n] == keys[n % 3] for n in range(60))

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("metadata", "rule", "reason"),
        [
            (bearer(TOKENS.token(CANARY, exp=1)), "expired", "too late"),
            (bearer(Issuer().token(CANARY)), "signature", "another key by the same name"),
            (bearer(TOKENS.token(CANARY, aud="other")), "audience", "for somebody else"),
            (bearer(CANARY), "malformed", "no token"),
            (bearer("x" * 8193), "length", "too long"),
            (bearer(TOKENS.token()) * 2, "one bearer token", "two of them"),
            ((("authorization", f"Basic {CANARY}"),), "one bearer token", "another scheme"),
        ],
        ids=["expired", "forged", "for another", "no token", "long", "two", "basic"],
    )
    async def test_are_refused_without_a_trace_of_them(
        self, tmp_path: Path, metadata: tuple[tuple[str, str], ...], rule: str, reason: str
    ) -> None:
        """Neither the details nor trailers, logs or spans show a credential."""
        spans = InMemorySpanExporter()
        over = settings(tmp_path, "jwt:checkout", "anonymous")
        async with (
            running(over=over, span_processors=(SimpleSpanProcessor(spans),)) as stack,
            connected(stack, tls=False) as stub,
        ):
            with capture_logs() as logs:
                call = stub.CreateSession(session_request(), timeout=10, metadata=metadata)
                error = await refusal(call)
            trailers = await call.trailing_metadata()
            sent = stack.emulator.journal.count("sessions")

        assert unauthenticated("authorization", rule) == outcome_of(error), reason
        assert [("denied", "identity", rule, "anonymous")] == [
            (line["decision"], line["right"], line["needed"], line["caller"])
            for line in logs
            if line["event"] == "access"
        ]
        shown = repr((error, trailers, logs, [span.to_json() for span in spans.get_finished_spans()]))
        credential = metadata[0][1].partition(" ")[2]
        assert (False, False, 0) == (CANARY in shown, credential in shown, sent)


class TestMesh:
    """What a mesh on this machine tells."""

    @pytest.mark.asyncio
    async def test_names_the_caller(self, tmp_path: Path) -> None:
        """From a listed peer."""
        over = settings(tmp_path, SHOP, identity={"mesh": {"peers": ["127.0.0.1/32"]}})
        metadata = (("x-forwarded-client-cert", f'By=spiffe://x/proxy;Subject="CN=a,O=b";URI={SHOP}'),)
        async with running(over=over) as stack, connected(stack, tls=False) as stub:
            assert [(SHOP, "ns-0")] == await known_as(stub, metadata=metadata)

    @pytest.mark.asyncio
    async def test_by_its_certificate_names_the_caller(self, tmp_path: Path) -> None:
        """The proxy shows its own, and tells whose call it passes on; nobody else's word counts."""
        proxy = "spiffe://example.org/ns/mesh/sa/proxy"
        mesh = {"peers": [proxy], "header": "x-identity", "format": "identity"}
        over = settings(tmp_path, "mesh:shop", SHOP, tls=True, certificates=True, identity={"mesh": mesh})
        metadata = (("x-identity", "shop"),)
        async with running(over=over) as stack:
            async with connected(stack, AUTHORITY.issue(proxy)) as stub:
                assert [("mesh:shop", "ns-0")] == await known_as(stub, metadata=metadata)
            async with connected(stack, AUTHORITY.issue(SHOP)) as stub:
                assert [(SHOP, "ns-1")] == await known_as(stub, metadata=metadata)

    @pytest.mark.asyncio
    @pytest.mark.parametrize(
        ("peers", "values", "expected", "reason"),
        [
            (["10.0.0.0/8"], [f"URI={SHOP}"], unauthenticated("none", "one is needed"), "from somebody else"),
            (
                ["127.0.0.1/32"],
                [f"URI={SHOP}"] * 2,
                unauthenticated("x-forwarded-client-cert", "one value"),
                "twice, though equal",
            ),
            (
                ["127.0.0.1/32"],
                [f"URI={SHOP},URI={SHOP}"],
                unauthenticated("x-forwarded-client-cert", "one element"),
                "two elements",
            ),
            (["127.0.0.1/32"], [f"URI={SHOP}2"], UNKNOWN_CALLER, "somebody whom nobody listed"),
            (["127.0.0.1/32"], [], unauthenticated("none", "one is needed"), "nothing"),
        ],
    )
    async def test_names_nobody_else(
        self, tmp_path: Path, peers: list[str], values: list[str], expected: tuple[Any, ...], reason: str
    ) -> None:
        """Headers are easily written."""
        over = settings(tmp_path, SHOP, identity={"mesh": {"peers": peers}})
        metadata = tuple(("x-forwarded-client-cert", value) for value in values)
        async with running(over=over) as stack, connected(stack, tls=False) as stub:
            error = await refusal(stub.CreateSession(look(), timeout=10, metadata=metadata))

        assert expected == outcome_of(error), reason


class TestNobody:
    """Callers whom nobody vouches for."""

    @pytest.mark.asyncio
    async def test_is_a_caller_where_the_policy_lists_it(self, tmp_path: Path) -> None:
        """With the rights that stand there."""
        over = settings(tmp_path, "jwt:checkout", "anonymous")
        async with running(over=over) as stack, connected(stack, tls=False) as stub:
            assert [("anonymous", "ns-1")] == await known_as(stub)

    @pytest.mark.asyncio
    async def test_is_refused_otherwise(self, tmp_path: Path) -> None:
        """On every RPC, before its request is looked at; nothing is sent."""
        over = settings(tmp_path, "jwt:checkout")
        async with running(over=over) as stack, connected(stack, tls=False) as stub:
            errors = [
                await refusal(stub.CreateSession(session_request(), timeout=10)),
                await refusal(stub.DecryptApplePay(decryption_request(), timeout=10)),
                await refusal(stub.CreatePaymentMethod(payment_method_request(), timeout=10)),
                await refusal(stub.GetIntent(service_pb2.GetIntentRequest(), timeout=10)),
            ]
            arrived = {one.operation for one in stack.emulator.journal.entries}

        assert [unauthenticated("none", "one is needed")] * 4 == [outcome_of(error) for error in errors]
        assert arrived <= {"token"}

    @pytest.mark.asyncio
    @pytest.mark.parametrize("tls", [True, False])
    async def test_may_ask_for_health(self, tmp_path: Path, *, tls: bool) -> None:
        """Probes have no identity."""
        async with running(over=settings(tmp_path, "jwt:checkout", tls=tls)) as stack:
            credentials = grpc.ssl_channel_credentials(AUTHORITY.certificate)
            target = stack.target
            opened = grpc.aio.secure_channel(target, credentials) if tls else grpc.aio.insecure_channel(target)
            async with opened as channel:
                request = health_pb2.HealthCheckRequest(service="")
                answer = await health_pb2_grpc.HealthStub(channel).Check(request, timeout=10)

        assert health_pb2.HealthCheckResponse.UNKNOWN != answer.status
