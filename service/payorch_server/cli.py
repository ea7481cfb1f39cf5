"""The command line. Each command imports only what it needs, so that a health check starts fast."""

import argparse
import errno
import functools
import gc
import os
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from payorch_server.commands.certification_options import add_certification_options, certification_options
from payorch_server.commands.common_options import (
    ShowVersion,
    add_checked,
    add_config,
    add_credentials,
    is_standard_input,
)
from payorch_server.commands.operator_options import add_intents_options, add_trace_options, run_intents, run_trace
from payorch_server.model import CommandError
from payorch_server.runtime.core_dumps import forbid_core_dumps

if TYPE_CHECKING:
    import asyncio

    import grpc

    from payorch_server.access.bearer import KeySet
    from payorch_server.telemetry.logging import LogStreams
    from payorch_server.telemetry.settings import TelemetrySettings

_WRONG_USAGE: Final = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return its exit status: 0 success, 1 failure, 2 wrong usage or configuration."""
    parser = argparse.ArgumentParser(prog="payorch-server", description="Takes payments with Zuora over gRPC.")
    parser.add_argument("--version", action=ShowVersion, nargs=0, help="print the version and exit")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="serve until SIGTERM")
    add_config(serve)
    serve.set_defaults(run=_serve)
    check = commands.add_parser("check-config", help="check a configuration and list every problem")
    add_checked(check)
    check.set_defaults(run=functools.partial(_check_config, check))
    commands.add_parser("config-schema", help="print the JSON schema of the configuration").set_defaults(run=_schema)
    health = commands.add_parser("healthcheck", help="check the health of a running service; exit 0 if it is SERVING")
    health.add_argument("--address", default="127.0.0.1:50051", help="host:port (default %(default)s)")
    health.add_argument("--service", default="", help="health name, such as tenant/NAME; default: the whole process")
    add_credentials(health)
    health.set_defaults(run=_healthcheck)
    for name, add, ask, text in (
        ("trace", add_trace_options, run_trace, "show what happened to the calls with a Zuora-Track-Id or request_id"),
        ("intents", add_intents_options, run_intents, "list the intents whose outcome is not known"),
    ):
        command = commands.add_parser(name, help=text)
        add(command)
        add_credentials(command)
        command.set_defaults(run=functools.partial(_ask_operators, ask))
    _add_routes(commands.add_parser("routes", help="explain, test, lint or compare routing policies in files"))
    _add_upc(commands.add_parser("upc", help="the hub for Zuora's Universal Payment Connector"))
    parsed = parser.parse_args(arguments)
    # Before anything secret is read and before gRPC is imported.
    forbid_core_dumps()
    _silence_grpc()
    return _run(parsed)


def _run(parsed: argparse.Namespace) -> int:
    """Run a command; return the exit status. What goes wrong is said in a sentence."""
    try:
        status = int(parsed.run(parsed))
        # Not sys.stdout.flush(): started with `>&-`, a process has no standard output, and its status is what counts.
        print(end="", flush=True)
    except CommandError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except OSError as error:
        # Such as a full disk, or a reader that has gone: `routes explain | head`.
        if error.errno not in {errno.EPIPE, errno.ENOSPC}:
            raise
        print(f"The output could not be written: {error.strerror}.", file=sys.stderr)
        # What is still held would fail again at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return status


def _silence_grpc() -> None:
    """Keep the bytes of peers out of both streams, in which they could look like lines of ours.

    gRPC writes them to standard error as they came. It reads the variable when it is imported; an operator who sets it
    gets its log.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # noqa: TID251 - not read here, and no setting


def _ask_operators(
    ask: "Callable[[argparse.Namespace, grpc.Channel], tuple[int, str]]", parsed: argparse.Namespace
) -> int:
    """Ask the diagnostics listener something."""
    with _channel(parsed) as channel:
        status, text = ask(parsed, channel)
    print(text, file=sys.stderr if status == _WRONG_USAGE else sys.stdout)
    return status


