"""Calls that go on while something else happens."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
from harness.requests import session_request
from payorch.v1 import payment_orchestration_service_pb2_grpc as service_grpc

from programs.cluster.process import ClusterError

_TIMEOUT_S = 10.0
_PAUSE_S = 0.02


@dataclass(slots=True)
class Made:
    """What became of the calls."""

    succeeded: int = 0
    failures: list[str] = field(default_factory=list)

    def require_success(self) -> int:
        """Return how many there were.

        Raises:
            ClusterError: One of them failed, or there was none.
        """
        if self.failures or not self.succeeded:
            total = self.succeeded + len(self.failures)
            raise ClusterError(f"{len(self.failures)} of {total} calls failed, at first: {self.failures[:1]}")
        return self.succeeded


@contextmanager
def ongoing(target: str) -> Iterator[Made]:
    """Create one session after another until the block ends, without ever asking twice for the same."""
    made, stop = Made(), threading.Event()
    with grpc.insecure_channel(target) as channel:
        stub = service_grpc.PaymentOrchestrationServiceStub(channel)
        caller = threading.Thread(target=_call, args=(stub, made, stop))
        caller.start()
        try:
            yield made
        finally:
            stop.set()
            caller.join()


def _call(stub: "service_grpc.PaymentOrchestrationServiceStub", made: Made, stop: threading.Event) -> None:
    while not stop.wait(_PAUSE_S):
        try:
            stub.CreateSession(session_request(), timeout=_TIMEOUT_S)
        except grpc.RpcError as error:
            made.failures.append(f"{error.code().name}: {error.details()}")
        else:
            made.succeeded += 1
