"""RISEBench: `images/CATEGORY/INDEX.png`, also `.jpg`.

The folder is the `--output` of `gpt_eval.py` (PhoenixZ810/RISEBench).
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence

from editbench.layouts.layout import File, Layout, own_name, protocol_values, whole
from editbench.records import Judgement, Sample

LOGICAL = "logical_reasoning"
CRITERIA = {"appearance_consistency": "judge1", "instruction_reasoning": "judge2", "visual_plausibility": "judge3"}
"""And the names of the replies in the record."""


class Rise(Layout):
    name = "rise"
    example = "images/CATEGORY/INDEX.png"
    kinds = ("png", "jpg")

    def stem(self, sample: Sample) -> str:
        return f"images/{sample.category}/{own_name(sample)}"

    def record(self, model: str, rows: Sequence[Judgement]) -> Iterator[File]:
        """`MODEL.pkl`: by index, the text of each reply. `gpt_eval.py` asks no judge for what it finds there, and aggregates.

        A sample without a score has empty texts, which it counts as failed.
        """
        # Protocol 4 is what any Python 3 reads. Nothing here is ever unpickled.
        yield f"{model}.pkl", pickle.dumps({own_name(row.sample()): self._replies(row) for row in rows}, protocol=4)

    def _replies(self, row: Judgement) -> dict[str, str | None]:
        if row.score is None:
            return {reply: "" for name, reply in CRITERIA.items() if row.category != LOGICAL or name != "visual_plausibility"}
        values = protocol_values(self, row, CRITERIA)
        replies: dict[str, str | None] = {CRITERIA[name]: self._reply(row, name, value) for name, value in values.items()}
        return {"judge1": None, **replies}  # None: not asked for, since everything but the result may change

    def _reply(self, row: Judgement, name: str, value: float) -> str:
        # Answers to puzzles are 0 and 1 in the protocol and 1 and 5 on its scale.
        answer = (value - 1) / 4 if row.category == LOGICAL else value
        return f"Final Score: {whole(self, row, name, answer)}"
