"""The files on disk keep every byte: digests of what a small run writes, taken once and never to change with the code.

Pictures are fixed bytes, the judge is a class in a file, and the rubric the tests' own, so that nothing here depends on how a
library encodes or on the words of a shipped rubric. Where a folder has a schema 2 one day, these stay for schema 1.
"""

from __future__ import annotations

import base64
import hashlib
import tarfile
from pathlib import Path

import orjson
import pytest
from processes import Command

from editbench.benchmarks.benchmark import write_benchmark
from editbench.edit.spool import Spool
from editbench.manifests import Named
from editbench.paths import EDITED, RECORD, EditPaths
from editbench.records import Failure, Sample

# 4 x 3 pixels of one colour each, encoded once.
RED = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAAEElEQVR4nGP4z8AARww4OQD1MQv1NXv7ggAAAABJRU5ErkJggg==")
BLUE = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAQAAAADCAIAAAA7ljmRAAAAD0lEQVR4nGNgYPiPhHBxAN1JC/U39qNPAAAAAElFTkSuQmCC")
RUBRIC = """
name = "golden"
version = 2
scale = [0, 10]
languages = ["en", "zh"]
any_category = true
extras = ["hard"]
score = "least"
[steps]
least = "min(success, quality)"
[criteria.success]
range = [0, 10]
[criteria.quality]
range = [0, 10]
[questions.edit]
images = ["source", "edited"]
criteria = ["success"]
text.en = "Is it done: {instruction}?"
text.zh = "做到了吗：{instruction}？"
[questions.look]
images = ["edited"]
criteria = ["quality"]
text.en = "Is it good?"
text.zh = "好吗？"
[form.en]
generate = "{answers}"
expected = ""
[form.zh]
generate = "{answers}"
expected = ""
[answer_prefix]
generate = ""
expected = '{"score": '
[headline]
aggregate = "both"
percent = [0, 10]
subsets = ["hard"]
"""
JUDGE = '''
from editbench.score.judge import Judge, Reply

class Golden(Judge):
    """Answers from the key and the question's text."""
    def __init__(self, settings):
        self.expected = settings.readout == "expected"

    def answer(self, prepared, seeds=None):
        return [self.reply(question, seed) for question, seed in zip(prepared, seeds or [0] * len(prepared))]

    def reply(self, question, seed):
        number, name = int(question.key[1:]), question.criteria[0].name
        if self.expected:
            weights = [(number + place) % 7 + 1 for place in range(11)]
            return Reply("", {name: tuple(weight / 80 for weight in weights)})
        if number == 3 and name == "success":
            return Reply("I see nothing to rate here.")
        if number == 4:
            return Reply(f'{{"reason": "too much", "{name}": 11}}')
        score = (number + len(question.text) + seed) % 11
        return Reply(f'{{"reason": "Grund: {number} \\u96ea", "{name}": {score}}}', {name: (0.05,) * 11})
'''


