"""`editbench verify`: is what lies on disk whole, as its manifests say? And what is broken, out of the way.

>>> [finding.message for finding in examine([Path("shards/runs/edits")])[0].findings]
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from editbench import atomic, console, files, identity, manifests, run_folder
from editbench.benchmarks.benchmark import Benchmark
from editbench.errors import EditbenchError, Incomplete, UserError
from editbench.manifests import BenchmarkManifest, EditManifest, ScoreManifest
from editbench.paths import EditPaths, Folder, RunPaths, ScorePaths
from editbench.verify import folders, rows
from editbench.verify.finding import Finding, Verdict

Manifest = BenchmarkManifest | EditManifest | ScoreManifest
COMMANDS: dict[type, str] = {BenchmarkManifest: "import", EditManifest: "edit", ScoreManifest: "score"}


@dataclass(frozen=True, slots=True)
class _Opened:
    """A folder that was looked at. `kind`: of its manifest, which is None where it is missing or broken."""

    verdict: Verdict
    kind: type
    manifest: Manifest | None
    keys: Sequence[str]


def verify(roots: Sequence[Path], *, quick: bool = False, repair: bool = False) -> None:
    """Say of each folder that it is whole, or what is wrong with it; with `repair` set aside what is broken.

    Raises:
        UserError: what is no such folder; without `repair` all that is wrong, in one message; with it what can't be mended.
        Incomplete: the folders can be made whole by the commands that made them.
    """
    verdicts = examine(roots, quick=quick)
    broken = [verdict for verdict in verdicts if verdict.findings]
    for verdict in verdicts:
        if verdict not in broken:
            console.say(f"{verdict.root}: {verdict.summary}, whole")
    if not broken:
        return
    if not repair:
        raise _broken(broken)
    for verdict in broken:
        for finding in verdict.findings:
            console.say(finding.message)
        for path in mend(verdict):
            console.say(f"set aside: {path}")
    if errors := [*filter(None, map(_left, broken))]:
        worst = min(errors, key=lambda error: error.status)
        raise type(worst)("\n".join(map(str, errors)), "\n".join(error.remedy for error in errors))


def examine(roots: Sequence[Path], *, quick: bool = False) -> list[Verdict]:
    """Look at folders of benchmarks, edits and scores; edits are also held against their benchmark and scores against their
    edits, where those are among the folders. `quick`: pictures are decoded only in shards that have been changed.

    Raises UserError for what is none of these folders.
    """
    opened = [_open(root, decode=not quick) for root in dict.fromkeys(roots)]
    return [replace(one.verdict, findings=[*one.verdict.findings, *_against(one, opened)]) for one in opened]


def _open(root: Path, *, decode: bool) -> _Opened:
    kind, manifest, findings = _manifest(root)
    if kind is ScoreManifest:
        summary, more, keys = rows.scores(root, manifest if isinstance(manifest, ScoreManifest) else None)
    elif kind is EditManifest:
        summary, more, keys = folders.edits_folder(
            root, manifest if isinstance(manifest, EditManifest) else None, decode=decode
        )
    else:
        shown = manifest if isinstance(manifest, BenchmarkManifest) else None
        summary, more, keys = folders.benchmark(root, shown, decode=decode)
    return _Opened(Verdict(root, COMMANDS[kind], summary, [*findings, *more]), kind, manifest, keys)


def _manifest(root: Path) -> tuple[type, Manifest | None, list[Finding]]:
    """What kind of folder it is: its manifest says so, or else what lies beside."""
    path = Folder(root).manifest
    try:
        if path.exists():
            manifest = manifests.load_any(path)
            return type(manifest), manifest, []
        message = f"{root} has no {path.name}: not a finished folder"
    except UserError as error:
        message = str(error)
    kind = _unlisted(root)
    if kind is None:
        raise UserError(message, "Give folders that import, edit or score made.")
    return kind, None, [Finding(path, message, mendable=kind is not BenchmarkManifest)]


def _unlisted(root: Path) -> type | None:
    """The kind of a folder without a manifest that can be read."""
    paths = RunPaths(root)
    if paths.identity.exists():
        with contextlib.suppress(UserError):
            stage = files.versioned(paths.identity).get("stage")
            return ScoreManifest if stage == COMMANDS[ScoreManifest] else EditManifest
    if ScorePaths(root).scores.exists() or ScorePaths(root).chunks.exists():
        return ScoreManifest
    shards = paths.all_shards()
    if paths.identity.exists() or EditPaths(root).shard(0) in shards:
        return EditManifest
    return BenchmarkManifest if shards else None


def _against(one: _Opened, others: Sequence[_Opened]) -> Iterator[Finding]:
    """Samples that the folder should have as well, or should not, by what it was made of, where that is whole."""
    for other in others:
        if other.verdict.findings or other.manifest is None or _input(one.manifest) != other.manifest.digest:
            continue
        if isinstance(one.manifest, ScoreManifest):
            yield from _unlike(one, other.keys, other, ScorePaths(one.verdict.root).scores, True)
        else:
            # Where no shard is broken, the manifest and all that goes with it is wrong: no resume mends that.
            mendable = bool(one.verdict.findings)
            yield from _unlike(one, _selected(one, other), other, Folder(one.verdict.root).manifest, mendable)


def _input(manifest: Manifest | None) -> str | None:
    """Digest of the manifest of what the folder was made of."""
    if isinstance(manifest, ScoreManifest):
        return manifest.edits.digest
    return manifest.benchmark.digest if isinstance(manifest, EditManifest) else None


def _unlike(one: _Opened, keys: Sequence[str], other: _Opened, path: Path, mendable: bool) -> Iterator[Finding]:
    root, there, expected = other.verdict.root, set(one.keys), set(keys)
    for key in (key for key in keys if key not in there):
        yield Finding(path, f"{one.verdict.root}: sample {key} of {root} is missing", key, mendable)
    for key in (key for key in one.keys if key not in expected):
        yield Finding(path, f"{one.verdict.root}: {root} has no sample {key}", key, mendable)


def _selected(edits: _Opened, benchmark: _Opened) -> Sequence[str]:
    """Keys of the samples that the run was to edit."""
    try:
        settings = identity.load(RunPaths(edits.verdict.root).identity).get("settings", {})
        chosen = Benchmark.open(benchmark.verdict.root, verify=False)
        return [sample.key for sample in chosen.select(settings.get("categories") or (), settings.get("limit")).samples]
    except (UserError, AttributeError, TypeError):  # an identity of another version, or a broken one, told elsewhere
        return edits.keys


def mend(verdict: Verdict) -> list[Path]:
    """Set aside what is broken and what is an orphan, so that the command that made the folder makes just that again. Nothing
    is deleted; returns the new paths.

    Raises:
        UserError: a run is at work in the folder, or it can't be written.
    """
    root = verdict.root
    paths = RunPaths(root)
    if verdict.command == COMMANDS[BenchmarkManifest]:
        return _set_aside(root, verdict.findings)
    run_folder.refuse_links(EditPaths(root) if verdict.command == COMMANDS[EditManifest] else ScorePaths(root))
    with run_folder.locked(paths):
        return _set_aside(root, [*verdict.findings, *_consequences(verdict)])


def _consequences(verdict: Verdict) -> Iterator[Finding]:
    """What must go with the broken files of a run. A run of edits without its manifest goes on; of one whose failures are
    unknown, shards that lack samples are taken to be whole. Scores keep their manifest: it says which of their files are."""
    if verdict.command != COMMANDS[EditManifest] or not any(_mended(finding) for finding in verdict.findings):
        return
    paths = EditPaths(verdict.root)
    if any(finding.path == paths.failures for finding in verdict.findings):
        yield from (Finding(path, "") for path in folders.incomplete(paths))
    yield Finding(paths.manifest, "")


def _mended(finding: Finding) -> bool:
    return finding.mendable and not finding.orphan


def _set_aside(root: Path, findings: Sequence[Finding]) -> list[Path]:
    broken = dict.fromkeys(finding.path for finding in findings if finding.mendable or finding.orphan)
    return [atomic.set_aside(path, root) for path in broken if path.exists()]


def _broken(verdicts: Sequence[Verdict]) -> UserError:
    findings = [finding for verdict in verdicts for finding in verdict.findings]
    count = "1 fault" if len(findings) == 1 else f"{len(findings)} faults"
    message = "\n".join([f"{count} found:", *(finding.message for finding in findings)])
    remedy = "The same command goes on where a folder is not finished; --repair sets aside what is broken for it to make again."
    return UserError(message, remedy)


def _left(verdict: Verdict) -> EditbenchError | None:
    """What is left to do where `mend` has set aside what it could; None where the folder is whole by now."""
    if beyond := [finding.message for finding in verdict.findings if not (finding.mendable or finding.orphan)]:
        message = "\n".join([f"{verdict.root} can't be repaired:", *beyond])
        return UserError(message, "Restore it, or make it again with another --out.")
    if any(_mended(finding) for finding in verdict.findings):
        remedy = "Run the command that made it once more: it makes just that again, and keeps the rest."
        return Incomplete(f"{verdict.root} lacks what was set aside", remedy)
    return None
