import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from payorch_server import cli
from payorch_server.config import ConfigError, load

US, EU = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
CONFIGURATION: dict[str, Any] = {
    "accept_memory_store": True,
    "tenants": {
        "acme": {
            "environment": "us_central_sandbox",
            "client_id": "0" * 36,
            "client_secret_file": "/nowhere/secret",
            "entities": {"us": US, "eu": EU},
            "gateways": {"cards": {"id": "a" * 32, "label": "Cards"}},
        }
    },
    "routing": [
        {
            "name": "large",
            "when": {"amount": {"currency": "EUR", "min": "1000"}},
            "to": {"tenant": "acme", "entity": "us", "gateway": "zuora_default"},
        },
        {
            "name": "euro",
            "when": {"currency": ["EUR"]},
            "to": {"tenant": "acme", "entity": "eu", "gateway": "cards"},
        },
    ],
}
EUROS = {"operation": "OPERATION_CREATE_SESSION", "amount": {"currency_code": "EUR", "units": "5"}}
DOLLARS = {"operation": "OPERATION_DECRYPT_APPLE_PAY", "amount": {"currencyCode": "USD", "units": 5}}
Write = Callable[[str, Any], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file; return its path."""

    def write_file(name: str, content: Any) -> str:
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return str(path)

    return write_file


@pytest.fixture
def config(write: Write) -> str:
    """Write the configuration above, whose secret is nowhere."""
    return write("payorch.yaml", CONFIGURATION)


class TestExplain:
    """`routes explain` tells what would become of a call."""

    def test_tells_people(self, write: Write, config: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Rule, route, headers, and why other rules do not match."""
        status = cli.main(["routes", "explain", "--config", config, "--request", write("call.json", json.dumps(EUROS))])

        out = capsys.readouterr().out
        assert status == 0
        assert out.splitlines()[:5] == [
            "rule        euro",
            "route       tenant acme at rest.test.zuora.com; entity eu; gateway cards",
            f"headers     zuora-entity-ids: {EU}",
            f"gateway     sent as {'a' * 32}",
            "not matched large: amount must be at least 1000 EUR, but is 5.00 EUR",
        ]
        assert out.splitlines()[5].startswith("policy      ")

    def test_tells_a_refusal(self, write: Write, config: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Which is an answer, not a failure of the command."""
        status = cli.main(["routes", "explain", "--config", config, "--request", write("c.json", json.dumps(DOLLARS))])

        assert status == 0
        assert "refused     ROUTE_NOT_FOUND (rulesTried: large, euro)\n" in capsys.readouterr().out

    def test_tells_machines(self, write: Write, config: str, capsys: pytest.CaptureFixture[str]) -> None:
        """In the JSON form of ExplainRouteResponse."""
        request = write("call.json", json.dumps(EUROS))

        status = cli.main(["routes", "explain", "--json", "--config", config, "--request", request])

        answer = json.loads(capsys.readouterr().out)
        assert (status, answer["matchedRule"], answer["headers"]) == (0, "euro", {"zuora-entity-ids": EU})

    def test_asks_for_rights_only_where_a_caller_is_named(
        self, write: Write, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """By the request or by the option, which wins."""
        callers = [{"caller": "anonymous", "namespace": "a"}]
        config = write("payorch.yaml", CONFIGURATION | {"access": {"callers": callers}})
        command = ["routes", "explain", "--config", config, "--request"]

        statuses = [
            cli.main([*command, write("call.json", json.dumps(EUROS))]),
            cli.main([*command, write("call.json", json.dumps(EUROS | {"caller": "anonymous"}))]),
            cli.main([*command, write("call.json", json.dumps(EUROS | {"caller": "anonymous"})), "--caller", "thief"]),
        ]

        assert statuses == [0, 0, 0]
        assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("refused")] == [
            "refused     CALLER_NOT_PERMITTED (name: CreateSession; right: rpc)",
            "refused     CALLER_NOT_PERMITTED (right: caller)",
        ]

    @pytest.mark.parametrize(
        ("text", "start", "reason"),
        [
            ("{", "is not an ExplainRouteRequest: ", "no JSON"),
            ('{"operatoin": 1}', "is not an ExplainRouteRequest: ", "an unknown member"),
            ("{}", "is not a possible call: operation ", "no operation"),
            (json.dumps(EUROS | {"method": "card"}), "is not a possible call: method ", "a session makes no method"),
        ],
    )
    def test_ends_with_2_for_what_is_no_request(
        self, write: Write, config: str, capsys: pytest.CaptureFixture[str], text: str, start: str, reason: str
    ) -> None:
        """With the file's name."""
        request = write("call.json", text)

        status = cli.main(["routes", "explain", "--config", config, "--request", request])

        assert (status, capsys.readouterr().err[: len(f"{request}: {start}")]) == (2, f"{request}: {start}"), reason


class TestTest:
    """`routes test` tries cases."""

    def test_passes(self, write: Write, config: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Members that are not expected may be anything."""
        cases = write(
            "cases.yaml",
            [
                {"name": "euros", "request": EUROS, "expect": {"rule": "euro", "entity": "eu", "orgs": []}},
                {"name": "dollars", "request": DOLLARS, "expect": {"refused": "ROUTE_NOT_FOUND"}},
            ],
        )

        status = cli.main(["routes", "test", "--config", config, cases])

        assert (status, capsys.readouterr().out) == (0, "passed  euros\npassed  dollars\n2 cases, 0 failed\n")

    def test_fails(self, write: Write, config: str, capsys: pytest.CaptureFixture[str]) -> None:
        """And tells what there was in place of what was expected."""
        cases = write(
            "cases.yaml",
            [
                {"name": "euros", "request": EUROS, "expect": {"rule": "large", "orgs": ["north"]}},
                {"name": "dollars", "request": DOLLARS, "expect": {"tenant": "acme"}},
            ],
        )

        status = cli.main(["routes", "test", "--config", config, cases])

        assert (status, capsys.readouterr().out.splitlines()) == (
            1,
            [
                "FAILED  euros",
                "        rule: expected large, not euro",
                "        orgs: expected north, not nothing",
                "FAILED  dollars",
                "        tenant: expected acme, but refused: ROUTE_NOT_FOUND",
                "2 cases, 2 failed",
            ],
        )

    def test_tells_machines(self, write: Write, config: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Each case with its ending."""
        cases = write("cases.yaml", [{"name": "dollars", "request": DOLLARS, "expect": {"rule": "euro"}}])

        status = cli.main(["routes", "test", "--json", "--config", config, cases])

        assert (status, json.loads(capsys.readouterr().out)) == (
            1,
            {
                "cases": [
                    {
                        "name": "dollars",
                        "passed": False,
                        "expected": {"rule": "euro"},
                        "actual": {"refused": "ROUTE_NOT_FOUND"},
                    }
                ],
                "failed": 1,
            },
        )


class TestLint:
    """`routes lint` finds what nobody needs."""

    def test_finds_nothing_in_a_good_policy(self, config: str, capsys: pytest.CaptureFixture[str]) -> None:
        """And says how much it looked at."""
        status = cli.main(["routes", "lint", "--config", config])

        assert (status, capsys.readouterr().out) == (0, "2 rules, 0 findings\n")

    @pytest.mark.parametrize("as_json", [False, True])
    def test_tells_findings(self, write: Write, capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
        """By kind and subject."""
        config = write("payorch.yaml", CONFIGURATION | {"routing": CONFIGURATION["routing"][::-1]})

        status = cli.main(["routes", "lint", "--config", config, *(["--json"] if as_json else [])])

        out = capsys.readouterr().out
        assert status == 1
        if as_json:
            assert [(one["kind"], one["subject"]) for one in json.loads(out)["findings"]] == [
                ("shadowed", "large"),
                ("unreachable", "tenants.acme.entities.us"),
            ]
        else:
            assert out.splitlines() == [
                "shadowed  large: never decides: whatever it matches, the earlier rule euro matches too",
                "unreachable  tenants.acme.entities.us: no rule that can decide goes there",
                "2 rules, 2 findings",
            ]


class TestDiff:
    """`routes diff` compares two policies by cases."""

    @pytest.mark.parametrize("as_json", [False, True])
    def test_tells_what_ends_otherwise(
        self, write: Write, config: str, capsys: pytest.CaptureFixture[str], *, as_json: bool
    ) -> None:
        """Before and after."""
        new = write("new.yaml", CONFIGURATION | {"routing": CONFIGURATION["routing"][:1]})
        cases = write(
            "cases.yaml",
            [
                {"name": "euros", "request": EUROS, "expect": {"rule": "euro"}},
                {"name": "dollars", "request": DOLLARS, "expect": {"refused": "ROUTE_NOT_FOUND"}},
            ],
        )

        status = cli.main(["routes", "diff", "--old", config, "--new", new, cases, *(["--json"] if as_json else [])])

        out = capsys.readouterr().out
        assert status == 1
        if as_json:
            (found,) = json.loads(out)["differences"]
            assert (found["case"], found["after"]) == ("euros", {"refused": "ROUTE_NOT_FOUND"})
        else:
            gateway = f"gateway cards ({'a' * 32})"
            assert out.splitlines() == [
                "euros",
                f"  before  rule euro: tenant acme at rest.test.zuora.com; entity eu ({EU}); {gateway}",
                "  after   refused: ROUTE_NOT_FOUND",
                "2 cases, 1 differ",
            ]

    def test_is_silent_about_the_same(self, write: Write, config: str, capsys: pytest.CaptureFixture[str]) -> None:
        """A new order that changes nothing is no difference."""
        cases = write("cases.yaml", [{"name": "euros", "request": EUROS, "expect": {"rule": "euro"}}])

        status = cli.main(["routes", "diff", "--old", config, "--new", config, cases])

        assert (status, capsys.readouterr().out) == (0, "1 cases, 0 differ\n")


class TestCases:
    """A file of cases is checked before any is tried."""

    @pytest.mark.parametrize(
        ("content", "problem", "reason"),
        [
            ({}, "must be a list of cases", "a mapping"),
            ([], "must be a list of cases", "nothing to try"),
            ([{"name": "x"}], "case 0: must have the members", "half a case"),
            ([{"name": "x", "request": EUROS, "expect": {}, "more": 1}], "case 0: must have the members", "too much"),
            ([{"name": "x", "request": EUROS, "expect": {}}], "case 0 (x): expect must name", "no expectation"),
            ([{"name": "x", "request": [], "expect": {"rule": "a"}}], "case 0 (x): request is no", "no mapping"),
            ([{"name": "x", "request": {"a": 1}, "expect": {"rule": "a"}}], "case 0 (x): request is no", "a member"),
            ([{"name": "x", "request": EUROS, "expect": {"rul": "a"}}], "case 0 (x): expect.rul: is none", "a typo"),
            ([{"name": "x", "request": EUROS, "expect": {"rule": 1}}], "case 0 (x): expect.rule: must be t", "no text"),
            ([{"name": "x", "request": EUROS, "expect": {"orgs": "n"}}], "case 0 (x): expect.orgs: must be", "no list"),
            (
                [{"name": "x", "request": EUROS, "expect": {"refused": "NO"}}],
                "case 0 (x): refused must be a reason",
                "no reason",
            ),
            (
                [{"name": "x", "request": EUROS, "expect": {"refused": "ROUTE_GONE", "rule": "a"}}],
                "case 0 (x): a refused call",
                "both at once",
            ),
            (
                [{"name": "x", "request": EUROS, "expect": {"rule": "a"}}] * 2,
                "case 1: the name 'x' is used",
                "a name twice",
            ),
            ([{"name": "x", "request": {}, "expect": {"rule": "a"}}], "x: is not a possible call", "no operation"),
        ],
    )
    def test_end_the_command_with_2(
        self, write: Write, config: str, capsys: pytest.CaptureFixture[str], content: Any, problem: str, reason: str
    ) -> None:
        """The first thing that is wrong, by case."""
        cases = write("cases.yaml", content)

        status = cli.main(["routes", "test", "--config", config, cases])

        assert status == 2
        assert capsys.readouterr().err.startswith(f"{cases}: {problem}"), reason


class TestSecrets:
    """Whoever checks a policy need not hold its secrets."""

    def test_are_not_read(self, config: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Only a service needs them."""
        with pytest.raises(ConfigError):
            load(Path(config))

        assert cli.main(["check-config", "--without-secrets", "--config", config]) == 0
        assert capsys.readouterr().out == f"{config}: OK; 1 tenant, 2 rules\n"

    @pytest.mark.parametrize("command", [["test"], ["diff", "--new", "/nowhere"]])
    def test_are_not_what_ends_a_command_with_2(self, command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        """A file that is not there does."""
        option = "--old" if command[0] == "diff" else "--config"

        assert cli.main(["routes", *command, option, "/nowhere", "/nowhere"]) == 2
        assert capsys.readouterr().err == "/nowhere: 1 problem\n  - cannot be read: No such file or directory\n"
