"""The payorch service: gRPC in, Zuora's REST API out."""

__all__ = ["version"]


def version() -> str:
    """Return the version of this package, which is that of all packages and of the contract."""
    from importlib import metadata  # noqa: PLC0415 - it takes longer than most commands

    return metadata.version("payorch-server")
