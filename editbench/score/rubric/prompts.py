"""A question of a rubric: whom it is asked of, what it shows, and its text for one sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from editbench.records import EXPECTED, GENERATE
from editbench.score.criteria import Criterion
from editbench.score.rubric.formula import Context, Formula
from editbench.score.rubric.template import Template, caption

SOURCE, EDITED, REFERENCE = "source", "edited", "reference"
IMAGES = (SOURCE, EDITED, REFERENCE)
OTHER = "other"
"""The guidance for categories that a rubric does not list."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One thing to ask the judge of one sample. In readout `expected` it has one criterion."""

    question: str
    criteria: tuple[Criterion, ...]
    images: tuple[str, ...]
    """The kind of each picture, in the order shown."""
    text: str
    """The user's turn after the pictures."""
    answer_prefix: str
    """What the judge's answer is started with; it belongs before the reply when that is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptText:
    """A question's text in one language."""

    text: Template
    forms: Mapping[str, Template]
    """By readout: how to answer; follows the text after an empty line."""
    guidance: Mapping[str, str]
    """What {guidance} stands for, by category, and `other`."""
    criteria: Mapping[str, str]
    """What each criterion asks for, by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RubricQuestion:
    """A question of a rubric with the criteria it yields, which may depend on the category."""

    name: str
    images: tuple[str, ...]
    """Kinds of pictures, in the order shown: the texts call the first one Image 1. Of each kind all pictures are shown."""
    criteria: Mapping[str, tuple[Criterion, ...]]
    """By category, and `other` for those that are not listed; empty where the question is not asked."""
    when: Formula | None
    """Whether it is asked of a sample; None: of all."""
    prompt_texts: Mapping[str, PromptText]
    """By language."""

    def criteria_of(self, category: str) -> tuple[Criterion, ...]:
        """The criteria for a category; none where the question is not asked."""
        return self.criteria.get(category, self.criteria.get(OTHER, ()))

    def applies(self, facts: Context, pictures: Collection[str]) -> bool:
        """Whether it is asked of a sample with these facts and these kinds of pictures."""
        if not self.criteria_of(facts["category"]) or (REFERENCE in self.images and REFERENCE not in pictures):
            return False
        return self.when is None or self.when(facts)

    def asks(self, language: str, readout: str, values: Mapping[str, str], prefix: str, pictures: Collection[str]) -> list[Ask]:
        """One ask with all criteria; in readout `expected` one a criterion, whose text asks for it alone.

        `values`: instruction, category, reference_text and reference of the sample. `pictures`: the kind of each that it has.
        """
        counts = [max([*pictures].count(kind), 1) for kind in self.images]
        kinds = tuple(kind for kind, count in zip(self.images, counts, strict=True) for _ in range(count))
        criteria = self.criteria_of(values["category"])
        groups = [(criterion,) for criterion in criteria] if readout == EXPECTED else [criteria]
        before, prompt = caption(language, counts), self.prompt_texts[language]
        return [Ask(self.name, group, kinds, before + _text(prompt, readout, group, values), prefix) for group in groups]


def _text(prompt: PromptText, readout: str, criteria: Sequence[Criterion], values: Mapping[str, str]) -> str:
    """The user's turn after the caption: the question's text, and how to answer."""
    category = values["category"]
    guidance = prompt.guidance.get(category, prompt.guidance.get(OTHER, ""))
    listed = "\n".join(f"- {_with_range(entry)}: {prompt.criteria.get(entry.name, '')}" for entry in criteria)
    text = prompt.text.fill({**values, "guidance": guidance, "criteria": listed})
    form = prompt.forms[readout].fill(_form_values(criteria))
    return f"{text}\n\n{form}" if form else text


def _with_range(criterion: Criterion) -> str:
    return f"{criterion.name} ({criterion.lowest}-{criterion.highest})"


def _form_values(criteria: Sequence[Criterion]) -> dict[str, Any]:
    answers = ", ".join(f'"{entry.name}": <{entry.lowest}-{entry.highest}>' for entry in criteria)
    first = criteria[0]
    return {"answers": answers, "criterion": first.name, "lowest": str(first.lowest), "highest": str(first.highest)}


FORM_PLACEHOLDERS = {GENERATE: ("answers",), EXPECTED: ("criterion", "lowest", "highest")}
