"""The OpenAPI document that the emulator serves: it is whole, answers that leave it are noticed, requests follow it."""

import asyncio
import json
from typing import Any

import httpx
import jsonschema_rs
import pytest
import schemathesis
from contract.zuora_caller import METHODS, Caller, caller_with
from harness.openapi_answers import OpenApiAnswers
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from zuora_emulator import Emulator, Settings, operations, seed
from zuora_emulator.openapi import OPENAPI_PATH, document
from zuora_emulator.openapi.document import DESCRIBED
from zuora_emulator.operations import Operation

PATHS: dict[str, Operation] = {
    f"/{operation.name}{'/{key}' if operation.method == 'GET' else ''}": operation for operation in operations.ALL
}
SEMANTIC = {"resource_not_found", "parameters_exclusive", "invalid_request", "invalid_value", "card_error"}
"""Why Quickstart refuses a request whose form is right; further codes only for the token of Apple Pay."""


def served() -> dict[str, Any]:
    """Return the document of a fresh emulator."""

    async def get() -> dict[str, Any]:
        transport = httpx.ASGITransport(Emulator().app)
        async with httpx.AsyncClient(transport=transport, base_url="http://zuora") as http:
            answer: dict[str, Any] = (await http.get(OPENAPI_PATH)).json()
            return answer

    return asyncio.run(get())


DOCUMENT = served()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = [(method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods]
FEW = settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
TOLERANT = Settings(
    async_delay_seconds=0,  # so that each request is refused in its answer
    unwanted_orgs="ignore",
    token_limit_per_minute=None,
    rate_limit_per_minute=None,
    most_methods_per_account=None,
)


class TestTheDocument:
    """What teams in other languages generate clients from."""

    def test_describes_every_operation(self) -> None:
        """A new operation needs an entry."""
        assert DESCRIBED.keys() == operations.BY_NAME.keys()
        assert set(document(list(PATHS.items()), ())["paths"]) >= PATHS.keys()

    def test_has_schemas_that_are_schemas(self) -> None:
        """Also those inside, and each name that is used exists."""
        schemas = DOCUMENT["components"]["schemas"]
        used = {part.split('"')[0] for part in json.dumps(DOCUMENT).split("#/components/schemas/")[1:]}

        assert used <= schemas.keys()
        for schema in schemas.values():
            jsonschema_rs.Draft202012Validator({**schema, "components": DOCUMENT["components"]})

    def test_has_a_different_name_for_each_operation(self) -> None:
        """Generated clients make functions of them."""
        names = [entry["operationId"] for methods in DOCUMENT["paths"].values() for entry in methods.values()]

        assert len(names) == len(set(names))


class TestAnAnswerThatLeavesTheDocument:
    """The check of every other contract test can fail."""

    @pytest.mark.parametrize(
        ("body", "status", "media_type", "reason"),
        [
            ({"id": "0" * 32, "account_id": None}, 201, "application/json", "null where a text belongs"),
            ({"id": "0" * 32, "card": {"mandate": {"verify": True}}}, 201, "application/json", "an unknown member"),
            ({"id": "0" * 32, "created_time": "today"}, 201, "application/json", "no time"),
            (
                {"type": "bad_request", "errors": [{"code": "x", "parameter": None, "message": "y"}]},
                400,
                "application/json",
                "null in an error",
            ),
            ({}, 400, "application/json", "an error without a kind"),
            ({}, 302, "application/json", "a status without an entry"),
            ({}, 400, "text/html", "a page where none is described"),
        ],
    )
    def test_is_noticed(self, body: Any, status: int, media_type: str, reason: str) -> None:
        """In members, types, statuses and media types."""
        answers = OpenApiAnswers(DOCUMENT)
        content = json.dumps(body).encode()

        assert answers.problem(method="POST", path=METHODS, status=status, media_type=media_type, body=content), reason

    def test_is_noticed_where_no_path_is_described(self) -> None:
        """An endpoint that answers, and that the document forgot."""
        answers = OpenApiAnswers(DOCUMENT)

        assert answers.problem(method="GET", path="/v1/new", status=200, media_type="application/json", body=b"{}")
        assert not answers.problem(method="GET", path="/v1/new", status=404, media_type="application/json", body=b"{}")


async def answer_to(caller: Caller, case: Any) -> httpx.Response:
    """Send a generated request with a good token, in the entity of client B."""
    request = case.as_transport_kwargs(base_url="http://zuora")
    headers = {name.lower(): value for name, value in request.pop("headers").items()}
    headers |= {"authorization": (await caller.bearer(seed.CLIENT_B))["authorization"]}
    if "zuora-entity-ids" in headers:
        headers["zuora-entity-ids"] = seed.ENTITY_SINGLE
    request.pop("cookies", None)
    return await caller.http.request(headers=headers, **request)


class TestARequestThatFollowsTheDocument:
    """Requests are made from the document, by hypothesis."""

    @pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=str)
    def test_is_answered_as_described(self, method: str, path: str) -> None:
        """By every operation and endpoint, and never with a fault of the emulator."""
        caller, answers = caller_with(TOLERANT), OpenApiAnswers(DOCUMENT)

        @FEW
        @given(SCHEMA[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
        def check(case: Any) -> None:
            answer = asyncio.run(answer_to(caller, case))
            assert answer.status_code < 500
            assert not answers.problem(
                method=method,
                path=answer.request.url.path,
                status=answer.status_code,
                media_type=answer.headers["content-type"],
                body=answer.content,
            )

        check()

    def test_is_not_refused_for_its_form_by_quickstart(self) -> None:
        """What the schema allows is refused for what it names alone."""
        caller = caller_with(TOLERANT)

        @FEW
        @given(SCHEMA[METHODS]["POST"].as_strategy(generation_mode=GenerationMode.POSITIVE))
        def check(case: Any) -> None:
            answer = asyncio.run(answer_to(caller, case))
            codes = {problem["code"] for problem in answer.json().get("errors", [])}
            if "apple_pay" not in case.body:
                assert codes <= SEMANTIC, answer.text

        check()

    def test_is_refused_by_quickstart_once_it_leaves_the_document(self) -> None:
        """A member that no object has, or a list where none belongs, and nothing is created."""
        caller = caller_with(TOLERANT)
        request = {"$ref": "#/components/schemas/PaymentMethodRequest", "components": DOCUMENT["components"]}
        validator = jsonschema_rs.Draft202012Validator(request)

        @FEW
        @given(SCHEMA[METHODS]["POST"].as_strategy(generation_mode=GenerationMode.POSITIVE), st.data())
        def check(case: Any, data: st.DataObject) -> None:
            changed = data.draw(st.sampled_from(objects_in(case.body)))
            changed[data.draw(st.sampled_from([*changed, "unknown"]))] = []
            assume(not validator.is_valid(case.body))
            answer = asyncio.run(answer_to(caller, case))
            assert answer.status_code == 400, answer.text

        check()


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Return an object and those inside it."""
    inner = [found for each in value.values() if isinstance(each, dict) for found in objects_in(each)]
    return [value, *inner]
