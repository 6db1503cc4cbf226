"""The sections of a rubric's file, each read from its table and checked."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from editbench.records import EXPECTED, GENERATE, READOUTS, spelling
from editbench.score.criteria import Criterion
from editbench.score.readout import HIGHEST, tells_apart
from editbench.score.rubric.formula import FUNCTIONS, NUMBER, NUMBERS, TEXT, TRUTH, Formula, ValueType
from editbench.score.rubric.prompts import FORM_PLACEHOLDERS, IMAGES, OTHER, PromptText, RubricQuestion
from editbench.score.rubric.scoring import ALL, ORDINALS
from editbench.score.rubric.tables import Table
from editbench.score.rubric.template import PLACEHOLDERS, Template, primary_language

RANGE = (0, 100)
"""No criterion's answers go beyond these."""
ANSWERS = (0, HIGHEST)
"""Nor beyond these where a question has answers of its own."""
SCORES = (-1000, 1000)

KEEP = "keep"
PARTIAL = ("drop", KEEP)

CATEGORY, REFERENCE_TEXT, REFERENCE_IMAGE = "category", "reference_text", "reference_image"

_REASONS = ("reason", "reasoning", "rationale", "explanation")  # where a reply explains itself
_RESERVED = {CATEGORY, REFERENCE_TEXT, REFERENCE_IMAGE, ALL, OTHER, *ORDINALS, *FUNCTIONS, *_REASONS, *keyword.kwlist}
_IN_REFERENCE = ("instruction", "category", "reference_text")
_CriteriaByCategory = Mapping[str, tuple[Criterion, ...]]
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


def languages(top: Table) -> tuple[str, ...]:
    """The tags of the rubric's languages."""
    tags = top.strings("languages", what="language")
    if not tags:
        raise top.fault("languages", "must name at least one language")
    if odd := [tag for tag in tags if primary_language(tag) != tag]:
        raise top.fault("languages", f"{odd[0]!r} should be {primary_language(odd[0])!r}")
    return tags


def partial(top: Table) -> bool:
    """Whether a sample keeps the criteria that could be read where others could not be."""
    if not top.has("partial"):
        return False
    rule = top.text("partial")
    if rule not in PARTIAL:
        raise top.fault("partial", f"unknown rule {rule!r}", f"Known: {', '.join(PARTIAL)}.")
    return rule == KEEP


def spellings(top: Table) -> dict[str, str]:
    """Category by each of its spellings."""
    table = top.optional("categories")
    categories: dict[str, str] = {}
    for name in table.values:
        for other in (name, *table.strings(name)):
            if categories.setdefault(spelling(other), name) != name:
                raise table.fault(name, f"{other!r} also stands for {categories[spelling(other)]}")
        if name == OTHER:
            raise table.fault(name, "stands for the categories that are not listed")
    if not categories and not top.flag("any_category"):
        raise top.fault("categories", "names no category", "List them, or say any_category = true.")
    return categories


def extras(top: Table) -> tuple[str, ...]:
    """The fields of a sample's `extra` that are names in formulas."""
    names = top.strings("extras", what="field") if top.has("extras") else ()
    for name in names:
        _check_name(top, "extras", name)
    if len(names) > 6:
        raise top.fault("extras", "names more than 6 fields")
    return names


def _check_name(table: Table, key: str, name: str) -> None:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise table.fault(key, f"{name!r} can't be a name in a formula", "Use letters, digits and _, and no word of formulas.")


def criteria(top: Table, flags: Collection[str]) -> tuple[dict[str, Criterion], dict[str, Table]]:
    """The criteria, and their tables, whose texts are still to be read."""
    table = top.table("criteria")
    known: dict[str, Criterion] = {}
    tables: dict[str, Table] = {}
    for name in table.values:
        _check_name(table, name, name)
        if name in flags:
            raise table.fault(name, "is also the name of a category or an extra field")
        entry = tables[name] = table.table(name)
        low, high = entry.span("range", RANGE)
        known[name] = Criterion(name, low, high, _labels(entry, name, known))
    if not known:
        raise top.fault("criteria", "names no criterion")
    return known, tables


