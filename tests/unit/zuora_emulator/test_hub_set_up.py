"""The set-up of custom types and gateways, held to Zuora's rules; and the way to a hub over a socket."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import zuora_emulator
from harness.raw_server import listening
from zuora_emulator import (
    CustomField,
    CustomType,
    Emulator,
    HttpHubCaller,
    NoHubAnswerError,
    Settings,
    UpcConfiguration,
    UpcConfigurationError,
    UpcPayment,
    seed,
    serving,
)
from zuora_emulator.cli import main
from zuora_emulator.clock import Clock, ClockNotAdjustableError, SystemClock
from zuora_emulator.state import PaymentMethod
from zuora_emulator.upc_types import RESERVED_FIELDS, endpoint_problem

GOOD = seed.upc_with("https://hub.example.com/upc/main")
(GATEWAY,) = GOOD.gateways
LOCAL = Settings(upc_allow_local_endpoints=True)


def type_with(*fields: CustomField, name: str = "Own") -> UpcConfiguration:
    return UpcConfiguration(types=(CustomType(internal_name=name, tenant=seed.TENANT, fields=fields),))


def named(*names: str) -> UpcConfiguration:
    return type_with(*(CustomField(name=name) for name in names))


@pytest.mark.parametrize(
    ("configuration", "part"),
    [
        (named("token"), "the first a capital letter"),
        (named("My_Token"), "letters and digits"),
        (named("T" * 31), "1 to 30"),
        (named("Token", "token"), "two fields of one name"),
        (named(), "1 to 20"),
        (named(*(f"F{number}" for number in range(21))), "1 to 20"),
        (type_with(CustomField(name="Token", max_length=8001)), "1 to 8000"),
        (type_with(CustomField(name="Token", max_length=0)), "1 to 8000"),
        (type_with(CustomField(name="Token", min_length=5, max_length=4)), "smallest length"),
        (type_with(CustomField(name="Token"), name="own"), "19 letters and digits"),
        (type_with(CustomField(name="Token"), name="O" * 20), "19 letters and digits"),
        (UpcConfiguration(types=(replace(seed.AMAZON_PAY, method_reference_id_field="X"),)), "none of its fields"),
        (UpcConfiguration(types=(seed.AMAZON_PAY, replace(seed.AMAZON_PAY, internal_name="AMAZONPay"))), "2 times"),
        (
            UpcConfiguration(types=tuple(replace(seed.AMAZON_PAY, internal_name=f"A{n}") for n in range(21))),
            "Zuora allows 20",
        ),
        (UpcConfiguration(gateways=(replace(GATEWAY, password="a|b"),)), "the character |"),
        (UpcConfiguration(gateways=(replace(GATEWAY, user="a:b"),)), "a colon"),
        (UpcConfiguration(gateways=(replace(GATEWAY, user=""),)), "must not be empty"),
        (UpcConfiguration(gateways=(replace(GATEWAY, endpoint="http://hub.example.com/"),)), "must use https"),
    ],
)
def test_set_up_that_zuora_refuses_is_refused_in_a_sentence(configuration: UpcConfiguration, part: str) -> None:
    with pytest.raises(UpcConfigurationError, match=part) as refusal:
        Emulator(upc=configuration)

    assert str(refusal.value).endswith(".")


@pytest.mark.parametrize("name", sorted(RESERVED_FIELDS))
def test_set_up_has_no_reserved_field(name: str) -> None:
    with pytest.raises(UpcConfigurationError, match="Zuora reserves"):
        Emulator(upc=named(name[0].upper() + name[1:]))


def test_set_up_names_all_problems_at_once() -> None:
    with pytest.raises(UpcConfigurationError) as refusal:
        Emulator(upc=named("token", "Status"))

    assert len(RESERVED_FIELDS) == 41
    assert str(refusal.value).count(".") == 2


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("https://hub.example.com/upc", ""),
        ("https://hub.example.com:443/upc", ""),
        ("https://hub.example.com:8443/upc", "port 443"),
        ("http://hub.example.com/upc", "https"),
        ("https://192.0.2.1/upc", "registered name"),
        ("https://[2001:db8::1]/upc", "registered name"),
        ("https://localhost/upc", "registered name"),
        ("https://hub.example.com:x/upc", "no number"),
        ("hub.example.com/upc", "address"),
        ("ftp://hub.example.com/", "address"),
        ("https://[hub.example.com/", "address"),
    ],
)
def test_endpoints_are_held_to_zuoras_rules(url: str, part: str) -> None:
    problem = endpoint_problem(url, allow_local=False)

    assert (part in problem) if part else not problem


@pytest.mark.parametrize("url", ["http://127.0.0.1:8443/upc", "https://localhost:1/", "http://[::1]:1/"])
def test_endpoints_may_be_local_where_a_switch_says_so(url: str) -> None:
    assert endpoint_problem(url, allow_local=True) == ""
    assert endpoint_problem(url, allow_local=False)


def test_a_password_is_not_in_the_text_of_a_set_up() -> None:
    assert seed.HUB_PASSWORD not in repr(GOOD)


@asynccontextmanager
async def server_that(sends: bytes | None) -> AsyncIterator[str]:
    """Listen, read a request, send these bytes and close; None: send nothing until the caller leaves."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"{}")
        writer.write(sends or b"")
        if sends is None:
            await reader.read()

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.mark.asyncio
@pytest.mark.parametrize("sends", [None, b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{", b"nonsense\r\n\r\n"])
async def test_a_hub_that_does_not_answer_gives_no_answer(sends: bytes | None) -> None:
    async with server_that(sends) as url:
        with pytest.raises(NoHubAnswerError):
            await HttpHubCaller().post(url, {}, b"{}", answer_timeout_s=0.1 if sends is None else 60)


@pytest.mark.asyncio
async def test_a_port_that_refuses_gives_no_answer() -> None:
    async with server_that(b"") as url:
        pass
    with pytest.raises(NoHubAnswerError, match="ConnectError"):
        await HttpHubCaller().post(url, {}, b"{}")


@pytest.mark.asyncio
async def test_an_answer_over_a_socket_is_read() -> None:
    async with server_that(b"HTTP/1.1 503 x\r\ncontent-length: 2\r\n\r\n{}") as url:
        assert await HttpHubCaller().post(url, {}, b"{}") == (503, b"{}")


class _Hub:
    """Knows nothing at first, and approves then."""

    def __init__(self) -> None:
        self.asked = 0
        self.approved = asyncio.Event()

    async def post(self, *_: object, **__: object) -> tuple[int, bytes]:
        self.asked += 1
        if self.asked == 1:
            return 503, b"{}"
        self.approved.set()
        return 200, b'{"responseCode":"Approved"}'


async def _with_a_payment_in_processing(clock: Clock) -> tuple[Emulator, _Hub, UpcPayment]:
    hub = _Hub()
    emulator = Emulator(clock=clock, settings=LOCAL, upc=seed.upc_with("http://hub.test/"), hub_caller=hub)
    method = PaymentMethod(
        id="m",
        tenant=seed.TENANT,
        entity=seed.ENTITY_US,
        account_id=seed.ACCOUNT_US.id,
        type=seed.AMAZON_PAY.full_name,
        is_default=True,
    )
    emulator.state.payment_methods["m"] = method
    payment = UpcPayment(
        **emulator.upc.new_names("P"),
        tenant=seed.TENANT,
        entity=seed.ENTITY_US,
        account_id=seed.ACCOUNT_US.id,
        method_id="m",
        gateway_id=seed.UPC_GATEWAY_ID,
        amount=seed.INVOICE_US.balance,
        currency="USD",
    )
    await emulator.upc.pay(payment)
    return emulator, hub, payment


@pytest.mark.asyncio
async def test_a_served_emulator_sends_again_by_the_machines_clock() -> None:
    clock = SystemClock()
    emulator, hub, payment = await _with_a_payment_in_processing(clock)

    async with serving(emulator):
        clock.ahead += timedelta(hours=1)
        emulator.upc.changed.set()
        await hub.approved.wait()

    assert (payment.status, hub.asked) == ("Processed", 2)


def test_an_emulator_is_served_in_one_loop_after_another() -> None:
    emulator = Emulator(settings=LOCAL, upc=seed.upc_with("http://hub.test/"))

    async def serve() -> str:
        async with serving(emulator) as url:
            await asyncio.sleep(0)
            return url

    assert asyncio.run(serve()) != ""
    assert asyncio.run(serve()) != ""


@pytest.mark.asyncio
async def test_the_machines_clock_is_set_forward_with_what_is_due() -> None:
    clock = SystemClock()
    emulator, hub, payment = await _with_a_payment_in_processing(clock)

    await emulator.advance(timedelta(hours=1, minutes=1))

    assert (payment.status, hub.asked) == ("Processed", 2)
    assert clock.ahead > timedelta(hours=1)


@pytest.mark.asyncio
async def test_a_program_with_its_own_clock_runs_what_is_due() -> None:
    class ForeignClock:
        hours = 0.0

        def now(self) -> datetime:
            return datetime(2026, 11, 20, tzinfo=UTC) + timedelta(hours=self.hours)

        async def sleep(self, seconds: float) -> None:
            self.hours += seconds / 3600

    clock = ForeignClock()
    emulator, hub, payment = await _with_a_payment_in_processing(clock)
    with pytest.raises(ClockNotAdjustableError):
        await emulator.advance(timedelta(seconds=1))
    early = await emulator.run_due()
    assert emulator.upc.next_due() == payment.created_at + timedelta(hours=1)

    await clock.sleep(3600)

    assert (early, await emulator.run_due(), payment.status, hub.asked) == (0, 1, "Processed", 2)


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--hub", "http://127.0.0.1:1/"], "must use https"),
        (["--hub", "https://hub.example.com/", "--upc", "set-up.json"], "not both"),
        (["--upc", "missing.json"], "Cannot read missing.json"),
        (["--upc", "broken.json"], "has no set-up of custom payment methods"),
        (["--upc", "wrong.json"], "Zuora reserves"),
    ],
)
def test_the_command_refuses_a_wrong_set_up(
    arguments: list[str],
    part: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    wrong = {"types": [{"internal_name": "Own", "tenant": "10001", "fields": [{"name": "Status"}]}]}
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    (tmp_path / "broken.json").write_text('{"types": [{}]}')

    assert main(["serve", *arguments]) == 1

    assert part in capsys.readouterr().err


def test_the_set_up_in_the_readme_is_accepted() -> None:
    readme = (Path(zuora_emulator.__file__).parent.parent / "README.md").read_text()
    text = readme.partition("```json\n")[2].partition("```")[0]

    configuration = msgspec.json.decode(text, type=UpcConfiguration)

    configuration.check(allow_local=False)
    assert configuration.types[0].fields[1].type == "date"
    assert configuration.gateways[0].name == "UPC_Token"
