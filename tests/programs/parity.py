"""Compare the emulator with a sandbox of Zuora, and write a report: docs/parity.md.

Without credentials only the emulator is asked. Differences are what is looked for, so they are no failure.
"""

import asyncio
import os
import sys
import uuid
from collections.abc import Collection, Mapping
from pathlib import Path

from contract.parity.report import SecretFoundError
from contract.parity.run import compare
from contract.parity.subject import SetUpError, tenant
from zuora_emulator import Emulator, SystemClock

FOLDER = Path("build/parity")


def main(environ: Mapping[str, str], *, folder: Path = FOLDER, test_hosts: Collection[str] = ()) -> int:
    """Run as the command does.

    Args:
        environ: The variables `PARITY_...`.
        folder: Where the report is written.
        test_hosts: Hosts that may be asked beside Zuora's sandboxes; only tests of this program give any.

    Returns:
        The exit code: 2 if the environment is wrong, the tenant gives no access token, or no report was written.
    """
    try:
        other = tenant(environ, test_hosts=test_hosts)
        report, secrets = asyncio.run(
            compare(other, emulator=Emulator(), now=SystemClock().now(), run=uuid.uuid4().hex)
        )
    except SetUpError as problem:
        print(f"Nothing was compared. {problem}", file=sys.stderr)
        return 2
    try:
        written = report.write(folder, secrets=secrets)
    except SecretFoundError as problem:
        print(problem, file=sys.stderr)
        return 2
    print(report.headline())
    print("\n".join(f"  {path}" for path in written))
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))  # noqa: TID251 - credentials of a tenant belong in no argument
