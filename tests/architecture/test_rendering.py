"""No message is rendered but by the redactor, as far as a look at the code can tell."""

import ast
from collections.abc import Iterator

import pytest
from architecture.source_files import SERVICE, modules, name_of

RENDERERS = {"str", "repr", "ascii", "format", "print"}
NAMES = {"request", "response", "message"}
"""What messages are called wherever there are some."""
HARMLESS = {"DESCRIPTOR", "__class__", "ByteSize"}
RPC = SERVICE / "rpc"


def is_message(node: ast.expr, names: set[str]) -> bool:
    """Tell whether an expression is a message by its name, or a part of one."""
    while isinstance(node, ast.Attribute) and node.attr not in HARMLESS:
        node = node.value
    return isinstance(node, ast.Name) and node.id in names


def messages_in(tree: ast.AST) -> set[str]:
    """Return the names that hold messages: the usual ones, and parameters that say so."""
    annotated = {
        node.arg
        for node in ast.walk(tree)
        if isinstance(node, ast.arg) and node.annotation is not None and _names_message(ast.unparse(node.annotation))
    }
    return NAMES | annotated


def _names_message(annotation: str) -> bool:
    return "_pb2." in annotation or annotation.strip("\"'") == "Message"


def rendered(node: ast.AST) -> Iterator[ast.expr]:
    """Yield the expressions that a piece of code turns into text."""
    match node:
        case ast.FormattedValue(value=value):
            yield value
        case ast.Call(func=ast.Name(id=name), args=[*values]) if name in RENDERERS:
            yield from values
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str()), attr="format"), args=[*values]):
            yield from (*values, *(word.value for word in node.keywords))
        case ast.Call(func=ast.Attribute(value=ast.Name(id="_LOG")), args=[*values]):
            yield from (*values, *(word.value for word in node.keywords))
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod(), right=ast.Tuple(elts=values)):
            yield from values
        case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod(), right=value):
            yield value
        case _:
            return


def violations(code: str) -> list[str]:
    """List the lines that render a message."""
    tree = ast.parse(code)
    names = messages_in(tree)
    return [
        f"{value.lineno}: {ast.unparse(value)}"
        for node in ast.walk(tree)
        for value in rendered(node)
        if is_message(value, names)
    ]


class TestMessages:
    """Protobuf prints everything when it is asked for text."""

    @pytest.mark.parametrize("path", [path for path in modules() if path.is_relative_to(RPC)], ids=name_of)
    def test_are_not_rendered(self, path: object) -> None:
        """Neither they nor a part of them."""
        assert [] == violations(path.read_text())

    @pytest.mark.parametrize(
        "code",
        [
            'f"no {request}"',
            'f"no {request!r}"',
            'f"no {request.card.number}"',
            "str(request)",
            "repr(response)",
            '"no %s" % request',
            '"no %s %s" % (1, message)',
            '"no {}".format(request)',
            '_LOG.info("call", request=request)',
            "def tell(told: call_pb2.CallOutcome) -> None:\n    print(told)",
            "def tell(told: Message) -> str:\n    return str(told)",
        ],
    )
    def test_are_found_when_they_are(self, code: str) -> None:
        """The check above can fail."""
        assert 1 == len(violations(code))

    @pytest.mark.parametrize("code", ['f"{len(request)} bytes"', "str(request.DESCRIPTOR)", 'f"{error.message}"'])
    def test_may_be_measured_and_named(self, code: str) -> None:
        """What says nothing of a value is left alone."""
        assert [] == violations(code)
