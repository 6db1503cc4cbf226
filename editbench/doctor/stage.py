"""`editbench doctor`: what this machine can run, what is missing, and how to mend it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from rich.table import Table

from editbench import console
from editbench.doctor import accelerators, hub, packages
from editbench.doctor.check import FAULT, NOTE, OK, STAGES, Check
from editbench.errors import UserError

MARKS = {OK: "ok", NOTE: "note", FAULT: "FAULT"}


def doctor(wanted: Collection[str] = (), benchmark: Path | None = None, model: str | None = None) -> None:
    """Show a table of what is there, and a line on each thing that could be mended.

    `wanted`: the stages that are to run here. `benchmark` and `model`: a folder, and a model as `--model` takes it.

    Raises:
        UserError: no stage of that name, or one of `wanted` can't run.
    """
    if unknown := [stage for stage in wanted if stage not in STAGES]:
        raise UserError(f"--stage {unknown[0]} is no stage", f"Choose among {', '.join(STAGES)}.")
    checks = examine(benchmark, model)
    console.show(table(checks))
    for check in checks:
        if check.state != OK:
            console.say(f"{MARKS[check.state]}: {check.remedy}")
    for stage in STAGES:
        faults = ", ".join(check.what for check in faults_of(stage, checks))
        console.say(f"{stage}: {f'can not run: {faults}' if faults else 'can run'}")
    if broken := [stage for stage in STAGES if stage in wanted and faults_of(stage, checks)]:
        remedies = dict.fromkeys(check.remedy for stage in broken for check in faults_of(stage, checks))
        raise UserError(f"can't run here: {', '.join(broken)}", "\n".join(remedies))


def examine(benchmark: Path | None = None, model: str | None = None) -> list[Check]:
    """All probes, in the order of the table. None of them raises for what is missing."""
    checks = [*packages.checks()]
    torch, devices = accelerators.look()
    checks += torch
    checks += hub.checks()
    if any(check.stages == STAGES for check in checks if check.state == FAULT):
        return checks  # without what all stages need, the rest can't be looked at
    from editbench.doctor import room

    checks += room.disk(Path.cwd(), benchmark)
    if model is not None:
        checks += room.model(model, devices)
    return checks


def faults_of(stage: str, checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.state == FAULT and stage in check.stages]


def table(checks: Sequence[Check]) -> Table:
    stages = ("all" if check.stages == STAGES else ", ".join(check.stages) for check in checks)
    rows = [(each.what, each.here, each.tested, of, MARKS[each.state]) for each, of in zip(checks, stages, strict=True)]
    return console.escaped_table(("what", "here", "tested", "for", ""), rows, title="editbench doctor")
