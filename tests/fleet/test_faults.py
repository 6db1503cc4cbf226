"""What goes wrong below a run: memory, disks, clocks, hung and hopeless ranks. With real processes."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from processes import alive, digests, edit, ranks, score, wait_for

from editbench.paths import EditPaths

SLOW = {"STAND_IN_SLEEP": "0.3"}


def log(out: Path) -> str:
    """What rank 0 logged, in all attempts."""
    return "".join(path.read_text() for path in out.rglob(EditPaths(out).attempt(1).rank_log(0).name))


def test_a_sample_that_ran_out_of_memory_is_tried_again(bench: Path, undisturbed: Path, out: Path, tmp_path: Path) -> None:
    assert edit(bench, out, STAND_IN_OOM=f"s3:{tmp_path / 'once'}").run()[0] == 0
    assert (digests(out), "asked to run out of memory" in log(out)) == (digests(undisturbed), True)


def test_a_hung_rank_is_stopped_with_its_stacks_logged_and_its_sample_retried(
    bench: Path, undisturbed: Path, out: Path, tmp_path: Path
) -> None:
    assert edit(bench, out, "--stall-timeout", "4", STAND_IN_HANG=f"s3:{tmp_path / 'once'}").run()[0] == 0
    assert (digests(out), "in _misbehave" in log(out)) == (digests(undisturbed), True)


def test_a_rank_that_can_not_start_is_given_up_and_the_others_finish(bench: Path, undisturbed: Path, out: Path) -> None:
    status, said = edit(bench, out, "--nproc", "2", STAND_IN_EXIT_RANK="1", STAND_IN_SLEEP="0.1").run()
    assert (status, digests(out) == digests(undisturbed)) == (0, True), said


def test_a_fleet_that_can_not_start_ends_with_a_message(bench: Path, tmp_path: Path) -> None:
    status, said = edit(bench, tmp_path / "edits", STAND_IN_EXIT_RANK="0").run()
    assert (status, "died again and again" in said, "Traceback" in said) == (1, True, False), said


def test_a_clock_that_jumps_changes_nothing(bench: Path, undisturbed: Path, out: Path) -> None:
    assert edit(bench, out, STAND_IN_CLOCK="yes").run()[0] == 0
    assert digests(out) == digests(undisturbed)


def test_a_shard_cut_short_is_made_again(bench: Path, undisturbed: Path, out: Path, tmp_path: Path) -> None:
    assert edit(bench, out).run()[0] == 0
    shard, paths = EditPaths(out).shard(1), EditPaths(out)
    shard.write_bytes(shard.read_bytes()[:1000])
    status, said = edit(bench, out, STAND_IN_CALLS=str(tmp_path / "calls")).run()
    assert (status, sorted((tmp_path / "calls").read_text().split())) == (0, ["s3", "s4", "s5"]), said
    assert digests(paths.root) == digests(undisturbed)


@pytest.mark.parametrize("size", [7_000, 25_000], ids=["a spool file", "a shard"])
def test_a_disk_full_at(size: int, bench: Path, undisturbed: Path, out: Path) -> None:
    process = edit(bench, out).start(file_limit=size)
    _, err = process.communicate()
    assert (process.returncode, "could not be written" in err, "Traceback" in err) == (2, True, False), err
    assert not list(out.rglob("*.tmp"))
    assert edit(bench, out).run()[0] == 0
    assert digests(out) == digests(undisturbed)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 120 kB."""
    root = tmp_path / "disk"
    root.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(root)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    yield root
    subprocess.run(["umount", "-l", str(root)], check=True)


def test_a_really_full_disk_loses_nothing(bench: Path, undisturbed: Path, small_disk: Path) -> None:
    out = small_disk / "edits"
    status, said = edit(bench, out).run()
    assert (status, "No space left" in said, "Traceback" in said) == (2, True, False), said
    subprocess.run(["mount", "-o", "remount,size=10m", str(small_disk)], check=True)
    status, said = edit(bench, out).run()
    assert (status, digests(out) == digests(undisturbed)) == (0, True), said


def test_scoring_onto_a_full_disk_loses_nothing(undisturbed: Path, small_disk: Path, tmp_path: Path) -> None:
    out = small_disk / "scores"
    (small_disk / "other").write_bytes(bytes(95_000))
    status, said = score(undisturbed, out).run()
    assert (status, "No space left" in said, "Traceback" in said, "bug of editbench" in said) == (2, True, False, False), said
    (small_disk / "other").unlink()
    assert score(undisturbed, out).run()[0] == 0
    assert score(undisturbed, tmp_path / "scores").run()[0] == 0
    assert digests(out) == digests(tmp_path / "scores")


def test_a_read_only_folder_is_refused(bench: Path, small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    status, said = edit(bench, small_disk / "edits").run()
    assert (status, "can't write into" in said) == (2, True), said


@pytest.mark.parametrize(("signals", "grace"), [([signal.SIGTERM], 1), ([signal.SIGINT, signal.SIGINT], 1000)])
def test_a_stubborn_rank_does_not_hold_up_the_end(signals: list[int], grace: int, bench: Path, tmp_path: Path) -> None:
    out, stubborn = tmp_path / "edits", tmp_path / "stubborn"
    process = edit(bench, out, STAND_IN_STUBBORN=f"s1:{stubborn}", EDITBENCH_GRACE=str(grace)).start()
    events = [stubborn, tmp_path / "stubborn-was-told-to-end"]
    for event, number in zip(events, signals, strict=False):
        wait_for(event.exists)
        process.send_signal(number)
    process.communicate()
    assert process.returncode == 128 + signals[0]
    wait_for(lambda: not any(map(alive, ranks(EditPaths(out)))))


def test_lockstep_and_bounded_loading_change_no_bytes_and_leave_nothing_behind(
    bench: Path, undisturbed: Path, out: Path, tmp_path: Path
) -> None:
    (temporary := tmp_path / "temporary").mkdir()
    options = ("--nproc", "2", "--sync-every", "2", "--load-parallel", "1")
    assert edit(bench, out, *options, TMPDIR=str(temporary)).run()[0] == 0
    assert (digests(out), [*temporary.iterdir()]) == (digests(undisturbed), [])


def test_a_failed_edit_does_not_stop_the_scoring(bench: Path, tmp_path: Path) -> None:
    assert edit(bench, tmp_path / "edits", "--max-failures", "1", STAND_IN_RAISE="s4").run()[0] == 0
    assert score(tmp_path / "edits", tmp_path / "scores").run()[0] == 0
    rows = [orjson.loads(line) for line in (tmp_path / "scores/scores.jsonl").read_bytes().splitlines()]
    assert [(row["key"], row["status"]) for row in rows if row["score"] is None] == [("s4", "edit_failed")]


def test_an_editor_that_exits_is_no_end_of_the_rank(bench: Path, out: Path) -> None:
    status, said = edit(bench, out, STAND_IN_EXIT="s2").run()
    manifest = orjson.loads(EditPaths(out).manifest.read_bytes())
    assert (status, manifest["edited"], manifest["failures"]) == (3, 7, {"crash": 1}), said


def test_a_lost_accelerator_begins_a_new_life(bench: Path, undisturbed: Path, out: Path, tmp_path: Path) -> None:
    assert edit(bench, out, STAND_IN_LOST=f"s3:{tmp_path / 'once'}").run()[0] == 0
    assert (digests(out), "asked to lose the device" in log(out)) == (digests(undisturbed), True)
