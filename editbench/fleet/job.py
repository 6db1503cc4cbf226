"""What the launcher tells the keepers and ranks, as a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from editbench import files
from editbench.fleet.run_options import RunOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`worker` is `module:Class`, called with `settings` and the shared `plan`; `device` a torch device type.

    On the head node `shared` is what all nodes need to agree on (attempt, identity, plan); other nodes have None there and take
    it from the store.
    """

    folder: str
    worker: str
    device: str
    identity: str
    fast: bool = False
    """Whether torch may choose kernels that do not give the same bits in every run."""
    settings: dict[str, Any] = field(default_factory=dict)
    shared: dict[str, Any] | None = None
    options: RunOptions = field(default_factory=RunOptions)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises UserError for a file that is missing or broken."""
        return files.load(path, cls)
