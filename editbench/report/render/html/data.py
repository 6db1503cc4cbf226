"""What the gallery is drawn from, as compact JSON: a column a field, repeated texts as numbers, pictures by their index.

runs        [{label, scale: [lo, hi] | null, edits: number of the first run of the same edits}]
categories, languages, statuses, flags, reads: [text], criteria: [[name]]     what the numbers below stand for
cut         characters that long texts were cut to | null
samples     {key, category, language, instruction (null: unknown), reference, source (picture | -1)}: a list each;
            extra {index of a sample: [[caption, picture]]} for samples with more than a source
results     a run: {status (-1: the run has no such sample), score, edited, response, read, expected, mass, spread, flags,
            criteria}: a list each; of flags, a list of numbers, and of criteria, the number of their names and then their
            values; 0 for none
pictures    {edge, folder, embedded: whether they are in the page, full: edge | null, names: [text] | null without files};
            those in the page are a JSON list of their own, base64
"""

from __future__ import annotations

import base64
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson

from editbench.paths import ReportPaths
from editbench.records import STATUSES
from editbench.report.render.html.gallery import Gallery, GallerySample, JudgedEdit
from editbench.report.render.html.pictures import StoredPicture
from editbench.report.render.html.thumbnails import FULL, Thumbnails

TEXTS = 32_000_000
"""Characters of instructions and replies in a page; beyond it long ones are cut to what keeps to it."""
SHORTEST = 120
"""No text is cut below it."""

Value = TypeVar("Value", bound=Hashable)
_DECIMALS = 4
_NUMBERS = ("score", "expected", "mass", "spread")


class Codes(dict[Value, int]):
    """A number for each value, in order of appearance."""

    def of(self, value: Value) -> int:
        return self.setdefault(value, len(self))


def pictures(gallery: Gallery) -> list[StoredPicture]:
    """Every picture of the gallery once, in the order shown."""
    every = [picture for sample in gallery.samples for picture in _of(sample)]
    return list({_identity(picture): picture for picture in every}.values())


def encode(value: Any) -> bytes:
    """JSON that can't end the script element it stands in: `<` occurs in texts only, where an escape means the same."""
    return orjson.dumps(value).replace(b"<", b"\\u003c")


class PageData:
    """The page's JSON: `contents`, and `embedded`, the pictures in the page itself (None when they lie beside it)."""

    def __init__(
        self, gallery: Gallery, runs: Sequence[Mapping[str, Any]], thumbnails: Thumbnails, *, full: bool = False
    ) -> None:
        """`runs`: those of report.json. `thumbnails`: thumbnails of `pictures(gallery)`, in that order."""
        self.cut = _cut(gallery)
        self.codes: dict[str, Codes[Hashable]] = {
            column: Codes() for column in ("categories", "languages", "flags", "reads", "criteria")
        }
        self.names: Codes[str] = Codes()
        self.numbers = {
            _identity(picture): self.names.of(name)
            for picture, name in zip(pictures(gallery), thumbnails.names, strict=True)
            if name
        }
        samples = gallery.samples
        self.embedded = (
            None
            if thumbnails.embedded is None
            else [base64.b64encode(thumbnails.embedded[name]).decode() for name in self.names]
        )
        self.contents = {
            "runs": _runs(runs),
            "samples": self._samples(samples),
            "results": [self._results([sample.results.get(number) for sample in samples]) for number in range(len(runs))],
            **{column: list(known) for column, known in self.codes.items()},
            "statuses": STATUSES,
            "cut": self.cut,
            "pictures": {
                "edge": thumbnails.edge,
                "folder": ReportPaths(Path()).pictures.name,
                "embedded": self.embedded is not None,
                "full": FULL if full else None,
                "names": list(self.names) if full or self.embedded is None else None,
            },
        }

    def _samples(self, samples: Sequence[GallerySample]) -> dict[str, Any]:
        extra = {
            index: [*self._captioned("input", sample.sources[1:], 2), *self._captioned("reference", sample.references, 1)]
            for index, sample in enumerate(samples)
            if len(sample.sources) > 1 or sample.references
        }
        return {
            "key": [sample.name for sample in samples],
            "category": [self.codes["categories"].of(sample.category) for sample in samples],
            "language": [self.codes["languages"].of(sample.language) for sample in samples],
            "instruction": [self._text(sample.instruction) for sample in samples],
            "reference": [self._text(sample.reference) for sample in samples],
            "source": [self._number(sample.sources[0] if sample.sources else None) for sample in samples],
            "extra": {str(index): captioned for index, captioned in extra.items()},
        }

    def _results(self, results: Sequence[JudgedEdit | None]) -> dict[str, Any]:
        rows = [result.judgement if result else None for result in results]
        return {
            "status": [STATUSES.index(row.status) if row else -1 for row in rows],
            **{name: _numbers([getattr(row, name, None) for row in rows]) for name in _NUMBERS},
            "edited": [self._number(result.edited if result else None) for result in results],
            "response": [self._text(row.response) if row else "" for row in rows],
            "read": [self.codes["reads"].of(row.read) if row else -1 for row in rows],
            "flags": [[self.codes["flags"].of(flag) for flag in row.flags] if row and row.flags else 0 for row in rows],
            "criteria": [self._criteria(row.criteria) if row and row.criteria else 0 for row in rows],
        }

    def _criteria(self, values: Mapping[str, float]) -> list[float | None]:
        return [self.codes["criteria"].of(tuple(values)), *_numbers(list(values.values()))]

    def _captioned(self, caption: str, pictures: Sequence[StoredPicture], first: int) -> list[tuple[str, int]]:
        return [(f"{caption} {number}", self._number(picture)) for number, picture in enumerate(pictures, first)]

    def _number(self, picture: StoredPicture | None) -> int:
        return -1 if picture is None else self.numbers.get(_identity(picture), -1)

    def _text(self, text: str | None) -> str | None:
        return f"{text[: self.cut]}..." if text and self.cut and len(text) > self.cut else text


def _runs(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    first = {run["edits"]: number for number, run in reversed(list(enumerate(runs))) if run["edits"]}
    return [
        {"label": run["label"], "scale": run["rubric"]["scale"], "edits": first.get(run["edits"], number)}
        for number, run in enumerate(runs)
    ]


def _of(sample: GallerySample) -> list[StoredPicture]:
    edited = [result.edited for result in sample.results.values() if result.edited]
    return [*sample.sources, *sample.references, *edited]


def _identity(picture: StoredPicture) -> tuple[str, str, str]:
    return str(picture.stored.shard), picture.stored.key, picture.extension


def _cut(gallery: Gallery) -> int | None:
    """The length that texts are cut to so that they keep to TEXTS; None when they do anyway."""
    lengths = sorted(
        len(text)
        for sample in gallery.samples
        for text in (
            sample.instruction or "",
            sample.reference,
            *(result.judgement.response for result in sample.results.values()),
        )
    )
    remaining = TEXTS
    for index, length in enumerate(lengths):
        # All longer ones get an equal share of what the shorter ones leave.
        if length * (len(lengths) - index) > remaining:
            return max(SHORTEST, remaining // (len(lengths) - index))
        remaining -= length
    return None


def _numbers(values: Sequence[float | None]) -> list[float | None]:
    return [None if value is None else round(value, _DECIMALS) for value in values]
