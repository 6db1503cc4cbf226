"""A small rubric with one of everything, and samples for it."""

from __future__ import annotations

from typing import Any

from editbench.records import Sample
from editbench.score import rubric

SMALL = """
name = "small"
version = 3
scale = [1, 5]
languages = ["en", "zh"]
extras = ["easy"]
score = "half + (quality if easy else success) / 2"
[steps]
half = "min(success, quality) / 2"
[headline]
aggregate = "both"
percent = [1, 25]
accuracy = true
subsets = ["easy"]
[headline.pools]
nature = ["physical"]
overall = ["nature", "causal"]
[categories]
physical = ["物理"]
causal = []
[criteria.success]
range = [1, 5]
labels = ["Edit Success"]
[criteria.success.text]
en = "is it done?"
zh = "做到了吗？"
[criteria.quality]
range = [1, 5]
[criteria.quality.text]
en = "is it well made?"
zh = "做得好吗？"
[questions.edit]
images = ["source", "edited"]
criteria = ["success", "quality"]
[questions.edit.text]
en = "Do: {instruction} ({category}){reference}\\n{guidance}\\n{criteria}"
zh = "要求：{instruction}（{category}）{reference}\\n{guidance}\\n{criteria}"
[reference]
en = " Expected: {reference_text}"
zh = " 预期：{reference_text}"
[form.en]
generate = 'As {"reason": "...", {answers}}'
expected = 'For {criterion}, {lowest} to {highest}: {"score": N}'
[form.zh]
generate = '按 {"reason": "...", {answers}}'
expected = '{criterion}：{lowest}到{highest}，{"score": N}'
[guidance.en]
physical = "See physics."
causal = "See effects."
[guidance.zh]
physical = "看物理。"
causal = "看后果。"
[answer_prefix]
generate = ''
expected = '{"score": '
"""

ANOTHER = """
[questions.look]
images = ["edited"]
criteria = ["success"]
[questions.look.text]
en = "Look."
zh = "看。"
"""


def make(category: str = "physical", instruction: str = "Melt it", language: str = "en", **fields: Any) -> Sample:
    return Sample(key=f"k-{category}", id="1", instruction=instruction, category=category, language=language, **fields)


def small(*changes: str, then: str = "") -> rubric.Rubric:
    """SMALL with some texts replaced: old, new, old, new ... `then` follows it."""
    whole = SMALL
    for old, new in zip(changes[::2], changes[1::2], strict=True):
        assert old in whole
        whole = whole.replace(old, new, 1)
    return rubric.parse(whole + then, "small.toml")


def text(chosen: rubric.Rubric, sample: Sample, language: str | None = None, readout: str = "generate") -> str:
    (ask,) = chosen.asks(sample, language, readout)
    return ask.text


SCORE = "half + (quality if easy else success) / 2"
SECOND = """
[questions.plain]
images = ["edited"]
criteria = ["success", "quality"]
when = "not reference_image"
[questions.plain.text]
en = "Look: {criteria}"
zh = "看：{criteria}"
"""