def _add_routes(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, files, text in (
        ("explain", _explain, ("config",), "explain how a call would be routed, or why it would be refused"),
        ("test", _test, ("config",), "check cases against their expected results"),
        ("lint", _lint, ("config",), "find rules that never match and destinations that no call reaches"),
        ("diff", _diff, ("old", "new"), "show which cases have another result under another configuration"),
    ):
        command = commands.add_parser(name, help=text, description=f"{text[:1].upper()}{text[1:]}. Reads no secrets.")
        for option in files:
            command.add_argument(
                f"--{option}", type=Path, required=True, action="append", metavar="FILE", help="may be repeated"
            )
        command.add_argument("--json", action="store_true", help="print JSON")
        command.set_defaults(run=run)
        if name in {"test", "diff"}:
            command.add_argument(
                "cases", type=Path, metavar="CASES", help="YAML file: a list of name, request and expect"
            )
        if name == "explain":
            command.add_argument(
                "--request", type=Path, required=True, metavar="FILE", help="JSON file with an ExplainRouteRequest"
            )
            command.add_argument("--caller", default="", metavar="ID", help="replaces the request's caller")


def _certify(parsed: argparse.Namespace) -> int:
    from payorch_server.commands.certification_inputs import CertificationError
    from payorch_server.commands.certify import certify
    from payorch_server.commands.channel import ServiceUnreachableError

    try:
        channel = _channel(parsed)
    except ServiceUnreachableError as error:
        raise CertificationError(str(error)) from error
    with channel:
        return certify(certification_options(parsed), channel)


def _explain(parsed: argparse.Namespace) -> int:
    from payorch_server.commands import routes

    return routes.explain(config=parsed.config, request=parsed.request, caller=parsed.caller, as_json=parsed.json)


def _test(parsed: argparse.Namespace) -> int:
    from payorch_server.commands import routes

    return routes.test(config=parsed.config, cases=parsed.cases, as_json=parsed.json)


def _lint(parsed: argparse.Namespace) -> int:
    from payorch_server.commands import routes

    return routes.lint(config=parsed.config, as_json=parsed.json)


def _diff(parsed: argparse.Namespace) -> int:
    from payorch_server.commands import routes

    return routes.diff(old=parsed.old, new=parsed.new, cases=parsed.cases, as_json=parsed.json)


def _add_upc(parser: argparse.ArgumentParser) -> None:
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, run, text in (
        ("serve", _upc_serve, "serve Zuora until SIGTERM"),
        ("init-store", _upc_init_store, "declare that the store has the record of every request from now on"),
    ):
        command = commands.add_parser(name, help=text)
        add_config(command)
        command.set_defaults(run=run)
        if run is _upc_init_store:
            command.add_argument("--first-start", action="store_true", help="no request was ever sent to a gateway")
            command.add_argument(
                "--after-loss", action="store_true", help="records are lost, and no request is in Processing in Zuora"
            )
    check = commands.add_parser("check-config", help="check a configuration of the hub and list every problem")
    add_checked(check)
    check.set_defaults(run=functools.partial(_upc_check_config, check))
    health = commands.add_parser("healthcheck", help="check that a running hub answers; exit 0 if it does")
    health.add_argument("--address", default="127.0.0.1:8443", help="host:port (default %(default)s)")
    health.add_argument("--plaintext", action="store_true", help="a proxy in front of the hub ends TLS")
    health.set_defaults(run=_upc_healthcheck)
    schema = commands.add_parser("config-schema", help="print the JSON schema of the hub's configuration")
    schema.set_defaults(run=_upc_schema)
    certify = commands.add_parser("certify", help="check a plugged-in gateway against its contract")
    add_certification_options(certify)
    add_credentials(certify)
    certify.set_defaults(run=_certify)


def _upc_serve(parsed: argparse.Namespace) -> int:
    gc.disable()
    from payorch_server.config.hub_loading import load_hub

    configuration = load_hub(*parsed.config)
    streams = _start_process(configuration.document.telemetry)

    from payorch_server.app.hub_start import serve_hub

    _run_loop(serve_hub(configuration, files=parsed.config, streams=streams))
    return 0


def _upc_check_config(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    if is_standard_input(parser, parsed):
        from payorch_server.commands.standard_input import check_standard_input

        return check_standard_input(of_hub=True, without_secrets=parsed.without_secrets)
    from payorch_server.commands import hub_config

    return hub_config.check_config(
        config=parsed.config, against=parsed.against or (), without_secrets=parsed.without_secrets
    )


def _upc_init_store(parsed: argparse.Namespace) -> int:
    from payorch_server.commands import hub_config

    return hub_config.init_store(config=parsed.config, first_start=parsed.first_start, after_loss=parsed.after_loss)


def _upc_healthcheck(parsed: argparse.Namespace) -> int:
    from payorch_server.commands import hub_health

    print(hub_health.ask_hub(address=parsed.address, plaintext=parsed.plaintext))
    return 0


def _upc_schema(_parsed: argparse.Namespace) -> int:
    from payorch_server.config.hub_document import hub_schema

    _print_schema(hub_schema())
    return 0


def _serve(parsed: argparse.Namespace) -> int:
    gc.disable()
    from payorch_server.config import load

    settings = load(*parsed.config)
    streams = _start_process(settings.document.telemetry)

    from payorch_server.app.start import serve

    _run_loop(serve(settings, files=parsed.config, streams=streams))
    return 0


def _start_process(telemetry: "TelemetrySettings") -> "LogStreams":
    """Prepare a process that serves, before the rest of it is imported; return its streams."""
    from payorch_server.runtime.lifecycle import raise_open_file_limit
    from payorch_server.telemetry.logging import redirect_standard_streams, start_logging

    raise_open_file_limit()
    streams = start_logging(telemetry)
    redirect_standard_streams(streams)
    return streams


def _run_loop(work: "Coroutine[Any, Any, None]") -> None:
    import asyncio

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(work)


def _loop_factory() -> "type[asyncio.AbstractEventLoop] | None":
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.Loop


def _check_config(parser: argparse.ArgumentParser, parsed: argparse.Namespace) -> int:
    if is_standard_input(parser, parsed):
        from payorch_server.commands.standard_input import check_standard_input

        return check_standard_input(of_hub=False, without_secrets=parsed.without_secrets)
    from payorch_server.config import ConfigError, Document, change_problems, load, load_document
    from payorch_server.model.names import counted

    def read(files: Sequence[Path]) -> "tuple[Document, Mapping[str, KeySet]]":
        if parsed.without_secrets:
            return load_document(*files), {}
        settings = load(*files)
        return settings.document, settings.key_sets

    document, key_sets = read(parsed.config)
    if parsed.against and (problems := [*change_problems(read(parsed.against)[0], document)]):
        raise ConfigError(f"against {_join(parsed.against)}", problems)
    tenants, rules = counted(len(document.tenants), "tenant"), counted(len(document.routing), "rule")
    print(f"{_join(parsed.config)}: OK; {tenants}, {rules}")
    for name, keys in key_sets.items():
        for reason in keys.skipped:
            print(f"  skipped  identity.jwt.{name}.key_set_file: {reason}")
    return 0


def _join(files: Sequence[Path]) -> str:
    return ", ".join(str(file) for file in files)


def _schema(_parsed: argparse.Namespace) -> int:
    from payorch_server.config import schema

    _print_schema(schema())
    return 0


def _print_schema(schema: Mapping[str, Any]) -> None:
    import json

    # A file may have some of the sections, and another one those that are required.
    print(json.dumps({key: part for key, part in schema.items() if key != "required"}, indent=2, sort_keys=True))


def _channel(parsed: argparse.Namespace) -> "grpc.Channel":
    from payorch_server.commands.channel import open_channel

    files = {name: getattr(parsed, name) for name in ("ca_file", "certificate_file", "key_file")}
    return open_channel(parsed.address, **files)


def _healthcheck(parsed: argparse.Namespace) -> int:
    from payorch_server.commands.channel import ServiceUnreachableError, health_of

    with _channel(parsed) as channel:
        try:
            status = health_of(channel, parsed.service)
        except ServiceUnreachableError as error:
            raise ServiceUnreachableError(f"{parsed.address}: {error}") from error
    print(status)
    return 0 if status == "SERVING" else 1
