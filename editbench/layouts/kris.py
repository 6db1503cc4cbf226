"""KRIS-Bench: `CATEGORY/ID.jpg`.

The folder is `results/MODEL` of the `metrics_*.py` (mercurystraw/Kris_Bench). They open that name alone, so
whatever is no JPEG is made one. Other tools write `.png`, which is read as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import orjson

from editbench.layouts.layout import File, Layout, own_name, protocol_values
from editbench.records import Judgement, Sample

CRITERIA = ("consistency", "instruction", "knowledge", "quality")


class Kris(Layout):
    name = "kris"
    example = "CATEGORY/ID.jpg"
    kinds = ("jpg",)

    def stem(self, sample: Sample) -> str:
        return f"{sample.category}/{own_name(sample)}"

    def record(self, model: str, rows: Sequence[Judgement]) -> Iterator[File]:  # noqa: ARG002
        """`CATEGORY/metrics.json`: by id, `consistency_score`, `instruction_score`, `quality_score` and, if it was asked for,
        `knowledge_score`. A sample without a score is left out."""
        categories: defaultdict[str, dict[str, dict[str, float]]] = defaultdict(dict)
        for row in rows:
            if row.score is not None:
                values = protocol_values(self, row, CRITERIA).items()
                scores = {f"{name}_score": _plain(value) for name, value in values}
                categories[row.category][own_name(row.sample())] = scores
        for category, samples in categories.items():
            yield f"{category}/metrics.json", orjson.dumps(samples, option=orjson.OPT_INDENT_2)


def _plain(value: float) -> float:
    return int(value) if value == int(value) else value
