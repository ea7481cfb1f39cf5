"""The configuration: its document, how it is read, and its checks."""

from payorch_server.config.base_document import AdminSettings, ConfigError
from payorch_server.config.changes import (
    change_problems,
    namespace_problems,
    switched_off,
    watched_files,
    with_switched_off,
)
from payorch_server.config.document import Document, Settings, schema
from payorch_server.config.loading import load, load_document
from payorch_server.config.strict_yaml import read_yaml

__all__ = [
    "AdminSettings",
    "ConfigError",
    "Document",
    "Settings",
    "change_problems",
    "load",
    "load_document",
    "namespace_problems",
    "read_yaml",
    "schema",
    "switched_off",
    "watched_files",
    "with_switched_off",
]