def _labels(table: Table, name: str, others: Mapping[str, Criterion]) -> tuple[str, ...]:
    """Other names of a criterion. A reply could not tell two criteria apart that share one."""
    labels = table.strings("labels", what="label") if table.has("labels") else ()
    taken = {spelling(known): other.name for other in others.values() for known in (other.name, *other.labels)}
    for label in (name, *labels):
        if not re.search(r"[^\W\d_]", label) or spelling(label) in _REASONS:
            raise table.fault("labels", f"{label!r} can't be a criterion's name in a reply")
        if spelling(label) in taken:
            raise table.fault("labels", f"{label!r} is also a name of {taken[spelling(label)]}")
    return labels


def flag_types(categories: Collection[str], extra: Collection[str]) -> dict[str, ValueType]:
    """The names that tell of a sample in a formula, with their types."""
    flags = (*(name for name in categories if _NAME.fullmatch(name) and name not in _RESERVED), *extra)
    return {CATEGORY: TEXT, REFERENCE_TEXT: TRUTH, **dict.fromkeys(flags, TRUTH)}


def formulas(top: Table, names: Collection[str], flags: Mapping[str, ValueType]) -> tuple[dict[str, Formula], Formula]:
    """The named steps, and the score. A step may use those above it."""
    table = top.optional("steps")
    types = {**dict.fromkeys((*names, *ORDINALS), NUMBER), ALL: NUMBERS, **flags}
    steps = {}
    for name in table.values:
        _check_name(table, name, name)
        if name in types:
            raise table.fault(name, "is already a name")
        steps[name] = table.formula(name, types, NUMBER)
        types[name] = NUMBER
    return steps, top.formula("score", types, NUMBER)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionContext:
    """What the questions need to know of the other sections. `groups`: the categories, and `other` if any is taken."""

    languages: tuple[str, ...]
    groups: tuple[str, ...]
    criteria: Mapping[str, Criterion]
    criterion_tables: Mapping[str, Table]
    flags: Mapping[str, ValueType]
    guidance: Table
    forms: Table
    references: Table

    @property
    def readouts(self) -> tuple[str, ...]:
        return readouts(self.criteria.values())


def readouts(criteria: Iterable[Criterion]) -> tuple[str, ...]:
    """The readouts that a rubric with these criteria has texts for."""
    return READOUTS if all(map(tells_apart, criteria)) else (GENERATE,)


def questions(top: Table, context: QuestionContext) -> tuple[RubricQuestion, ...]:
    """The rubric's questions in the file's order. Also refuses criteria, guidance and languages that none of them uses."""
    table = top.table("questions")
    read = tuple(_question(table.table(name), name, context) for name in table.values)
    if not read:
        raise top.fault("questions", "asks nothing")
    asked = {criterion.name for question in read for group in question.criteria.values() for criterion in group}
    for name in context.criteria:
        if name not in asked:
            raise top.fault(f"criteria.{name}", "no question asks for it")
    _close(context, read)
    return read


def _close(context: QuestionContext, read: Sequence[RubricQuestion]) -> None:
    """Refuse keys that no question used."""
    for entry in context.criterion_tables.values():
        if entry.has("text"):
            texts = entry.table("text")
            for language in context.languages:
                _plain(texts, language)
            texts.close()
        entry.close()
    for table in (context.guidance, context.forms, context.references):
        for language in table.values:
            if language not in context.languages:
                raise table.fault(language, "unknown key", f"The languages are {', '.join(context.languages)}.")
    used = any("guidance" in prompt.text.placeholders for question in read for prompt in question.prompt_texts.values())
    if context.guidance.values and not used:
        raise context.guidance.fault(next(iter(context.guidance.values)), "no question's text has {guidance}")
    for language in context.guidance.values:
        context.guidance.table(language).check_keys(context.groups, "category")


def _question(table: Table, name: str, context: QuestionContext) -> RubricQuestion:
    asked = _criteria_by_category(table, context)
    types = {**context.flags, REFERENCE_IMAGE: TRUTH}
    texts, guidance, forms = table.table("text"), table.optional("guidance"), table.optional("form")
    images = table.strings("images", IMAGES, what="image")
    if not images:
        raise table.fault("images", "must name at least one image")
    question = RubricQuestion(
        name=name,
        images=images,
        criteria=asked,
        when=table.formula("when", types, TRUTH) if table.has("when") else None,
        prompt_texts={
            language: _prompt_text(language, texts, guidance, forms, asked, context) for language in context.languages
        },
    )
    if guidance.values and not any("guidance" in prompt.text.placeholders for prompt in question.prompt_texts.values()):
        raise table.fault("guidance", "the text has no {guidance}")
    for inner in (texts, guidance, forms, table):
        inner.close()
    return question


