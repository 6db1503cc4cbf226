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
    if (seconds := timings.pace(paths)) is not None:
        return Pace(seconds, paths.root)
    beside = sorted(_beside(paths.root), key=_began, reverse=True)
    return next(filter(None, (_like(run, wanted, devices) for run in beside)), None)


def _beside(root: Path) -> Iterator[RunPaths]:
    """Runs in the same folder. What may not be looked into says nothing."""
    with contextlib.suppress(OSError):
        for folder in root.absolute().parent.iterdir():
            run = RunPaths(folder)
            with contextlib.suppress(OSError):
                if folder.name != root.absolute().name and run.identity.is_file() and run.environment.is_file():
                    yield run


def _began(run: RunPaths) -> float:
    return run.environment.stat().st_mtime


def _like(run: RunPaths, wanted: Mapping[str, Any], devices: Devices) -> Pace | None:
    """The pace of a run that can be compared. What can't be read says nothing."""
    try:
        there = identity.load(run.identity)
        kinds = {text.rpartition(" ")[2] for text in files.load(run.environment, Environment).last.devices}
        seconds = timings.pace(run)
    except (UserError, OSError):
        return None
    if seconds is None or (there.get("stage"), there.get("model"), kinds) != (wanted["stage"], wanted["model"], {devices.kind}):
        return None
    names = {"settings": wanted["settings"], **{name: wanted.get(name) for name in ("benchmark", "rubric")}}
    differing = identity.differences({name: there.get(name) for name in names}, names)
    unlike = {name.removeprefix("settings.").partition(".")[0] for name, _, _ in differing}
    return Pace(seconds, run.root, tuple(sorted(unlike.difference(FREE))))
