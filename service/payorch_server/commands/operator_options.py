"""What operators ask a running service on the command line; imports nothing that a fast start would notice."""

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import grpc


def add_trace_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `trace`."""
    parser.description = (
        "Shows what happened to the calls with a Zuora-Track-Id or a request_id. Exit status: 0 if something was "
        "found, 1 if nothing was or the service cannot be asked, 2 if the text is neither."
    )
    parser.add_argument("handle", metavar="ID", help="a Zuora-Track-Id or a request_id, as given or as in the log")
    parser.add_argument(
        "--link", default="", metavar="URL", help="URL of a trace in your viewer, with {trace_id} in it"
    )
    _add_common(parser)


def add_intents_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `intents`."""
    parser.description = "Lists the intents whose outcome is not known, the one in doubt for longest first."
    parser.add_argument(
        "--unsettled", action="store_true", required=True, help="those in doubt; there is no other list"
    )
    parser.add_argument("--tenant", default="", metavar="NAME", help="those of this tenant")
    parser.add_argument("--most", type=int, default=100, metavar="N", help="at most so many, up to 500 (default 100)")
    _add_common(parser)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--namespace", default="", metavar="NAME", help="of the callers (default: all that you may ask about)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--address", default="127.0.0.1:50052", help="host:port of the diagnostics listener (default %(default)s)"
    )


def run_trace(parsed: argparse.Namespace, channel: "grpc.Channel") -> tuple[int, str]:
    """Run `trace`; return the exit status and what to print."""
    from payorch_server.commands import trace  # noqa: PLC0415 - gRPC would slow the start of all commands

    query = trace.TraceQuery(parsed.handle, parsed.namespace, link=parsed.link, as_json=parsed.json)
    return trace.show(query, channel=channel)


def run_intents(parsed: argparse.Namespace, channel: "grpc.Channel") -> tuple[int, str]:
    """Run `intents`; return the exit status and what to print."""
    from payorch_server.commands import unsettled_intents  # noqa: PLC0415 - the same

    query = unsettled_intents.IntentsQuery(parsed.namespace, parsed.tenant, parsed.most, as_json=parsed.json)
    return unsettled_intents.show(query, channel=channel)
