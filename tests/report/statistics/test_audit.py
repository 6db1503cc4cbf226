from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from editbench.errors import UserError
from editbench.records import Judgement
from editbench.report.records import runs
from editbench.report.statistics import checks
from editbench.report.statistics.aggregate import RunSummary, summarise
from editbench.report.statistics.audit import Audit

from ..conftest import judgement

Make = Callable[..., Path]
N = 20
EDITS = [5.0 + index % 4 for index in range(N)]


def _rows(scores: Sequence[float | None], kind: str = "", flags: Sequence[str] = ()) -> list[Judgement]:
    return [
        judgement(f"k{index}", "a", f"g{index}", score, audit=kind, flags=list(flags)) for index, score in enumerate(scores)
    ]


def _summary(make: Make, edits: Sequence[float], flags: Sequence[str] = (), **controls: Sequence[float | None]) -> RunSummary:
    audit = [row for kind, scores in controls.items() for row in _rows(scores, kind)]
    return summarise(runs.load(make(judgements=_rows(edits, flags=flags), audit=audit)), "r")


def _audit(make: Make, edits: Sequence[float], flags: Sequence[str] = (), **controls: Sequence[float | None]) -> Audit:
    audited = _summary(make, edits, flags, **controls).audit
    assert audited is not None
    return audited


def test_a_run_without_controls_has_no_audit(make_scores: Make) -> None:
    assert summarise(runs.load(make_scores()), "r").audit is None


def test_a_judge_that_tells_all_controls_apart_gets_no_verdict(make_scores: Make) -> None:
    audited = _audit(make_scores, EDITS, unedited=[0.0] * N, stranger=[1.0] * N, swapped=[2.0] * N, repeat=EDITS)
    assert (audited.verdicts, audited.samples, audited.rows, audited.statuses, audited.unread_share) == (
        [],
        N,
        4 * N,
        {"ok": 4 * N},
        0,
    )
    stranger = audited.controls["stranger"]
    assert (stranger.n, stranger.mean, stranger.edit_mean, stranger.win_rate.value, stranger.win_rate.interval) == (
        N,
        1,
        6.5,
        1,
        (1, 1),
    )
    assert (audited.repeat.n, audited.repeat.same_share, audited.repeat.mean_difference) == (N, 1, 0)


def test_an_edit_that_ties_with_its_control_wins_half(make_scores: Make) -> None:
    # 4 edits at 5, 6, 7, 8 against 6: loss, tie, win, win.
    assert _audit(make_scores, EDITS[:4], unedited=[6.0] * 4).controls["unedited"].win_rate.value == 0.625


def test_a_judge_that_always_answers_seven_is_called_out(make_scores: Make) -> None:
    seven = [7.0] * N
    audited = _audit(make_scores, seven, unedited=seven, stranger=seven, swapped=seven, repeat=seven)
    told = f"in 50 % of {N} samples (50 % to 50 %; {N} tied, which count one half)"
    assert audited.verdicts == [
        f"the judge can't tell an edit from no edit: an edit beats its unedited source {told}",
        f"the judge can't tell an edit from another sample's: an edit beats another sample's {told}",
        f"the judge can't tell the edit from the source: an edit beats the same pair swapped {told}",
    ]


def test_a_judge_that_wins_by_luck_is_called_out(make_scores: Make) -> None:
    luck = [score + (1 if index % 2 else -1) for index, score in enumerate(EDITS)]
    (verdict,) = _audit(make_scores, EDITS, unedited=luck).verdicts
    assert verdict.startswith(
        "the judge can't tell an edit from no edit: an edit beats its unedited source in 50 % of 20 samples ("
    )


def test_edits_that_are_worse_than_none_are_told_so(make_scores: Make) -> None:
    (verdict,) = _audit(make_scores, EDITS, unedited=[9.0] * N).verdicts
    assert verdict.startswith("the judge scores no edit above the edits, which are bad, or it is wrong: ")


def test_few_pictures_tell_nothing(make_scores: Make) -> None:
    (verdict,) = _audit(make_scores, EDITS[:5], unedited=[0.0] * 5).verdicts
    assert verdict.startswith("too few source pictures (5) to say whether the judge can tell an edit from no edit: ")


def test_identical_edits_are_no_match_for_their_source(make_scores: Make) -> None:
    audited = _audit(make_scores, EDITS, ["identical"], unedited=EDITS, swapped=EDITS, stranger=[0.0] * N)
    assert (audited.skipped_identical, audited.controls["unedited"].win_rate, audited.controls["stranger"].n) == (N, None, N)
    nothing = "nothing could be compared to tell {}: the edits of all 20 samples are identical to their source"
    assert audited.verdicts == [nothing.format("an edit from no edit"), nothing.format("the edit from the source")]


def test_other_scores_for_the_same_pair_are_told(make_scores: Make) -> None:
    (verdict,) = _audit(make_scores, EDITS, repeat=[score + index % 2 for index, score in enumerate(EDITS)]).verdicts
    assert verdict.startswith("the judge gives different scores to the same pair: 50 % of 20 samples got the same score")
    assert verdict.endswith("; 0.50 apart on average")


def test_the_last_bits_of_a_batch_are_no_other_score(make_scores: Make) -> None:
    audited = _audit(make_scores, EDITS, repeat=[score + 0.01 for score in EDITS])
    assert (audited.verdicts, audited.repeat.same_share, audited.repeat.mean_difference) == ([], 0.0, 0.01)


def test_controls_that_can_not_be_read_are_counted_and_told(make_scores: Make) -> None:
    audited = _audit(make_scores, EDITS, stranger=[None] * 5 + [0.0] * 15)
    assert (audited.unread_share, audited.controls["stranger"].n) == (0.25, 15)
    assert audited.verdicts == ["25 % of the controls have no score (5 unparsed)"]


def test_samples_of_one_picture_are_one_draw(make_scores: Make) -> None:
    one = [judgement(f"k{index}", "a", "g", 5.0) for index in range(N)]
    audit = [judgement(f"k{index}", "a", "g", 0.0, audit="unedited") for index in range(N)]
    audited = summarise(runs.load(make_scores(judgements=one, audit=audit)), "r").audit
    assert audited.controls["unedited"].win_rate.interval is None
    assert audited.verdicts[0].startswith("too few source pictures (1)")


def test_verdicts_are_warnings_of_the_run(make_scores: Make) -> None:
    summary = _summary(make_scores, EDITS, unedited=EDITS)
    assert summary.audit.verdicts
    assert checks.diagnose(summary) == summary.audit.verdicts


def test_a_control_of_no_sample_is_refused(make_scores: Make) -> None:
    run = runs.load(make_scores(audit=[judgement("elsewhere", "a", "g", 1.0, audit="unedited")]))
    with pytest.raises(UserError, match=r"audit\.jsonl: 'elsewhere' is no sample of this run"):
        summarise(run, "r")
