"""The configuration: what it consists of, how it is read, and what must hold."""

from payorch_server.config.changes import change_problems, namespace_problems, watched_files
from payorch_server.config.checks import split_address
from payorch_server.config.document import ConfigError, Document, Settings, schema
from payorch_server.config.reading import load

__all__ = [
    "ConfigError",
    "Document",
    "Settings",
    "change_problems",
    "load",
    "namespace_problems",
    "schema",
    "split_address",
    "watched_files",
]
