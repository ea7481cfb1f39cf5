"""The service, allowed as many attempts as an error can tell; the retry policy allows fewer."""

import sys

from payorch_server import cli
from payorch_server.zuora import retry

from clients.upstream import ATTEMPTS

if __name__ == "__main__":
    retry.MAX_ATTEMPTS = ATTEMPTS  # type: ignore[misc] # it is Final everywhere else
    sys.exit(cli.main())
