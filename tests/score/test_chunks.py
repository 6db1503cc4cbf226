"""Five samples, two a chunk."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from editbench import manifests, shards
from editbench.errors import EditbenchError
from editbench.manifests import EditsFacts, Named, RowsEntry, ScoreManifest
from editbench.paths import ScorePaths
from editbench.records import EDIT_FAILED, ERROR, OK, UNPARSED, Judgement
from editbench.score.chunks import Chunks, RowFile

EDITS = EditsFacts(digest="e", benchmark=Named(name="bench"), model=Named(name="editor"))
STATUSES = (OK, OK, UNPARSED, EDIT_FAILED, OK)


@pytest.fixture
def chunks(tmp_path: Path) -> Chunks:
    paths = ScorePaths(tmp_path)
    paths.chunks.mkdir()
    return Chunks(paths, [RowFile(paths.scores, names(range(5)), range(0, 5, 2))])


def names(numbers: Iterable[int], audit: str = "") -> list[tuple[str, str]]:
    return [(f"k{number}", audit) for number in numbers]


def row(index: int, status: str) -> Judgement:
    score = float(index) if status == OK else None
    about = {"key": f"k{index}", "id": f"k{index}", "category": "c", "language": "en", "group": "g"}
    return Judgement(**about, status=status, score=score, response="\u2028 a line\n")


def put(chunks: Chunks, number: int, statuses: tuple[str, ...] = STATUSES) -> None:
    chunks.put(number, [row(index, statuses[index]) for index in chunks.rows_of(number)])


def judge(chunks: Chunks, statuses: tuple[str, ...] = STATUSES) -> ScoreManifest:
    chunks.paths.chunks.mkdir(exist_ok=True)
    for number in chunks.missing():
        put(chunks, number, statuses)
    return chunks.finish(EDITS, "i")


def files(chunks: Chunks) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in chunks.paths.root.iterdir() if path.is_file()}


def test_a_chunk_is_a_fixed_run_of_samples(chunks: Chunks) -> None:
    assert len(chunks) == 3
    assert [list(chunks.rows_of(number)) for number in range(3)] == [[0, 1], [2, 3], [4]]


def test_what_is_judged_is_not_missing(chunks: Chunks) -> None:
    put(chunks, 1)
    assert chunks.has(1)
    assert chunks.missing() == [0, 2]


def test_the_rows_come_in_order_whatever_the_order_of_the_chunks(chunks: Chunks) -> None:
    for number in (2, 0, 1):
        put(chunks, number)
    manifest = chunks.finish(EDITS, "i")
    rows = [orjson.loads(line) for line in chunks.paths.scores.read_bytes().split(b"\n")[:-1]]
    assert [(entry["key"], entry["status"], entry["score"]) for entry in rows] == [
        ("k0", OK, 0.0),
        ("k1", OK, 1.0),
        ("k2", UNPARSED, None),
        ("k3", EDIT_FAILED, None),
        ("k4", OK, 4.0),
    ]
    assert manifest.sha256 == shards.sha256(chunks.paths.scores)
    assert manifests.load(chunks.paths.manifest, ScoreManifest) == manifest
    assert not chunks.paths.chunks.exists()


def test_the_manifest_counts_and_averages_what_has_a_score(chunks: Chunks) -> None:
    manifest = judge(chunks)
    assert manifest.statuses == {EDIT_FAILED: 1, OK: 3, UNPARSED: 1}
    assert (manifest.samples, manifest.mean, manifest.min, manifest.max) == (5, 5 / 3, 0.0, 4.0)
    assert manifest.identity == "i"


def test_without_any_score_there_is_no_mean(chunks: Chunks) -> None:
    manifest = judge(chunks, (UNPARSED,) * 5)
    assert (manifest.mean, manifest.min, manifest.max) == (None, None, None)


def test_only_chunks_with_errors_are_judged_again_and_the_end_is_the_same(chunks: Chunks) -> None:
    judge(chunks)
    undisturbed = files(chunks)
    chunks.paths.scores.unlink()
    judge(chunks, (ERROR, OK, UNPARSED, EDIT_FAILED, ERROR))
    chunks.reopen()
    assert not chunks.paths.manifest.exists()
    assert chunks.missing() == [0, 2]
    judge(chunks)
    assert files(chunks) == undisturbed


def test_of_a_chunk_that_is_judged_again_only_the_rows_asked_for_change(chunks: Chunks) -> None:
    judge(chunks)
    before = chunks.paths.scores.read_bytes().splitlines()
    chunks.reopen({ERROR, UNPARSED})
    assert chunks.missing() == [1]
    chunks.put(1, [replace(row(index, OK), response="other words") for index in (2, 3)])
    chunks.finish(EDITS, "i")
    after = chunks.paths.scores.read_bytes().splitlines()
    assert [index for index in range(5) if before[index] != after[index]] == [2]


def test_a_crash_before_the_chunks_are_cleared_keeps_no_errors(chunks: Chunks, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Chunks, "clear", lambda self: None)
        judge(chunks, (ERROR, OK, UNPARSED, EDIT_FAILED, OK))
    assert chunks.missing() == []
    chunks.reopen()
    assert chunks.missing() == [0]


def test_a_crash_while_reopening_loses_nothing(chunks: Chunks, monkeypatch: pytest.MonkeyPatch) -> None:
    judge(chunks)
    undisturbed = files(chunks)

    unlink = Path.unlink

    def crash(path: Path, **options: bool) -> None:
        if path == chunks.paths.manifest:
            raise KeyboardInterrupt
        unlink(path, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", crash)
        with pytest.raises(KeyboardInterrupt):
            chunks.reopen()
    chunks.reopen()
    judge(chunks)
    assert files(chunks) == undisturbed


@pytest.mark.parametrize("damage", ["missing", "a row short", "cut within a row"])
def test_a_chunk_that_is_not_whole_stops_the_end(chunks: Chunks, damage: str) -> None:
    for number in range(3):
        put(chunks, number)
    path = chunks.paths.chunk(1)
    data = path.read_bytes()
    rest = {"missing": None, "a row short": data.splitlines(keepends=True)[0], "cut within a row": data[:-9]}[damage]
    path.unlink() if rest is None else path.write_bytes(rest)
    with pytest.raises(EditbenchError, match=r"00001\.jsonl (is missing|has been cut short|does not hold the rows)"):
        chunks.finish(EDITS, "i")
    assert not files(chunks)


AUDITED = (3, 0, 2, 1)
"""The sample that each control is about, in the order in which they are judged."""


@pytest.fixture
def audited(chunks: Chunks) -> Chunks:
    """The same with four controls, three a chunk, and an anchor."""
    paths = chunks.paths
    order = sorted(range(4), key=AUDITED.__getitem__)
    others = [
        RowFile(paths.audit, names(AUDITED, "repeat"), (0, 3), order),
        RowFile(paths.anchors, names((0,)), (0,), edits="d"),
    ]
    return Chunks(paths, [*chunks.files, *others])


def judge_all(chunks: Chunks, control: str = OK) -> ScoreManifest:
    chunks.paths.chunks.mkdir(exist_ok=True)
    for number in chunks.missing():
        indices = chunks.rows_of(number)
        if indices.stop <= 5:
            rows = [row(index, OK) for index in indices]
        elif indices.stop <= 9:
            rows = [replace(row(AUDITED[index - 5], control), audit="repeat") for index in indices]
        else:
            rows = [row(0, OK)]
        chunks.put(number, rows)
    return chunks.finish(EDITS, "i")


def test_a_chunk_holds_rows_of_one_file(audited: Chunks) -> None:
    assert [list(audited.rows_of(number)) for number in range(len(audited))] == [[0, 1], [2, 3], [4], [5, 6, 7], [8], [9]]
    assert [audited.title(number) for number in (2, 3, 5)] == ["chunk 2", "chunk 3 (audit)", "chunk 5 (anchors)"]


def test_controls_and_anchors_have_files_of_their_own_in_the_samples_order(audited: Chunks) -> None:
    manifest = judge_all(audited)
    rows = [orjson.loads(line) for line in audited.paths.audit.read_bytes().splitlines()]
    assert [(entry["key"], entry["audit"]) for entry in rows] == [(f"k{index}", "repeat") for index in range(4)]
    assert (manifest.samples, manifest.mean) == (5, 2.0)
    assert manifest.audit == RowsEntry(rows=4, statuses={OK: 4}, sha256=shards.sha256(audited.paths.audit))
    assert (manifest.anchors.edits, manifest.anchors.rows) == ("d", 1)


def test_the_scores_of_controls_are_none_of_the_samples(audited: Chunks) -> None:
    judge_all(audited)
    audited.reopen(())
    assert audited.scores() == {"c": [5, 10.0]}


def test_controls_are_judged_again_like_samples(audited: Chunks) -> None:
    judge_all(audited)
    undisturbed = files(audited)
    audited.paths.manifest.unlink()
    manifest = judge_all(audited, ERROR)
    assert (audited.statuses(manifest)[ERROR], audited.owed({ERROR})) == (4, [3, 4])
    audited.reopen()
    assert audited.missing() == [3, 4]
    judge_all(audited)
    assert files(audited) == undisturbed


def test_a_file_that_was_changed_is_judged_again_and_the_others_are_kept(audited: Chunks) -> None:
    manifest = judge_all(audited)
    undisturbed = files(audited)
    audited.paths.anchors.write_bytes(b"")
    damaged = audited.damaged(manifest)
    assert [file.title for file in damaged] == ["anchors"]
    assert audited.owed((), damaged) == [5]
    audited.reopen((), damaged)
    judge_all(audited)
    assert files(audited) == undisturbed
