"""GEdit-Bench: `fullset/TASK/LANGUAGE/KEY.png`, and beside it `KEY_SRCIMG.png`, the source as the scorer shows it.

The folder is `SAVE_PATH/MODEL_NAME` of `test_gedit_score.py` and `calculate_statistics.py` (stepfun-ai/Step1X-Edit,
GEdit-Bench). Chinese is `cn` in the paths.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterator, Sequence

from editbench.layouts.layout import File, Layout, checked, own_name, protocol_values
from editbench.records import Judgement, Sample

_CODES = {"zh": "cn"}
BACKBONE = "qwen25vl"
"""`calculate_statistics.py` knows two names of judges, and this is one. It says nothing of who judged."""
COLUMNS = (
    "source_image",
    "edited_image",
    "instruction",
    "sementics_score",  # spelled as the scripts do
    "quality_score",
    "intersection_exist",
    "instruction_language",
)


class GEdit(Layout):
    name = "gedit"
    example = "fullset/TASK/LANGUAGE/KEY.png"

    def stem(self, sample: Sample) -> str:
        return f"fullset/{sample.category}/{_CODES.get(sample.language, sample.language)}/{own_name(sample)}"

    def source(self, sample: Sample) -> str:
        return f"{self.stem(sample)}_SRCIMG.png"

    def record(self, model: str, rows: Sequence[Judgement]) -> Iterator[File]:
        """For `calculate_statistics.py --backbone qwen25vl`: a table of the scored samples for each task.

        The language is `zh`, as its `--language` has it, and not the `cn` of the paths: else it finds no Chinese rows.
        """
        tasks = defaultdict(list)
        for row in rows:
            if row.score is not None:
                tasks[row.category].append(self._cells(row))
        for task, cells in tasks.items():
            text = io.StringIO()
            csv.writer(text).writerows([COLUMNS, *cells])
            yield f"{BACKBONE}/eval_results_new/{model}_{task}_gpt_score.csv", text.getvalue().encode()

    def _cells(self, row: Judgement) -> list[object]:
        steps, sample = protocol_values(self, row, ("sc", "pq")), row.sample()
        pictures = [checked(self.source(sample)), checked(f"{self.stem(sample)}.png")]
        numbers = [steps.get("sc"), steps.get("pq")]
        return [*pictures, "", *numbers, "Intersection_exist" in row.subsets, row.language]
