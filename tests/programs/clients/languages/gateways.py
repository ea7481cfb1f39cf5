"""The example gateway of a language: started, killed in the middle of a call, and certified."""

import io
import tempfile
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Final

from harness.plugin_host import plugin_process
from payorch_server import cli

_CLIENTS: Final = Path(__file__).resolve().parents[4] / "clients"


def certified(language: str, command: Sequence[str]) -> str:
    """Certify the gateway that a command starts; return what is wrong with it.

    Args:
        language: Name of the folder of its client.
        command: Takes an address and the file of its ledger as further arguments.
    """
    magic = _CLIENTS / language / "examples" / "gateway" / "token-data.yaml"
    output = io.StringIO()
    with (
        tempfile.TemporaryDirectory(prefix="payorch-gateway-") as folder,
        plugin_process(command, Path(folder)) as (target, restart),
        redirect_stdout(output),
        redirect_stderr(output),
    ):
        status = cli.main(["upc", "certify", target, "--token-data", str(magic), "--restart", restart])
    return f"certification ended with {status}: {output.getvalue()}" if status else ""
