from dataclasses import dataclass
from typing import ClassVar

from payorch_server.runtime.strict import FORBID_EXTRA


@dataclass(frozen=True, slots=True)
class RpcSettings:
    """The gRPC listener."""

    __pydantic_config__: ClassVar = FORBID_EXTRA

    listen: str = "127.0.0.1:50051"
    """Host and port; port 0 takes a free one."""
    plaintext_beyond_loopback: bool = False
    """Listen in plaintext, for callers nobody has identified, on an address that other machines can reach."""
    reflection: bool = True
    """Whether callers may list the services and their messages."""
    max_request_bytes: int = 262_144
    """Larger requests are refused; the largest rightful one is an Apple Pay token of some kilobytes."""
    default_deadline_s: float = 20.0
    """For calls without a deadline."""
    max_deadline_s: float = 55.0
    """Cap on every deadline; below the 60 s after which Zuora gives up a connector call."""
    drain_wait_s: float = 5.0
    """Between the first SIGTERM and the end of accepting, so that balancers see NOT_SERVING."""
    drain_grace_s: float = 55.0
    """For calls in progress after that."""
    max_connection_age_s: float = 300.0
    """After which a connection is ended politely, so that clients find new replicas."""
