"""Whatever is changed in a file that is read back, the answer is one message for the user, or a result, and no other exception.

Each loader is given files of a real folder with something changed in them: JSON with other values; shards, pictures and texts
with other bytes. `HYPOTHESIS_PROFILE=long pytest tests/test_hostile_files.py` tries many more.
"""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console

from editbench import files, identity, images, manifests, shards
from editbench.benchmarks.benchmark import Benchmark
from editbench.benchmarks.stage import import_benchmark
from editbench.edit.model_index import check_whole
from editbench.edit.spool import Spool
from editbench.edits import Edits
from editbench.errors import EditbenchError
from editbench.fleet.panel.screen import screen
from editbench.fleet.panel.snapshot import Observer
from editbench.fleet.panel.summary import summary
from editbench.fleet.status import Event, Gpu, RankStatus, RunStatus
from editbench.fleet.tracker import Tracker
from editbench.manifests import BenchmarkManifest, EditManifest, EditsFacts, Named
from editbench.paths import RECORD, BenchmarkPaths, EditPaths, ScorePaths, TinyPaths
from editbench.records import Failure
from editbench.report.options import ReportOptions
from editbench.report.records import runs
from editbench.report.render import terminal
from editbench.report.render.html.thumbnails import encode
from editbench.report.stage import report
from editbench.score import rubric
from editbench.score.checkpoint import check_local
from editbench.score.chunks import Chunks, RowFile
from editbench.verify import stage as verifying

KEYS = ("physical", "environmental", "social", "causal", "referential")
DEEP = (300, 3000)
VALUES = st.sampled_from(
    [
        *(f"{levels} levels" for levels in DEEP),
        *(None, True, False, 0, -1, 7, 2**63, -(2**70), 0.5, 1e308, "", "x", "a" * 300, "\0", "\x1b[2J", "雪", "1"),
        *("../../precious", "/etc/passwd", "edits-00000.tar", "ok", "error", "=1+1", "{instruction}", "~nosuchuser/x"),
        *([], {}, [[]], [None], ["a", "a"], [1, 2, 3], {"a": 1}, {"": {}}, [[[[[[]]]]]], {"name": "x", "digest": "y"}),
    ]
).map(deepcopy)


