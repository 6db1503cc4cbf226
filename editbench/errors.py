"""Errors meant for users, and the exit status each one ends a command with.

Everything below `EditbenchError` is shown as one message and no traceback (unless `--debug`); any other exception that
reaches the command line is a bug of ours and ends with status 1.
"""

from __future__ import annotations

OK, BUG, USAGE, INCOMPLETE, SIGINT, SIGTERM = 0, 1, 2, 3, 130, 143


class EditbenchError(Exception):
    """What is wrong and where (`str(error)`), and what to do about it (`error.remedy`)."""

    status = BUG

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class UserError(EditbenchError):
    """Wrong usage, bad input, or a folder made with other settings: the user can mend it."""

    status = USAGE


def require(fact: bool, message: str, remedy: str) -> None:
    """Raises UserError unless `fact` holds."""
    if not fact:
        raise UserError(message, remedy)


class IdentityError(UserError):
    """A folder holds results of other settings. `differences` are rows (setting, stored, asked)."""

    def __init__(self, message: str, remedy: str, differences: list[tuple[str, str, str]]) -> None:
        super().__init__(message, remedy)
        self.differences = differences


class StageError(EditbenchError):
    """A stage could not go on (a rank that can't load its model, a disk that is full); what was finished is kept. `status` is
    that of what stopped it (see `status_of`)."""

    def __init__(self, message: str, remedy: str = "", status: int = BUG) -> None:
        super().__init__(message, remedy)
        self.status = status


class Incomplete(EditbenchError):
    """The stage went through every sample, but more of them failed than `--max-failures` allows."""

    status = INCOMPLETE


class Interrupted(EditbenchError):
    """Stopped by SIGINT (130) or SIGTERM (143); the folder can be resumed."""

    def __init__(self, message: str, remedy: str, status: int) -> None:
        super().__init__(message, remedy)
        self.status = status


def status_of(error: BaseException) -> int:
    """The exit status of what a command or a rank ends with. An OSError (no permission, a full disk, a folder that is gone) is
    for the user to mend."""
    if isinstance(error, EditbenchError):
        return error.status
    return USAGE if isinstance(error, OSError) else BUG
