"""The emulator and the service on their default addresses, until Ctrl-C."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.stack import merged, running
from payorch_server.app.process import StartError
from payorch_server.config import ConfigError
from payorch_server.config.strict_yaml import read_yaml
from payorch_server.telemetry.logging import start_logging
from payorch_server.telemetry.settings import TelemetrySettings
from zuora_emulator import Emulator, FaultSyntaxError, parse_fault, seed

_PORT = 50051
_OTHER_PORTS = {"emulator": 9080, "admin": 9464, "diagnostics": 50052}
"""Free ones instead if the service is on another port, so that two can run side by side."""
_HINT = "; `make run PORT=0` takes free ports"
_CALLS = """
The service listens on {target}, for operators on {diagnostics_target}, its probes on {admin_url},
the emulator on {emulator_url}.
Three calls, ready to paste into another terminal in this folder:

1. List the services (or: grpcurl -plaintext {target} list)
   .venv/bin/buf curl --protocol grpc --http2-prior-knowledge --list-methods http://{target}

2. Create a session for 100.10 USD (or with grpcurl -plaintext -d '...' {target} METHOD)
   .venv/bin/buf curl --protocol grpc --http2-prior-knowledge \\
     -d '{{"requestId": "'$(.venv/bin/python -c 'import payorch; print(payorch.new_request_id())')'",
          "oneTimePayment": {{"accountId": "{account}",
          "amount": {{"currencyCode": "USD", "units": 100, "nanos": 100000000}}}}}}' \\
     http://{target}/payorch.v1.PaymentOrchestrationService/CreateSession

3. The same in Python
   .venv/bin/python - <<'PY'
import payorch
from payorch.v1 import payment_orchestration_service_pb2 as pb

request = pb.CreateSessionRequest(request_id=payorch.new_request_id())
request.one_time_payment.account_id = "{account}"
request.one_time_payment.amount.CopyFrom(payorch.money("100.10", "USD"))
with payorch.connect("{target}", plaintext=True) as client:
    print(client.create_session(request).session.token)
PY

Ctrl-C stops both.
"""


async def _run(emulator: Emulator, emulator_port: int, over: Mapping[str, Any]) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(emulator=emulator, emulator_port=emulator_port, over=over) as stack:
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until a signal; exit status 1 if the service cannot start, such as on a taken port, 2 for wrong arguments."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument(
        "--port",
        type=int,
        default=_PORT,
        help=f"of the service, {_PORT} unless given; with another one the others are free ones; 0 takes a free one",
    )
    parser.add_argument("--config", type=Path, help="settings that are laid over those of the example")
    parser.add_argument("--fault", help="OPERATION:KIND for every call to the emulator, such as sessions:drop")
    chosen = parser.parse_args(arguments)
    others = _OTHER_PORTS if chosen.port == _PORT else dict.fromkeys(_OTHER_PORTS, 0)
    over: Mapping[str, Any] = {
        "grpc": {"listen": f"127.0.0.1:{chosen.port}"},
        "admin": {"listen": f"127.0.0.1:{others['admin']}"},
        "diagnostics": {"listen": f"127.0.0.1:{others['diagnostics']}"},
    }
    emulator = Emulator()
    try:
        if chosen.config:
            over = merged(over, read_yaml(chosen.config) or {})
        if chosen.fault:
            emulator.faults.add(parse_fault(chosen.fault), times="always")
    except (ConfigError, FaultSyntaxError) as error:
        print(error, file=sys.stderr)
        return 2
    start_logging(TelemetrySettings(log_format="console"))
    try:
        asyncio.run(_run(emulator, others["emulator"], over))
    except (StartError, ConfigError) as error:
        print(f"{error}{_HINT if isinstance(error, StartError) else ''}", file=sys.stderr)
        return 1
    except OSError as error:
        address = f"127.0.0.1:{others['emulator']}"
        print(f"The emulator cannot listen on {address}: {error.strerror}{_HINT}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
