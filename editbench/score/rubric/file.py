"""From the file of a rubric to a checked rubric."""

from __future__ import annotations

from pathlib import Path

from editbench.score.rubric import headline_table, sections, sources
from editbench.score.rubric.prompts import OTHER
from editbench.score.rubric.rubric import Rubric
from editbench.score.rubric.scoring import Scoring
from editbench.score.rubric.sources import ResolvedSource, Source
from editbench.score.rubric.tables import Table

_TEMPLATE = "_template"


def load(name_or_path: str) -> Rubric:
    """A shipped rubric by name, or any by the path of its .toml file.

    Raises:
        UserError: no such rubric, an unreadable file, or a fault in it (file, key, fault).
    """
    return _rubric(sources.resolve(sources.find(name_or_path, Path())))


def parse(text: str, where: str) -> Rubric:
    """The rubric in a TOML text, or in a Rubric's `text`; `where` names it in messages. Raises UserError on any fault."""
    return _rubric(sources.resolve(Source(where, text, Path())))


def template() -> str:
    """A small rubric with every key explained, to start an own one from."""
    return sources.shipped(_TEMPLATE)


def _rubric(source: ResolvedSource) -> Rubric:
    top = Table(source.values, source.origin)
    spellings, extras, languages = sections.spellings(top), sections.extras(top), sections.languages(top)
    categories = tuple(dict.fromkeys(spellings.values()))
    any_category = top.flag("any_category")
    flags = sections.flag_types(categories, extras)
    criteria, tables = sections.criteria(top, flags)
    steps, formula = sections.formulas(top, criteria, flags)
    references = top.optional("reference")
    context = sections.QuestionContext(
        languages=languages,
        groups=(*categories, *((OTHER,) if any_category else ())),
        criteria=criteria,
        criterion_tables=tables,
        flags=flags,
        guidance=top.optional("guidance"),
        forms=top.optional("form"),
        references=references,
    )
    rubric = Rubric(
        name=top.text("name"),
        version=top.take("version", int, "a whole number"),
        languages=languages,
        spellings=spellings,
        any_category=any_category,
        resize_edited=top.flag("resize_edited"),
        extras=extras,
        criteria=tuple(criteria.values()),
        questions=sections.questions(top, context),
        references=sections.references(references, languages),
        answer_prefixes=sections.answer_prefixes(top, context.readouts),
        flags=tuple(name for name in flags if name not in (sections.CATEGORY, sections.REFERENCE_TEXT)),
        scoring=Scoring(scale=top.span("scale", sections.SCORES), steps=steps, formula=formula),
        partial=sections.partial(top),
        differs=top.strings("differs", what="difference") if top.has("differs") else (),
        headline=headline_table.read(top.table("headline"), categories, extras),
        text=source.text,
    )
    top.close()
    for key, fault in rubric.faults():
        raise top.fault(key, fault)
    return rubric
