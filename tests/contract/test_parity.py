"""The parity program finds differences, keeps secrets, and asks nothing but sandboxes.

A second emulator with other switches stands for a tenant: its host is allowed by an argument that the command lacks.
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from contract.parity.asking import Answer, Asker
from contract.parity.cases import CASES
from contract.parity.comparing import Difference, DifferenceClass, differences
from contract.parity.report import Report, Result, SecretFoundError
from contract.parity.run import compare
from contract.parity.subject import PLACEHOLDERS, SetUpError, Subject, emulated, tenant
from harness.apple_tokens import NOW, mint
from programs import parity
from zuora_emulator import Emulator, Settings, parse_fault, serving
from zuora_emulator.apple_tokens import PUBLISHED_MERCHANT, minted_token

LOOPBACK = ("127.0.0.1",)
CREDENTIALS = {"PARITY_CLIENT_ID": "i", "PARITY_CLIENT_SECRET": "s"}
DECOY = "decoy-7f3a91"


def variables(subject: Subject, folder: Path, *, allow: str = "create,money") -> dict[str, str]:
    """Return the environment that describes an emulator as if it were a tenant."""
    token = folder / "token.json"
    token.write_text(json.dumps(subject.apple_token))
    names = ("base_url", "client_id", "client_secret", "entity", "org", "account_id", "account_number", "currency")
    names += ("gateway_id", "gateway_name", "invoice_number", "invoice_balance", "merchant_id")
    return {f"PARITY_{name.upper()}": getattr(subject, name) for name in names} | {
        "PARITY_APPLE_TOKEN_FILE": str(token),
        "PARITY_ALLOW": allow,
    }


async def report_of(other: Emulator, folder: Path, **more: str) -> tuple[Mapping[str, Any], str, Subject]:
    """Run the command against an emulator over a socket; return both forms of the report."""
    token = minted_token(
        merchant_id=PUBLISHED_MERCHANT, amount_minor=100, currency_numeric="840", now=other.clock.now()
    )
    async with serving(other) as url:
        subject = emulated(url, apple_token=token)
        environ = variables(subject, folder, **more)
        assert await asyncio.to_thread(parity.main, environ, folder=folder, test_hosts=LOOPBACK) == 0
    return json.loads(written(folder, ".json")), written(folder, ".md"), subject


def written(folder: Path, ending: str) -> str:
    """Return the text of the only report of that form."""
    (path,) = folder.glob(f"parity-*{ending}")
    return path.read_text()


def kinds(report: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the classes of differences by case."""
    found = {row["case"]: {each["kind"] for each in row["differences"]} for row in report["cases"]}
    return {case: classes for case, classes in found.items() if classes}


@pytest.mark.asyncio
class TestDifferences:
    """What differs is reported, and nothing else."""

    async def test_finds_none_between_equal_emulators(self, tmp_path: Path) -> None:
        """Every case is asked, and every answer is the same."""
        report, _, _ = await report_of(Emulator(), tmp_path)

        assert kinds(report) == {}
        assert all(row["seen_at_tenant"] for row in report["cases"])
        assert "WHICH IS AN EMULATOR ITSELF" in report["headline"]

    @pytest.mark.parametrize(
        ("switches", "case", "expected"),
        [
            ({"accept_purposeless_session": True}, "session that neither pays nor stores", {"outcome"}),
            ({"text_amounts": "refuse"}, "session with an amount as text", {"outcome"}),
            ({"missing_entity": "first"}, "session without an entity", {"outcome"}),
            ({"sessions_failures": "success_false"}, "session without amount", {"status"}),
            ({"code_type": "number"}, "session without amount", {"codes", "body"}),
            ({"body_mismatch": "refuse"}, "one key, two bodies", {"outcome"}),
            ({"decline_payments": True}, "decryption that pays an invoice", {"outcome"}),
        ],
    )
    async def test_finds_what_a_switch_changes(
        self, tmp_path: Path, switches: dict[str, Any], case: str, expected: set[str]
    ) -> None:
        """With its class, in both forms."""
        report, markdown, _ = await report_of(Emulator(settings=Settings(**switches)), tmp_path)

        assert kinds(report)[case] >= expected
        assert f"| {case} | {min(expected)} |" in markdown

    async def test_says_that_no_answer_came(self, tmp_path: Path) -> None:
        """A cut connection is no statement about what Zuora does, and ends nothing."""
        other = Emulator()
        other.faults.add(parse_fault("sessions:drop"), times=1)

        report, _, _ = await report_of(other, tmp_path)

        assert kinds(report) == {"session to store": {"no_answer"}}

    async def test_names_headers_of_one_side(self) -> None:
        """No switch takes a header away, so two answers are written down here."""
        here, there = Answer(status=200, headers=("a", "b")), Answer(status=200, headers=("b", "c"))

        assert differences([here], [there]) == [Difference(DifferenceClass.HEADERS, "a", "c")]


