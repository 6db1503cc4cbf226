"""A checked rubric: what to ask of a sample, and its score from the answers."""

from __future__ import annotations

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from editbench.errors import UserError
from editbench.records import EXPECTED, READOUTS, Sample, spelling
from editbench.score.criteria import Criterion
from editbench.score.readout import HIGHEST, tells_apart
from editbench.score.rubric import sections
from editbench.score.rubric.formula import FormulaError
from editbench.score.rubric.prompts import EDITED, IMAGES, OTHER, REFERENCE, SOURCE, Ask, RubricQuestion
from editbench.score.rubric.scoring import Scoring, Unscorable
from editbench.score.rubric.tables import meant
from editbench.score.rubric.template import Template, primary_language
from editbench.wording import counted

PAIR = (SOURCE, EDITED)
"""The pictures that every edited sample has."""

_Value = TypeVar("_Value")
_UNSET = {"", "0", "false", "no", "nan", "none", "null"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """A checked rubric. `text`: all of it, to be parsed again elsewhere."""

    name: str
    version: int
    languages: tuple[str, ...]
    spellings: Mapping[str, str]
    any_category: bool
    resize_edited: bool
    extras: tuple[str, ...]
    criteria: tuple[Criterion, ...]
    questions: tuple[RubricQuestion, ...]
    references: Mapping[str, Template]
    answer_prefixes: Mapping[str, str]
    flags: tuple[str, ...]
    """Categories and extras that are names in formulas."""
    scoring: Scoring
    partial: bool
    """Whether criteria that could be read count where others could not be."""
    differs: tuple[str, ...]
    """In which it differs on purpose from the official scripts of the protocol, in sentences."""
    headline: Mapping[str, Any]
    """How samples become the headline number: aggregate, percent, accuracy, pools, subsets (see `headline_table.read`)."""
    text: str

    @property
    def scale(self) -> tuple[int, int]:
        """Lowest and highest score of a sample."""
        return self.scoring.scale

    @property
    def readouts(self) -> tuple[str, ...]:
        """The readouts that can tell its answers apart."""
        return sections.readouts(self.criteria)

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that it lists, by its own names."""
        return tuple(dict.fromkeys(self.spellings.values()))

    def identity(self) -> dict[str, Any]:
        """What scores depend on, by a digest that any letter of the text changes; and what a report needs to know of it."""
        return {
            "name": self.name,
            "version": self.version,
            "scale": list(self.scale),
            "criteria": {entry.name: [entry.lowest, entry.highest] for entry in self.criteria},
            "headline": dict(self.headline),
            "spellings": dict(self.spellings),
            "any_category": self.any_category,
            **({"partial": sections.KEEP} if self.partial else {}),
            "digest": hashlib.sha256(self.text.encode()).hexdigest(),
        }

    def canonical_category(self, name: str) -> str:
        """The rubric's own name of a category. Raises UserError when it has no such category."""
        if (category := self._category(name)) is None:
            raise UserError(f"rubric {self.name} has no category {name!r}", f"It has: {', '.join(self.categories)}.")
        return category

    def check_samples(self, samples: Iterable[Sample]) -> None:
        """Raises UserError when samples are of categories the rubric lacks: lists each with its count and an example; or when
        a question or formula would go wrong with a category that it takes without listing it."""
        samples = [*samples]
        unknown = [sample for sample in samples if self._category(sample.category) is None]
        if not unknown:
            taken = {self.canonical_category(sample.category) for sample in samples}
            for key, fault in self._faults(sorted(taken - {*self.categories})):
                raise UserError(f"rubric {self.name}: {key}: {fault}", "Mend the rubric, or take another with --rubric.")
            return
        example = {sample.category: sample.key for sample in reversed(unknown)}
        counts = Counter(sample.category for sample in unknown).most_common()
        listed = ", ".join(f"{name!r} ({counted(count, 'sample')}, first {example[name]})" for name, count in counts)
        known = ", ".join(self.categories)
        raise UserError(
            f"rubric {self.name} has no guidance for category {listed}",
            f"It has: {known}. Any category: --rubric viescore, or one of your own (editbench rubric new FILE.toml).",
        )

    def check_readout(self, readout: str) -> None:
        """Raises UserError for a readout that can't tell the rubric's answers apart."""
        wide = [entry for entry in self.criteria if not tells_apart(entry)]
        if wide and readout == EXPECTED:
            problem = f"has answers up to {wide[0].highest} ({wide[0].name}), and readout {readout} tells apart 0 to {HIGHEST}"
            raise UserError(f"rubric {self.name} {problem}", f"Use --readout {self.readouts[0]}.")

    def asks(self, sample: Sample, language: str | None, readout: str, images: Collection[str] = PAIR) -> list[Ask]:
        """What to ask of a sample, question by question.

        `language` None: the sample's own if the rubric has it, else the rubric's first. `images`: the kind of each picture that
        the sample has; questions about a reference picture are asked where it names one, and of a kind that it names several
        times all pictures are shown.

        Raises:
            UserError: unknown category, language or readout, or a readout that can't tell the answers apart.
        """
        if readout not in READOUTS:
            raise UserError(f"there is no readout {readout!r}", f"{meant(readout, READOUTS)}Known: {', '.join(READOUTS)}.")
        self.check_readout(readout)
        spoken, facts, text = self._language(language, sample.language), self._facts(sample), sample.reference_text
        values = {"instruction": sample.instruction, "category": facts[sections.CATEGORY], "reference_text": text}
        values["reference"] = self.references[spoken].fill(values) if text and self.references else ""
        prefix, questions = self.answer_prefixes[readout], self._asked(facts, images)
        return [ask for question in questions for ask in question.asks(spoken, readout, values, prefix, images)]

    def score(self, criteria: Mapping[str, float], sample: Sample) -> float:
        """The score of a sample from all its criteria, each on its own range; with `partial` from any of them.

        Raises:
            UserError: a criterion is missing (with `partial` all are), or the formula gives no number of the scale.
        """
        return self._evaluate(self.scoring.score, criteria, sample)

    def steps(self, criteria: Mapping[str, float], sample: Sample) -> dict[str, float]:
        """The numbers on the way to the score, by name. Raises UserError as `score` does."""
        context = self._evaluate(self.scoring.context, criteria, sample)
        return {name: context[name] for name in self.scoring.steps}

    def subsets(self, sample: Sample) -> list[str]:
        """The headline's subsets that a sample is in."""
        return [name for name in self.headline["subsets"] if _is_set(sample.extra.get(name))]

    def faults(self) -> Iterator[tuple[str, str]]:
        """(key, fault) for every category and combination of flags that would go wrong; nothing where all is well."""
        return self._faults((*self.categories, *((OTHER,) if self.any_category else ())))

    def _faults(self, categories: Iterable[str]) -> Iterator[tuple[str, str]]:
        for category in categories:
            for values in itertools.product((False, True), repeat=1 + len(self.extras)):
                facts = self._flags(category, dict(zip((sections.REFERENCE_TEXT, *self.extras), values, strict=True)))
                for images in (PAIR, IMAGES):
                    yield from self._faults_with(facts, images)

    def _faults_with(self, facts: dict[str, Any], images: Collection[str]) -> Iterator[tuple[str, str]]:
        of = f"of category {facts['category']}"
        try:
            criteria = [entry for question in self._asked(facts, images) for entry in question.criteria_of(facts["category"])]
        except FormulaError as error:
            yield "questions", f"{error}, {of}"
            return
        repeated = [name for name, count in Counter(entry.name for entry in criteria).items() if count > 1]
        if not criteria or repeated:
            yield "questions", f"{f'criterion {repeated[0]} is asked for twice' if repeated else 'nothing is asked'} {of}"
            return
        for answers in self._outcomes(criteria):
            try:
                self.scoring.score(answers, facts)
            except Unscorable as error:
                known = {name: value for name, value in answers.items() if value is not None}
                yield error.key, f"{error}, for a sample {of} with {known}"
                return

    def _outcomes(self, criteria: Sequence[Criterion]) -> Iterator[dict[str, float | None]]:
        """All criteria known, at their ends; with `partial`, also each alone, and all but each."""
        names = [entry.name for entry in criteria]
        some = [known for name in names for known in ({name}, {*names} - {name})] if self.partial else []
        for answers in _corners(criteria):
            yield {**answers}
            for known in filter(None, some):
                yield {name: value if name in known else None for name, value in answers.items()}

    def _category(self, name: str) -> str | None:
        return self.spellings.get(spelling(name), name.strip() if self.any_category else None)

    def _language(self, asked: str | None, own: str | None) -> str:
        if asked is not None and primary_language(asked) not in self.languages:
            raise UserError(f"rubric {self.name} has no language {asked!r}", f"It has: {', '.join(self.languages)}.")
        language = primary_language(asked or own or "")
        return language if language in self.languages else self.languages[0]

    def _facts(self, sample: Sample) -> dict[str, Any]:
        """What formulas may know of a sample."""
        extra = {name: _is_set(sample.extra.get(name)) for name in self.extras}
        known = {sections.REFERENCE_TEXT: bool(sample.reference_text), **extra}
        return self._flags(self.canonical_category(sample.category), known)

    def _flags(self, category: str, known: Mapping[str, bool]) -> dict[str, Any]:
        return {**{name: name == category for name in self.flags}, **known, sections.CATEGORY: category}

    def _asked(self, facts: Mapping[str, Any], images: Collection[str]) -> list[RubricQuestion]:
        known = {**facts, sections.REFERENCE_IMAGE: REFERENCE in images}
        return [question for question in self.questions if question.applies(known, images)]

    def _evaluate(self, formula: Callable[..., _Value], criteria: Mapping[str, float], sample: Sample) -> _Value:
        """What a formula, or several, make of criteria that are those asked of the sample."""
        try:
            return formula(*self._asked_for(criteria, sample))
        except Unscorable as error:
            raise UserError(f"rubric {self.name}: {error.key}: {error}", "Mend the formula.") from None

    def _asked_for(self, criteria: Mapping[str, float], sample: Sample) -> tuple[dict[str, float | None], dict[str, Any]]:
        """The criteria in the order asked, and the sample's facts. Raises UserError unless they are just those asked of it, or
        with `partial` some of them."""
        facts = self._facts(sample)
        orders = [self._order(facts, images) for images in (PAIR, IMAGES)]
        known = criteria.keys()
        order = next((order for order in orders if known == {*order} or (self.partial and known and known <= {*order})), None)
        if order is None:
            missing = [name for name in orders[0] if name not in criteria]
            problem = f"lacks {', '.join(missing)}" if missing else "has criteria that it is not asked for"
            raise UserError(f"rubric {self.name}: sample {sample.key} {problem}", f"Given: {', '.join(criteria) or 'none'}.")
        return {name: criteria.get(name) for name in order}, facts

    def _order(self, facts: Mapping[str, Any], images: Collection[str]) -> list[str]:
        asked = self._asked(facts, images)
        return [entry.name for question in asked for entry in question.criteria_of(facts["category"])]


def _corners(criteria: Sequence[Criterion]) -> Iterator[dict[str, float]]:
    """All criteria at their lowest and at their highest, and each alone at the other end."""
    lowest = {entry.name: entry.value(entry.lowest) for entry in criteria}
    highest = {entry.name: entry.value(entry.highest) for entry in criteria}
    for ends, others in ((lowest, highest), (highest, lowest)):
        yield ends
        yield from ({**ends, name: others[name]} for name in ends)


def _is_set(value: Any) -> bool:
    """Whether a field says yes. Tables carry empty cells as null, NaN or text, and all of these are no."""
    if isinstance(value, str):
        return value.strip().casefold() not in _UNSET
    return bool(value) and value == value  # NaN is not itself
