"""Runs whose folders were damaged, repaired by `verify` and made whole by the same command."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from processes import Command, digests, edit, score

from editbench.paths import EditPaths, ScorePaths


def repaired(folder: Path) -> None:
    status, said = Command(["verify", str(folder), "--repair"]).run()
    assert status == 3, said
    assert "set aside" in said


def whole(folder: Path) -> None:
    status, said = Command(["verify", str(folder)]).run()
    assert (status, said.endswith(", whole\n")) == (0, True), said


def _garbage(paths: EditPaths) -> None:
    paths.shard(1).write_bytes(b"\0" * paths.shard(1).stat().st_size)


def _foreign(paths: EditPaths) -> None:
    paths.shard(1).write_bytes(paths.shard(0).read_bytes())


@pytest.mark.parametrize("damage", [_garbage, _foreign])
def test_edits_of_broken_shards_alone_are_made_again(
    damage: Callable[[EditPaths], None], bench: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out, calls = shutil.copytree(undisturbed, tmp_path / "edits"), tmp_path / "calls"
    damage(EditPaths(out))
    repaired(out)
    status, said = edit(bench, out, STAND_IN_CALLS=str(calls)).run()
    assert status == 0, said
    assert sorted(calls.read_text().split()) == ["s3", "s4", "s5"]
    assert digests(out) == digests(undisturbed)
    whole(out)


def test_a_run_without_its_failures_tries_those_shards_again(bench: Path, undisturbed: Path, tmp_path: Path) -> None:
    out, calls = tmp_path / "edits", tmp_path / "calls"
    assert edit(bench, out, STAND_IN_RAISE="s4").run()[0] == 3
    EditPaths(out).failures.write_bytes(b"{")
    repaired(out)
    status, said = edit(bench, out, STAND_IN_CALLS=str(calls)).run()
    assert status == 0, said
    assert sorted(calls.read_text().split()) == ["s3", "s4", "s5", "s6", "s7"]  # the last shard of eight has two
    assert digests(out) == digests(undisturbed)


def test_scores_that_are_broken_are_judged_again_and_controls_that_are_whole_stay(undisturbed: Path, tmp_path: Path) -> None:
    out, calls = tmp_path / "scores", tmp_path / "calls"
    command = score(undisturbed, out, "--audit", "50%", STAND_IN_CALLS=str(calls))
    assert command.run()[0] == 0
    paths = ScorePaths(out)
    before, audit, judged = digests(out), paths.audit.read_bytes(), len(calls.read_text().split())
    calls.unlink()
    paths.scores.write_bytes(paths.scores.read_bytes()[:-40])
    repaired(out)
    status, said = command.run()
    assert status == 0, said
    assert (digests(out), paths.audit.read_bytes()) == (before, audit)
    assert len(calls.read_text().split()) < judged
    whole(out)
