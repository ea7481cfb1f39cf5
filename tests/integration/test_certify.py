"""`upc certify` passes the plug-in that keeps the contract, and names what is wrong with each of the others."""

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from harness.authority import Authority
from harness.plugin import PAYMENT, PENDING, Plugin
from harness.plugin_host import hosted_plugin
from harness.ports import free_port
from payorch_server import cli
from payorch_server.commands.certification_forms import ALL_CASES
from programs.gateways.broken import BROKEN, TOKEN_DATA, Right
from programs.gateways.further_broken import FURTHER_BROKEN

QUICK = ("--answer-s", "2", "--deadline-s", "0.3", "--settle-s", "0.3")
KEYS = ("same-key-twice", "same-key-at-once", "same-key-other-amount", "many-with-one-key")
MOVED = "LookUp does not know the key, but a refund of the payment was approved: money moved"
EXCESS = "a refund of more than .*: APPROVED, .* but it must not be approved"
REASONS: Mapping[str, Mapping[str, str]] = {
    "DeclinesDuplicate": {
        "restart": "the same key after the restart: DECLINED, code 'duplicate', .* but the first answer was APPROVED",
        "kill-after-charging": MOVED,
        "look-up-agrees": "LookUp of .*: no outcome, but the first answer was APPROVED",
    },
    "IgnoresKey": {
        "same-key-twice": "the same again: APPROVED, .* but the first answer was APPROVED",
        "same-key-at-once": "different outcomes: ",
        "same-key-other-amount": "the same key with a larger amount: APPROVED, .* not a gRPC error or the outcome",
        "declined-key": "the same key with the fields of approve: APPROVED, .* but it must not be approved",
        "deadline": "the same key again, against LookUp: APPROVED, .* but the first answer was APPROVED",
        "restart": "the same key after the restart: APPROVED, .* but the first answer was APPROVED",
        "kill-after-charging": "the same key again, against LookUp: APPROVED, .* but the first answer was APPROVED",
        "many-with-one-key": EXCESS,
        "refund-same-key-twice": "the same again: APPROVED, .* but the first answer was APPROVED",
        "look-up-agrees": "LookUp of .*: APPROVED, .* but the first answer was APPROVED",
    },
    "ForgetsOnRestart": {
        "restart": "the same key after the restart: APPROVED, .* but the first answer was APPROVED",
        "kill-after-charging": MOVED,
        "look-up-agrees": "LookUp of .*: no outcome, but the first answer was APPROVED",
    },
    "ChargesThenFails": {
        **dict.fromkeys(("error", "deadline", "kill-after-charging"), MOVED),
        "look-up-agrees": "LookUp of .*: no outcome, but the first answer was APPROVED",
    },
    "AnswersZero": {"approve": "a payment with the fields of approve: UNSPECIFIED, .* not APPROVED"},
    "LongIds": {"answer-limits": "transaction_id: 101 characters, which is too long"},
    "LosesCents": dict.fromkeys(
        (
            *KEYS,
            "deadline",
            "kill-after-charging",
            "restart",
            "refund",
            "refund-wrong-reference",
            "partial-refunds",
            "three-decimals",
        ),
        EXCESS,
    ),
    "RefundsTwice": {
        "refund-same-key-twice": "the refund of what is left, unless the first took place twice: DECLINED"
    },
    "LookUpLies": {
        "same-key-other-amount": "LookUp: DECLINED, .* but the first answer was APPROVED",
        "deadline": "the same key again, against LookUp: APPROVED, .* but the first answer was DECLINED",
        "restart": "LookUp after the restart: DECLINED, .* but the first answer was APPROVED",
        "kill-after-charging": "the same key again, against LookUp: APPROVED, .* but the first answer was DECLINED",
        "look-up-agrees": "LookUp of .*: DECLINED, .* but the first answer was APPROVED",
    },
    "EchoesToken": {"secrets": "message: holds a secret of the request"},
    "NeverAnswers": {"approve": "a payment with the fields of approve: gRPC error DEADLINE_EXCEEDED"},
}
"""The cases that each broken plug-in fails, and why; it fails no other."""


@dataclass(frozen=True, slots=True)
class Certified:
    """What a certification said."""

    status: int
    document: Any

    @property
    def failed(self) -> dict[str, list[str]]:
        """What is wrong, by case."""
        return {case["name"]: case["problems"] for case in self.document["cases"] if case["status"] == "failed"}

    def count(self, status: str) -> int:
        """Return how many cases ended so."""
        return int(self.document["counts"][status])

    def case(self, name: str) -> Any:
        """Return the report of a case."""
        return next(case for case in self.document["cases"] if case["name"] == name)


Certify = Callable[..., Certified]


