"""Why an item failed: a small closed set, so that counts can be compared between runs."""

from __future__ import annotations

import gc

from editbench.errors import UserError

BAD_INPUT = "bad_input"
OUT_OF_MEMORY = "out_of_memory"
IO = "io"
CRASH = "crash"
ERROR = "error"
REASONS = {
    BAD_INPUT: "the sample's picture or text can't be used",
    OUT_OF_MEMORY: "the device ran out of memory",
    IO: "a file could not be read or written",
    CRASH: "it took its rank down twice",
    ERROR: "the model raised an error",
}
TRANSIENT = (OUT_OF_MEMORY, IO)
"""Reasons that may be gone at the next try."""


class DeviceLost(BaseException):
    """The accelerator's context is gone, and with it this process: every later call would fail too. Not an Exception, so that
    the rank
    dies of it, the sample gets its strike, and a new life begins with a new context."""


def lost(error: BaseException) -> bool:
    """Whether `error` leaves the accelerator unusable for this process (illegal access, ECC, a failed launch)."""
    import torch

    return isinstance(error, torch.AcceleratorError) and not isinstance(error, torch.OutOfMemoryError)


def reason(error: BaseException) -> str:
    """The reason that `error` stands for."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, UserError):
        return BAD_INPUT
    return IO if isinstance(error, OSError) else ERROR


def summary(error: BaseException) -> str:
    """One line of at most 500 characters."""
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return text if len(text) <= 500 else f"{text[:497]}..."


def recover() -> None:
    """Give back what a failed try left on the device."""
    import torch

    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()
