"""Setting aside what is broken, so that the command that made a folder makes just that again. Nothing is deleted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from editbench import atomic, run_folder
from editbench.errors import EditbenchError, Incomplete, UserError
from editbench.paths import EditPaths, ScorePaths
from editbench.verify import folders
from editbench.verify.finding import Finding, Kind, Verdict


def set_aside(verdict: Verdict) -> list[Path]:
    """Rename what is broken, and orphans, to NAME.damaged in the folder itself; returns the new paths.

    Raises:
        UserError: a run is at work in the folder, it can't be written, or a folder in it is a link.
    """
    root, wanted = verdict.root, [*dict.fromkeys(finding.path for finding in _movable(verdict))]
    if not any(path.exists() for path in wanted):
        return []
    if verdict.kind == Kind.BENCHMARK:
        return _renamed(root, wanted)
    paths = EditPaths(root) if verdict.kind == Kind.EDITS else ScorePaths(root)
    run_folder.refuse_links(paths)
    with run_folder.locked(paths):
        return _renamed(root, wanted)


def left_to_do(verdict: Verdict) -> EditbenchError | None:
    """The error to end with once `set_aside` has done what it can; None where the folder is whole by now."""
    if beyond := [finding.message for finding in verdict.findings if not (finding.mendable or finding.orphan)]:
        message = "\n".join([f"{verdict.root} can't be repaired:", *beyond])
        return UserError(message, "Restore it, or make it again with another --out.")
    if any(_remade(finding) for finding in verdict.findings):
        remedy = "Run the command that made it once more: it makes just that again, and keeps the rest."
        return Incomplete(f"{verdict.root} lacks what was set aside", remedy)
    return None


def _movable(verdict: Verdict) -> Iterator[Finding]:
    """What is to be moved, and what must go with it.

    A run of edits goes on without its manifest; where its failures are unknown, it would take shards that lack samples to be
    whole. Scores keep their manifest, which tells the files that are whole from the others.
    """
    yield from (finding for finding in verdict.findings if finding.mendable or finding.orphan)
    if verdict.kind != Kind.EDITS or not any(_remade(finding) for finding in verdict.findings):
        return
    paths = EditPaths(verdict.root)
    if any(finding.path == paths.failures for finding in verdict.findings):
        yield from (Finding(path, "") for path in folders.incomplete(paths))
    yield Finding(paths.manifest, "")


def _remade(finding: Finding) -> bool:
    return finding.mendable and not finding.orphan


def _renamed(root: Path, broken: Sequence[Path]) -> list[Path]:
    return [atomic.set_aside(path, root) for path in broken if path.exists()]
