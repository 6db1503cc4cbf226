"""Small reports in Chromium, of the sample benchmark with edits and scores that are made up here (no model)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest
from PIL import ImageOps

from editbench import identity, images
from editbench.benchmarks.benchmark import Benchmark
from editbench.edit.spool import Spool
from editbench.manifests import EditManifest, EditsFacts, Named
from editbench.paths import EDITED, RECORD, EditPaths, ScorePaths
from editbench.records import EDIT_FAILED, OK, UNPARSED, Failure, Judgement, Sample
from editbench.report import stage
from editbench.report.options import ReportOptions
from editbench.score.chunks import Chunks, RowFile

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parents[2]
FLAGS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
JUDGE = "judge"
HOSTILE = '<script>document.title = "owned"</script><img src=x onerror="document.title=1">'
ODD_KEY = "-50_of--1"
FAILED, MUTE = 3, 7  # index of a sample without an edit, and of one without a readable score


def _samples(benchmark: Benchmark) -> list[Sample]:
    first, *others = benchmark.samples
    return [replace(first, key=ODD_KEY, instruction=HOSTILE), *others]


def _edits(root: Path, benchmark: Benchmark, editor: str) -> EditManifest:
    """A finished folder of edits: `copy` leaves the pictures as they are, any other editor turns them negative."""
    paths, samples = EditPaths(root), _samples(benchmark)
    paths.spool.mkdir(parents=True)
    spool = Spool(paths, [sample.key for sample in samples], 8)
    for index, (sample, stored) in enumerate(zip(samples, benchmark.stored, strict=True)):
        if editor != "copy" and index == FAILED:
            about = {name: getattr(sample, name) for name in ("key", "id", "category", "language", "group")}
            spool.put_failure(Failure(**about, index=index, reason="error", error="out of memory", attempts=2))
            continue
        (extension,) = stored.images("source")
        source = stored.read(extension)
        picture = images.decode(source, sample.key).reduce(2)
        edited = images.encode_png(picture if editor == "copy" else ImageOps.invert(picture))
        record = orjson.dumps({**sample.to_dict(), "edit": {"flags": []}})
        spool.put(sample.key, {extension: source, EDITED: edited, RECORD: record})
    return spool.finish(Named(name="sample", digest=benchmark.digest), Named(name=editor), "i")


def _judgement(sample: Sample, index: int, editor: str, judge: str) -> Judgement:
    score = float((7 * index + 3) % 11) if editor != "copy" else float((index + len(judge) - len(JUDGE)) % 4)
    status = OK
    if editor != "copy" and index in (FAILED, MUTE):
        status = EDIT_FAILED if index == FAILED else UNPARSED
    about = {name: getattr(sample, name) for name in ("key", "id", "category", "language", "group")}
    shown = status == OK
    return Judgement(
        **about,
        status=status,
        score=score if shown else None,
        criteria={"score": score} if shown else None,
        mass=0.97 if shown else None,
        response="" if status == EDIT_FAILED else f'{{"score": {score:g}, "reason": "made up of {sample.key}"}}',
        read="expected" if shown else "",
        shard=None if status == EDIT_FAILED else EditPaths(Path()).shard(index // 8).name,
        flags=["identical"] if editor == "copy" else [],
    )


def _scores(root: Path, benchmark: Benchmark, editor: str, judge: str, edits: EditManifest) -> None:
    paths = ScorePaths(root)
    paths.chunks.mkdir(parents=True)
    rubric = {"name": "five", "version": 1, "scale": [0, 10], "digest": "r0", "criteria": {"score": [0, 10]}}
    about = EditsFacts(digest=edits.digest, benchmark=edits.benchmark, model=edits.model)
    settings = {"readout": "expected"}
    there = identity.make("score", edits=about.to_dict(), model={"name": judge}, rubric=rubric, settings=settings)
    rows = [_judgement(sample, index, editor, judge) for index, sample in enumerate(_samples(benchmark))]
    identity.settle(paths.identity, there)
    paths.environment.write_bytes(orjson.dumps({"edits": f"../{editor}-edits"}))
    chunks = Chunks(paths, [RowFile(paths.scores, [(row.key, "") for row in rows], (0,))])
    chunks.put(0, rows)
    chunks.finish(about, there["digest"])


def _report(root: Path, editors: Sequence[str], judges: Sequence[str] = (JUDGE,)) -> Path:
    """report.html of each editor's edits, scored by each judge."""
    benchmark = Benchmark.open(ROOT / "shards" / "sample", verify=False)
    folders = []
    for editor in editors:
        edits = _edits(root / f"{editor}-edits", benchmark, editor)
        for judge in judges:
            folders.append(root / f"{editor}-{judge}")
            _scores(folders[-1], benchmark, editor, judge, edits)
    made = stage.report(folders, root / "report", ReportOptions(resamples=200, figures=False))
    assert made.missing == []
    return made.paths.html


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two runs, negative and copy."""
    return _report(tmp_path_factory.mktemp("report"), ("negative", "copy"))


@pytest.fixture(scope="session")
def judges(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one set of edits that two judges scored."""
    return _report(tmp_path_factory.mktemp("judges"), ("copy",), (JUDGE, "stricter"))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra has it)")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no chromium on this machine (apt-get install chromium)")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def tab(browser: Browser, report: Path) -> Iterator[Page]:
    """The report in a tab; at its end there must have been no error in the console and no request that left the file."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(60_000)
    page = context.new_page()
    trouble: list[str] = []
    page.on("console", lambda message: trouble.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on(
        "request", lambda request: None if request.url.startswith(("data:", report.as_uri())) else trouble.append(request.url)
    )
    page.goto(report.as_uri())
    yield page
    context.close()
    assert trouble == []
