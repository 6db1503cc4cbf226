"""Rubrics: what the judge is told, and the form its answer takes.

A rubric is one TOML file. `load` checks all of it and raises UserError naming file, key and fault. Its keys:

    name, version, scale = [low, high], languages = [...], images = ["source", "edited"]    pictures in the order shown
    [categories]       NAME = [other spellings]
    [prompt]           LANGUAGE = text with {instruction} {category} {guidance} {reference_text} {reference}
    [form.LANGUAGE]    generate, expected: how to answer; follows the prompt after an empty line
    [guidance.LANGUAGE]    NAME = text for every category
    [answer_prefix]    generate, expected: what the judge's answer is started with, to the letter
    [reference]        LANGUAGE = what {reference} stands for when a sample has a reference text; optional

Such a file is one question that yields one criterion, `score`.

>>> rubric = load("five")
>>> text = rubric.question(sample, language=None, readout="generate")
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from editbench.errors import UserError
from editbench.records import Sample
from editbench.score import rubrics

GENERATE, EXPECTED = "generate", "expected"
READOUTS = (GENERATE, EXPECTED)
"""How a score is read: from a reply that gives a reason and a score, or from the distribution over the allowed scores."""

IMAGES = ("source", "edited", "reference")
SUFFIX = ".toml"
LOWEST, HIGHEST = 0, 10
"""No scale goes beyond these: the `expected` readout tells apart 0..9 by one digit and 10 by a second."""

PLACEHOLDERS = ("instruction", "category", "guidance", "reference_text", "reference")
_PLACEHOLDER = re.compile(r"\{\s*(\w+)\s*\}")
_OTHER_NAMES = {"cn": "zh"}  # GEdit marks Chinese with a country code


class HasCategory(Protocol):
    """What `check_samples` needs to know of a sample."""

    @property
    def key(self) -> str: ...
    @property
    def category(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """The texts of a rubric in one language; `forms` by readout, `guidance` by category."""

    prompt: str
    forms: Mapping[str, str]
    guidance: Mapping[str, str]
    reference: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rubric:
    """A checked rubric. `scale`: lowest and highest score, both allowed. `text`: the whole file."""

    name: str
    version: int
    scale: tuple[int, int]
    languages: tuple[str, ...]
    images: tuple[str, ...]
    spellings: Mapping[str, str]
    """Category by each of its spellings, casefolded."""
    wordings: Mapping[str, Wording]
    answer_prefixes: Mapping[str, str]
    text: str

    @property
    def categories(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.spellings.values()))

    def identity(self) -> dict[str, Any]:
        """What scores depend on: a letter changed anywhere in the file is another rubric."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()
        return {"name": self.name, "version": self.version, "scale": list(self.scale), "digest": digest}

    def canonical_category(self, name: str) -> str:
        """The rubric's own name of a category. Raises UserError when it has no such category."""
        if (category := self._category(name)) is None:
            known = ", ".join(self.categories)
            raise UserError(f"rubric {self.name} has no category {name!r}", f"It has: {known}.")
        return category

    def check_samples(self, samples: Iterable[HasCategory]) -> None:
        """Raises UserError when samples are of categories the rubric lacks: lists each with its count and an example."""
        unknown = [sample for sample in samples if self._category(sample.category) is None]
        if not unknown:
            return
        example = {sample.category: sample.key for sample in reversed(unknown)}
        counts = Counter(sample.category for sample in unknown).most_common()
        listed = ", ".join(f"{name!r} ({count} samples, first {example[name]})" for name, count in counts)
        known = ", ".join(self.categories)
        raise UserError(
            f"rubric {self.name} has no guidance for category {listed}",
            f"It has: {known}. Choose with --category, or add the category to a copy of the rubric.",
        )

    def question(self, sample: Sample | Mapping[str, Any], language: str | None, readout: str) -> str:
        """The user's turn, without the pictures, for a sample or its record.

        `language` None: the sample's own if the rubric has it, else the rubric's first. What the sample says is data: braces
        in it come out as they are.

        Raises:
            UserError: unknown category, language or readout.
        """
        record = sample if isinstance(sample, Mapping) else sample.to_dict()
        wording = self.wordings[self._language(language, record.get("language"))]
        category = self.canonical_category(record["category"])
        values = {
            "instruction": record["instruction"],
            "category": category,
            "guidance": wording.guidance[category],
            "reference_text": record.get("reference_text") or "",
        }
        values["reference"] = _fill(wording.reference, values) if values["reference_text"] else ""
        return f"{_fill(wording.prompt, values)}\n\n{wording.forms[_readout(readout)]}"

    def answer_prefix(self, readout: str) -> str:
        """What the judge's answer is started with; it belongs before the reply when that is parsed."""
        return self.answer_prefixes[_readout(readout)]

    def _category(self, name: str) -> str | None:
        return self.spellings.get(_spelling(name))

    def _language(self, asked: str | None, own: str | None) -> str:
        if asked is not None and _language(asked) not in self.languages:
            raise UserError(f"rubric {self.name} has no language {asked!r}", f"It has: {', '.join(self.languages)}.")
        language = _language(asked or own or "")
        return language if language in self.languages else self.languages[0]


