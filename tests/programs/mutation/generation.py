"""Makes the mutants of a module."""

import difflib
from pathlib import Path
from typing import Final

import libcst as cst
from libcst.metadata import MetadataWrapper, PositionProvider, WhitespaceInclusivePositionProvider

from programs.mutation.mutant import Mutant
from programs.mutation.operators import Change, changes_of

_MODULE: Final = "(module)"
_LOGS: Final = frozenset({"_log", "log", "_LOG"})
_UNCHANGED_CALLS: Final = frozenset({"cast", "TypeVar", "len", "isinstance", "repr"})


def mutants_of(root: Path, module: str) -> list[Mutant]:
    """Return every mutant of a module, each once, in the order of the text."""
    text = (root / module).read_text()
    wrapper = MetadataWrapper(cst.parse_module(text))
    visitor = _Visitor()
    wrapper.visit(visitor)
    starts = _starts_of_lines(text)
    exact, inclusive = (wrapper.resolve(kind) for kind in (PositionProvider, WhitespaceInclusivePositionProvider))
    mutants = {}
    for function, statement, (node, replacement) in visitor.changes:
        if isinstance(node, cst.Match):
            changed = wrapper.module.with_deep_changes(node, cases=replacement.cases).code  # type: ignore[attr-defined] # an operator of Match returns one
        else:
            place = inclusive[node]
            begin, end = (starts[at.line - 1] + at.column for at in (place.start, place.end))
            changed = text[:begin] + wrapper.module.code_for_node(replacement) + text[end:]
        if changed == text or changed in mutants or not _compiles(changed, module):
            continue
        before, after = _changed_lines(text, changed)
        lines = exact[node]
        first = min(exact[statement].start.line, lines.start.line)
        mutants[changed] = Mutant(module, function, before, after, first, lines.end.line, changed)
    return list(mutants.values())


def _starts_of_lines(text: str) -> list[int]:
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    return starts


def _compiles(text: str, module: str) -> bool:
    try:
        compile(text, module, "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def _changed_lines(text: str, changed: str) -> tuple[str, str]:
    """Return the lines that differ, before and after, each stripped."""
    lines = [line for line in difflib.ndiff(text.splitlines(), changed.splitlines()) if line[0] in "-+"]
    before, after = ([line[2:].strip() for line in lines if line[0] == sign] for sign in "-+")
    return "\n".join(before), "\n".join(after)


class _Visitor(cst.CSTVisitor):
    """Collects the changes of a module, with the function and the statement that each belongs to."""

    def __init__(self) -> None:
        super().__init__()
        self.changes: list[tuple[str, cst.CSTNode, Change]] = []
        self._names: list[str] = []
        self._statements: list[cst.CSTNode] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _decides_nothing(node):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._names.append(node.name.value)
        if isinstance(node, cst.BaseStatement):
            self._statements.append(node)
        if self._statements:
            self.changes.extend((self._function(), self._statements[-1], change) for change in changes_of(node))
        return True

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if _decides_nothing(original_node):
            return
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._names.pop()
        if isinstance(original_node, cst.BaseStatement):
            self._statements.pop()

    def _function(self) -> str:
        return ".".join(self._names) or _MODULE


def _decides_nothing(node: cst.CSTNode) -> bool:
    """Return whether a node and all below it are for readers, for mypy or for the log, or assert what is always so."""
    if isinstance(node, cst.Annotation | cst.Import | cst.ImportFrom | cst.Decorator | cst.Assert):
        return True
    if isinstance(node, cst.Arg):
        return node.keyword is not None and node.keyword.value == "strict"
    if isinstance(node, cst.Call):
        return _root(node.func) in _UNCHANGED_CALLS
    if isinstance(node, cst.AnnAssign):
        return isinstance(node.target, cst.Name) and node.target.value in _LOGS
    if isinstance(node, cst.Expr):
        value = node.value.expression if isinstance(node.value, cst.Await) else node.value
        return isinstance(value, cst.BaseString) or (isinstance(value, cst.Call) and _root(value.func) in _LOGS)
    return False


def _root(function: cst.BaseExpression) -> str:
    """Return the first name of `a.b.c`."""
    while isinstance(function, cst.Attribute):
        function = function.value
    return function.value if isinstance(function, cst.Name) else ""