def _criteria_by_category(table: Table, context: QuestionContext) -> _CriteriaByCategory:
    """The criteria that a question yields, by category; none for a category where it is not asked."""
    scale = table.span("answers", ANSWERS) if table.has("answers") else None
    chosen = table.strings("categories", context.groups, what="category") if table.has("categories") else context.groups
    if isinstance(table.values.get("criteria"), dict):
        inner = table.table("criteria")
        inner.check_keys(context.groups, "category")
        asked = {category: _criteria(inner, category, context, scale) for category in inner.values if category in chosen}
    else:
        asked = dict.fromkeys(chosen, _criteria(table, "criteria", context, scale))
    return {category: asked.get(category, ()) for category in context.groups}


def _criteria(table: Table, key: str, context: QuestionContext, answers: tuple[int, int] | None) -> tuple[Criterion, ...]:
    names = table.strings(key, context.criteria, what="criterion")
    if not 0 < len(names) <= len(ORDINALS):
        raise table.fault(key, f"must name 1 to {len(ORDINALS)} criteria")
    return tuple(_with_answers(context.criteria[name], answers) for name in names)


def _with_answers(criterion: Criterion, answers: tuple[int, int] | None) -> Criterion:
    """The criterion as a question with an answer range of its own asks for it."""
    scale = (criterion.lowest, criterion.highest)
    if answers is None or answers == scale:
        return criterion
    return Criterion(criterion.name, *answers, criterion.labels, scale)


def _prompt_text(
    language: str, texts: Table, guidance: Table, forms: Table, asked: _CriteriaByCategory, context: QuestionContext
) -> PromptText:
    names = {criterion.name for group in asked.values() for criterion in group}
    own = {name: table for name, table in context.criterion_tables.items() if name in names}
    text = texts.template(language, PLACEHOLDERS if context.references.values else PLACEHOLDERS[:-1])
    prompt = PromptText(
        text=text,
        forms=_forms(forms if forms.has(language) else context.forms, language, context.readouts),
        guidance=_guidance(guidance, language, asked, context) if "guidance" in text.placeholders else {},
        criteria={name: _plain(table.table("text"), language) for name, table in own.items()}
        if "criteria" in text.placeholders
        else {},
    )
    alone = prompt.forms.get(EXPECTED)
    named = alone is None or "criteria" in text.placeholders or "criterion" in alone.placeholders
    if not named and max(map(len, asked.values()), default=0) > 1:
        raise texts.fault(language, f"has several criteria, and readout {EXPECTED} asks for one at a time: say {{criteria}}")
    return prompt


def _forms(table: Table, language: str, needed: Collection[str]) -> dict[str, Template]:
    inner = table.table(language)
    forms: dict[str, Template] = {
        readout: inner.template(readout, FORM_PLACEHOLDERS[readout], empty=True)
        for readout in READOUTS
        if readout in needed or inner.has(readout)
    }
    inner.close()
    return forms


def _guidance(own: Table, language: str, asked: _CriteriaByCategory, context: QuestionContext) -> dict[str, str]:
    """The question's own guidance where it has any for a category, else the rubric's."""
    tables = [table.table(language) for table in (own, context.guidance) if table.has(language)]
    if not tables:
        raise (own if own.values else context.guidance).fault(language, "is missing", "The text says {guidance}.")
    for table in tables:
        table.check_keys(context.groups, "category")
    return {
        category: _plain(next((table for table in tables if table.has(category)), tables[0]), category)
        for category, criteria in asked.items()
        if criteria
    }


def _plain(table: Table, key: str) -> str:
    return table.template(key, ()).fill({})


def references(table: Table, tags: Sequence[str]) -> dict[str, Template]:
    """What {reference} stands for when a sample has a reference text, by language; empty where the rubric has none."""
    return {tag: table.template(tag, _IN_REFERENCE, strip=False) for tag in tags} if table.values else {}


def answer_prefixes(top: Table, needed: Collection[str]) -> dict[str, str]:
    """How the judge's answer begins, by readout."""
    table = top.table("answer_prefix")
    prefixes: dict[str, str] = {
        readout: table.take(readout, str, "text") for readout in READOUTS if readout in needed or table.has(readout)
    }
    table.close()
    return prefixes