def samples() -> list[Sample]:
    return [
        Sample(
            key=f"s{number}",
            id=f"the sample/{number}",
            instruction=["paint it blue", "涂成蓝色"][number % 2],
            category=["物理", "social"][number // 4],
            language=["en", "zh"][number % 2],
            group=f"picture-{number // 2}",
            reference_text=["", "blue everywhere"][number == 5],
            extra={"hard": number % 3 == 0, "n": number, "nested": {"a": [1, 2.5, None]}},
        )
        for number in range(8)
    ]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bench, edits (sample s6 failed, s1 flagged) and two folders of scores."""
    root = tmp_path_factory.mktemp("golden")
    (root / "golden_judge.py").write_text(JUDGE)
    (root / "golden.toml").write_text(RUBRIC)
    write_benchmark(root / "bench", "golden", ((sample, {"source.png": RED, "source2.png": BLUE}) for sample in samples()))
    paths = EditPaths(root / "edits")
    paths.spool.mkdir(parents=True)
    spool = Spool(paths, [sample.key for sample in samples()], 3)
    for index, sample in enumerate(samples()):
        if sample.key == "s6":
            about = {name: getattr(sample, name) for name in ("key", "id", "category", "language", "group", "extra")}
            spool.put_failure(Failure(**about, index=index, reason="error", error="ValueError: no", attempts=2))
            continue
        record = {**sample.to_dict(), "edit": {"model": "m", "flags": ["uniform"] if index == 1 else []}}
        spool.put(sample.key, {"source.png": RED, EDITED: BLUE, RECORD: orjson.dumps(record)})
    spool.finish(Named(name="golden", digest="b"), Named(kind="control", name="m"), "i")
    readouts = {
        "generate": [
            "--votes",
            "2",
            "--temperature",
            "0.5",
            "--audit",
            "50%",
            "--anchors",
            "edits",
            "--no-forced",
            "--batch-size",
            "8",
        ],
        "expected": ["--readout", "expected", "--batch-tokens", "2000"],
    }
    for name, options in readouts.items():
        score = ["score", "edits", "--model", "golden_judge:Golden", "--rubric", "golden.toml", "--out", name, *options]
        status, said = Command([*score, "--nproc", "2", "--max-failures", "9"], {"PYTHONPATH": str(root)}).run(cwd=root)
        assert status == 0, said
    status, said = Command(["edit", "bench", "--model", "copy", "--out", "copies", "--shard-size", "3"]).run(cwd=root)
    assert status == 0, said
    return root


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


GOLDEN = {
    "bench/bench-00000.tar": "9977c6dde8d3fe53",
    "bench/manifest.json": "fda29bd90b2fdb23",
    "edits/edits-00000.tar": "3ac2716f345cbe7a",
    "edits/edits-00002.tar": "ac573c67b538061d",
    "edits/failures.jsonl": "0c63cf04c94b5a04",
    "edits/manifest.json": "66c329baff3bce64",
    "generate/identity.json": "d3950a5d67f78012",
    "generate/scores.jsonl": "9e5f1ad67b1430b6",
    "generate/audit.jsonl": "1645a13dd1ade409",
    "generate/anchors.jsonl": "0dab2023bc3719f7",
    "generate/manifest.json": "b52788f7c78056a0",
    "expected/identity.json": "7aa5b9afe9a0308d",
    "expected/scores.jsonl": "f84ea8135b728b6f",
    "expected/manifest.json": "b49eba8decb6a317",
    "copies/identity.json": "37e0ac34357d33f3",
    "copies/failures.jsonl": "e3b0c44298fc1c14",
}
RECORDS = "efc7e2b9950dff1d"
MANIFEST = "3c334c5a2e490339"


@pytest.mark.parametrize("name", GOLDEN)
def test_a_file_keeps_its_bytes(world: Path, name: str) -> None:
    assert digest(world / name) == GOLDEN[name]


def test_the_records_of_edits_keep_their_bytes(world: Path) -> None:
    """Edited pictures are encoded anew, and zlib promises no bytes: of the other members nothing may change."""
    total = hashlib.sha256()
    for shard in sorted((world / "copies").glob("edits-*.tar")):
        with tarfile.open(shard) as tar:
            for member in tar:
                data = b"" if member.name.endswith(EDITED) else tar.extractfile(member).read()
                total.update(f"{member.name} {member.mode} {member.mtime} {member.uid}\n".encode() + data)
    assert total.hexdigest()[:16] == RECORDS


def test_the_manifest_of_edits_keeps_its_fields(world: Path) -> None:
    manifest = orjson.loads((world / "copies/manifest.json").read_bytes())
    shards = [{**entry, "bytes": 0, "sha256": ""} for entry in manifest.pop("shards")]
    assert manifest.pop("digest")
    assert hashlib.sha256(orjson.dumps([manifest, shards])).hexdigest()[:16] == MANIFEST
