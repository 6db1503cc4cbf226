from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import orjson
import pytest

from editbench import atomic, identity, manifests, shards
from editbench.edit.settings import EditSettings
from editbench.edit.spool import Spool
from editbench.edit.stage import EditStage
from editbench.errors import Incomplete, UserError
from editbench.fleet.run_options import RunOptions
from editbench.manifests import BenchmarkManifest, EditManifest, EditsFacts, Named, RowsEntry, ScoreManifest
from editbench.paths import BenchmarkPaths, EditPaths, ScorePaths
from editbench.verify.opening import examine
from editbench.verify.repair import set_aside
from editbench.verify.stage import verify

ROWS = "".join(
    f'{{"key":"{key}","id":"i","category":"c","language":"en","group":"g","status":"ok","score":1.0}}\n' for key in "ab"
).encode()


def write_manifest(
    paths: ScorePaths, rows: bytes, statuses: Mapping[str, int] = MappingProxyType({"ok": 2}), **others: RowsEntry
) -> None:
    """scores.jsonl, and the identity and the manifest that go with it."""
    paths.scores.write_bytes(rows)
    settled = identity.make("score")
    identity.settle(paths.identity, settled)
    edits = EditsFacts(digest="e", benchmark=Named(name="bench"), model=Named(name="model"))
    about = {"samples": 2, "statuses": dict(statuses), "mean": 1.0, "min": 1.0, "max": 1.0, "edits": edits}
    manifest = ScoreManifest(**about, identity=settled["digest"], sha256=hashlib.sha256(rows).hexdigest(), **others)
    replace(manifest, digest=manifest.own_digest()).dump(paths.manifest)


def told(*roots: Path, quick: bool = False) -> list[tuple[str, str]]:
    """Names of the files that something is wrong with, and the keys."""
    return [(finding.path.name, finding.key) for verdict in examine(roots, quick=quick) for finding in verdict.findings]


def messages(*roots: Path) -> str:
    return "\n".join(finding.message for verdict in examine(roots) for finding in verdict.findings)


def flip(path: Path, key: str, extension: str) -> None:
    """Change bytes in the middle of a member."""
    span = next(stored for stored in shards.index(path) if stored.key == key).spans[extension]
    data = bytearray(path.read_bytes())
    middle = span.offset + span.size // 2
    data[middle : middle + 4] = bytes(255 - byte for byte in data[middle : middle + 4])
    path.write_bytes(data)


def list_anew(root: Path) -> None:
    """Make the manifest of a benchmark say of the shards what is true of their bytes."""
    paths = BenchmarkPaths(root)
    old = manifests.load(paths.manifest, BenchmarkManifest)
    entries = shards.describe([paths.listed(entry.name) for entry in old.shards], [entry.samples for entry in old.shards])
    BenchmarkManifest.of(old.name, old.categories, entries).dump(paths.manifest)


@pytest.fixture
def scores(tmp_path: Path) -> ScorePaths:
    paths = ScorePaths(tmp_path)
    write_manifest(paths, ROWS)
    return paths


@pytest.fixture
def edits(make_edits: Callable[..., Path]) -> EditPaths:
    """Five edits, in shards of two, two and one."""
    return EditPaths(make_edits())


def test_whole_folders_are_told_as_that(
    benchmark: Path, make_edits: Callable[..., Path], scores: ScorePaths, capsys: pytest.CaptureFixture
) -> None:
    edits = make_edits(failed=("causal",), flags={"social": ["uniform"]})
    verify([benchmark, edits, scores.root])
    assert capsys.readouterr().out.splitlines() == [
        f"{benchmark}: benchmark five, 5 samples in 1 shard, whole",
        f"{edits}: edits, 4 of 5 samples in 3 shards, 1 flagged (1 uniform), whole",
        f"{scores.root}: scores, 2 rows, whole",
    ]


