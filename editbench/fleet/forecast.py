"""What the dry run says of time: the pace of earlier runs, carried on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from editbench import files, identity
from editbench.errors import UserError
from editbench.fleet import timings
from editbench.fleet.devices import Devices
from editbench.paths import RunPaths
from editbench.records import Environment

FREE = ("seed", "categories", "limit", "shard_size", "audit")
"""Settings that change no sample's time."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Mean seconds of a device a sample. `folder`: of the run that it was measured in. `unlike`: settings that were others."""

    seconds: float
    folder: Path
    unlike: tuple[str, ...] = ()


def pace(paths: RunPaths, wanted: Mapping[str, Any], devices: Devices) -> Pace | None:
    """Of earlier attempts in this folder; else of the newest run beside it of the same stage and model on the same kind of
    device. `wanted`: the identity of the run. None where there is no such run."""
    for seconds in timings.pace(paths):
        return Pace(seconds, paths.root)
    beside = sorted(_beside(paths.root), key=_began, reverse=True)
    return next((found for run in beside for found in _like(run, wanted, devices)), None)


def _beside(root: Path) -> Iterator[RunPaths]:
    parent = root.absolute().parent
    if parent.is_dir():
        yield from (RunPaths(folder) for folder in parent.iterdir() if (folder / root.name) != root and folder.is_dir())


def _began(run: RunPaths) -> float:
    return run.environment.stat().st_mtime if run.environment.is_file() else 0.0


def _like(run: RunPaths, wanted: Mapping[str, Any], devices: Devices) -> Iterator[Pace]:
    """The pace of a run that can be compared. What can't be read says nothing."""
    with contextlib.suppress(UserError):
        if not (run.identity.is_file() and run.environment.is_file()):
            return
        there = identity.load(run.identity)
        kinds = {text.rpartition(" ")[2] for text in files.load(run.environment, Environment).devices}
        if (there.get("stage"), there.get("model"), kinds) != (wanted["stage"], wanted["model"], {devices.kind}):
            return
        unlike = {name for name, _, _ in identity.differences(there.get("settings") or {}, wanted["settings"])}
        unlike |= {name for name in ("benchmark", "rubric") if there.get(name) != wanted.get(name)}
        for seconds in timings.pace(run):
            yield Pace(seconds, run.root, tuple(sorted(unlike.difference(FREE))))
