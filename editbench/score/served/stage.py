"""`editbench score --endpoint URL`: the stage whose judge is served. It asks in threads of its own and starts no ranks."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from editbench import console, identity, remote
from editbench.edits import Edits
from editbench.errors import StageError, UserError
from editbench.fleet import attempts, stage
from editbench.fleet.devices import Devices
from editbench.fleet.panel import live
from editbench.fleet.run_options import RunOptions, Style
from editbench.fleet.status import ENDPOINT, RunStatus
from editbench.fleet.tracker import Tracker
from editbench.manifests import ScoreManifest
from editbench.models import Kind, Model
from editbench.paths import ScorePaths
from editbench.records import EXPECTED
from editbench.score import cost
from editbench.score.questions import QuestionBuilder
from editbench.score.row_maker import RowMaker
from editbench.score.served import asking
from editbench.score.served.chat import RequestBuilder
from editbench.score.served.endpoint import Endpoint, Server, Unavailable
from editbench.score.served.judge import ServedJudge
from editbench.score.served.options import ServedOptions
from editbench.score.served.pool import EndpointPool
from editbench.score.settings import ScoreSettings
from editbench.score.stage import ScoreStage, checked_retry, checked_rubric, score_identity
from editbench.usage import Usage, used

ANY_NAME = "llamacpp"
"""Engine that has one model and answers to any name."""


def score(
    edits: Path,
    name: str,
    rubric_name: str | None,
    out: Path,
    settings: ScoreSettings,
    options: RunOptions,
    served: ServedOptions,
    retry: Collection[str] = (),
    anchors: Path | None = None,
) -> None:
    """As `score.stage.score`, with the judge that servers know as `name`.

    Raises:
        UserError, Incomplete: as there; also where no endpoint answers, which a dry run does without, or one does not know the
            judge.
        StageError: no endpoint has answered for `served.patience` seconds, or none takes the requests.
        Interrupted: stopped, once what was under way is finished.
    """
    options.check()
    served.check()
    again = checked_retry(retry)
    settings = _settled(settings, options, served)
    settings.check()
    opened, others = Edits.open(edits), Edits.open(anchors) if anchors else None
    chosen = checked_rubric(rubric_name, settings, opened, others)
    endpoints = [Endpoint(url, served.request_timeout) for url in served.endpoint]
    server = _server(endpoints, name, _known(ScorePaths(out), name) if options.dry_run else None)
    facts = {"kind": Kind.SERVED, "name": name, "engine": server.engine, "version": server.version}
    model = Model(Kind.SERVED, name, name, facts)
    stage.run(
        ServedStage(
            paths=ScorePaths(out),
            model=model,
            devices=Devices("served", served.concurrency, {}),
            options=options,
            identity=score_identity(opened, others, model, chosen, settings, served=served.parameters),
            edits=opened,
            anchors=others,
            rubric=chosen,
            settings=settings,
            retry=again,
            endpoints=endpoints,
            served=served,
        )
    )


def _settled(settings: ScoreSettings, options: RunOptions, served: ServedOptions) -> ScoreSettings:
    """A sample is asked about alone, so that its row can be kept at once. Raises UserError for options of other judges."""
    if settings.batch_tokens is not None or settings.batch_size not in (None, 1):
        raise UserError("--batch-size and --batch-tokens are not for served judges", "Give --concurrency.")
    if settings.dtype != "auto":
        raise UserError("--dtype is the server's to choose", "Leave it out.")
    if settings.fast or settings.cuda_graph:
        raise UserError("--fast and --cuda-graph are not for served judges", "Which kernels run is the server's to choose.")
    if settings.thinking_budget is not None or settings.keep_thoughts:
        remedy = "Let it think by --no-prefill; --max-new-tokens bounds thought and answer together."
        raise UserError("--thinking-budget and --keep-thoughts are not for served judges", remedy)
    if options.nodes.count > 1:
        raise UserError("--nnodes is not for served judges", "Run it once, with an --endpoint for each server.")
    if settings.readout == EXPECTED and not served.goes_on:
        console.warn("without --prefill the distribution is read where the reply has its score; P(10) may count as P(1)")
    return replace(settings, dtype="float32", batch_size=1, forced=settings.forced and served.goes_on)


def _known(paths: ScorePaths, name: str) -> Server:
    """The server that the folder's results by this judge are from; nothing is known of it where there are none."""
    remote.pull(paths.root, finished=False)
    model = identity.load(paths.identity).get("model") if paths.identity.exists() else None
    match model:
        case {"kind": Kind.SERVED, "name": known, "engine": str(engine), "version": str(version)} if known == name:
            return Server(engine, version)
    return Server()


