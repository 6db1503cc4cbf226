"""What `verify` says of a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    BENCHMARK = "benchmark"
    EDITS = "edits"
    SCORES = "scores"
    UNKNOWN = "unknown"
    """No folder of ours, or none at all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `message` names the file and, where it is one sample's, the key."""

    path: Path
    """The file that it is about, whether or not it exists."""
    message: str
    key: str = ""
    mendable: bool = True
    """Whether the command that made the file makes it again once it is out of the way."""
    orphan: bool = False
    """Whether the file belongs to nothing: without it the folder is as its manifest says."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`summary`: what is there, for people. A folder without findings is whole."""

    root: Path
    kind: Kind
    summary: str
    findings: Sequence[Finding]
