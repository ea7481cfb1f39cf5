"""What the pods of a cluster need outside of it: an emulator of Zuora that speaks TLS.

Run as a program it serves the emulator at an address, with a certificate.
"""

import argparse

import uvicorn
from zuora_emulator import Emulator


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(prog="python -m programs.cluster.upstream", description=__doc__)
    for name in ("host", "certificate", "key"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    uvicorn.run(Emulator().app, host=given.host, port=given.port, ssl_certfile=given.certificate, ssl_keyfile=given.key)


if __name__ == "__main__":
    main()