@pytest.fixture
def certify(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Certify:
    """Run the command against a plug-in of a kind."""

    def run(make: Callable[[Path], Plugin], *arguments: str, restarts: bool = True) -> Certified:
        with hosted(make, tmp_path) as (command, restart_command):
            restart = ("--restart", restart_command) if restarts else ()
            status = cli.main([*command, "--json", *restart, *arguments])
        return Certified(status, json.loads(capsys.readouterr().out))

    return run


@contextmanager
def hosted(
    make: Callable[[Path], Plugin], folder: Path, credentials: grpc.ServerCredentials | None = None
) -> Iterator[tuple[list[str], str]]:
    """Run a plug-in; yield the command that certifies it quickly, and the one that restarts it."""
    magic, place = folder / "token-data.json", folder / "plugin"
    magic.write_text(json.dumps(TOKEN_DATA))
    place.mkdir()
    with hosted_plugin(make, place, credentials) as (host, restart):
        yield ["upc", "certify", host.target, "--token-data", str(magic), *QUICK], restart


class TestCertify:
    """The command `upc certify`."""

    def test_passes_a_plugin_that_keeps_the_contract(self, certify: Certify) -> None:
        """Every case, and each with what was sent and what came."""
        certified = certify(Right)

        assert certified.failed == {}
        assert (certified.status, certified.count("passed")) == (0, len(ALL_CASES))
        assert all(step["sent"] and step["came"] for case in certified.document["cases"] for step in case["steps"])
        assert certified.document["gateway"] == {"name": "test-gateway", "version": "1"}

    @pytest.mark.parametrize("broken", BROKEN, ids=lambda kind: kind.__name__)
    def test_names_what_a_plugin_breaks(self, certify: Certify, broken: type[Right]) -> None:
        """The cases that it must fail, each for its reason, and no other."""
        reasons = REASONS[broken.__name__]

        certified = certify(broken)

        assert (certified.status, set(certified.failed)) == (1, set(reasons))
        for case, reason in reasons.items():
            assert any(re.search(reason, problem) for problem in certified.failed[case]), certified.failed[case]
        # Where not even a payment is approved, the others wait for that.
        waiting = certified.count("not run")
        assert waiting == 0 or set(certified.failed) == {"approve"}

    @pytest.mark.parametrize(("name", "broken"), FURTHER_BROKEN, ids=lambda part: str(getattr(part, "__name__", part)))
    def test_fails_in_each_case_for_its_own_reason(self, certify: Certify, name: str, broken: type[Right]) -> None:
        """A plug-in that breaks what the case is for."""
        certified = certify(broken, "--only", name)

        assert (certified.status, list(certified.failed)) == (1, [name])

    def test_has_no_case_that_nothing_fails(self) -> None:
        """A case that every plug-in passes says nothing; health has a test of its own."""
        failed = {name for reasons in REASONS.values() for name in reasons} | {name for name, _ in FURTHER_BROKEN}

        assert {case.name for case in ALL_CASES} - failed == {"health"}

    def test_asks_for_health(self, certify: Certify) -> None:
        """A plug-in may be up and not serving."""

        def unhealthy(ledger: Path) -> Plugin:
            plugin = Right(ledger)
            plugin.is_healthy = False
            return plugin

        assert certify(unhealthy, "--only", "health").failed == {"health": ["health: NOT_SERVING, not SERVING"]}

    def test_adds_up_what_moved(self, certify: Certify) -> None:
        """As the provider's own account has it, but for what is pending."""
        made: list[Plugin] = []

        def make(ledger: Path) -> Plugin:
            made.append(Right(ledger))
            return made[-1]

        certified = certify(make)

        pending = [effect for effect in made[-1].effects if made[-1].outcome(effect.key).result == PENDING]
        sums: dict[tuple[str, str], list[Decimal]] = {}
        for effect in made[-1].effects:
            if effect not in pending:
                kind = "refunds" if effect.payment_key else "payments"
                sums.setdefault((kind, effect.currency), []).append(effect.amount)
        said = {
            (row["kind"], row["currency"]): (row["count"], Decimal(row["amount"]))
            for row in certified.document["moved"]
        }
        assert said == {key: (len(amounts), sum(amounts)) for key, amounts in sums.items()}
        assert len(pending) == 1

    def test_counts_what_cannot_be_run(self, certify: Certify) -> None:
        """It is not certified then; cases that are chosen can be."""
        whole = certify(Right, restarts=False)

        assert (whole.status, whole.failed, whole.count("not run")) == (1, {}, 2)
        assert whole.case("restart")["problems"] == ["--restart names no command"]

    def test_runs_chosen_cases_alone(self, certify: Certify) -> None:
        """And judges by them."""
        certified = certify(Right, "--only", "refund", "--only", "approve", restarts=False)

        assert (certified.status, [case["name"] for case in certified.document["cases"]]) == (0, ["approve", "refund"])

    def test_leaves_out_what_a_gateway_does_not_offer(self, certify: Certify) -> None:
        """Its description says what that is; what weakens it is a warning."""

        def small(ledger: Path) -> Plugin:
            plugin = Right(ledger)
            plugin.description.ClearField("operations")
            plugin.description.operations.append(PAYMENT)
            plugin.description.currencies.append("EUR")
            plugin.description.looks_up = False
            plugin.description.idempotent_for.CopyFrom(Duration(seconds=3600))
            return plugin

        certified = certify(small)

        assert (certified.status, certified.failed, certified.count("not run")) == (0, {}, 0)
        left_out = [case["name"] for case in certified.document["cases"] if case["status"] == "does not apply"]
        assert {"refund", "validate", "unknown-key", "look-up-agrees", "zero-decimals", "three-decimals"} <= set(
            left_out
        )
        assert len(certified.case("describe")["warnings"]) == 2
        assert "10.99 EUR" in certified.case("approve")["steps"][0]["sent"]

    def test_prints_each_case(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Its name, what was expected, what was sent and what came; that it moves money comes first."""
        with hosted(Right, tmp_path) as (command, _):
            status = cli.main([*command, "--only", "approve", "--only", "restart"])

        printed = capsys.readouterr()
        assert status == 1
        assert re.fullmatch(
            r"passed          approve\n"
            r"      expected  APPROVED\n"
            r"          sent  ProcessPayment 10\.99 USD key upc1-\w{8}\.\.\., fields of approve\n"
            r"          came  APPROVED, code '100', id '[\w-]+', message 'Done\.'\n"
            r"not run         restart\n"
            r"      expected  .*\n"
            r"           why  --restart names no command\n"
            r"The test account at the provider must show exactly this, beside what is pending:\n"
            r"  payments in USD: 1, sum 10\.99\n"
            r"2 cases: 1 passed, 1 not run\n",
            printed.out,
        ), printed.out
        assert "use test accounts only" in printed.err

    def test_shows_on_a_terminal_what_it_does(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The name of the case, until it has ended."""
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
        with hosted(Right, tmp_path) as (command, _):
            cli.main([*command, "--only", "approve"])

        assert capsys.readouterr().err.endswith("\r\x1b[Kapprove\r\x1b[K")

    def test_speaks_tls(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """As the other commands do; without the authority the plug-in cannot be reached."""
        authority = Authority()
        issued = authority.issue("127.0.0.1")
        credentials = grpc.ssl_server_credentials([(issued.key, issued.certificate)])
        trusted = tmp_path / "ca.pem"
        trusted.write_bytes(authority.certificate)
        with hosted(Right, tmp_path, credentials) as (command, _):
            only = ["--only", "approve"]
            statuses = [cli.main([*command, *only, "--ca-file", str(trusted)]), cli.main([*command, *only])]

        assert statuses == [0, 2]
        assert "cannot be reached" in capsys.readouterr().err

    def test_runs_little_without_magic_values(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """And says what is missing."""
        with hosted(Right, tmp_path) as (command, _):
            at = command.index("--token-data")
            status = cli.main([*command[:at], *command[at + 2 :]])

        assert status == 1
        assert "--token-data names no fields of approve" in capsys.readouterr().out


class TestUsage:
    """Wrong usage ends with 2, and nothing is sent."""

    @pytest.mark.parametrize(
        ("content", "problem"),
        [
            ("[]", "must be a mapping with the member approve"),
            ("{approve: {token: a}, reject: {token: b}}", "reject: is none of approve, decline, "),
            ("{approve: {token: [a]}}", "approve.token: must be a text, a number, true, false or null"),
            ("{approve: token}", "approve: must be a mapping from fields to values"),
            ("{approve: {token: a}, amounts: {XXX: '1'}}", "amounts: XXX: is no currency and none of approve, "),
            ("{approve: {token: a}, amounts: {USD: '0'}}", "amounts.USD: must be an amount such as '10.99'"),
            ("{approve: {token: a}, amounts: {USD: true}}", "amounts.USD: must be an amount such as '10.99'"),
            ("{approve: {token: a}, amounts: {JPY: '10.5'}}", "amounts.JPY: has more decimals than JPY"),
        ],
    )
    def test_names_what_is_wrong_with_magic_values(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, problem: str
    ) -> None:
        """By file and member."""
        file = tmp_path / "magic.yaml"
        file.write_text(content)

        status = cli.main(["upc", "certify", f"127.0.0.1:{free_port()}", "--token-data", str(file)])

        assert (status, capsys.readouterr().err[: len(f"{file}: {problem}")]) == (2, f"{file}: {problem}")

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (("--only", "nothing"), "--only: nothing: is none of describe, health, "),
            (("--answer-s", "0.2"), "127.0.0.1:[0-9]+: cannot be reached within 0.2 s"),
            (("--key-file", "/nowhere"), "--ca-file: is required with a client certificate"),
        ],
    )
    def test_names_what_is_wrong_with_arguments(
        self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], problem: str
    ) -> None:
        """Or that the plug-in is not there."""
        status = cli.main(["upc", "certify", f"127.0.0.1:{free_port()}", *arguments])

        assert status == 2
        assert re.search(problem, capsys.readouterr().err)

    def test_names_a_restart_that_fails(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """It says nothing of the plug-in."""
        with hosted(Right, tmp_path) as (command, _):
            status = cli.main([*command, "--restart", "false", "--only", "restart"])

        assert (status, "--restart: the command ended with status 1" in capsys.readouterr().err) == (2, True)