def spots(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value within a value, its own first."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(spot for key, part in inner for spot in spots(part, (*path, key)))]


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """A JSON value in which one to three things are replaced, removed, doubled, nested or put in."""
    value = deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        *path, key = draw(st.sampled_from(spots(value)[1:] or [(None,)]))
        holder = value
        for step in path:
            holder = holder[step]
        how = draw(st.sampled_from(["replace", "replace", "remove", "double", "nest", "put"]))
        if not spots(value)[1:]:
            return draw(VALUES)
        if how == "remove":
            del holder[key]
        elif how == "double" and isinstance(holder, list):
            holder.append(deepcopy(holder[key]))
        elif how == "nest":
            holder[key] = [holder[key]]
        elif how == "put" and isinstance(holder, dict):
            holder[draw(st.sampled_from(["", "key", "schema", "name", "../x", "a" * 300]))] = draw(VALUES)
        else:
            holder[key] = draw(VALUES)
    return value


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes of which a few are changed, cut out, repeated or put in."""
    data = bytearray(data)
    for _ in range(draw(st.integers(1, 6))):
        at, size = draw(st.integers(0, max(len(data) - 1, 0))), draw(st.integers(1, 12))
        how = draw(st.sampled_from(["set", "set", "cut", "insert", "repeat", "zero"]))
        if how == "cut":
            del data[at : at + size]
        elif how == "repeat":
            data[at:at] = data[at : at + 40 * size]
        else:
            data[at : at + (0 if how == "insert" else size)] = bytes(size) if how == "zero" else draw(st.binary(max_size=size))
    return bytes(data)


def dumped(value: Any) -> bytes:
    """JSON as a program less strict than ours would write it."""
    data = json.dumps(value).encode()
    for levels in DEEP:
        data = data.replace(f'"{levels} levels"'.encode(), b"[" * levels + b"]" * levels)
    return data


def answered(load: Callable[[], Any]) -> None:
    """Passes on whatever is not meant for the user."""
    try:
        load()
    except EditbenchError as error:
        assert str(error)  # noqa: PT017


def fresh(folders: Path, tmp_path: Path, folder: str) -> Path:
    """A copy of one of the folders, in place of that of the last example."""
    shutil.rmtree(tmp_path / folder, ignore_errors=True)
    shutil.copytree(folders / folder, tmp_path / folder)
    return tmp_path / folder


LOADERS = {"bench": Benchmark.open, "edits": Edits.open, "scores": runs.load}
JSON_FILES = (
    *(("bench", "manifest"), ("edits", "manifest"), ("edits", "failures")),
    *(("scores", "manifest"), ("scores", "identity"), ("scores", "scores"), ("scores", "environment")),
)


def change(data: st.DataObject, path: Path) -> None:
    """Change a JSON file, or one line of a file of such lines; what it says of its digest is right half of the time."""
    lines = path.read_bytes().splitlines() if path.suffix == ".jsonl" else [path.read_bytes()]
    at = data.draw(st.integers(0, len(lines) - 1))
    value = data.draw(changed(orjson.loads(lines[at])))
    if isinstance(value, dict) and "digest" in value and data.draw(st.booleans()):
        value["digest"] = right_digest(value)
    lines[at] = dumped(value)
    path.write_bytes(b"\n".join(lines) + b"\n")


def right_digest(value: dict[str, Any]) -> Any:
    try:
        whole = {name: part for name, part in value.items() if name != "digest"}
        return identity.digest(value["shards"] if "categories" in value else whole)
    except (KeyError, TypeError):
        return value.get("digest")


@pytest.mark.parametrize(("folder", "name"), JSON_FILES)
@given(data=st.data())
def test_a_changed_file_of_a_folder(folders: Path, tmp_path: Path, folder: str, name: str, data: st.DataObject) -> None:
    root = fresh(folders, tmp_path, folder)
    change(data, getattr(ScorePaths(root) if folder == "scores" else EditPaths(root), name))
    answered(lambda: LOADERS[folder](root))
    answered(lambda: verifying.verify([root]))


@settings(max_examples=settings.default.max_examples // 2)
@given(data=st.data())
def test_an_identity_that_a_report_is_made_of(folders: Path, tmp_path: Path, data: st.DataObject) -> None:
    root = fresh(folders, tmp_path, "scores")
    path = ScorePaths(root).identity
    value = data.draw(changed(orjson.loads(path.read_bytes())))
    if isinstance(value, dict):
        value["digest"] = right_digest(value)
    path.write_bytes(dumped(value))
    quick = ReportOptions(resamples=100, figures=False, html=False)
    answered(lambda: terminal.render(report([root], tmp_path / "report", quick)))


@given(data=st.data())
def test_rows_that_go_with_their_manifest(folders: Path, tmp_path: Path, data: st.DataObject) -> None:
    paths = ScorePaths(fresh(folders, tmp_path, "scores"))
    change(data, paths.scores)
    manifest = replace(manifests.load(paths.manifest, manifests.ScoreManifest), sha256=shards.sha256(paths.scores))
    replace(manifest, digest=manifest.own_digest()).dump(paths.manifest)
    answered(lambda: runs.load(paths.root))
    answered(lambda: verifying.verify([paths.root]))


def listed_anew(root: Path, folder: str) -> None:
    """Make the manifest say of the shards what is true of their bytes."""
    if folder == "bench":
        paths = BenchmarkPaths(root)
        old = manifests.load(paths.manifest, BenchmarkManifest)
        entries = shards.describe([paths.listed(entry.name) for entry in old.shards], [entry.samples for entry in old.shards])
        BenchmarkManifest.of(old.name, old.categories, entries).dump(paths.manifest)
    else:
        paths = EditPaths(root)
        old = manifests.load(paths.manifest, EditManifest)
        entries = shards.describe([paths.listed(entry.name) for entry in old.shards], [entry.samples for entry in old.shards])
        failed = [(row.index, row.key, row.reason) for row in files.rows(paths.failures, Failure)]
        replace(old, shards=entries, digest=manifests.edits_digest(entries, failed)).dump(paths.manifest)


@pytest.mark.parametrize("folder", ["bench", "edits"])
@given(data=st.data())
def test_a_record_that_was_changed(folders: Path, tmp_path: Path, folder: str, data: st.DataObject) -> None:
    root = fresh(folders, tmp_path, folder)
    path = (BenchmarkPaths(root) if folder == "bench" else EditPaths(root)).shard(0)
    stored = [(sample.key, sample.members()) for sample in shards.index(path)]
    _, members = data.draw(st.sampled_from(stored))
    members[RECORD] = dumped(data.draw(changed(orjson.loads(members[RECORD]))))
    shards.write_shard(path, stored)
    listed_anew(root, folder)
    answered(lambda: LOADERS[folder](root))
    answered(lambda: verifying.verify([root]))


@pytest.mark.parametrize("folder", ["bench", "edits"])
@given(data=st.data())
def test_a_shard_of_other_bytes(folders: Path, tmp_path: Path, folder: str, data: st.DataObject) -> None:
    root = fresh(folders, tmp_path, folder)
    path = (BenchmarkPaths(root) if folder == "bench" else EditPaths(root)).shard(0)
    path.write_bytes(data.draw(damaged(path.read_bytes())))
    answered(lambda: LOADERS[folder](root))
    listed_anew(root, folder)
    answered(
        lambda: [sample.members() for sample in LOADERS[folder](root).stored] if folder == "bench" else verifying.verify([root])
    )
    answered(lambda: LOADERS[folder](root, verify=False))


@given(data=st.data())
def test_a_spool_that_is_not_what_it_was(folders: Path, tmp_path: Path, data: st.DataObject) -> None:
    paths = EditPaths(fresh(folders, tmp_path, "edits"))
    paths.spool.mkdir()
    for stored in shards.index(paths.shard(0)):
        paths.spooled(stored.key).write_bytes(data.draw(damaged(shards.pack(stored.key, stored.members()))))
    paths.failed("social").write_bytes(dumped(data.draw(changed({"key": "social", "index": 2, "reason": "error"}))))
    paths.shard(0).unlink()
    spool = Spool(paths, KEYS, 2)
    answered(spool.set_aside_damaged)
    answered(spool.pending)
    answered(lambda: spool.finish(Named(name="five"), Named(name="copy"), "i"))


@given(data=st.data())
def test_chunks_that_are_not_what_they_were(folders: Path, tmp_path: Path, data: st.DataObject) -> None:
    paths = ScorePaths(fresh(folders, tmp_path, "scores"))
    paths.chunks.mkdir()
    shutil.copy(paths.scores, paths.chunk(0))
    change(data, paths.chunk(0))
    chunks = Chunks(paths, [RowFile(paths.scores, [(key, "") for key in KEYS], (0,))])
    answered(chunks.scores)
    answered(lambda: chunks.finish(EditsFacts(digest="d", benchmark=Named(name="b"), model=Named(name="m")), "i"))
    answered(lambda: [change(data, paths.scores), chunks.reopen()])


RANK = RankStatus(
    *(0, 1),
    item="a",
    gpu=Gpu("g", 1.0, 2, 3, 4.0, 5.0),
    scores={"c": [1, 2.0]},
    slowest=[("a", 1.0)],
    seconds={"computing": 1.0},
    events=[Event("a", "c", "ok", 1.0, 2.0, "n", "b", 1)],
)


@given(data=st.data())
def test_a_status_that_can_be_read_can_be_shown(tmp_path: Path, data: st.DataObject) -> None:
    paths = ScorePaths(tmp_path)
    paths.status.mkdir(exist_ok=True)
    run = RunStatus(stage="score", title="t", total=5, before=0, attempt=1, ranks=1, began=0.0, scale=[1.0, 5.0])
    for path, value in ((paths.rank_status(0), RANK), (paths.run_status, run)):
        path.write_bytes(dumped(data.draw(changed(orjson.loads(orjson.dumps(value))))))
    rank, run = RankStatus.read(paths.rank_status(0)), RunStatus.read(paths)
    if rank is not None and run is not None:
        tracker = Tracker(run.total, run.before)
        tracker.update([rank])
        shown = Console(file=io.StringIO(), width=80)
        shown.print(screen(Observer(run, paths, tracker).look(), 80, 24), summary(run, tracker.totals()))


FORMATS = {name: {} for name in images.FORMATS} | {
    "JPEG": {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0"}
}


@pytest.mark.parametrize("kind", FORMATS)
@given(data=st.data())
def test_a_picture_of_other_bytes(kind: str, data: st.DataObject) -> None:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((24, 16)).convert("RGB").save(buffer, kind, **FORMATS[kind])
    picture = data.draw(damaged(buffer.getvalue()))
    for read in (images.decode, images.size, images.suffix, lambda *given: encode(*given, 8)):
        answered(lambda read=read: read(picture, "picture"))


@given(data=st.data())
def test_a_rubric_of_other_text(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(data.draw(damaged(rubric.template().encode())))
    answered(lambda: rubric.load(str(path)))


@given(data=st.data())
def test_a_rubric_of_other_values(data: st.DataObject) -> None:
    value = data.draw(changed(SMALL))
    answered(lambda: rubric.parse(dumped(value).decode(), "rubric"))


SMALL = {
    "name": "n",
    "version": 1,
    "scale": [0, 10],
    "languages": ["en"],
    "any_category": True,
    "score": "mean(all)",
    "criteria": {"score": {"range": [0, 10], "labels": ["mark"], "text": {"en": "how good"}}},
    "questions": {"edit": {"images": ["source", "edited"], "criteria": ["score"], "text": {"en": "{instruction} {criteria}"}}},
    "form": {"en": {"generate": "{answers}", "expected": ""}},
    "answer_prefix": {"generate": "", "expected": "Score: "},
    "steps": {"half": "score / 2"},
    "headline": {"aggregate": "micro", "percent": [0, 10], "pools": {}},
}


@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv"])
@given(data=st.data())
def test_a_table_of_other_values_and_bytes(tmp_path: Path, suffix: str, data: st.DataObject) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    row = {"id": "a", "image": "a.png", "instruction": "x", "category": "c", "images": ["a.png"], "group": "g", "n": 1}
    text = dumped(data.draw(changed([row, {**row, "id": "b"}])))
    if suffix != ".json":
        text = {".jsonl": b'{"id":"a","image":"a.png","instruction":"x"}\n', ".csv": b'id,image,instruction\n"a",a.png,x\n'}[
            suffix
        ]
        text = data.draw(damaged(text))
    (tmp_path / f"table{suffix}").write_bytes(text)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    answered(lambda: import_benchmark(tmp_path / f"table{suffix}", format="jsonl", out=tmp_path / "out"))


@given(data=st.data())
def test_a_checkpoint_with_other_settings(checkpoints: TinyPaths, tmp_path: Path, data: st.DataObject) -> None:
    for source, load in ((checkpoints.judge, check_local), (checkpoints.editor, check_whole)):
        copy = tmp_path / source.name
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(source, copy, copy_function=lambda there, here: Path(here).hardlink_to(there))
        path = data.draw(st.sampled_from(sorted(copy.glob("*.json"))))
        value = dumped(data.draw(changed(orjson.loads(path.read_bytes()))))
        path.unlink()
        path.write_bytes(value)
        answered(lambda load=load, copy=copy: load(copy))
