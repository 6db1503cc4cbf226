"""Options that say how a stage runs. None of them changes a result, so none is part of an identity."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from typer import Option

from editbench.errors import UserError
from editbench.fleet.nodes import Nodes


class Style(StrEnum):
    """How progress is shown; `auto` is live in a terminal and plain elsewhere."""

    AUTO = "auto"
    LIVE = "live"
    PLAIN = "plain"
    OFF = "off"


Progress = Annotated[str, Option(metavar="auto|live|plain|off", help="How progress is shown.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """As they stand on the command line of `edit` and `score`, which takes names, defaults and help from here."""

    max_failures: Annotated[str, Option(metavar="N|P%", help="Failed samples up to which the run counts as complete.")] = "0"
    retries: Annotated[int, Option(min=0, help="Tries more for what may be transient: out of memory, I/O.")] = 1
    nproc: Annotated[str, Option(metavar="auto|N", help="Ranks; auto: one an accelerator, else 1.")] = "auto"
    devices: Annotated[str | None, Option(metavar="0,2,5", help="Which accelerators.")] = None
    stall_timeout: Annotated[
        float, Option(min=1, metavar="SECONDS", help="Restart a rank that makes no progress for so long.")
    ] = 1800.0
    load_parallel: Annotated[int, Option(min=0, help="Ranks that load at once, the first alone; 0: all.")] = 0
    sync_every: Annotated[int, Option(min=0, help="Lockstep: ranks wait for each other after every N items; 0: never.")] = 0
    nnodes: Annotated[int, Option(min=1, help="Machines; run the same command on each.")] = 1
    node_rank: Annotated[int, Option(min=0, help="This machine; 0 is the head.")] = 0
    rdzv_endpoint: Annotated[str, Option(metavar="HOST:PORT", help="A free port on the head.")] = ""
    rdzv_id: Annotated[str, Option(help="Name of the job, the same on all machines.")] = "editbench"
    progress: Progress = "auto"
    dry_run: Annotated[bool, Option("--dry-run", help="Check everything, count, estimate the cost; load nothing.")] = False
    fresh: Annotated[bool, Option("--fresh", help="Start over; what is there is moved aside, never deleted.")] = False

    def check(self) -> None:
        """Raises UserError for an option that can't be, and for options that don't fit together."""
        check_progress(self.progress)
        self.allowed_failures(0)
        if self.nproc != "auto" and (not self.nproc.isdecimal() or int(self.nproc) < 1):
            raise UserError(f"--nproc {self.nproc} is no number of ranks", "Give auto, or 1 or more.")
        if self.devices is not None and not re.fullmatch(r"[0-9]+(,[0-9]+)*", self.devices):
            raise UserError(f"--devices {self.devices} is no list of numbers", "Give for example 0,2,5.")
        self.nodes.check()
        if self.fresh and self.nodes.count > 1:
            raise UserError("--fresh is for one machine", "Move the folder aside yourself, then start all nodes.")

    @property
    def rank_count(self) -> int | None:
        """Ranks that were asked for; None for `auto`."""
        return None if self.nproc == "auto" else int(self.nproc)

    @property
    def device_indices(self) -> list[int] | None:
        """Accelerators that were asked for; None for all."""
        return None if self.devices is None else [int(index) for index in self.devices.split(",")]

    @property
    def nodes(self) -> Nodes:
        return Nodes(count=self.nnodes, rank=self.node_rank, endpoint=self.rdzv_endpoint, run_id=self.rdzv_id)

    def allowed_failures(self, total: int) -> int:
        """How many of `total` samples may fail. Raises UserError for a `max_failures` that is neither N nor P%."""
        if match := re.fullmatch(r"([0-9]+)", self.max_failures):
            return int(match[1])
        if match := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)%", self.max_failures):
            return int(total * float(match[1]) / 100)
        raise UserError(f"--max-failures {self.max_failures} is neither a number nor a percentage", "Use for example 3 or 1%.")


def check_progress(name: str) -> None:
    """Raises UserError for a way of showing progress that there is not."""
    if name not in list(Style):
        raise UserError(f"--progress {name} is unknown", f"Choose {', '.join(Style)}.")
