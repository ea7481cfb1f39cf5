"""The commands that the texts show, run as they stand but for the addresses."""

import json
from typing import Any

import pytest

from gateway.calls import Front, run
from gateway.texts import blocks

GRPC, GATEWAY = "127.0.0.1:50051", "127.0.0.1:8080"


async def output_of(front: Front, program: str, *command: str) -> str:
    """Run a block against the running service; return what it prints."""
    program = program.replace(GRPC, front.stack.target).replace(GATEWAY, front.envoy.address)
    status, output, errors = await run(*command, given=program)
    assert 0 == status, errors
    return output


@pytest.mark.asyncio
async def test_of_the_gateway_do_what_the_text_says(front: Front) -> None:
    """All of them, one after the other, and the ledger holds what was executed."""
    printed = [await output_of(front, one, "bash", "-euo", "pipefail") for one in blocks("docs/gateway.md", "sh")]

    session, intent, error, *others = printed
    assert 32 == len(json.loads(session)["session"]["token"])
    assert "gateway-json" == json.loads(intent)["trackIds"][0]
    assert "HTTP/1.1 404 Not Found" == error.splitlines()[0]
    assert "payorch-advice: FIX_REQUEST" in error.splitlines()
    assert '"ADVICE_FIX_REQUEST"' in error
    assert [32] * 3 == [len(json.loads(one)["session"]["token"]) for one in others]
    assert [
        ("sessions", "gateway-json"),
        ("sessions", "gateway-web"),
        ("sessions", "gateway-grpc"),
        ("sessions", "gateway-grpcurl"),
    ] == front.executed


def members(answer: Any) -> Any:
    """Return the names in a JSON object, without the values, which differ from run to run."""
    return {name: members(value) for name, value in answer.items()} if isinstance(answer, dict) else None


@pytest.mark.asyncio
async def test_of_the_readme_in_the_shell(front: Front) -> None:
    """It creates a session, and the answer has the members that the text shows."""
    (program,) = [block for block in blocks("README.md", "sh") if GRPC in block]
    (shown,) = blocks("README.md", "json")

    printed = await output_of(front, program, "bash", "-euo", "pipefail")

    assert members(json.loads(shown)) == members(json.loads(printed))
    assert ["sessions"] == [operation for operation, _ in front.executed]


@pytest.mark.asyncio
async def test_of_the_readme_in_python(front: Front) -> None:
    """It prints the token of a session."""
    (program,) = [one for one in blocks("README.md", "python") if GRPC in one]

    printed = await output_of(front, program, "python", "-")

    assert 32 == len(printed.strip())
    assert ["sessions"] == [operation for operation, _ in front.executed]
