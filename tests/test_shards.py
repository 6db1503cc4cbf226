from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import orjson
import pytest
from PIL import Image

from editbench import images, shards
from editbench.errors import UserError
from editbench.paths import Folder
from editbench.shards import ShardEntry

SAMPLES = [
    ("a-1", {"source.png": b"first", "json": b'{"key":"a-1"}', "edited.png": b"x" * 3000}),
    ("b_2", {"json": b'{"key":"b_2"}', "source2.jpg": b"second", "source10.png": b"tenth", "source.webp": b""}),
]


@pytest.fixture
def shard(tmp_path: Path) -> Path:
    path = tmp_path / "edits-00000.tar"
    shards.write_shard(path, SAMPLES)
    return path


def test_equal_samples_are_equal_bytes_whatever_the_order_of_members(shard: Path, tmp_path: Path) -> None:
    shards.write_shard(tmp_path / "two.tar", [(key, dict(reversed(members.items()))) for key, members in SAMPLES])
    assert shard.read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_the_bytes_of_a_shard_never_change(shard: Path) -> None:
    (first, one), (second, two) = SAMPLES
    shards.write_shard(shard, [(first, {**one, "json": b'{"id": 1}'}), (second, {**two, "json": b'{"id": 2}'})])
    assert shards.sha256(shard) == "ab1a634322b4889899888df46a3b860978ee160f43102f9a770a3402c00c351d"


def test_members_have_no_time_and_no_owner(shard: Path) -> None:
    with tarfile.open(shard) as tar:
        members = tar.getmembers()
    assert {(entry.mtime, entry.uid, entry.gid, entry.uname, entry.gname, entry.mode) for entry in members} == {
        (0, 0, 0, "", "", 0o644)
    }
    assert [entry.name for entry in members if entry.name.startswith("a")] == ["a-1.edited.png", "a-1.json", "a-1.source.png"]


def test_an_index_finds_every_member(shard: Path) -> None:
    assert [(stored.key, stored.members()) for stored in shards.index(shard)] == SAMPLES
    assert [stored.record() for stored in shards.index(shard)] == [{"key": "a-1"}, {"key": "b_2"}]


def test_pictures_come_in_the_order_of_their_numbers(shard: Path) -> None:
    assert shards.index(shard)[1].images("source") == ["source.webp", "source2.jpg", "source10.png"]
    assert shards.index(shard)[1].images("reference") == []


def test_plain_webdataset_reads_a_shard(shard: Path) -> None:
    import webdataset

    read = list(webdataset.WebDataset(str(shard), shardshuffle=False))
    assert [entry["__key__"] for entry in read] == ["a-1", "b_2"]
    assert {name: read[0][name] for name in SAMPLES[0][1]} == SAMPLES[0][1]


def test_datasets_reads_a_shard(tmp_path: Path) -> None:
    import datasets

    picture = images.encode_png(Image.new("RGB", (4, 3), "red"))
    shards.write_shard(tmp_path / "one.tar", [("a", {"json": b'{"id": "1"}', "source.png": picture})])
    read = datasets.load_dataset("webdataset", data_files=str(tmp_path / "one.tar"), split="train", cache_dir=str(tmp_path))
    assert read[0]["json"] == {"id": "1"}
    assert read[0]["source.png"].size == (4, 3)


@pytest.mark.parametrize("length", [0, 1, 511, 600, 1024, -512, -10240])
def test_a_shard_that_is_cut_short_is_refused(shard: Path, length: int) -> None:
    shard.write_bytes(shard.read_bytes()[:length])
    assert not shards.ends_well(shard)
    with pytest.raises(UserError, match=r"cut short|not a whole tar|ends inside"):
        shards.index(shard)


def test_what_is_no_tar_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.tar").write_text("no tar" * 1000)
    with pytest.raises(UserError, match="not a whole tar"):
        shards.index(tmp_path / "text.tar")
    with pytest.raises(UserError, match="no shard"):
        shards.index(tmp_path / "missing.tar")


def test_a_shard_that_is_cut_after_it_was_indexed_is_refused(shard: Path) -> None:
    stored = shards.index(shard)[1]
    shard.write_bytes(shard.read_bytes()[:2048])
    with pytest.raises(UserError, match=r"ends inside b_2\.json"):
        stored.read("json")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"source.png": b""}, "sample a has no json"),
        ({"json": b"{"}, r"a\.json is not JSON"),
        ({"json": b"[]"}, r"a\.json is not a JSON object"),
        ({"json": b'{"key":"b"}'}, r"a\.json is the record of 'b'"),
        ({"json": b'{"key":7}'}, r"a\.json is the record of '7'"),
        ({"json": b'{"key":"a","extra":' + b"[" * 300 + b"]" * 300 + b"}"}, r"a\.json is nested too deeply"),
    ],
)
def test_a_sample_without_a_record_is_refused(tmp_path: Path, members: dict[str, bytes], message: str) -> None:
    shards.write_shard(tmp_path / "one.tar", [("a", members)])
    with pytest.raises(UserError, match=message):
        shards.index(tmp_path / "one.tar")[0].record()


def test_one_packed_sample_is_a_shard(tmp_path: Path) -> None:
    (tmp_path / "one.tar").write_bytes(shards.pack(*SAMPLES[0]))
    assert shards.index(tmp_path / "one.tar")[0].members() == SAMPLES[0][1]


