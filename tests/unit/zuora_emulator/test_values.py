import asyncio
import random
from datetime import timedelta
from decimal import Decimal

import pytest
from zuora_emulator import ManualClock, seed
from zuora_emulator.check_digits import is_card_number, is_iban
from zuora_emulator.currency import BY_CODE, BY_NUMERIC, from_minor, is_exact, problem_of_amount
from zuora_emulator.errors import uses_statuses
from zuora_emulator.ids import Ids
from zuora_emulator.oauth import CLIENT_ID_LENGTH, LONGEST_SECRET
from zuora_emulator.state import Invoice


def test_currencies_have_one_number_each() -> None:
    assert len(BY_CODE) == len(BY_NUMERIC)
    assert all(len(code) == 3 and code.isupper() for code in BY_CODE)
    assert all(len(numeric) == 3 and numeric.isdigit() for numeric in BY_NUMERIC)


@pytest.mark.parametrize(
    ("code", "minor", "expected"), [("USD", 1234, "12.34"), ("JPY", 1234, "1234"), ("KWD", 1234, "1.234")]
)
def test_amounts_have_the_places_of_their_currency(code: str, minor: int, expected: str) -> None:
    assert str(from_minor(amount_minor=minor, currency=BY_CODE[code])) == expected


@pytest.mark.parametrize(
    ("amount", "currency", "exact"),
    [
        ("1", "USD", True),
        ("1.500", "USD", True),
        ("1.005", "USD", False),
        ("1E+2", "JPY", True),
        ("1.5", "JPY", False),
        ("0.000", "JPY", True),
        ("10.000000000000000000000000000001", "USD", False),
        ("10." + 39 * "0", "JPY", True),
    ],
)
def test_amounts_are_exact(amount: str, currency: str, *, exact: bool) -> None:
    assert is_exact(amount=Decimal(amount), currency=currency) is exact


@pytest.mark.parametrize(
    ("amount", "currency", "problem"),
    [
        ("0.01", "USD", ""),
        ("1", "JPY", ""),
        ("999999999999999.99", "USD", ""),
        ("1000000000000000", "USD", "The amount must have at most 15 digits before the point."),
        ("0", "USD", "The amount must be greater than 0."),
        ("-1", "USD", "The amount must be greater than 0."),
        ("NaN", "USD", "The amount must be greater than 0."),
        ("Infinity", "USD", "The amount must be greater than 0."),
        ("1.005", "USD", "USD has 2 decimals; 1.005 has more."),
        ("1.5", "JPY", "JPY has 0 decimals; 1.5 has more."),
        ("1.0005", "KWD", "KWD has 3 decimals; 1.0005 has more."),
        ("1.005", "ALL", "ALL has 2 decimals; 1.005 has more."),
    ],
)
def test_amounts_that_a_person_cannot_mean_are_explained(amount: str, currency: str, problem: str) -> None:
    assert problem_of_amount(Decimal(amount), currency=currency) == problem


@pytest.mark.parametrize(
    ("text", "valid"),
    [("4111111111111111", True), ("4111111111111112", False), ("411111", False), ("4111 1111 1111 1111", False)],
)
def test_card_numbers(text: str, *, valid: bool) -> None:
    assert is_card_number(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("DE89370400440532013000", True),
        ("GB82 WEST 1234 5698 7654 32", True),
        ("DE88370400440532013000", False),
        ("DE", False),
        ("", False),
    ],
)
def test_ibans(text: str, *, valid: bool) -> None:
    assert is_iban(text) is valid


@pytest.mark.parametrize(
    ("version", "expected"),
    [("186.0", False), ("341.0", False), ("2024-05-19", False), ("2024-05-20", True), ("2025-08-12", True)],
)
def test_versions_that_use_statuses(version: str, *, expected: bool) -> None:
    assert uses_statuses(version) is expected


def test_ids_repeat_with_their_seed() -> None:
    one, two = (Ids(random.Random(1)) for _ in range(2))  # noqa: S311 - a test

    made = [one.object_id(), one.request_id(), one.process_id(), one.session_token()]

    assert made == [two.object_id(), two.request_id(), two.process_id(), two.session_token()]
    assert [len(value) for value in made] == [32, 36, 16, 32]


def test_seed_credentials_have_the_documented_lengths_and_are_plainly_fake() -> None:
    for client in seed.CLIENTS:
        assert len(client.client_id) == CLIENT_ID_LENGTH
        assert len(client.client_secret) <= LONGEST_SECRET
        assert client.client_id.startswith("emulator-")
        assert client.client_secret.startswith("emulator-")
        assert client.client_secret not in repr(client)


def test_seed_ids_are_unique_and_of_32_hex_digits() -> None:
    ids = [thing.id for thing in (*seed.ACCOUNTS, *seed.INVOICES, *seed.GATEWAYS)]

    assert len(set(ids)) == len(ids)
    assert all(len(bytes.fromhex(id_)) == 16 for id_ in ids)


def test_seed_is_made_anew_each_time() -> None:
    spent = seed.fixtures().state()
    spent.pay(seed.INVOICE_US, Decimal(100))

    assert _balance(seed.fixtures().state().invoices[seed.INVOICE_US.id]) == Decimal("100.00")
    assert _balance(spent.invoices[seed.INVOICE_US.id]) == 0


def _balance(invoice: Invoice) -> Decimal:
    return invoice.balance


@pytest.mark.asyncio
async def test_manual_clock_wakes_only_who_is_due() -> None:
    clock = ManualClock(jump=False)
    woken: list[int] = []

    async def sleeper(seconds: int) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as tasks:
        for seconds in (1, 2):
            tasks.create_task(sleeper(seconds))
        await clock.until_somebody_sleeps()
        clock.advance(timedelta(seconds=1))
        await asyncio.sleep(0)
        first = list(woken)
        clock.advance(timedelta(seconds=1))

    assert (first, woken) == ([1], [1, 2])


@pytest.mark.asyncio
async def test_manual_clock_jumps() -> None:
    clock = ManualClock()
    before = clock.now()

    await clock.sleep(90)

    assert clock.now() - before == timedelta(seconds=90)
