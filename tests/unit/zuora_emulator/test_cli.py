import asyncio
import json
import signal
import socket
import sys

import httpx
import pytest
from zuora_emulator import Emulator, seed, serving
from zuora_emulator.cli import main


@pytest.mark.parametrize(
    ("arguments", "part", "reason"),
    [
        (["serve", "--fault", "nonsense"], "is no operation", "no fault"),
        (["serve", "--fault-once", "token:drop:1"], "no argument", "an argument too much"),
        (["serve", "--switch", "nonsense=1"], "is no switch", "unknown"),
        (["serve", "--switch", "missing_entity=perhaps"], "wrong value", "no value of the switch"),
        (["serve", "--switch", "decline_payments=perhaps"], "wrong value", "no boolean"),
        (["serve", "--host", "192.0.2.1"], "Cannot listen on 192.0.2.1:9080", "not an address of this machine"),
        (["serve", "--port", "99999"], "Cannot listen on", "beyond the ports"),
        (["mint-apple-pay-token", "--amount", "x", "--currency", "USD"], "is no amount", "words"),
        (["mint-apple-pay-token", "--amount", "NaN", "--currency", "USD"], "greater than 0", "no number"),
        (["mint-apple-pay-token", "--amount", "0", "--currency", "USD"], "greater than 0", "nothing"),
        (["mint-apple-pay-token", "--amount", "1.234", "--currency", "USD"], "USD has 2 decimals", "too exact"),
        (["mint-apple-pay-token", "--amount", "1E+5000", "--currency", "USD"], "15 digits", "too much"),
        (["mint-apple-pay-token", "--amount", "1", "--currency", "XXX"], "is no currency", "unknown"),
        (
            ["mint-apple-pay-token", "--amount", "1", "--currency", "USD", "--merchant-id", "nobody"],
            "is no merchant",
            "unknown",
        ),
        (
            ["mint-apple-pay-token", "--amount", "1", "--currency", "USD", "--transaction-id", "ab"],
            "64 hexadecimal digits",
            "too short",
        ),
        (["serve", "--clock", "tomorrow"], "is no time", "words"),
        (["serve", "--clock", "9999-12-31T23:59:59Z"], "seconds from 2026", "no token would end"),
        (["serve", "--clock", "0001-01-01T00:00:00+14:00"], "seconds from 2026", "before all years"),
        (["serve", "--clock-ahead", "nan"], "ahead or behind", "no number"),
        (["serve", "--clock-ahead=-1e300"], "ahead or behind", "beyond the years"),
        (["serve", "--switch", "async_delay_seconds=-1"], ">= 0", "before the call"),
        (["serve", "--switch", "session_life_minutes=99999999999999"], "<= 1000000", "beyond the years"),
        (["serve", "--clock", "2026-11-20T12:00:00"], "has no offset", "no offset"),
        (["serve", "--fixtures", "/nowhere/mine.yaml"], "cannot be read", "no file"),
        (["serve", "--scenario", "black-hol"], "did you mean 'black-hole'?", "a misspelt scenario"),
        (["serve", "--switch", "mising_entity=first"], "did you mean 'missing_entity'?", "a misspelt switch"),
        (
            ["serve", "--switch", "missing_entity=firs"],
            "it takes refuse, first; did you mean 'first'?",
            "a misspelt value",
        ),
        (["serve", "--switch", "decline_payments=tru"], "did you mean 'true'?", "a misspelt word"),
        (["serve", "--switch", "missing_entity"], "it takes refuse, first.", "no value"),
        (["serve", "--fault", "sesions:500"], "did you mean 'sessions'?", "a misspelt operation"),
        (["serve", "--fault", "*:dripp:1"], "did you mean 'drip'?", "a misspelt kind"),
        (["serve", "--fault", "hub_payment:losst"], "did you mean 'lost'?", "a misspelt kind of a hub's request"),
        (["serve", "--fault-once", "decryption:declined:do_not_honour"], "did you mean 'do_not_honor'?", "a decline"),
        (["serve", "--fixtures", "/"], "cannot be read", "a folder"),
        (["serve", "--upc", "/nowhere/upc.json"], "Cannot read /nowhere/upc.json: No such file", "no file"),
        (["serve", "--hub-ca", "/nowhere/ca.pem"], "authorities from /nowhere/ca.pem: No such file", "no file"),
        (["serve", "--hub-ca", __file__], "Cannot read authorities from", "no certificate"),
        (["ledger", "--url", "ftp://127.0.0.1/ledger"], "is no http address", "another protocol"),
        (["ledger", "--url", "http://127.0.0.1:1"], "No emulator answers", "nobody listens"),
    ],
)
def test_mistakes_are_sentences(
    arguments: list[str], part: str, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1, reason

    printed = capsys.readouterr()
    assert part in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "zuora-emulator: the following arguments are required: COMMAND. See zuora-emulator --help."),
        (
            ["scenario"],
            "is none of serve, fixtures, scenarios, mint-apple-pay-token, ledger; did you mean 'scenarios'?",
        ),
        (["serve", "--swich", "a=b"], "zuora-emulator serve: there is no argument '--swich'; did you mean '--switch'?"),
        (["scenarios", "surplus"], "zuora-emulator scenarios: there is no argument 'surplus'."),
        (["serve", "--port", "x"], "argument --port: 'x' is not a whole number."),
        (["serve", "--seed", "1.5"], "argument --seed: '1.5' is not a whole number."),
        (["serve", "--clock-ahead", "soon"], "argument --clock-ahead: 'soon' is not a number."),
        (["serve", "--fixtures"], "argument --fixtures: expected one argument."),
        (["mint-apple-pay-token", "--amount", "1"], "the following arguments are required: --currency."),
        (["mint-apple-pay-token", "--defect", "tag_chnged"], "did you mean 'tag_changed'?"),
        (["mint-apple-pay-token", "--variant", "rsaa"], "did you mean 'rsa'?"),
    ],
)
def test_wrong_arguments_are_one_sentence(
    arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    printed = capsys.readouterr()
    assert sentence in printed.err
    assert (ended.value.code, printed.err.count("\n"), printed.out) == (2, 1, "")


def test_a_port_in_use_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["serve", "--port", str(port)]) == 1

    assert capsys.readouterr().err == f"Cannot listen on 127.0.0.1:{port}: Address already in use.\n"