def _server(endpoints: Sequence[Endpoint], name: str, otherwise: Server | None) -> Server:
    """What all endpoints that answer are; `otherwise` where none does.

    Raises UserError when one does not know the model, or they differ, or when none answers and there is no `otherwise`.
    """
    told: dict[str, Server] = {}
    silent: list[str] = []
    for endpoint in endpoints:
        try:
            told[endpoint.name] = endpoint.server()
        except Unavailable as error:
            silent.append(f"{endpoint.name} does not answer: {error}")
    if not told and otherwise is not None:
        console.warn(f"{'; '.join(silent)}; unchecked: whether {name} is served there, by what, and in which version")
        return otherwise
    if not told:
        raise UserError("; ".join(silent), "Is the server up, and the URL right (http://HOST:PORT/v1)?")
    for line in silent:
        console.warn(f"{line}; it is asked again while the run goes on")
    for where, server in told.items():
        if server.models is not None and server.engine != ANY_NAME and name not in server.models:
            shown = ", ".join(server.models[:8]) or "none"
            raise UserError(f"{where} serves no model {name}", f"It serves: {shown}.")
    kinds = {(server.engine, server.version): where for where, server in told.items()}
    if len(kinds) > 1:
        versions = "; ".join(f"{where}: {' '.join(kind) or 'unknown'}" for kind, where in kinds.items())
        raise UserError(f"the endpoints are not alike: {versions}", "Serve the judge by one version of one engine.")
    return next(iter(told.values()))


@dataclass(frozen=True, kw_only=True)
class ServedStage(ScoreStage):
    """An item is a chunk of one sample."""

    endpoints: Sequence[Endpoint]
    served: ServedOptions

    def work(self) -> None:
        attempts.note_environment(self)
        try:
            self._attempt(self.chunks.missing())
        finally:
            attempts.merge_timings(self.paths)

    def _attempt(self, pending: Sequence[int]) -> None:
        number = self.paths.last_attempt() + 1
        logs = self.paths.attempt(number)
        logs.root.mkdir(parents=True)
        self.paths.status.mkdir(exist_ok=True)
        about = RunStatus(
            stage=self.name,
            title=self.title,
            total=self.total,
            before=self.total - self.sample_count(pending),
            attempt=number,
            ranks=len(self.endpoints),
            unit=ENDPOINT,
            began=time.time(),
            scores=self.scores(),
            scale=self.scale,
        )
        pool, tracker = EndpointPool(self.endpoints, self.served.patience), Tracker(about.total, about.before)
        style = Style(self.options.progress)
        with (
            attempts.told(about, tracker, style),
            asking.logged(logs),
            asking.Board.opened(self.paths, logs, number, pool) as board,
            live.watching(style, about, self.paths, tracker) as watch,
            attempts.recorded(self, about, head=True),
        ):
            left = asking.queued(self._rows, pending, self.chunks.rows_of)
            requests = RequestBuilder(self.model.location, self.served)
            asked = asking.Asking(
                ServedJudge(pool, requests, self.settings, self.settings.for_judge("cpu")),
                QuestionBuilder(self.rubric, self.settings),
                RowMaker(self.rubric, self.settings),
                lambda chunk, judged: self.chunks.put(chunk, [judged.row]),
                board,
                left,
            )
            asked.run(min(self.served.concurrency, len(pending)), tracker, watch)
            if self.pending():
                raise StageError("threads ended before all was asked", f"Their log: {logs.rank_log(0)}")

    def describe(self, items: Sequence[int]) -> Iterable[tuple[str, object]]:
        yield from super().describe(items)
        yield "endpoints", ", ".join(endpoint.name for endpoint in self.endpoints)
        yield from self.served.parameters.items()
        tokens = self._expected_use(items)
        yield "tokens, about", tokens
        price = self._priced(tokens).price
        yield "price, about", "unknown: --price-in and --price-out tell it" if price is None else f"{price:,.2f}"

    def _expected_use(self, items: Sequence[int]) -> Usage:
        """By what earlier attempts have used a sample; else by an estimate, in which replies are as long as they may be."""
        before, samples = used(self.paths)
        if samples:
            count = self.sample_count(items)
            return Usage(before.read * count // samples, before.written * count // samples)
        return Usage(*cost.token_count(self._judged(items), self.rubric, self.settings))

    def summary(self, manifest: ScoreManifest) -> Iterable[str]:
        yield from super().summary(manifest)
        tokens, _ = used(self.paths)
        yield f"tokens: {self._priced(tokens)}"

    def _priced(self, tokens: Usage) -> Usage:
        return tokens.priced(self.served.price_in, self.served.price_out)

    def environment(self) -> dict[str, Any]:
        return {**super().environment(), "endpoints": [endpoint.name for endpoint in self.endpoints]}
