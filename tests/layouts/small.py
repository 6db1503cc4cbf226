"""Small benchmarks named as the public ones are, pictures where their scripts keep them, and rows of scores."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from editbench import images
from editbench.benchmarks.benchmark import write_benchmark
from editbench.benchmarks.rows import keys_of
from editbench.records import Judgement, Sample

# (id, category, language) of each sample, and where the public scripts keep its edit.
PATHS: dict[str, dict[tuple[str, str, str], str]] = {
    "gedit": {
        ("subject-add/en/4a7d", "subject-add", "en"): "fullset/subject-add/en/4a7d.png",
        ("subject-add/cn/4a7d", "subject-add", "zh"): "fullset/subject-add/cn/4a7d.png",
        ("tone_transfer/en/4a7d", "tone_transfer", "en"): "fullset/tone_transfer/en/4a7d.png",
    },
    "imgedit": {("1082", "adjust", "en"): "1082.png", ("12", "style", "en"): "12.png", ("3", "compose", "en"): "3.png"},
    "kris": {
        ("biology/1", "biology", "en"): "biology/1.jpg",
        ("biology/2", "biology", "en"): "biology/2.jpg",
        ("rule-based_reasoning/1", "rule-based_reasoning", "en"): "rule-based_reasoning/1.jpg",
    },
    "rise": {
        ("temporal_reasoning_1", "temporal_reasoning", "en"): "images/temporal_reasoning/temporal_reasoning_1.png",
        ("causal_reasoning_7", "causal_reasoning", "en"): "images/causal_reasoning/causal_reasoning_7.png",
        ("logical_reasoning_2", "logical_reasoning", "en"): "images/logical_reasoning/logical_reasoning_2.png",
    },
    "files": {("cat", "a", "en"): "cat.png", ("dog", "a", "en"): "dog.png", ("emu", "b", "en"): "emu.png"},
}


def picture(colour: str | int, kind: str = "PNG", size: tuple[int, int] = (12, 8)) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, kind)
    return buffer.getvalue()


def write_bench(root: Path, named: Sequence[tuple[str, str, str]]) -> Path:
    keys = keys_of([name for name, _, _ in named])
    samples = [
        Sample(key=key, id=name, instruction=f"edit {name}", category=category, language=language, group="g")
        for key, (name, category, language) in zip(keys, named, strict=True)
    ]
    source = images.encode_png(Image.effect_noise((12, 8), 90).convert("RGB"))
    write_benchmark(root, root.name, ((sample, {"source.png": source}) for sample in samples))
    return root


def fill(root: Path, contents: Mapping[str, bytes]) -> Path:
    for name, data in contents.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def judged(name: str, category: str, language: str = "en", *, status: str = "ok", **numbers: Any) -> Judgement:
    (key,) = keys_of([name])
    score = 1.0 if status == "ok" else None
    common = {"key": key, "id": name, "category": category, "language": language, "group": "g"}
    return Judgement(**common, status=status, score=score, **numbers)
