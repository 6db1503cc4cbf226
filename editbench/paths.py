"""Every file name editbench writes. No other module spells one; those of other programs are in `foreign_paths`.

Each class wraps one folder; its attributes are the files in it. Nothing here touches the disk. Keys and names that were read
from disk become part of a path only here, and only when they are what such names can be.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

from editbench.errors import UserError

RECORD = "json"  # the member `KEY.json` of a tar shard
EDITED = "edited.png"
SOURCE = "source"  # KEY.source.png, further inputs KEY.source2.png ...
REFERENCE = "reference"
MASK = "mask"
IMAGE_SUFFIXES = ("png", "jpg", "webp")
TEMPORARY = ".tmp"
DAMAGED = ".damaged"
"""Ends the name of a file that was set aside."""
TESTED_VERSIONS = "constraints.txt"  # in the package: a link to the project's own
KEY_LENGTH = 64
"""Longest key. USTAR holds names of 100 bytes, and a key's longest member is `KEY.reference.webp`."""

KEY_PATTERN = rf"[A-Za-z0-9_-]{{1,{KEY_LENGTH}}}"
"""What WebDataset and every file system can carry."""

_KEY = re.compile(KEY_PATTERN)
_SHARD = re.compile(r"(?:bench|edits)-[0-9]{5,9}\.tar")


def is_shard(name: str) -> bool:
    """Whether `name` is the file name of a shard."""
    return _SHARD.fullmatch(name) is not None


def is_file_name(name: object) -> TypeGuard[str]:
    """Whether `name` can be the name of a file in a folder, and nothing elsewhere."""
    return isinstance(name, str) and name not in ("", ".", "..") and not set("/\\\0") & set(name)


def elsewhere(root: Path, stored: str) -> Path:
    """The folder whose path a file in `root` stores, relative to `root`. To read from, never to write to."""
    return (root / stored.replace("\0", "")).resolve()


def is_key(text: str) -> bool:
    """Whether `text` can be the key of a sample: file names and tar members are made of it."""
    return _KEY.fullmatch(text) is not None


def _checked(key: str) -> str:
    if not is_key(key):
        raise UserError(f"{key!r} can be no key of a sample", "Make the folder it is from again.")
    return key


class Child:
    """The path of a file or folder with a fixed name: an attribute of a class whose `root` is the folder that it is in."""

    def __init__(self, name: str) -> None:
        """`name`: as seen from the folder."""
        self._name = name

    def __get__(self, folder: Any, _kind: type | None = None) -> Path:
        return folder.root / self._name


@dataclass(frozen=True, slots=True)
class Folder:
    root: Path

    manifest = Child("manifest.json")
    """The marker of a finished stage; written last."""

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders in it. A link in place of one would have us write and delete elsewhere."""
        return ()

    def listed(self, name: str) -> Path:
        """The shard of that name. Raises UserError for what is no shard's name, such as a path."""
        if not is_shard(name):
            raise UserError(f"{self.root} can have no shard {name!r}", "Make the folder again.")
        return self.root / name

    def all_shards(self) -> list[Path]:
        """What has a shard's name, whatever the manifest says."""
        return sorted(path for path in self.root.glob("*.tar") if is_shard(path.name))


class BenchmarkPaths(Folder):
    __slots__ = ()

    def shard(self, number: int) -> Path:
        return self.root / f"bench-{number:05d}.tar"


