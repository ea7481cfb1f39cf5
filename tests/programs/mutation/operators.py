"""The ways in which code is changed: mutmut's, and three that it lacks."""

from collections.abc import Iterator
from itertools import islice
from typing import Final

import libcst as cst
from mutmut.mutation.mutators import mutation_operators, operator_string

Change = tuple[cst.CSTNode, cst.CSTNode]
"""A node of a module, and what stands in its place."""

_TRUTH: Final = frozenset({"True", "False", "None"})


def changes_of(node: cst.CSTNode) -> Iterator[Change]:
    """Yield every change of a node; those of its children are their own. Texts for people decide nothing, and stay."""
    for kind, operator in mutation_operators:
        if isinstance(node, kind) and not _is_prose(node):
            # Of a string only the first: in tables of codes, its other spellings would outnumber all else.
            changed = islice(operator(node), 1 if operator is operator_string else None)
            yield from ((node, replacement) for replacement in changed if not _loses_nothing(node, replacement))
    yield from _negated_condition(node)
    yield from _left_out_call(node)
    yield from _returned_none(node)


def _is_prose(node: cst.CSTNode | None) -> bool:
    """Return whether a string is a text for people: it has a space."""
    if isinstance(node, cst.ConcatenatedString):
        return _is_prose(node.left) or _is_prose(node.right)
    if isinstance(node, cst.FormattedString):
        return any(isinstance(part, cst.FormattedStringText) and " " in part.value for part in node.parts)
    return isinstance(node, cst.SimpleString) and " " in node.raw_value


def _loses_nothing(node: cst.CSTNode, replacement: cst.CSTNode) -> bool:
    """Return whether all that a change does is to leave out what decides nothing."""
    if isinstance(node, cst.Call) and isinstance(replacement, cst.Call):
        kept = {id(argument) for argument in replacement.args}
        return any(id(argument) not in kept and _decides_nothing(argument) for argument in node.args)
    return isinstance(node, cst.Assign | cst.AnnAssign) and _is_prose(node.value)


def _decides_nothing(argument: cst.Arg) -> bool:
    """Return whether an argument is a text for people, or `strict=True`: an assertion that two lengths are equal."""
    return _is_prose(argument.value) or (argument.keyword is not None and argument.keyword.value == "strict")


def _negated_condition(node: cst.CSTNode) -> Iterator[Change]:
    """Mutmut negates comparisons and `not`, but not the plain `if held:`."""
    if isinstance(node, cst.If | cst.While | cst.IfExp | cst.CompIf) and isinstance(
        node.test, cst.Name | cst.Attribute | cst.Call | cst.Await
    ):
        parenthesised = cst.UnaryOperation(cst.Not(), node.test, lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        yield node.test, parenthesised


def _left_out_call(node: cst.CSTNode) -> Iterator[Change]:
    """A statement that is only a call, such as `await store.delete(key)`, is not made."""
    if isinstance(node, cst.Expr) and isinstance(node.value, cst.Call | cst.Await):
        yield node, cst.Pass()


def _returned_none(node: cst.CSTNode) -> Iterator[Change]:
    """A function returns nothing, where it returned something."""
    if isinstance(node, cst.Return) and node.value and not _is_constant(node.value):
        yield node.value, cst.Name("None")


def _is_constant(value: cst.BaseExpression) -> bool:
    return isinstance(value, cst.Name) and value.value in _TRUTH