def test_everything_that_is_wrong_is_told_at_once(edits: EditPaths, benchmark: Path) -> None:
    flip(edits.shard(0), "physical", "source.png")
    flip(edits.shard(0), "environmental", "edited.png")
    edits.shard(1).unlink()
    edits.shard(2).write_bytes(edits.shard(2).read_bytes()[:600])
    BenchmarkPaths(benchmark).shard(0).unlink()
    with pytest.raises(UserError) as caught:
        verify([edits.root, benchmark])
    said = str(caught.value)
    assert said.startswith("7 faults found:\n")
    for part in (
        f"{edits.shard(0)} has other contents than its manifest says",
        "edits-00000.tar: physical.source.png is broken",
        "edits-00000.tar: environmental.edited.png is broken",
        "edits-00001.tar is missing",
        f"{edits.shard(2)} has ",
        "it ends inside referential.edited.png",
        "bench-00000.tar is missing",
    ):
        assert said.count(part) == 1


def test_a_picture_that_does_not_decode_is_told_whatever_the_manifest_says(benchmark: Path) -> None:
    flip(BenchmarkPaths(benchmark).shard(0), "social", "source.png")
    list_anew(benchmark)
    assert told(benchmark) == [("bench-00000.tar", "social")]
    assert told(benchmark, quick=True) == []


def test_quick_decodes_pictures_of_changed_shards(edits: EditPaths) -> None:
    flip(edits.shard(1), "causal", "edited.png")
    assert told(edits.root, quick=True) == [("edits-00001.tar", ""), ("edits-00001.tar", "causal")]


def test_a_record_that_is_wrong_is_told_with_its_key(benchmark: Path) -> None:
    path = BenchmarkPaths(benchmark).shard(0)
    samples = [(stored.key, stored.members()) for stored in shards.index(path)]
    samples[1][1]["json"] = b'{"key": "environmental"}'
    samples[3][1]["json"] = b"{"
    del samples[4][1]["source.png"]
    shards.write_shard(path, samples)
    list_anew(benchmark)
    assert told(benchmark) == [("bench-00000.tar", key) for key in ("environmental", "causal", "referential")]


def test_a_key_in_two_shards_is_told(edits: EditPaths) -> None:
    edits.shard(2).write_bytes(edits.shard(0).read_bytes())
    assert f"{edits.shard(2)}: key physical is taken by a sample of edits-00000.tar" in messages(edits.root)


def test_orphans_are_told_and_no_fault_of_the_rest(edits: EditPaths, benchmark: Path) -> None:
    edits.spool.mkdir()
    edits.spooled("social").write_bytes(b"")
    edits.shard(7).write_bytes(b"")
    BenchmarkPaths(benchmark).shard(1).write_bytes(b"")
    names = ["edits-00007.tar", "social.tar", "bench-00001.tar"]
    assert told(edits.root, benchmark) == [(name, "") for name in names]
    assert all(finding.orphan for verdict in examine([edits.root, benchmark]) for finding in verdict.findings)
    verify([edits.root, benchmark], repair=True)
    assert told(edits.root, benchmark) == []
    assert (edits.root / "social.tar.damaged").exists()


def test_failures_that_are_not_those_of_the_manifest_are_told(make_edits: Callable[..., Path]) -> None:
    paths = EditPaths(make_edits(failed=("social",)))
    paths.failures.write_bytes(b"")
    assert told(paths.root) == [("failures.jsonl", "")]


def test_an_identity_that_was_changed_is_told_and_can_not_be_repaired(edits: EditPaths) -> None:
    identity.settle(edits.root / "other.json", identity.make("edit", settings={}))
    (edits.root / "other.json").replace(edits.identity)
    assert told(edits.root) == [("manifest.json", "")]
    edits.identity.write_bytes(b"{}")
    with pytest.raises(UserError, match=r"can't be repaired:\n.*identity\.json is of another schema"):
        verify([edits.root], repair=True)


