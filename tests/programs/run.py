"""The emulator and the service on their default addresses, until Ctrl-C."""

import asyncio
import signal
import sys

from harness.stack import running
from payorch_server.app.process import StartError
from payorch_server.telemetry.logging import start_logging
from payorch_server.telemetry.settings import TelemetrySettings
from zuora_emulator import seed

_EMULATOR_PORT = 9080
_CALLS = """
The service listens on {target}, for operators on {diagnostics_target}, its probes on {admin_url},
the emulator on {emulator_url}.
Three calls, ready to paste into another terminal in this folder:

1. List the services (or: grpcurl -plaintext {target} list)
   .venv/bin/buf curl --protocol grpc --http2-prior-knowledge --list-methods http://{target}

2. Create a session for 100.10 USD (or with grpcurl -plaintext -d '...' {target} METHOD)
   .venv/bin/buf curl --protocol grpc --http2-prior-knowledge \\
     -d '{{"requestId": "'$(cat /proc/sys/kernel/random/uuid)'", "oneTimePayment": {{"accountId": "{account}",
          "amount": {{"currencyCode": "USD", "units": 100, "nanos": 100000000}}}}}}' \\
     http://{target}/payorch.v1.PaymentOrchestrationService/CreateSession

3. The same in Python
   .venv/bin/python - <<'PY'
import uuid, grpc
from payorch.v1 import payment_orchestration_service_pb2 as pb, payment_orchestration_service_pb2_grpc as rpc

with grpc.insecure_channel("{target}") as channel:
    request = pb.CreateSessionRequest(request_id=str(uuid.uuid4()))
    request.one_time_payment.account_id = "{account}"
    request.one_time_payment.amount.currency_code = "USD"
    request.one_time_payment.amount.units = 100
    print(rpc.PaymentOrchestrationServiceStub(channel).CreateSession(request, timeout=10))
PY

Ctrl-C stops both.
"""


async def _run() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    over = {
        "grpc": {"listen": "127.0.0.1:50051"},
        "admin": {"listen": "127.0.0.1:9464"},
        "diagnostics": {"listen": "127.0.0.1:50052"},
    }
    async with running(emulator_port=_EMULATOR_PORT, over=over) as stack:
        print(
            _CALLS.format(
                target=stack.target,
                diagnostics_target=stack.diagnostics_target,
                admin_url=stack.admin_url,
                emulator_url=stack.emulator_url,
                account=seed.ACCOUNT_US.id,
            ),
            flush=True,
        )
        await stop.wait()
        await stack.application.drain()


def main() -> int:
    """Run until a signal; exit status 1 if a port is taken."""
    start_logging(TelemetrySettings(log_format="console"))
    try:
        asyncio.run(_run())
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The emulator cannot listen on 127.0.0.1:{_EMULATOR_PORT}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
