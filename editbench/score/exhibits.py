"""What the judge is shown of a sample: its pictures, decoded, and the rubric's texts about it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from PIL import Image

from editbench import images
from editbench.edits import Entry
from editbench.errors import UserError
from editbench.paths import EDITED, REFERENCE, SOURCE
from editbench.records import Sample
from editbench.score import question as kinds
from editbench.score.judge import THREADS, Question
from editbench.score.question import Ask
from editbench.score.rubric import Rubric
from editbench.score.settings import ScoreSettings
from editbench.shards import Stored

CUT = "cut"
"""Flag of a row whose judge saw only the beginning of the instruction or the reference text."""
_MARK = " [...]"

Asked = list[tuple[str, dict[int, Question]]]
"""By name, in the rubric's order, what is asked of which place; in readout `expected` a name comes once a criterion."""


class Exhibits:
    def __init__(self, rubric: Rubric, settings: ScoreSettings) -> None:
        self._rubric, self._settings = rubric, settings
        self._pool = ThreadPoolExecutor(THREADS, "decode")

    def questions(self, entries: Mapping[int, Entry]) -> tuple[Asked, dict[int, str]]:
        """The questions about samples that have an edit, by place; and those whose pictures can't be read, with the reason."""
        asks = {place: self._asks(entry) for place, entry in entries.items()}
        pictures = {place: self._decoding(entry.stored, asks[place]) for place, entry in entries.items()}
        asked: dict[tuple[str, int], dict[int, Question]] = {}
        broken = {}
        for place, entry in entries.items():
            try:
                found = self._sized({kind: future.result() for kind, future in pictures[place].items()})
            except UserError as error:
                broken[place] = str(error)
                continue
            seen: list[str] = []
            for ask in asks[place]:
                name = (ask.question, seen.count(ask.question))
                seen.append(ask.question)
                asked.setdefault(name, {})[place] = _question(entry.sample.key, ask, found)
        return [(name, questions) for (name, _), questions in asked.items()], broken

    def cuts(self, sample: Sample) -> bool:
        return max(len(sample.instruction), len(sample.reference_text)) > self._settings.max_text

    def _asks(self, entry: Entry) -> list[Ask]:
        shown = {kinds.SOURCE, kinds.EDITED, *([kinds.REFERENCE] if entry.stored.images(REFERENCE) else [])}
        sample = entry.sample
        if self.cuts(sample):
            sample = replace(sample, instruction=self._cut(sample.instruction), reference_text=self._cut(sample.reference_text))
        return self._rubric.asks(sample, self._settings.language, self._settings.readout, shown)

    def _cut(self, text: str) -> str:
        most = self._settings.max_text
        return text if len(text) <= most else f"{text[:most]}{_MARK}"

    def _decoding(self, stored: Stored, asks: Collection[Ask]) -> dict[str, Future[Image.Image]]:
        """The pictures that are asked about, by kind. Of a sample's further inputs and references none is shown."""
        wanted = dict.fromkeys(kind for ask in asks for kind in ask.images)
        if self._rubric.resize_edited and kinds.EDITED in wanted:
            wanted |= {kinds.SOURCE: None}
        return {kind: self._pool.submit(_decode, stored, kind) for kind in wanted}

    def _sized(self, pictures: dict[str, Image.Image]) -> dict[str, Image.Image]:
        if not self._rubric.resize_edited or kinds.EDITED not in pictures:
            return pictures
        size = pictures[kinds.SOURCE].size
        edited = pictures[kinds.EDITED]
        return {**pictures, kinds.EDITED: edited if edited.size == size else edited.resize(size, Image.Resampling.BICUBIC)}


def _decode(stored: Stored, kind: str) -> Image.Image:
    members = {kinds.SOURCE: SOURCE, kinds.REFERENCE: REFERENCE}
    extension = EDITED if kind == kinds.EDITED else stored.images(members[kind])[0]
    return images.decode(stored.read(extension), f"{stored.shard.name}: {stored.key}.{extension}")


def _question(key: str, ask: Ask, pictures: Mapping[str, Image.Image]) -> Question:
    shown = tuple(pictures[kind] for kind in ask.images)
    return Question(key, shown, ask.text, ask.answer_prefix, ask.criteria)
