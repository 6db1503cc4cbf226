"""Runs that are killed, interrupted or fed bad samples, with real processes."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

import orjson
import pytest
from processes import Command, alive, digests, edit, parent, ranks, score, wait_for

from editbench.paths import EditPaths, ScorePaths

SLOW = {"STAND_IN_SLEEP": "0.3"}


def spooled(out: Path) -> list[Path]:
    return list(EditPaths(out).spool.glob("*.tar"))


def working(out: Path) -> bool:
    return bool(spooled(out)) and bool(ranks(EditPaths(out)))


def killed(command: Command, out: Path, victim: str) -> int:
    """Start, SIGKILL the victim once an edit is finished; returns the command's exit status."""
    process = command.start()
    wait_for(lambda: working(out))
    rank = ranks(EditPaths(out))[0]
    keeper = parent(rank)
    victims = {"rank": rank, "keeper": keeper, "torchrun": parent(keeper), "launcher": process.pid}
    os.kill(victims[victim], signal.SIGKILL)
    process.communicate()
    wait_for(lambda: not any(map(alive, ranks(EditPaths(out)))))
    return process.returncode


def test_two_ranks_give_the_bytes_of_one(bench: Path, undisturbed: Path, tmp_path: Path) -> None:
    status, said = edit(bench, tmp_path / "edits", "--nproc", "2").run()
    assert status == 0, said
    assert digests(tmp_path / "edits") == digests(undisturbed)


@pytest.mark.parametrize(("victim", "status"), [("rank", 0), ("keeper", 0), ("torchrun", 0), ("launcher", -9)])
def test_a_killed_run_resumes_to_the_same_bytes(
    victim: str, status: int, bench: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out, calls = tmp_path / "edits", tmp_path / "calls"
    command = edit(bench, out, "--nproc", "2", STAND_IN_CALLS=str(calls), **SLOW)
    assert killed(command, out, victim) == status
    finished = {path.stem for path in spooled(out)}
    assert command.run()[0] == 0
    assert digests(out) == digests(undisturbed)
    assert all(count == 1 for key, count in Counter(calls.read_text().split()).items() if key in finished)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_says_so_and_resumes(number: int, status: int, bench: Path, undisturbed: Path, out: Path) -> None:
    process = edit(bench, out, **SLOW).start()
    wait_for(lambda: working(out))
    process.send_signal(number)
    _, err = process.communicate()
    assert (process.returncode, "interrupted after" in err) == (status, True)
    wait_for(lambda: not any(map(alive, ranks(EditPaths(out)))))
    assert edit(bench, out, "--nproc", "2").run()[0] == 0
    assert digests(out) == digests(undisturbed)


def test_a_failed_sample_is_recorded_and_retried(bench: Path, undisturbed: Path, out: Path, tmp_path: Path) -> None:
    status, said = edit(bench, out, STAND_IN_RAISE="s4").run()
    failures = [orjson.loads(line) for line in EditPaths(out).failures.read_bytes().splitlines()]
    assert (status, [(row["key"], row["reason"], row["attempts"]) for row in failures]) == (3, [("s4", "error", 1)]), said
    assert orjson.loads(EditPaths(out).manifest.read_bytes())["failures"] == {"error": 1}
    assert edit(bench, out, "--max-failures", "20%").run()[0] == 0  # nothing to do: one of eight may fail
    assert edit(bench, out, STAND_IN_CALLS=str(tmp_path / "calls")).run()[0] == 0
    assert (tmp_path / "calls").read_text().split() == ["s4"]
    assert digests(out) == digests(undisturbed)


def test_a_sample_that_takes_its_rank_down_is_set_aside_after_two(bench: Path, out: Path) -> None:
    status, said = edit(bench, out, "--nproc", "2", STAND_IN_DIE="s2").run()
    manifest = orjson.loads(EditPaths(out).manifest.read_bytes())
    assert (status, manifest["edited"], manifest["failures"]) == (3, 7, {"crash": 1}), said


def test_a_model_that_does_not_load_stops_all_ranks_with_one_message(bench: Path, tmp_path: Path) -> None:
    status, said = edit(bench, tmp_path / "edits", "--nproc", "2", STAND_IN_BREAK="yes").run()
    assert (status, said.count("the weights are broken"), "Traceback" in said) == (1, 1, False)


def test_a_second_run_on_the_folder_is_refused(bench: Path, out: Path) -> None:
    first = edit(bench, out, **SLOW).start()
    wait_for(lambda: spooled(out))
    status, said = edit(bench, out).run()
    first.terminate()
    first.communicate()
    assert (status, "another run is at work" in said) == (2, True)


def test_a_folder_of_other_settings_is_refused(bench: Path, undisturbed: Path) -> None:
    before = digests(undisturbed)
    status, said = edit(bench, undisturbed, "--seed", "7").run()
    assert (status, "settings.seed" in said, digests(undisturbed) == before) == (2, True, True)


def test_a_killed_scoring_resumes_to_the_same_bytes(undisturbed: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "scores"
    assert score(undisturbed, whole).run()[0] == 0
    process = score(undisturbed, out, "--nproc", "2", **SLOW).start()
    wait_for(lambda: list(ScorePaths(out).chunks.glob("0*.jsonl")))
    process.kill()
    process.communicate()
    assert score(undisturbed, out, "--nproc", "2").run()[0] == 0
    assert digests(out) == digests(whole)


def test_errors_of_the_judge_are_asked_again(undisturbed: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole", tmp_path / "scores"
    assert score(undisturbed, whole).run()[0] == 0
    status, said = score(undisturbed, out, STAND_IN_RAISE="s3").run()
    assert (status, "1 of 8 samples ended in an error" in said, "7 of 8 done, 1 failed" in said) == (3, True, True), said
    assert score(undisturbed, out, STAND_IN_CALLS=str(tmp_path / "calls")).run()[0] == 0
    assert sorted((tmp_path / "calls").read_text().split()) == ["s2", "s3"]
    assert digests(out) == digests(whole)
