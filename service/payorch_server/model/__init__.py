"""Values and errors that every package uses; standard library only."""

__all__ = ["CommandError"]


class CommandError(Exception):
    """A mistake that the user of a command can correct; its text is printed.

    It is here because every command imports it, and nothing else of the model.
    """

    exit_status = 1
    """Of the command."""