def test_a_picture_member_has_a_kind_and_a_suffix_that_are_known() -> None:
    assert shards.source_extension("jpg") == "source.jpg"
    assert shards.source_extension("png", 2, "reference") == "reference2.png"
    assert shards.source_extension("webp", kind="edited") == "edited.webp"
    for suffix, kind in (("bmp", "source"), ("png", "thumbnail")):
        with pytest.raises(ValueError, match="no picture member"):
            shards.source_extension(suffix, kind=kind)


def test_check_says_nothing_of_shards_that_are_as_described(shard: Path) -> None:
    entries = shards.describe([shard], [2])
    digest = hashlib.sha256(shard.read_bytes()).hexdigest()
    assert entries == [ShardEntry(name=shard.name, samples=2, bytes=shard.stat().st_size, sha256=digest)]
    assert list(shards.check(Folder(shard.parent), entries)) == []


def test_check_sees_what_is_missing_resized_or_changed(shard: Path) -> None:
    entries, whole = shards.describe([shard], [2]), shard.read_bytes()
    flipped = bytearray(whole)
    flipped[700] ^= 1
    for data, message in ((flipped, "sha256 differs"), (whole[:-512], "its manifest says"), (None, "is missing")):
        shard.unlink() if data is None else shard.write_bytes(data)
        (problem,) = shards.check(Folder(shard.parent), entries)
        assert str(shard) in problem
        assert message in problem


def test_records_survive_as_they_were(tmp_path: Path) -> None:
    record = {"key": "a", "id": "a/ä 1", "text": "雪\n", "extra": {"n": 1.5}}
    shards.write_shard(tmp_path / "one.tar", [("a", {"json": orjson.dumps(record)})])
    assert shards.index(tmp_path / "one.tar")[0].record() == record


def tar(path: Path, *members: str | tarfile.TarInfo, pax: dict[str, str] | None = None) -> Path:
    """A tar file of empty members with these names, made by others."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT if pax else tarfile.USTAR_FORMAT) as file:
        for member in members:
            entry = tarfile.TarInfo(member) if isinstance(member, str) else member
            entry.pax_headers = pax or {}
            file.addfile(entry, io.BytesIO())
    return path


def special(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, target
    return entry


@pytest.mark.parametrize(
    ("members", "message"),
    [
        (["../a.json"], r"member '\.\./a\.json' is not named KEY\.EXTENSION"),
        (["/abs/precious.json"], "is not named"),
        (["folder/a.json"], "is not named"),
        (["a"], "is not named"),
        ([f"{'k' * 65}.json"], "is not named"),
        (["a.source999999.png"], "is not named"),
        (["a.JSON"], "is not named"),
        (["a.json", "a.source.png", "a.json"], r"a\.json comes twice"),
        (["a.json", "b.json", "a.source.png"], "key a comes twice"),
        ([special("a.json", tarfile.SYMTYPE, "/etc/passwd")], r"a\.json is not a plain file"),
        ([special("a.json", tarfile.FIFOTYPE)], "is not a plain file"),
        ([special("a.json", tarfile.DIRTYPE)], "is not a plain file"),
    ],
)
def test_members_that_no_shard_of_ours_has_are_refused(tmp_path: Path, members: list, message: str) -> None:
    path = tar(tmp_path / "one.tar", *members)
    with pytest.raises(UserError, match=message) as caught:
        shards.index(path)
    assert str(path) in str(caught.value)


def test_a_size_that_a_header_makes_up_is_refused(tmp_path: Path) -> None:
    for size in ("-512", "99999999999"):
        with pytest.raises(UserError, match=r"ends inside|not a whole tar"):
            shards.index(tar(tmp_path / "one.tar", "a.json", pax={"size": size}))


def test_long_names_of_long_names_are_refused(tmp_path: Path) -> None:
    header = special("././@LongLink", tarfile.GNUTYPE_LONGNAME).tobuf(tarfile.GNU_FORMAT)
    (tmp_path / "one.tar").write_bytes(header * 5000 + bytes(1024))
    with pytest.raises(UserError, match="not a whole tar"):
        shards.index(tmp_path / "one.tar")


def test_two_pictures_of_one_number_are_refused(tmp_path: Path) -> None:
    (stored,) = shards.index(tar(tmp_path / "one.tar", "a.json", "a.source.jpg", "a.source.png"))
    with pytest.raises(UserError, match=r"a has two pictures of one number: source\.jpg and source\.png"):
        stored.images("source")


def test_a_key_in_two_shards_and_a_wrong_count_are_refused(tmp_path: Path) -> None:
    paths = [tar(tmp_path / f"edits-0000{number}.tar", "a.json") for number in range(2)]
    for counts, message in (
        ([1, 1], "key a is taken by a sample of edits-00000"),
        ([2, 1], "holds 1 sample, manifest.json says 2"),
    ):
        with pytest.raises(UserError, match=message):
            shards.open_listed(Folder(tmp_path), shards.describe(paths, counts), verify=True, remedy="")


@pytest.mark.parametrize("name", ["/etc/passwd", "../edits-00000.tar", "edits-00000.tar\n", "manifest.json", ""])
def test_a_shard_is_never_looked_for_outside_its_folder(tmp_path: Path, name: str) -> None:
    entry = ShardEntry(name=name, samples=1, bytes=0, sha256="")
    with pytest.raises(UserError, match="can have no shard"):
        shards.open_listed(Folder(tmp_path), [entry], verify=False, remedy="")