class RunPaths(Folder):
    """What the folders of `edit` and of `score` have in common."""

    __slots__ = ()

    identity = Child("identity.json")
    environment = Child("environment.json")
    """Library versions, devices, command line: recorded, but no part of the identity."""
    lock = Child(".lock")
    ranks = Child(".ranks")
    """Locked by keepers and ranks; holds the token of their attempt (see the module `fencing`)."""
    timings = Child("timings.jsonl")
    status = Child("status")
    run_status = Child("status/run.json")
    """What the launcher knows of the attempt."""
    logs = Child("logs")

    @property
    def folders(self) -> tuple[Path, ...]:
        return self.status, self.logs

    def rank_status(self, rank: int) -> Path:
        return self.status / f"rank-{rank:03d}.json"

    def rank_statuses(self) -> list[Path]:
        return sorted(self.status.glob("rank-*.json"))

    def attempt(self, number: int) -> AttemptPaths:
        return AttemptPaths(self.logs / f"attempt-{number}")

    def node(self, rank: int) -> AttemptPaths:
        """The log folder of another node than the head."""
        return AttemptPaths(self.logs / f"node-{rank}")

    def last_attempt(self) -> int:
        """Number of the newest attempt, 0 when there was none."""
        numbers = [path.name.partition("-")[2] for path in self.logs.glob("attempt-*") if path.is_dir()]
        return max((int(number) for number in numbers if re.fullmatch("[0-9]{1,9}", number)), default=0)


@dataclass(frozen=True, slots=True)
class AttemptPaths:
    """The log folder of one start of a stage's ranks."""

    root: Path

    job = Child("job.json")
    """What the launcher tells the ranks."""
    torchrun_log = Child("torchrun.log")

    def rank_log(self, rank: int) -> Path:
        return self.root / f"rank-{rank:03d}.log"

    def rank_timings(self, rank: int) -> Path:
        return self.root / f"rank-{rank:03d}.timings.jsonl"

    def all_timings(self) -> list[Path]:
        return sorted(self.root.glob("rank-*.timings.jsonl"))


class EditPaths(RunPaths):
    __slots__ = ()

    failures = Child("failures.jsonl")
    spool = Child("spool")

    @property
    def folders(self) -> tuple[Path, ...]:
        return self.status, self.logs, self.spool

    def shard(self, number: int) -> Path:
        return self.root / f"edits-{number:05d}.tar"

    def spooled(self, key: str) -> Path:
        """A finished edit whose shard is not sealed yet: a tar of that one sample. Raises UserError for what is no key."""
        return self.spool / f"{_checked(key)}.tar"

    def all_spooled(self) -> list[Path]:
        return list(self.spool.glob("*.tar"))

    def failed(self, key: str) -> Path:
        """The failure of a sample in the run that is going on. Raises UserError for what is no key."""
        return self.spool / f"{_checked(key)}.failed.json"

    def all_failed(self) -> list[Path]:
        return list(self.spool.glob("*.failed.json"))


class ScorePaths(RunPaths):
    __slots__ = ()

    scores = Child("scores.jsonl")
    audit = Child("audit.jsonl")
    """Rows of the controls that the judge was tested with."""
    anchors = Child("anchors.jsonl")
    """Rows of the anchor edits, judged along with the others."""
    chunks = Child("chunks")

    @property
    def folders(self) -> tuple[Path, ...]:
        return self.status, self.logs, self.chunks

    def chunk(self, number: int) -> Path:
        return self.chunks / f"{number:05d}.jsonl"

    def all_chunks(self) -> list[Path]:
        """Kept rows included."""
        return sorted(self.chunks.glob("*.jsonl"))

    def kept(self, number: int) -> Path:
        """Rows of a chunk that is judged again for the sake of its other rows."""
        return self.chunks / f"{number:05d}.kept.jsonl"


class ReportPaths(Folder):
    __slots__ = ()

    json = Child("report.json")
    markdown = Child("report.md")
    leaderboard = Child("leaderboard.csv")
    latex = Child("report.tex")
    figures = Child("figures")
    html = Child("report.html")
    pictures = Child("report_files")
    """The pictures that report.html does not hold itself."""

    @property
    def folders(self) -> tuple[Path, ...]:
        return self.figures, self.pictures

    def picture(self, name: str, edge: int) -> Path:
        """A picture whose longer side has `edge` pixels; `name` is the start of the original's sha256."""
        return self.pictures / name[:2] / f"{name}-{edge}.webp"

    def all_pictures(self) -> list[Path]:
        return sorted(self.pictures.glob("??/*.webp"))


@dataclass(frozen=True, slots=True)
class TinyPaths:
    root: Path

    editor = Child("editor")
    judge = Child("judge")
    judge_moe = Child("judge-moe")
    judge_world = Child("judge-world")
    editor_world = Child("editor-world")
