import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from payorch_server import routes, trace
from payorch_server.app import StartError, serve
from payorch_server.config import ConfigError, Document, change_problems, load, load_document, schema
from payorch_server.runtime.clock import SystemClock
from payorch_server.runtime.logging import start_logging
from payorch_server.workers import Workers, WorkersError, shared_port, worker_command

_BROKEN_CONFIGURATION: Final = 2
_HEALTH_TIMEOUT_S: Final = 3.0
_MOST_WORKERS: Final = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0 well, 1 failed, 2 broken usage or configuration."""
    parser = argparse.ArgumentParser(prog="payorch-server", description="Takes payments with Zuora, over gRPC.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("serve", _serve, "serve until SIGTERM"),
        ("check-config", _check_config, "check a configuration file and list every problem"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument(
            "--config", type=Path, required=True, action="append", metavar="FILE", help="a YAML file; may be repeated"
        )
        command.set_defaults(run=run)
        if run is _serve:
            command.add_argument(
                "--workers", type=_count, default=1, metavar="N", help="processes behind the gRPC port (default 1)"
            )
            command.add_argument("--worker", type=int, help=argparse.SUPPRESS)
        if run is _check_config:
            command.add_argument(
                "--running", type=Path, action="append", metavar="FILE", help="also compare with what is running"
            )
            command.add_argument("--without-secrets", action="store_true", help="read no secrets, keys, certificates")
    commands.add_parser("config-schema", help="print the JSON schema of the configuration").set_defaults(run=_schema)
    health = commands.add_parser("healthcheck", help="ask a running service for its health; exit 0 if it serves")
    health.add_argument("--address", default="127.0.0.1:50051", help="host:port (default %(default)s)")
    health.add_argument("--service", default="", help="name of a service; empty: the whole process")
    _add_credentials(health)
    health.set_defaults(run=_healthcheck)
    _add_trace(commands.add_parser("trace", help="tell what became of the calls of a Zuora-Track-Id"))
    _add_routes(commands.add_parser("routes", help="explain, test, lint or compare routing policies in files"))
    parsed = parser.parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except (ConfigError, routes.CaseError) as error:
        print(error, file=sys.stderr)
        return _BROKEN_CONFIGURATION
    except (StartError, WorkersError) as error:
        print(error, file=sys.stderr)
        return 1


def _add_credentials(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--ca-file", type=Path, help="PEM file of the authorities to believe; none: plaintext")
    parser.add_argument("--certificate-file", type=Path, help="PEM file of a certificate to show")
    parser.add_argument("--key-file", type=Path, help="PEM file of its key")


def _add_trace(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("track_id", metavar="TRACK_ID")
    parser.add_argument("--address", default="127.0.0.1:50052", help="of a diagnostics listener (default %(default)s)")
    parser.add_argument("--link", default="", metavar="URL", help="of a trace in your viewer, with {trace_id} in it")
    _add_credentials(parser)
    parser.set_defaults(run=_trace)


def _trace(parsed: argparse.Namespace) -> int:
    with _channel(parsed) as channel:
        status, told = trace.show(parsed.track_id, channel=channel, link=parsed.link)
    print(told, file=sys.stderr if status == _BROKEN_CONFIGURATION else sys.stdout)
    return status


def _add_routes(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, files, text in (
        ("explain", _explain, ("config",), "tell what would become of a call, and why"),
        ("test", _test, ("config",), "try cases with expected results"),
        ("lint", _lint, ("config",), "find rules that never decide and places that no call reaches"),
        ("diff", _diff, ("old", "new"), "tell which cases end otherwise under another configuration"),
    ):
        command = commands.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}. Reads no secrets.")
        for option in files:
            command.add_argument(
                f"--{option}", type=Path, required=True, action="append", metavar="FILE", help="may be repeated"
            )
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(run=run)
        if name in {"test", "diff"}:
            command.add_argument("cases", type=Path, metavar="CASES", help="YAML: a list of name, request and expect")
        if name == "explain":
            command.add_argument("--request", type=Path, required=True, metavar="FILE", help="JSON ExplainRouteRequest")
            command.add_argument("--caller", default="", metavar="ID", help="in place of the request's caller")


def _explain(parsed: argparse.Namespace) -> int:
    return routes.explain(config=parsed.config, request=parsed.request, caller=parsed.caller, as_json=parsed.json)


def _test(parsed: argparse.Namespace) -> int:
    return routes.test(config=parsed.config, cases=parsed.cases, as_json=parsed.json)


def _lint(parsed: argparse.Namespace) -> int:
    return routes.lint(config=parsed.config, as_json=parsed.json)


def _diff(parsed: argparse.Namespace) -> int:
    return routes.diff(old=parsed.old, new=parsed.new, cases=parsed.cases, as_json=parsed.json)


def _serve(parsed: argparse.Namespace) -> int:
    settings = load(*parsed.config)
    start_logging(settings.document.telemetry)
    if parsed.workers > 1:
        with shared_port(settings.document):
            workers = Workers(worker_command(parsed.config), count=parsed.workers, clock=SystemClock())
            return asyncio.run(workers.run())
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(serve(settings, files=parsed.config, worker=parsed.worker))
    return 0


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= _MOST_WORKERS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of processes from 1 to {_MOST_WORKERS}")
    return int(text)


def _loop_factory() -> type[asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - it does not exist for every platform
    except ImportError:
        return None
    return uvloop.Loop


def _load(*files: Path) -> Document:
    return load(*files).document


def _check_config(parsed: argparse.Namespace) -> int:
    read = load_document if parsed.without_secrets else _load
    document = read(*parsed.config)
    if parsed.running and (problems := [*change_problems(read(*parsed.running), document)]):
        raise ConfigError("in place of what is running", problems)
    files = ", ".join(str(file) for file in parsed.config)
    print(f"{files}: good; {len(document.tenants)} tenants, {len(document.routing)} rules")
    return 0


def _schema(_parsed: argparse.Namespace) -> int:
    print(json.dumps(schema(), indent=2, sort_keys=True))
    return 0


def _channel(parsed: argparse.Namespace) -> grpc.Channel:
    if parsed.ca_file is None:
        return grpc.insecure_channel(parsed.address)
    names = (parsed.ca_file, parsed.key_file, parsed.certificate_file)
    try:
        files = [name.read_bytes() if name else None for name in names]
    except OSError as error:
        raise ConfigError(str(error.filename), [f"cannot be read: {error.strerror}"]) from error
    return grpc.secure_channel(parsed.address, grpc.ssl_channel_credentials(*files))


def _healthcheck(parsed: argparse.Namespace) -> int:
    request = health_pb2.HealthCheckRequest(service=parsed.service)
    with _channel(parsed) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(request, timeout=_HEALTH_TIMEOUT_S)  # type: ignore[attr-defined] # missing in the stubs
        except grpc.RpcError as error:
            print(f"{parsed.address}: {error.code().name}", file=sys.stderr)
            return 1
    name = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    print(name)
    return 0 if answer.status == health_pb2.HealthCheckResponse.SERVING else 1
