from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from editbench import manifests, shards
from editbench.edits import Edits
from editbench.errors import UserError
from editbench.manifests import EditManifest, edits_digest
from editbench.paths import EditPaths

Make = Callable[..., Path]


def refused(root: Path, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Edits.open(root)


def test_edits_and_failures_come_in_the_order_of_the_benchmark(make_edits: Make) -> None:
    edits = Edits.open(make_edits(failed=("physical", "social", "referential")))
    assert [(entry.sample.key, entry.stored is not None) for entry in edits.entries] == [
        ("physical", False),
        ("environmental", True),
        ("social", False),
        ("causal", True),
        ("referential", False),
    ]


def test_the_record_of_the_benchmark_comes_along(make_edits: Make) -> None:
    sample = Edits.open(make_edits()).entries[0].sample
    assert (sample.id, sample.instruction, sample.group) == ("id of physical", "edit physical", "g")


def test_the_fields_of_a_sample_come_along_without_an_edit(make_edits: Make) -> None:
    paths = EditPaths(make_edits(failed=("social",)))
    row = orjson.loads(paths.failures.read_bytes())
    paths.failures.write_bytes(orjson.dumps(row | {"extra": {"hard": True}}))
    assert Edits.open(paths.root).entries[2].sample.extra == {"hard": True}


def test_the_flags_of_an_edit_come_along(make_edits: Make) -> None:
    edits = Edits.open(make_edits(failed=("causal",), flags={"social": ["uniform"]}))
    assert [list(entry.flags) for entry in edits.entries] == [[], [], ["uniform"], [], []]


def test_all_may_have_failed(make_edits: Make) -> None:
    edits = Edits.open(make_edits(failed=("physical", "environmental", "social", "causal", "referential")))
    assert [entry.stored for entry in edits.entries] == [None] * 5


def test_what_is_no_finished_folder_of_edits_is_refused(tmp_path: Path, benchmark: Path) -> None:
    refused(tmp_path / "missing", "no folder of edits")
    refused(tmp_path, "editing is not finished")
    refused(benchmark, "not the manifest of an edit run")


def test_a_shard_that_is_missing_or_changed_is_refused_by_name(make_edits: Make) -> None:
    paths = EditPaths(make_edits())
    data = bytearray(paths.shard(1).read_bytes())
    data[600] ^= 1
    paths.shard(1).write_bytes(data)
    refused(paths.root, r"edits-00001\.tar has other contents")
    assert len(Edits.open(paths.root, verify=False).entries) == 5
    paths.shard(1).unlink()
    refused(paths.root, r"edits-00001\.tar is missing")


@pytest.mark.parametrize("content", [None, b"", b"{\n", b"[]\n"])
def test_a_list_of_failures_that_is_missing_or_broken_is_refused(make_edits: Make, content: bytes | None) -> None:
    paths = EditPaths(make_edits(failed=("social",)))
    paths.failures.unlink() if content is None else paths.failures.write_bytes(content)
    refused(paths.root, r"failures\.jsonl")


def test_a_shard_without_edited_pictures_is_refused(make_edits: Make) -> None:
    paths = EditPaths(make_edits())
    shards.write_shard(paths.shard(0), [("physical", {"json": b"{}", "source.png": b""})])
    entries, manifest = shards.describe([paths.shard(0)], [1]), manifests.load(paths.manifest, EditManifest)
    counts = {"samples": 1, "edited": 1, "shards": entries, "digest": edits_digest(entries, [])}
    replace(manifest, **counts).dump(paths.manifest)
    refused(paths.root, r"sample physical has no edited picture")


def test_an_edit_may_be_of_any_kind_of_picture_that_shards_hold_and_is_one(make_edits: Make) -> None:
    paths = EditPaths(make_edits())
    (first, *_) = shards.index(paths.shard(0))
    members = {name: data for name, data in first.members().items() if name != "edited.png"}
    for edited in ("edited.jpg", "edited.webp"):
        shards.write_shard(paths.shard(0), [(first.key, {**members, edited: b"x"})])
        assert [stored.edited for stored in shards.index(paths.shard(0))] == [edited]
    shards.write_shard(paths.shard(0), [(first.key, {**members, "edited.jpg": b"x", "edited.png": b"x"})])
    with pytest.raises(UserError, match=f"{first.key} has two pictures of one number"):
        _ = shards.index(paths.shard(0))[0].edited
