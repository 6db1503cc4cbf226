"""`environment.json`: what may change the bits of results without being a setting, attempt by attempt.

    {"attempts": [{"attempt", "began", "editbench", "python", "platform", "packages": {name: version}, "command": [text],
                   "devices": ["2 x cuda"], "fast", "ranks": {"card": [name], "driver": [version], ...}}, ...],
     "edits": where the input lies, ...}

`ranks` is what the ranks tell of their machines and models (`fleet.hardware`, `Worker.kernels`): by name, all different values.
Earlier versions kept the last attempt alone, as one object; it becomes the first of the list.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Iterable, Mapping
from importlib import metadata
from typing import Any

from editbench import __version__, files
from editbench.paths import RunPaths
from editbench.records import Environment
from editbench.urls import redacted

PACKAGES = ("torch", "diffusers", "transformers", "accelerate", "peft", "numpy", "pillow", "webdataset", "flash-attn", "openai")


def of_process(command: list[str]) -> dict[str, Any]:
    """Versions, machine and command line of this process."""
    versions = {name: _version(name) for name in PACKAGES}
    return {
        "editbench": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: version for name, version in versions.items() if version},
        "command": [redacted(word) for word in command],
    }


def begin(paths: RunPaths, devices: list[str], *, fast: bool = False, more: Mapping[str, Any] | None = None) -> list[str]:
    """Write down an attempt that begins; returns the packages whose version changed since the last one.

    `more`: what else to write down, such as where the input lies. Raises UserError for a file that can't be read.
    """
    new = {"attempt": paths.last_attempt() + 1, "began": round(time.time(), 3), **of_process(sys.argv), "devices": devices}
    now = before = new["packages"]
    earlier: list[Any] = []
    if paths.environment.exists():
        value, known = _read(paths)
        before = known.last.packages
        earlier = value.get("attempts", [value])
    files.dump(paths.environment, {"attempts": [*earlier, {**new, "fast": fast}], **(more or {})})
    names = [name for name in PACKAGES if before.get(name) != now.get(name)]
    return [f"{name} {before.get(name, 'absent')} -> {now.get(name, 'absent')}" for name in names]


def note_ranks(paths: RunPaths, told: Mapping[str, list[str]]) -> list[str]:
    """Write down what the ranks of the attempt under way tell; returns what is new since the attempt before that told of it.

    Raises UserError for a file that can't be read, OSError for one that can't be written.
    """
    value, known = _read(paths)
    attempts = known.attempts
    if not attempts:  # it is no longer the file that the attempt began with
        return []
    value["attempts"][-1]["ranks"] = dict(told)
    files.dump(paths.environment, value)
    before = {name: values for attempt in attempts[:-1] for name, values in attempt.ranks.items()}
    new = [name for name, values in told.items() if not {*values} <= {*before.get(name, values)}]
    return [f"{name} {', '.join(before[name])} -> {', '.join(told[name])}" for name in new]


def gathered(ranks: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    """By name, the different values that ranks tell."""
    values: dict[str, set[str]] = {}
    for rank in ranks:
        for name, value in rank.items():
            values.setdefault(name, set()).add(value)
    return {name: sorted(several) for name, several in sorted(values.items())}


def _read(paths: RunPaths) -> tuple[dict[str, Any], Environment]:
    """The file as it is, and as it is understood. Raises UserError."""
    where, remedy = paths.environment, "Remove it and run the same command again: no result depends on it."
    value = files.parse(files.read(where, remedy), str(where), remedy)
    return value, files.checked(value, Environment, str(where), remedy)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
