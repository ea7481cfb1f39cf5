"""The commands of docs/tracing.md, run against pods: they find the story of a call and what is in doubt."""

import json
import os
import re
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc
from harness.requests import payment_method_request
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from programs.cluster.control_plane import BINARIES
from programs.cluster.node import ADDRESS
from programs.cluster.process import ClusterError, started, until
from programs.cluster.surroundings import authority_of

_PAGE: Final = Path("docs/tracing.md")
_REQUEST_ID: Final = "checkout-4711-card"
_TRACK_ID: Final = "checkout-4711-try-1"
_TIMEOUT_S: Final = 60.0
_CALL_S: Final = 30.0
_PORT: Final = 50052
_PROGRAM: Final = Path(sys.executable).with_name("payorch-server")


def run(target: str, kubeconfig: Path, folder: Path, *, namespace: str) -> Iterator[str]:
    """Make a call whose answers are lost, then look for it as the page says; yield what was shown.

    Raises:
        ClusterError: A command fails, or does not show the call.
    """
    environment = _environment(kubeconfig, folder, namespace=namespace)
    commands = _commands()
    with _lost_answers(folder):
        _lose_a_call(target)
        _require(_shell(commands, environment), _TRACK_ID, _REQUEST_ID, "UNKNOWN")
        yield "by kubectl exec the commands of docs/tracing.md show a lost call and list it as in doubt"
        choice, _, _ = commands.partition("kubectl exec")
        pod = _shell(f'{choice}printf %s "$pod"', environment)
        command = (str(BINARIES / "kubectl"), "port-forward", pod, str(_PORT))
        with started("port-forward", command, folder=folder, environment=environment) as forwarding:
            until(
                "kubectl forwards the port",
                lambda: f"127.0.0.1:{_PORT}" in forwarding.log.read_text(),
                within_s=_TIMEOUT_S,
                processes=(forwarding,),
            )
            _require(_shell(f"{_PROGRAM} trace {_REQUEST_ID}", environment), _TRACK_ID, "UNKNOWN")
            _require(_shell(f"{_PROGRAM} intents --unsettled --json", environment), _TRACK_ID, _REQUEST_ID)
        yield "by kubectl port-forward they do so too, by request id and as JSON"


@contextmanager
def _lost_answers(folder: Path) -> Iterator[None]:
    """Have the emulator create payment methods without an answer until the block ends."""
    context = ssl.create_default_context(cafile=str(authority_of(folder)))
    url = f"https://{ADDRESS}/_emulator/faults"
    body = json.dumps({"fault": "payment_methods:drop_after", "times": "always"}).encode()
    add = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method="POST")
    clear = urllib.request.Request(url, method="DELETE")
    urllib.request.urlopen(add, context=context, timeout=_CALL_S).close()  # noqa: S310 - ours
    try:
        yield
    finally:
        urllib.request.urlopen(clear, context=context, timeout=_CALL_S).close()  # noqa: S310 - ours


def _lose_a_call(target: str) -> None:
    """Create a payment method whose answers never arrive."""
    metadata = (("zuora-track-id", _TRACK_ID),)
    with grpc.insecure_channel(target) as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        try:
            stub.CreatePaymentMethod(payment_method_request(_REQUEST_ID), timeout=_CALL_S, metadata=metadata)
        except grpc.RpcError:
            return  # its outcome is what the commands must show
    raise ClusterError("A call whose answers are lost succeeded.")


def _commands() -> str:
    """Return the page's shell commands for pods."""
    found = re.search(
        r"^## How to reach the service\n.*?^```sh\n(.*?)^```$", _PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    if not found:
        raise ClusterError(f"{_PAGE} has no shell commands below 'How to reach the service'.")
    return found[1]


def _environment(kubeconfig: Path, folder: Path, *, namespace: str) -> Mapping[str, str]:
    """Return the variables of someone at a terminal whose kubectl is set to the namespace."""
    content = json.loads(kubeconfig.read_text())
    content["contexts"][0]["context"]["namespace"] = namespace
    file = folder / "operator.kubeconfig"
    file.write_text(json.dumps(content))
    path = f"{BINARIES.resolve()}{os.pathsep}{os.defpath}"
    return {"PATH": path, "KUBECONFIG": str(file), "HOME": str(folder)}


def _shell(commands: str, environment: Mapping[str, str]) -> str:
    done = subprocess.run(  # noqa: S603 - the page's own commands
        ("/bin/bash", "-euo", "pipefail", "-c", commands),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    if done.returncode:
        raise ClusterError(f"A command of {_PAGE} failed with status {done.returncode}:\n{done.stderr.strip()}")
    return done.stdout


def _require(shown: str, *words: str) -> None:
    if missing := [word for word in words if word not in shown]:
        raise ClusterError(f"The commands of {_PAGE} do not show {', '.join(missing)}:\n{shown}")
