"""With either end of every range the service starts and serves calls."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from harness.authority import machine_now
from harness.callers import ISSUER_NAME, TOKENS, access_settings
from harness.keyring import new_key_file
from harness.redis_server import Servers, servers
from harness.requests import decryption_request, payment_method_request, session_request
from harness.settings_fields import NAME, Setting, numeric_settings
from harness.stack import TENANT, merged, running
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

CASES: Final = [
    pytest.param(setting, end, id=f"{setting}-{end:.15g}")
    for setting in numeric_settings()
    for end in (setting.ranges[0].at_least, setting.ranges[0].at_most)
    # Ten replicas of Redis would have to run.
    if (str(setting), end) != ("store.min_replicas", 10)
]
CONTEXT: Final = {"grpc.max_deadline_s": {"grpc": {"default_deadline_s": 1}}}
"""What else has to be set, or the two would contradict each other."""


@pytest.fixture(scope="module")
def redis() -> Iterator[Servers]:
    """Start the servers that these tests share."""
    with servers() as made:
        made.start("--maxmemory-policy", "noeviction")
        yield made


def configured(setting: Setting, end: float, folder: Path, url: str) -> dict[str, Any]:
    """Return a configuration in which every section has an effect, with the setting at one end of its range."""
    key = folder / "fleet-key"
    key.write_text(new_key_file())
    over: dict[str, Any] = {
        **access_settings(folder, {"shop": {}}),
        # The memory store has settings of its own.
        "store": {"kind": "memory"} if "max_entries" in setting.path else {"kind": "redis", "url": url},
        "intents": {"keys": [{"id": "one", "file": str(key)}]},
        "call_history": {"in_store": True},
        "telemetry": {"traces": "console", "sampling": {"ratio": 0.5}},
    }
    section: dict[str, Any] = {setting.path[-1]: int(end) if setting.kind is int else end}
    of_name = ISSUER_NAME if setting.path[:2] == ("identity", "jwt") else TENANT
    for name in reversed(setting.path[:-1]):
        section = {of_name if name == NAME else name: section}
    return merged(merged(over, section), CONTEXT.get(str(setting), {}) if end < 20 else {})


@pytest.mark.asyncio
@pytest.mark.parametrize(("setting", "end"), CASES)
async def test_every_end_of_a_range_serves_calls(setting: Setting, end: float, tmp_path: Path, redis: Servers) -> None:
    """A session, a payment and a payment method, from a caller with a token and without a deadline."""
    over = configured(setting, end, tmp_path, redis.all[0].url)
    token = TOKENS.token("shop", exp=machine_now().timestamp() + 50)
    known = (("authorization", f"Bearer {token}"),)
    async with running(over=over) as stack, grpc.aio.insecure_channel(stack.target) as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)

        session = await stub.CreateSession(session_request(), metadata=known)
        payment = await stub.DecryptApplePay(decryption_request(), metadata=known)
        method = await stub.CreatePaymentMethod(payment_method_request(), metadata=known)

    assert session.session.token
    assert payment.payment_id
    assert method.payment_method.id
