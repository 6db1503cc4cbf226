from __future__ import annotations

import io
import re

from rich.console import Console

from editbench.fleet import status
from editbench.fleet.panel.summary import ALL_RANKS, summary
from editbench.fleet.status import Gpu, RankStatus, RunStatus


def text(*ranks: RankStatus, **values) -> str:
    common = {"stage": "edit", "title": "edit a model", "total": 100, "before": 20, "attempt": 1, "ranks": len(ranks)}
    run = RunStatus(**{**common, "began": 1000.0, "ended": 1100.0, "outcome": status.FINISHED, **values})
    out = Console(file=io.StringIO(), width=200, color_system=None)
    out.print(summary(run, list(ranks)))
    return out.file.getvalue()


def rank(number: int = 0, computing: float = 80.0, **values) -> RankStatus:
    seconds = {"loading": 10.0, "computing": computing, "waiting": 5.0, "writing": 20.0}
    return RankStatus(number, 1, **{"device": "cpu", "done": 40, "seconds": seconds, "updated": 1090.0, **values})


def test_it_counts_what_was_done_and_how_fast():
    said = text(rank(failed=1, reasons={"error": 1}), rank(1, done=39))
    assert "finished after 1:40" in said
    assert "99 of 100 done (20 of them before), 1 failed" in said
    assert "error 1" in said
    assert "1.25 s/sample; 2.00 s on a device each" in said


def test_phases_are_shares_of_all_ranks_time_and_writing_is_no_part_of_it():
    said = text(rank(), rank(1, computing=40.0))
    shares = dict(re.findall(r"^(\w+) +[\d:]+ +([\d.]+) %", said, re.MULTILINE))
    assert shares == {"loading": "10.0", "computing": "60.0", "waiting": "5.0", "other": "25.0", "writing": "20.0"}


def test_a_rank_is_as_busy_as_it_computed_of_the_runs_time():
    assert re.search(r"^0 +40 +0 +2\.00 +80\.0 %  cpu", text(rank()), re.MULTILINE)


def test_a_narrow_terminal_cuts_no_number_of_a_rank():
    gpu = Gpu("NVIDIA RTX 6000 Ada Generation Max-Q Workstation")
    ranks = [rank(number, computing=float(number), gpu=gpu, done=100_000) for number in range(ALL_RANKS + 1)]
    run = RunStatus(stage="edit", title="t", total=9, before=0, attempt=1, ranks=17, began=1000.0, ended=1100.0)
    out = Console(file=io.StringIO(), width=60)
    out.print(summary(run, ranks))
    assert re.search(r"^max +16 +100000 +0 +0\.00 +16\.0 %", out.file.getvalue(), re.MULTILINE)


def test_a_narrow_terminal_cuts_no_number_of_the_run():
    run = RunStatus(stage="edit", title="t " * 30, total=99_999_999, before=12_345_678, attempt=1, ranks=1, began=0.0)
    out = Console(file=io.StringIO(), width=60)
    out.print(summary(run, [rank(failed=123_456, reasons={name * 9: 123_456 for name in "abcdefg"})]))
    said = out.file.getvalue()
    assert re.findall(r"\d{5,}", said) == ["12345718", "99999999", "12345678", *["123456"] * 9]


def test_many_ranks_are_least_middle_and_most():
    said = text(*(rank(number, computing=float(number)) for number in range(ALL_RANKS + 1)))
    rows = re.findall(r"^(min|median|max) +(\d+) .* ([\d.]+) %", said, re.MULTILINE)
    assert rows == [("min", "0", "0.0"), ("median", "8", "8.0"), ("max", "16", "16.0")]


def test_the_slowest_samples_of_all_ranks_come_first():
    said = text(rank(slowest=[("a", 9.0), ("b", 1.0)]), rank(1, slowest=[("c", 5.0)]))
    assert re.findall(r"([\d.]+) s  (\w), rank (\d)", said) == [("9.00", "a", "0"), ("5.00", "c", "1"), ("1.00", "b", "0")]


def test_restarts_are_counted():
    assert re.search(r"restarts +3", text(rank(incarnation=2, restart=1)))


def test_a_run_that_never_had_a_rank_is_summed_up_too():
    assert "20 of 100 done" in text(outcome="interrupted")


def test_foreign_text_stays_text():
    assert "\x1b" not in text(rank(slowest=[("\x1b[2J", 1.0)]), title="\x1b[2J", outcome="\x1b[2J")
