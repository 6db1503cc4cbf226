"""What the launcher tells the keepers and ranks, as a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from editbench import files


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """`worker` is `module:Class`, called with `settings` and the shared `plan`; `device` a torch device type.

    On the head node `shared` is what all nodes need to agree on (attempt, identity, plan, earlier attempts); other nodes have
    None there and take it from the store.
    """

    folder: str
    worker: str
    device: str
    identity: str
    node: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    shared: dict[str, Any] | None = None
    retries: int = 0
    stall_timeout: float = 1800.0
    load_parallel: int = 0
    sync_every: int = 0

    @classmethod
    def read(cls, path: Path) -> Self:
        return files.load(path, cls)