def names() -> tuple[str, ...]:
    """The rubrics that come with editbench."""
    files = (entry.name for entry in resources.files(rubrics).iterdir())
    return tuple(sorted(name.removesuffix(SUFFIX) for name in files if name.endswith(SUFFIX)))


def load(name_or_path: str) -> Rubric:
    """A shipped rubric by name, or any by the path of its .toml file.

    Raises:
        UserError: no such rubric, an unreadable file, or a fault in it (file, key, fault).
    """
    if name_or_path.endswith(SUFFIX) or Path(name_or_path).name != name_or_path:
        return parse(_read(Path(name_or_path).expanduser()), name_or_path)
    if name_or_path not in names():
        raise UserError(
            f"there is no rubric {name_or_path!r}",
            f"{_meant(name_or_path, names())}Shipped: {', '.join(names())}. Your own: the path of a {SUFFIX} file.",
        )
    return parse((resources.files(rubrics) / f"{name_or_path}{SUFFIX}").read_text("utf-8"), f"{name_or_path}{SUFFIX}")


def parse(text: str, where: str) -> Rubric:
    """The rubric in a TOML text; `where` names it in messages. Raises UserError on any fault."""
    try:
        top = _Table(tomllib.loads(text), where)
    except tomllib.TOMLDecodeError as error:
        raise UserError(f"{where} is not TOML: {error}", "Mend the file.") from None
    categories = top.table("categories")
    languages = _languages(top)
    rubric = Rubric(
        name=top.text("name"),
        version=top.take("version", int, "a whole number"),
        scale=_scale(top),
        languages=languages,
        images=_images(top),
        spellings=_spellings(categories),
        wordings=_wordings(top, languages, tuple(categories.values)),
        answer_prefixes=_by_readout(top.table("answer_prefix"), lambda table, key: table.take(key, str, "text")),
        text=text,
    )
    top.close()
    return rubric


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"can't read rubric {path}: {error.strerror}", f"Shipped rubrics: {', '.join(names())}.") from None
    except UnicodeDecodeError as error:
        raise UserError(f"rubric {path} is not UTF-8: byte {error.start}", "Save it as UTF-8.") from None


class _Table:
    """A table of the file while it is read. Faults name file and key; a key that nobody takes is unknown."""

    def __init__(self, values: dict[str, Any], where: str, path: str = "") -> None:
        self.values, self.where, self.path = values, where, path
        self._taken: set[str] = set()

    def fault(self, key: str, problem: str, remedy: str = "") -> UserError:
        return UserError(f"{self.where}: {self.path}{key}: {problem}", remedy)

    def take(self, key: str, kind: type, described: str) -> Any:
        self._taken.add(key)
        if key not in self.values:
            raise self.fault(key, "is missing", f"It must be {described}.")
        if type(self.values[key]) is not kind:
            raise self.fault(key, f"must be {described}, not {self.values[key]!r:.60}")
        return self.values[key]

    def has(self, key: str) -> bool:
        return key in self.values

    def text(self, key: str) -> str:
        value = self.take(key, str, "text")
        if not value.strip():
            raise self.fault(key, "is empty")
        return value

    def template(self, key: str, allowed: Collection[str]) -> str:
        text = self.text(key)
        for name in _PLACEHOLDER.findall(text):
            if name not in allowed:
                known = ", ".join(f"{{{entry}}}" for entry in allowed) or "none here"
                raise self.fault(key, f"unknown placeholder {{{name}}}", f"{_meant(name, allowed)}Known: {known}.")
        return text

    def strings(self, key: str) -> tuple[str, ...]:
        values = self.take(key, list, "a list of texts")
        if not all(isinstance(value, str) and value.strip() for value in values):
            raise self.fault(key, "must be a list of texts, none empty")
        return tuple(values)

    def table(self, key: str) -> _Table:
        return _Table(self.take(key, dict, "a table"), self.where, f"{self.path}{key}.")

    def close(self) -> None:
        for key in sorted(self.values.keys() - self._taken):
            raise self.fault(key, "unknown key", f"{_meant(key, self._taken)}Known: {', '.join(sorted(self._taken))}.")


