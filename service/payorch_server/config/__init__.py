"""The configuration: what it consists of, how it is read, and what must hold."""

from payorch_server.config.checks import split_address
from payorch_server.config.document import ConfigError, Document, Settings, schema
from payorch_server.config.reading import load

__all__ = ["ConfigError", "Document", "Settings", "load", "schema", "split_address"]
