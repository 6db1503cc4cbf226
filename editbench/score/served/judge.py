"""Asks a served judge about one sample, and makes answers of its replies."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from editbench.errors import UserError
from editbench.records import EXPECTED, UNPARSED
from editbench.score import votes
from editbench.score.items import JudgedItem
from editbench.score.judge import JudgeSettings, Question, Reply
from editbench.score.questions import QuestionGroup
from editbench.score.readout import tells_apart
from editbench.score.runner import unfinished
from editbench.score.served import logprobs
from editbench.score.served.chat import TOP, RequestBuilder
from editbench.score.served.completion import Completion, Position
from editbench.score.served.endpoint import Rejected, Unavailable
from editbench.score.served.pictures import data_url
from editbench.score.served.pool import EndpointPool, EndpointState, Halted
from editbench.score.settings import ScoreSettings
from editbench.score.thinking import CLOSE, OPEN
from editbench.score.votes import Answer
from editbench.usage import Usage

CUT = "\n[cut: it was not finished within --max-new-tokens]"
"""Ends the response of a row whose reply was cut off and could not be read."""
_SEEDS = 2**31
"""Seeds that all servers take."""


@dataclass(frozen=True, slots=True)
class ServedJudge:
    """What all samples have in common."""

    pool: EndpointPool
    builder: RequestBuilder
    settings: ScoreSettings
    sizes: JudgeSettings


@dataclass(slots=True)
class Session:
    """The questions about one sample. Its pictures are encoded once."""

    judge: ServedJudge
    item: JudgedItem
    usage: Usage = field(default_factory=Usage)
    state: EndpointState | None = None
    """Of the endpoint that gave the last reply."""
    fingerprint: str = ""
    _urls: dict[int, str] = field(default_factory=dict)
    """By the id of a picture, which its question keeps alive."""

    @property
    def cost(self) -> Usage:
        """What all requests so far have used, and their price where it is known."""
        options = self.judge.builder.options
        return self.usage.priced(options.price_in, options.price_out)

    def votes(self, groups: list[QuestionGroup]) -> Iterator[list[Answer]]:
        """The answers to all questions, once a vote. `groups`: of this sample alone. Raises Halted."""
        for number in range(self.judge.settings.votes):
            yield [self._answer(group.name, question, number) for group in groups for question in group.questions.values()]

    def _answer(self, name: str, question: Question, vote: int) -> Answer:
        try:
            if self.judge.settings.readout == EXPECTED:
                return votes.distributed(name, question.criteria, self._distribution(question))
            return self._written(name, question, vote)
        except (Rejected, Unavailable) as error:
            return votes.unanswered(name, str(error))
        except _Refused as refusal:
            return votes.refused(name, str(refusal))

    def _written(self, name: str, question: Question, vote: int) -> Answer:
        settings = self.judge.settings
        parameters: dict[str, Any] = {"temperature": settings.temperature}
        if settings.temperature:
            parameters["seed"] = settings.draw_seed(self.item.name, name, vote) % _SEEDS
        completion = self._ask(question, question.answer_prefix, settings.max_new_tokens, **parameters)
        text, thought_ended = _behind_thought(completion.text)
        prefix = question.answer_prefix if self.judge.builder.options.goes_on else ""
        text = text if text.startswith(prefix) else prefix + text  # some servers repeat what they go on from
        answer = votes.written(name, question.criteria, Reply(text))
        if answer.status == UNPARSED and settings.forced and thought_ended and all(map(tells_apart, question.criteria)):
            answer = self._forced(question, answer)
        if answer.status == UNPARSED and (completion.cut or not thought_ended):
            answer = replace(answer, text=answer.text + CUT, reason="cut")
        return answer

    def _forced(self, question: Question, answer: Answer) -> Answer:
        """The answer, read from the distribution behind what was written. As it was, where the server tells none."""
        several = [unfinished(question, answer.text, index) for index in range(len(question.criteria))]
        replies = [self._distribution(one, needed=False) for one in several]
        return votes.forced(answer, question.criteria, replies)

    def _distribution(self, question: Question, *, needed: bool = True) -> Reply:
        """The distribution of the question's only criterion. Where the server tells none: halts the run if it is `needed`."""
        criterion, goes_on = question.criteria[0], self.judge.builder.options.goes_on
        prefix = question.answer_prefix + question.said
        positions = self._positions(question, prefix, 2 if goes_on else self.judge.settings.max_new_tokens, needed=needed)
        index = 0 if goes_on else logprobs.answer_index(positions, criterion)
        if index is None or not positions:
            return Reply("")
        known, zero = logprobs.numbers(positions[index]), 0.0
        if logprobs.undecided(criterion, known):
            if positions[index].token.strip() == "1" and len(positions) > index + 1:
                behind = positions[index + 1 :]
            else:
                behind = self._positions(question, f"{prefix}1", 1, needed=needed) if goes_on else []
            zero = logprobs.numbers(behind[0]).get("0", 0.0) if behind else 0.0
        return Reply("", {criterion.name: logprobs.answers(criterion, known, zero)})

    def _positions(self, question: Question, prefix: str, tokens: int, *, needed: bool) -> list[Position]:
        """The tokens that the judge writes behind `prefix`, with the most likely ones at each."""
        completion = self._ask(question, prefix, tokens, temperature=0.0, logprobs=True, top_logprobs=TOP)
        told = completion.positions or []
        if needed and not any(position.top_logprobs for position in told):
            self.judge.pool.halt(
                UserError(
                    f"{self.state.endpoint.name if self.state else 'the server'} gives no top_logprobs, from which --readout "
                    "expected reads scores",
                    "Use --readout generate, or a server that gives them.",
                )
            )
            raise Halted
        return told

    def _ask(self, question: Question, prefix: str, tokens: int, **parameters: Any) -> Completion:
        """Raises _Refused, and as `EndpointPool.ask` does."""
        urls = [self._url(image) for image in question.images]
        request = self.judge.builder.request(question, urls, prefix=prefix, tokens=tokens, **parameters)
        completion, self.state = self.judge.pool.ask(request)
        self.usage += completion.usage
        self.fingerprint = completion.fingerprint
        if completion.refusal:
            raise _Refused(completion.refusal)
        return completion

    def _url(self, image: Any) -> str:
        if id(image) not in self._urls:
            sizes, quality = self.judge.sizes, self.judge.builder.options.jpeg_quality
            self._urls[id(image)] = data_url(image, sizes.min_pixels, sizes.max_pixels, quality)
        return self._urls[id(image)]


class _Refused(Exception):
    """The judge or a filter refused, in these words."""


def _behind_thought(text: str) -> tuple[str, bool]:
    """A reply without the thought before it, and whether that has ended."""
    _, ended, answer = text.rpartition(CLOSE)
    return (answer.lstrip(), True) if ended else (text, not text.lstrip().startswith(OPEN))
