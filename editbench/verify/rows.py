"""A folder of scores, looked at whole: every row of every file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from editbench import files, shards
from editbench.errors import UserError
from editbench.manifests import RowsEntry, ScoreManifest
from editbench.paths import ScorePaths
from editbench.records import Judgement
from editbench.verify.finding import Finding
from editbench.verify.folders import Listing, unlike_identity
from editbench.wording import counted


def scores(root: Path, manifest: ScoreManifest | None) -> Listing:
    """`manifest`: None where it is missing or broken. Without one the run has not finished, and its chunks are looked at."""
    paths = ScorePaths(root)
    findings = [*unlike_identity(paths, manifest)]
    if manifest is None:
        rows = {path: _rows(path, findings) for path in paths.all_chunks()}
        keys = [row.key for judged in rows.values() for row in judged]
        return Listing(f"scores, {counted(len(keys), 'row')} so far", findings, keys)
    first = RowsEntry(rows=manifest.samples, statuses=manifest.statuses, sha256=manifest.sha256)
    entries = {paths.scores: first, paths.audit: manifest.audit, paths.anchors: manifest.anchors}
    present = {path: entry for path, entry in entries.items() if entry is not None}
    keys = []
    for path, entry in present.items():
        judged = _examine(path, entry, findings)
        keys += [row.key for row in judged] if path == paths.scores else []
    orphans = [*(path for path in entries.keys() - present.keys() if path.exists()), *paths.all_chunks()]
    findings += [Finding(path, f"{path} is an orphan: no manifest names it", orphan=True) for path in sorted(orphans)]
    others = (f", {entry.rows} of {path.stem}" for path, entry in present.items() if path != paths.scores)
    return Listing(f"scores, {counted(manifest.samples, 'row')}{''.join(others)}", findings, keys)


def _examine(path: Path, entry: RowsEntry, findings: list[Finding]) -> list[Judgement]:
    """The rows of a file that the manifest names; what is wrong with it goes to `findings`."""
    if not path.exists():
        findings.append(Finding(path, f"{path} is missing"))
        return []
    before = len(findings)
    rows = _rows(path, findings)
    try:
        changed = shards.sha256(path) != entry.sha256
    except UserError:  # told by `_rows`
        return rows
    if changed:
        findings.insert(before, Finding(path, f"{path} is not as its manifest says (sha256 differs)"))
    elif len(findings) == before and Counter(row.status for row in rows) != entry.statuses:
        findings.append(Finding(path, f"{path} has other rows than its manifest counts"))
    return rows


def _rows(path: Path, findings: list[Finding]) -> list[Judgement]:
    """The rows that can be read; lines that can't, and rows that come twice, go to `findings`."""
    rows: list[Judgement] = []
    lines: dict[tuple[str, str], int] = {}
    try:
        for number, line in _lines(path):
            where = f"{path}, line {number}"
            try:
                row = Judgement.from_dict(files.parse(line, where), where)
            except UserError as error:
                findings.append(Finding(path, str(error)))
                continue
            if (first := lines.setdefault((row.key, row.audit), number)) != number:
                findings.append(Finding(path, f"{where}: key {row.key} is that of line {first} as well", row.key))
            rows.append(row)
    except UserError as error:
        findings.append(Finding(path, str(error)))
    return rows


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with files.opened(path) as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                raise UserError(f"{path}, line {number}: cut short")
            yield number, line