@pytest.mark.asyncio
class TestMoney:
    """Nothing is paid or created unless it is allowed."""

    @pytest.mark.parametrize(("allow", "paid", "created"), [("", 0, 0), ("create", 0, 2), ("create,money", 1, 2)])
    async def test_moves_only_what_is_allowed(self, tmp_path: Path, allow: str, paid: int, created: int) -> None:
        """The ledger of the one that stands for a tenant is the proof."""
        other = Emulator()

        report, markdown, _ = await report_of(other, tmp_path, allow=allow)

        assert other.ledger.count("decryption") == paid
        assert other.ledger.count("payment_methods") == created
        lacking = [row["case"] for row in report["cases"] if row["not_asked_for_lack_of"]]
        assert len(lacking) == 3 - paid - created
        assert all(f"| {case} |" in markdown.partition("## Not asked")[2] for case in lacking)


class TestHosts:
    """Credentials go to Zuora's sandboxes only."""

    @pytest.mark.parametrize(
        "url",
        [
            "https://rest.zuora.com",
            "https://rest.na.zuora.com/",
            "https://rest.eu.zuora.com",
            "http://rest.test.zuora.com",
            "https://rest.test.zuora.com:8443",
            "https://user@rest.test.zuora.com",
            "https://rest.test.zuora.com/v1",
            "https://rest.test.zuora.com.example.com",
            "https://example.com",
            "http://127.0.0.1:9080",
            "rest.test.zuora.com",
        ],
    )
    def test_refuses_others(self, url: str) -> None:
        """When the environment is read, so before anything could be sent."""
        with pytest.raises(SetUpError, match=r"is production|must be one of: https://rest\.apisandbox\.zuora\.com"):
            tenant({"PARITY_BASE_URL": url, **CREDENTIALS})

    def test_names_production(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """The command ends with a sentence, and writes no report."""
        assert parity.main({"PARITY_BASE_URL": "https://rest.na.zuora.com", **CREDENTIALS}, folder=tmp_path) == 2

        expected = "Nothing was compared. rest.na.zuora.com is production; only sandboxes are asked."
        assert capsys.readouterr().err.strip() == expected
        assert list(tmp_path.iterdir()) == []

    def test_reads_a_sandbox(self) -> None:
        """With what is at hand there, and nothing allowed by default."""
        read = tenant({"PARITY_BASE_URL": "https://rest.test.zuora.com/", "PARITY_ACCOUNT_ID": "a", **CREDENTIALS})

        assert read is not None
        assert (read.base_url, read.account_id, read.allowed) == ("https://rest.test.zuora.com", "a", frozenset())
        assert "client_secret" not in repr(read)

    @pytest.mark.parametrize(
        ("variables", "part"),
        [
            ({"PARITY_CLIENT_ID": "i"}, "PARITY_BASE_URL, PARITY_CLIENT_SECRET"),
            ({"PARITY_ACOUNT_ID": "a"}, "Unknown: PARITY_ACOUNT_ID"),
            ({"PARITY_ALLOW": "all"}, "create,money"),
            ({"PARITY_APPLE_TOKEN_FILE": "/nowhere"}, "token as JSON"),
        ],
    )
    def test_names_what_is_wrong(self, variables: dict[str, str], part: str) -> None:
        """A typing error must not lead to a run that asks less than was meant."""
        usual = {"PARITY_BASE_URL": "https://rest.test.zuora.com", **CREDENTIALS}

        with pytest.raises(SetUpError, match=part):
            tenant(variables if "PARITY_CLIENT_ID" in variables else usual | variables)

    def test_says_that_only_the_emulator_was_asked(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """On the terminal and in the report."""
        assert parity.main({"PATH": "/bin"}, folder=tmp_path) == 0

        (markdown,) = tmp_path.glob("*.md")
        assert capsys.readouterr().out.startswith("ONLY THE EMULATOR WAS ASKED")
        assert "ONLY THE EMULATOR WAS ASKED" in markdown.read_text()

    def test_wrong_credentials_end_the_run(self, tmp_path: Path) -> None:
        """Without an access token there is nothing to compare."""

        async def run() -> int:
            async with serving(Emulator()) as url:
                environ = {"PARITY_BASE_URL": url, **CREDENTIALS}
                return await asyncio.to_thread(parity.main, environ, folder=tmp_path, test_hosts=LOOPBACK)

        assert asyncio.run(run()) == 2
        assert list(tmp_path.iterdir()) == []


class TestSecrets:
    """A report can be sent to anyone."""

    @pytest.mark.asyncio
    async def test_holds_nothing_of_the_tenant(self, tmp_path: Path) -> None:
        """Neither credentials nor ids, numbers, names or parts of the token; the host is named."""
        report, markdown, subject = await report_of(Emulator(), tmp_path)
        texts = json.dumps(report) + markdown

        assert len(subject.secrets()) > 10
        assert [secret for secret in subject.secrets() if secret in texts] == []
        assert urlsplit(subject.base_url).netloc in texts

    @pytest.mark.asyncio
    async def test_keeps_no_value_of_an_answer(self, tmp_path: Path) -> None:
        """Whatever a tenant writes into values and headers, messages among them."""

        def answer(request: httpx.Request) -> httpx.Response:
            body = {
                "access_token": DECOY,
                "success": False,
                "token": DECOY,
                "reasons": [{"code": 53000020, "message": DECOY}, {"code": DECOY}],
                "error": {"type": DECOY, "code": DECOY.upper(), "message": DECOY},
                "list": [DECOY, [DECOY]],
            }
            return httpx.Response(400 if request.url.path != "/oauth/token" else 200, json=body, headers={"x": DECOY})

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://tenant") as http:
            asker = Asker(PLACEHOLDERS, http, run="run")
            results = [Result(case=case, expected=await asker.ask(case), seen=await asker.ask(case)) for case in CASES]

        report = Report(at=NOW, asked="https://tenant", emulated=False, version="1", results=results)
        texts = "".join(path.read_text() for path in report.write(tmp_path, secrets=()))
        assert DECOY not in texts
        assert "53xxxx20 number" in texts
        assert asker.tokens == {DECOY}

    @pytest.mark.parametrize("secret", sorted(PLACEHOLDERS.secrets()))
    def test_writes_nothing_when_a_secret_is_in_it(self, tmp_path: Path, secret: str) -> None:
        """A last look at the finished text: a case that names a value itself would be found."""
        results = [Result(case=case, expected=[]) for case in CASES]
        report = Report(at=NOW, asked=f"https://tenant/{secret}", emulated=False, version="1", results=results)

        with pytest.raises(SecretFoundError):
            report.write(tmp_path, secrets=[secret])

        assert list(tmp_path.iterdir()) == []

    def test_secrets_are_all_that_a_tenant_gives(self) -> None:
        """But for what is public: host, currency, balance and merchant identifier."""
        subject = emulated("http://emulator", apple_token=mint())

        assert {subject.client_secret, subject.account_id, subject.gateway_name, mint()["data"]} <= subject.secrets()
        assert mint()["header"]["transactionId"] in subject.secrets()


@pytest.mark.asyncio
async def test_cases_have_names_of_their_own() -> None:
    """The report is read by case."""
    assert len({case.name for case in CASES}) == len(CASES)
    report, secrets = await compare(None, emulator=Emulator(), now=NOW, run="run")
    assert (len(report.results), secrets) == (len(CASES), frozenset())
