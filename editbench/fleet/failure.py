"""Why an item failed: a small closed set, so that counts can be compared between runs."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from editbench.errors import UserError
from editbench.records import writable

_Result = TypeVar("_Result")
_log = logging.getLogger(__name__)

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
    the rank dies of it, a crash is counted for the item, and the next incarnation has a new context."""


@dataclass(frozen=True, slots=True)
class Failed:
    """A call that raised. Not the exception itself, whose frames would keep alive what the call had put on the device."""

    reason: str
    """One of REASONS."""
    error: str
    """What was raised, in one line."""
    text: str
    """The exception's own text, without its type."""

    @property
    def message(self) -> str:
        """Reason and error as a row of scores has them; the text of a UserError needs no type before it."""
        return f"{self.reason}: {self.text if self.reason == BAD_INPUT else self.error}"

    def exception(self) -> Exception:
        """An exception of the same transient reason."""
        import torch

        return torch.OutOfMemoryError(self.text) if self.reason == OUT_OF_MEMORY else OSError(self.text)


def attempt(function: Callable[..., _Result], *arguments: Any) -> _Result | Failed:
    """What the call returns, or how it failed: the boundary of an item and of each sample in it, and the one place where any
    exception is caught.

    The rank's loop calls a stage's work on an item by it, and a stage its work on one sample where items hold several, so that
    what is wrong with one sample fails that sample alone. Raises DeviceLost where nothing can go on; what is no Exception,
    such as the rank's being stopped, passes.
    """
    try:
        return function(*arguments)
    except Exception as error:
        _log.exception("failed: %s", summary(error))
        if lost(error):
            raise DeviceLost from error
        return Failed(reason(error), summary(error), writable(str(error)))


def lost(error: BaseException) -> bool:
    """Whether `error` leaves the accelerator unusable for this process (illegal access, ECC, a failed launch)."""
    torch = sys.modules.get("torch")  # what has not been imported has not raised either, and a served judge needs none
    return torch is not None and isinstance(error, torch.AcceleratorError) and not isinstance(error, torch.OutOfMemoryError)


def store_lost(error: BaseException) -> bool:
    """Whether `error` tells that torchrun's store is gone, and torchrun with it."""
    from torch.distributed import DistError

    return isinstance(error, DistError)


def reason(error: BaseException) -> str:
    """The reason that `error` stands for."""
    torch = sys.modules.get("torch")
    if isinstance(error, MemoryError) or (torch is not None and isinstance(error, torch.OutOfMemoryError)):
        return OUT_OF_MEMORY
    if isinstance(error, UserError):
        return BAD_INPUT
    return IO if isinstance(error, OSError) else ERROR


def summary(error: BaseException) -> str:
    """One line of at most 500 characters, which UTF-8 can hold."""
    text = writable(" ".join(f"{type(error).__name__}: {error}".split()))
    return text if len(text) <= 500 else f"{text[:497]}..."


def recover() -> None:
    """Give back what a failed try left on the device."""
    import torch

    gc.collect()
    if torch.accelerator.is_available():
        torch.accelerator.empty_cache()
