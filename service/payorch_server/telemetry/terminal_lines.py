"""Log lines for people at a terminal: the event first, then what matters, and nothing beyond the edge of the window.

What does not fit continues below, so that nothing is lost. What is of use to machines alone is left out of the lines
about calls: the JSON lines and `payorch-server trace` have it.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

MAX_CHARACTERS: Final = 160
"""Of a line."""
_INDENT: Final = "    "
_GAP: Final = "  "
_BOLD, _DIM, _RED, _GREEN, _YELLOW, _CYAN = "1", "2", "31", "32", "33", "36"
_STYLES: Final[Mapping[str, str]] = {
    "warning": _YELLOW,
    "error": _RED,
    "SUCCEEDED": _GREEN,
    "UNKNOWN": _RED,
    "PARTIAL": _RED,
    "REFUSED": _YELLOW,
    "NOT_SENT": _YELLOW,
    "denied": _YELLOW,
}
# Of these the values alone, directly behind the event.
_FIRST: Final = ("decision", "rpc", "outcome", "reason")
_IDS: Final = ("track_id", "request_id")
_OF_CALLS: Final = frozenset(
    {
        *(*_FIRST, *_IDS, "detail", "tenant", "entity", "caller", "duration_s", "advice", "intent"),
        # For machines, and for `payorch-server trace`.
        *("trace_id", "namespace", "code", "attempts", "zuora_request_id", "rule", "policy_hash", "orgs"),
        *("moves_money", "record_s", "token_s", "queue_s", "zuora_s"),
    }
)
_USUAL: Final = frozenset({"", "NONE", "opened"})
"""Values of which a reader learns nothing."""


@dataclass(frozen=True, slots=True)
class _Word:
    """What stands in one line as a whole."""

    text: str
    style: str = ""
    gap: str = " "
    """In front of it."""


def has_colours(descriptor: int) -> bool:
    """Return whether a stream is a terminal that shows colours, and its user wants them.

    Source: no-color.org; terminfo's `dumb`.
    """
    environment = os.environ  # noqa: TID251 - conventions of terminals, no settings of ours
    wanted = not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"
    return wanted and os.isatty(descriptor)


def terminal_line(line: Mapping[str, Any], *, colours: bool) -> str:
    """Return a line for people; several, the further ones indented, where it is longer than MAX_CHARACTERS.

    Args:
        line: With timestamp, level and event.
        colours: Whether to use them.
    """
    fields = {name: value for name, value in line.items() if value is not None}
    timestamp, level, event = (fields.pop(name) for name in ("timestamp", "level", "event"))
    exception = fields.pop("exception", "")
    rest = _rest_of_call if "track_id" in fields else _rest
    words = [*_head(event, level, fields), *rest(fields), _Word(_clock_time(timestamp), _DIM, _GAP)]
    # What was allowed is of interest to auditors alone.
    quiet = _DIM if fields.get("decision") == "allowed" else ""
    lines = [*_fill(words, quiet=quiet, colours=colours)]
    for text in str(exception).splitlines():
        lines += _fill([_Word(_INDENT + _printable(text))], quiet="", colours=colours)
    return "\n".join(lines)


def _head(event: str, level: str, fields: Mapping[str, Any]) -> Iterator[_Word]:
    yield _Word(event, _BOLD, "")
    if level in {"warning", "error"}:
        yield _Word(level.upper(), _STYLES[level])
    found = [name for name in _FIRST if fields.get(name)]
    for name in found:
        yield _Word(_text(fields[name]), _STYLES.get(str(fields[name]), _BOLD if name == "reason" else ""))
    if detail := fields.get("detail"):
        first, *more = _printable(str(detail)).split(" ")
        yield _Word(first, gap=": " if found else _GAP)
        yield from map(_Word, more)


def _rest(fields: Mapping[str, Any]) -> Iterator[_Word]:
    for name, value in fields.items():
        if name not in {*_FIRST, "detail"}:
            yield from _named(name, value)


def _rest_of_call(fields: Mapping[str, Any]) -> Iterator[_Word]:
    for name in ("advice", "intent"):
        if (text := _text(fields.get(name, ""))) not in _USUAL:
            yield _Word(text.lower().replace("_", " "), gap=_GAP)
    for name, value in fields.items():
        if name not in _OF_CALLS:
            yield from _named(name, value)
    if isinstance(fields.get("duration_s"), float):
        yield _Word(_duration(fields["duration_s"]), gap=_GAP)
    if place := "/".join(str(fields[name]) for name in ("tenant", "entity") if fields.get(name)):
        yield _Word(_printable(place), gap=_GAP)
    if fields.get("caller"):
        yield _Word(_text(fields["caller"]), gap=_GAP)
    # The trace is part of a Track-Id of ours, and is computed from any other.
    for name in _IDS:
        if fields.get(name):
            yield _Word(_text(fields[name]), _CYAN, _GAP)


def _named(name: str, value: Any) -> Iterator[_Word]:
    """Yield a field with its name; the items of a list, and the words of a text, stand on all the lines they need."""
    if isinstance(value, list | tuple):
        first, *more = [*map(_text, value)] or ["none"]
    else:
        first, *more = _text(value).split(" ")
    yield _Word(f"{_printable(name)}={first}", gap=_GAP)
    yield from map(_Word, more)


def _fill(words: list[_Word], *, quiet: str, colours: bool) -> Iterator[str]:
    """Put words into lines, as many as fit into each; a word longer than a line is cut into several."""
    line, used = "", 0
    for word in words:
        text, gap = word.text, word.gap
        while used + len(gap) + len(text) > MAX_CHARACTERS:
            if used > len(_INDENT):
                yield line
                # What joins it to the word before stays with that.
                line, used, gap = _INDENT, len(_INDENT), ""
                continue
            cut = MAX_CHARACTERS - used - len(gap)
            yield line + gap + _styled(text[:cut], word.style or quiet, colours=colours)
            line, used, gap, text = _INDENT, len(_INDENT), "", text[cut:]
        line += gap + _styled(text, quiet or word.style, colours=colours)
        used += len(gap) + len(text)
    yield line


def _styled(text: str, style: str, *, colours: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if colours and style and text else text


def _text(value: Any) -> str:
    return _printable(value if isinstance(value, str) else str(value))


def _printable(text: str) -> str:
    """Return a text of one line that changes nothing in a terminal."""
    return text if text.isprintable() else "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()


def _duration(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _clock_time(timestamp: datetime) -> str:
    return f"{timestamp:%H:%M:%S}Z"
