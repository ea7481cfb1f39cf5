from typing import ClassVar


class CommandError(Exception):
    """Something that whoever started a command can mend; the text is what is printed of it."""

    exit_status: ClassVar[int] = 1
    """Of the command."""
