"""The collector's settings: checks between them, and the files that they name."""

from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from payorch_server.config.reading import check_authorities, read_bytes
from payorch_server.runtime.listen_address import is_loopback
from payorch_server.telemetry.otlp_headers import OtlpHeaders, OtlpHeadersError, parse_otlp_headers
from payorch_server.telemetry.settings import TelemetrySettings

_HEADERS_FILE: Final = "telemetry.otlp_headers_file"


def collector_problems(settings: TelemetrySettings) -> Iterator[str]:
    """List what is wrong between the settings, each sentence beginning with a setting's path."""
    try:
        parts = urlsplit(settings.otlp_endpoint)
        scheme, host = parts.scheme, parts.hostname or ""
    except ValueError:
        scheme, host = "", ""
    if "@" in settings.otlp_endpoint:
        yield "telemetry.otlp_endpoint: must not hold a user or password; send them in a header of otlp_headers_file"
    if settings.otlp_headers_file and scheme != "https" and not (scheme == "http" and is_loopback(host)):
        yield (
            "telemetry.otlp_endpoint: must begin with https:// when otlp_headers_file is given, or be http:// on "
            "127.0.0.1; else the headers could be read on the network"
        )
    if settings.otlp_ca_file and scheme != "https":
        yield "telemetry.otlp_endpoint: must begin with https:// when otlp_ca_file is given"


def read_collector_files(settings: TelemetrySettings, problems: list[str]) -> OtlpHeaders | None:
    """Return the headers for the collector, None if there is no file; adds what is wrong with files to the problems."""
    check_authorities("telemetry.otlp_ca_file", settings.otlp_ca_file, problems)
    file = settings.otlp_headers_file
    if not file:
        return None
    content = read_bytes(_HEADERS_FILE, file, problems)
    try:
        return parse_otlp_headers(content) if content else None
    except OtlpHeadersError as error:
        problems.append(f"{_HEADERS_FILE}: {file} {error}")
        return None
