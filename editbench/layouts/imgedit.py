"""ImgEdit, basic edits: `KEY.png`, all in one folder.

The folder is the `--result_img_folder` of `basic_bench.py` (PKU-YuanGroup/ImgEdit, Benchmark/Basic).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import orjson

from editbench.layouts.layout import File, Layout, protocol_values, whole
from editbench.records import Judgement, Sample

CRITERIA = (
    *("prompt_compliance", "instruction_compliance", "style_fidelity", "action_fidelity", "object_identity"),
    *("visual_naturalness", "visual_seamlessness", "content_preservation", "identity_preservation", "mask_precision"),
    *("physical_and_detail_integrity", "physical_and_detail_coherence", "physical_and_detail_fidelity", "rendering_quality"),
    *("visual_and_anatomical_coherence", "visual_quality", "physical_consistency", "physical_consistency_and_fine_detail"),
)


class ImgEdit(Layout):
    name = "imgedit"
    example = "KEY.png"

    def stem(self, sample: Sample) -> str:
        return sample.id

    def record(self, model: str, rows: Sequence[Judgement]) -> Iterator[File]:  # noqa: ARG002
        """`result.json`, for `step1_get_avgscore.py`: by key, a line `Name: number` for each criterion.

        It takes any text for a reply and leaves out one without a number: a sample without a score has its status there.
        """
        replies = {row.id: row.status if row.score is None else self._reply(row) for row in rows}
        yield "result.json", orjson.dumps(replies, option=orjson.OPT_INDENT_2)

    def _reply(self, row: Judgement) -> str:
        values = protocol_values(self, row, CRITERIA)
        return "\n".join(f"{_title(name)}: {whole(self, row, name, value)}" for name, value in values.items())


def _title(name: str) -> str:
    """As the protocol spells it: `physical_and_detail_integrity` is `Physical & Detail Integrity`."""
    return name.replace("_and_", "_&_").replace("_", " ").title()
