"""`editbench verify`: is what lies on disk whole, as its manifests say? And what is broken, out of the way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from editbench import console, remote
from editbench.errors import UserError
from editbench.verify import repair as repairing
from editbench.verify.finding import Verdict
from editbench.verify.opening import examine
from editbench.wording import counted


def verify(roots: Sequence[Path], *, quick: bool = False, repair: bool = False) -> None:
    """Say of each folder that it is whole, or what is wrong with it; with `repair` set aside what is broken.

    Raises:
        UserError: without `repair` all that is wrong, in one message; with it what can't be mended.
        Incomplete: the folders can be made whole by the commands that made them.
    """
    for root in roots:
        if repair and remote.is_copy(root):
            raise UserError("--repair is for folders on this machine", "Restore what is in the store, or make it again.")
        remote.pull(root)
    verdicts = examine(roots, quick=quick)
    broken = [verdict for verdict in verdicts if verdict.findings]
    for verdict in verdicts:
        if not verdict.findings:
            console.say(f"{verdict.root}: {verdict.summary}, whole")
    if broken and not repair:
        raise _error(broken)
    for verdict in broken:
        for finding in verdict.findings:
            console.say(finding.message)
        for path in repairing.set_aside(verdict):
            console.say(f"set aside: {path}")
    if errors := [*filter(None, map(repairing.left_to_do, broken))]:
        worst = min(errors, key=lambda error: error.status)
        remedies = dict.fromkeys(error.remedy for error in errors)
        raise type(worst)("\n".join(map(str, errors)), "\n".join(remedies))


def _error(broken: Sequence[Verdict]) -> UserError:
    findings = [finding for verdict in broken for finding in verdict.findings]
    message = "\n".join([f"{counted(len(findings), 'fault')} found:", *(finding.message for finding in findings)])
    remedy = "The same command goes on where a folder is not finished; --repair sets aside what is broken for it to make again."
    return UserError(message, remedy)