@pytest.mark.asyncio
async def test_ledger_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    async with serving(Emulator()) as base_url:
        code = await asyncio.to_thread(main, ["ledger", "--url", base_url])

    assert code == 0
    assert capsys.readouterr().out.split()[:2] == ["time", "operation"]


@pytest.mark.asyncio
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_serve_says_where_and_stops_on_a_signal(number: signal.Signals) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "zuora_emulator", "serve", "--port", "0", "--fault", "token:500",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    first = await process.stdout.readline()
    process.send_signal(number)
    rest, errors = await process.communicate()

    assert first.startswith(b"Zuora emulator (not Zuora) on http://127.0.0.1:")
    assert b"emulator-secret-a" in rest
    assert b"INV00000002 42.50 USD" in rest
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.asyncio
@pytest.mark.parametrize("fault", ["silence", "slow:600", "drip:600"])
async def test_serve_ends_with_a_call_in_progress_and_without_a_word(fault: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "zuora_emulator", "serve", "--port", "0", "--quiet", "--fault", f"token:{fault}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    base_url = (await process.stdout.readline()).decode().split()[-1]
    client = seed.CLIENT_A
    form = {"client_id": client.client_id, "client_secret": client.client_secret, "grant_type": "client_credentials"}
    async with httpx.AsyncClient(base_url=base_url, trust_env=False) as http:
        waiting = asyncio.ensure_future(http.post("/oauth/token", data=form))
        while not (await http.get("/_emulator/journal")).json()["entries"]:
            await asyncio.sleep(0)
        process.send_signal(signal.SIGINT)
        _, errors = await process.communicate()

        with pytest.raises(httpx.TransportError):
            await waiting
    assert (process.returncode, errors) == (0, b"")


@pytest.mark.parametrize(("level", "expected"), [("inner", "ephemeralPublicKey"), ("wrapper", "paymentData")])
def test_mint_prints_json(level: str, expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mint-apple-pay-token", "--amount", "12.34", "--currency", "usd", "--level", level]) == 0

    token = json.loads(capsys.readouterr().out)
    assert expected in (token | token.get("header", {}))


def test_mint_prints_the_variants_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--amount", "12.34", "--currency", "USD", "--application-data", "order 17", "--transaction-id", "ab" * 32]

    assert main(["mint-apple-pay-token", *words, "--variant", "rsa", "--variant", "emv"]) == 0

    token = json.loads(capsys.readouterr().out)
    assert (token["version"], token["header"]["transactionId"]) == ("RSA_v1", "ab" * 32)
    assert len(token["header"]["applicationData"]) == 64