def test_edits_are_held_against_the_samples_they_were_asked_for(folders: Path, tmp_path: Path) -> None:
    settings = EditSettings(categories=("social", "causal"))
    plan = EditStage.plan(folders / "bench", "copy", tmp_path / "edits", settings, RunOptions())
    plan.paths.spool.mkdir(parents=True)
    identity.settle(plan.paths.identity, plan.identity)
    spool = Spool(plan.paths, ["physical", "causal"], 2)
    for stored in (stored for path in EditPaths(folders / "edits").all_shards() for stored in shards.index(path)):
        if stored.key in spool.keys:
            spool.put(stored.key, stored.members())
    spool.finish(Named(**plan.identity["benchmark"]), Named(**plan.model.identity), plan.identity["digest"])
    assert told(plan.paths.root) == []
    assert told(plan.paths.root, folders / "bench") == [("manifest.json", "social"), ("manifest.json", "physical")]


def test_scores_are_held_against_their_edits(folders: Path, tmp_path: Path) -> None:
    assert told(folders / "scores", folders / "edits") == []
    paths = ScorePaths(tmp_path)
    write_manifest(paths, ROWS)
    manifest = manifests.load(paths.manifest, ScoreManifest)
    digest = manifests.load(EditPaths(folders / "edits").manifest, EditManifest).digest
    manifest = replace(manifest, edits=replace(manifest.edits, digest=digest))
    replace(manifest, digest=manifest.own_digest()).dump(paths.manifest)
    keys = ["physical", "environmental", "social", "causal", "referential", "a", "b"]
    assert sorted(told(folders / "edits", paths.root)) == sorted(("scores.jsonl", key) for key in keys)


def test_rows_are_told_line_by_line(scores: ScorePaths) -> None:
    write_manifest(scores, ROWS.replace(b'"ok"', b'"fine"', 1) + ROWS.splitlines(keepends=True)[1] + b"{}\n")
    text = messages(scores.root)
    for part in ("line 1: Invalid enum value 'fine'", "line 3: key b is that of line 2 as well", "line 4: Object missing"):
        assert text.count(part) == 1
    write_manifest(scores, ROWS, {"ok": 1, "error": 1})
    assert "other rows than its manifest counts" in messages(scores.root)
    scores.scores.write_bytes(ROWS[:-1])
    text = messages(scores.root)
    assert "sha256 differs" in text
    assert "line 2: cut short" in text
    scores.scores.unlink()
    assert messages(scores.root) == f"{scores.scores} is missing"


def test_controls_and_anchors_are_whole_or_say_what_is_not(scores: ScorePaths) -> None:
    entry = RowsEntry(rows=2, statuses={"ok": 2}, sha256=hashlib.sha256(ROWS).hexdigest())
    scores.anchors.write_bytes(ROWS)
    assert told(scores.root) == [("anchors.jsonl", "")]  # no manifest names them
    scores.anchors.unlink()
    write_manifest(scores, ROWS, audit=entry, anchors=entry)
    scores.audit.write_bytes(ROWS)
    assert told(scores.root) == [("anchors.jsonl", "")]
    scores.anchors.write_bytes(ROWS)
    assert [verdict.summary for verdict in examine([scores.root])] == ["scores, 2 rows, 2 of audit, 2 of anchors"]


def test_a_folder_that_is_not_finished_is_looked_at_all_the_same(edits: EditPaths, scores: ScorePaths) -> None:
    edits.manifest.unlink()
    edits.shard(1).write_bytes(b"no tar")
    edits.spool.mkdir()
    stored = shards.index(edits.shard(2))[0]
    edits.spooled(stored.key).write_bytes(shards.pack(stored.key, stored.members()))
    edits.spooled("other").write_bytes(shards.pack(stored.key, stored.members()))
    edits.failed("lost").write_bytes(b"{}")
    named = [("manifest.json", ""), ("edits-00001.tar", ""), ("other.tar", "other"), ("lost.failed.json", "")]
    assert told(edits.root) == named
    scores.manifest.unlink()
    scores.chunks.mkdir()
    scores.chunk(0).write_bytes(ROWS)
    scores.chunk(1).write_bytes(b"{\n")
    assert told(scores.root) == [("manifest.json", ""), ("00001.jsonl", "")]