def _scale(top: _Table) -> tuple[int, int]:
    scale = top.take("scale", list, "[lowest, highest]")
    if len(scale) != 2 or any(type(end) is not int for end in scale):
        raise top.fault("scale", f"must be two whole numbers, not {scale}")
    low, high = scale
    if low >= high:
        raise top.fault("scale", f"is upside down: {low} is not below {high}")
    if low < LOWEST or high > HIGHEST:
        raise top.fault("scale", f"{scale} goes beyond {LOWEST}..{HIGHEST}")
    return low, high


def _languages(top: _Table) -> tuple[str, ...]:
    languages = top.strings("languages")
    if not languages or len(set(languages)) < len(languages):
        raise top.fault("languages", "must name at least one language, and each once")
    if odd := [language for language in languages if _language(language) != language]:
        raise top.fault("languages", f"{odd[0]!r} should be {_language(odd[0])!r}")
    return languages


def _images(top: _Table) -> tuple[str, ...]:
    images = top.strings("images")
    if unknown := [image for image in images if image not in IMAGES]:
        raise top.fault("images", f"unknown image {unknown[0]!r}", f"{_meant(unknown[0], IMAGES)}Known: {', '.join(IMAGES)}.")
    if not images or len(set(images)) < len(images):
        raise top.fault("images", "must name at least one image, and each once")
    return images


def _spellings(categories: _Table) -> dict[str, str]:
    spellings: dict[str, str] = {}
    for name in categories.values:
        for spelling in (name, *categories.strings(name)):
            if spellings.setdefault(_spelling(spelling), name) != name:
                raise categories.fault(name, f"{spelling!r} also stands for {spellings[_spelling(spelling)]}")
    if not spellings:
        raise categories.fault("", "names no category")
    return spellings


def _wordings(top: _Table, languages: Collection[str], categories: Collection[str]) -> dict[str, Wording]:
    prompts, forms, guidance = top.table("prompt"), top.table("form"), top.table("guidance")
    references = top.table("reference") if top.has("reference") else None
    allowed = PLACEHOLDERS if references else PLACEHOLDERS[:-1]
    wordings = {
        language: Wording(
            prompt=prompts.template(language, allowed).strip("\n"),
            forms=_by_readout(forms.table(language), lambda table, key: table.template(key, ()).strip("\n")),
            guidance=_guidance(guidance.table(language), categories),
            reference=references.template(language, PLACEHOLDERS[:-1]) if references else "",
        )
        for language in languages
    }
    for table in filter(None, (prompts, forms, guidance, references)):
        table.close()
    return wordings


def _by_readout(table: _Table, read: Callable[[_Table, str], str]) -> dict[str, str]:
    texts = {readout: read(table, readout) for readout in READOUTS}
    table.close()
    return texts


def _guidance(table: _Table, categories: Collection[str]) -> dict[str, str]:
    texts = {category: table.template(category, ()).strip("\n") for category in categories}
    table.close()
    return texts


def _fill(template: str, values: Mapping[str, str]) -> str:
    # One pass: what is filled in is never searched for placeholders itself.
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def _readout(name: str) -> str:
    if name not in READOUTS:
        raise UserError(f"there is no readout {name!r}", f"{_meant(name, READOUTS)}Known: {', '.join(READOUTS)}.")
    return name


def _spelling(category: str) -> str:
    return category.strip().casefold()


def _language(tag: str) -> str:
    """The language of a tag such as `en`, `zh-CN` or GEdit's `cn`."""
    primary = tag.strip().casefold().replace("_", "-").partition("-")[0]
    return _OTHER_NAMES.get(primary, primary)


def _meant(name: str, known: Iterable[str]) -> str:
    """`Did you mean ...? ` when a known name is close, else nothing."""
    close = get_close_matches(name, sorted(known), n=1)
    return f"Did you mean {close[0]}? " if close else ""