def test_what_is_no_folder_of_ours_is_told_and_left_alone(tmp_path: Path, benchmark: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError) as caught:
        verify([tmp_path / "other", tmp_path / "missing", BenchmarkPaths(benchmark).shard(0), benchmark], repair=True)
    assert [str(caught.value).count(about) for about in ("not a finished folder", "no folder")] == [1, 2]
    assert [*(tmp_path / "other").iterdir()] == []


def test_nothing_that_was_set_aside_is_written_over(tmp_path: Path) -> None:
    kept = []
    for text in ("first", "second", "third"):
        (tmp_path / "a.tar").write_text(text)
        kept.append(atomic.set_aside(tmp_path / "a.tar"))
    assert [path.name for path in kept] == ["a.tar.damaged", "a.tar.damaged-2", "a.tar.damaged-3"]
    assert [path.read_text() for path in kept] == ["first", "second", "third"]


def test_a_folder_in_which_a_run_is_at_work_is_not_repaired(edits: EditPaths) -> None:
    from editbench import run_folder

    edits.shard(0).write_bytes(b"")
    verdict = examine([edits.root])[0]
    with run_folder.locked(edits), pytest.raises(UserError, match="another run is at work"):
        set_aside(verdict)
    assert edits.manifest.exists()


def test_nothing_is_moved_out_of_a_folder_that_is_a_link(edits: EditPaths, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "social.tar").write_bytes(b"")
    edits.spool.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="is a link"):
        verify([edits.root], repair=True)
    assert (tmp_path / "elsewhere" / "social.tar").exists()


def test_settings_that_can_not_be_are_no_crash(folders: Path, edits: EditPaths) -> None:
    manifest = manifests.load(edits.manifest, EditManifest)
    settled = identity.make("edit", settings={"shard_size": "two", "categories": 3})
    edits.identity.unlink()
    identity.settle(edits.identity, settled)
    digest = manifests.load(BenchmarkPaths(folders / "bench").manifest, BenchmarkManifest).digest
    named = replace(manifest.benchmark, digest=digest)
    replace(manifest, identity=settled["digest"], benchmark=named).dump(edits.manifest)
    assert told(folders / "bench", edits.root) == []
    edits.failures.write_bytes(b"{")
    with pytest.raises(Incomplete):
        verify([edits.root], repair=True)


def test_a_manifest_that_is_broken_is_made_again_from_what_is_there(edits: EditPaths) -> None:
    edits.manifest.write_bytes(orjson.dumps({"schema": 1, "edited": "many"}))
    assert told(edits.root) == [("manifest.json", "")]
    with pytest.raises(Incomplete):
        verify([edits.root], repair=True)
    assert not edits.manifest.exists()


def test_a_benchmark_keeps_its_manifest_for_the_import_that_puts_shards_back(benchmark: Path) -> None:
    flip(BenchmarkPaths(benchmark).shard(0), "social", "source.png")
    with pytest.raises(Incomplete):
        verify([benchmark], repair=True)
    assert sorted(path.name for path in benchmark.iterdir()) == ["bench-00000.tar.damaged", "manifest.json"]


def test_repair_keeps_all_that_is_whole(edits: EditPaths) -> None:
    before = edits.shard(0).read_bytes()
    flip(edits.shard(1), "social", "edited.png")
    with pytest.raises(Incomplete, match="lacks what was set aside") as caught:
        verify([edits.root], repair=True)
    assert "the command that made it once more" in caught.value.remedy
    names = sorted(path.name for path in edits.root.iterdir() if path.name.startswith(("edits-", "manifest")))
    assert names == ["edits-00000.tar", "edits-00001.tar.damaged", "edits-00002.tar", "manifest.json.damaged"]
    assert edits.shard(0).read_bytes() == before
