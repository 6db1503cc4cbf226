"""What the panel shows of given status files; and that nothing in them can spoil the terminal."""

from __future__ import annotations

import io
import re

import pytest
from panel_views import H200, NOW, failed, look, many, rank, run_of, scored, shown, simulated, text_of
from rich.cells import cell_len
from rich.console import Console

from editbench.fleet import status
from editbench.fleet.panel.scores import colour
from editbench.fleet.panel.screen import screen
from editbench.fleet.panel.snapshot import Snapshot
from editbench.fleet.status import Event, Gpu
from editbench.records import ERROR, OK, UNPARSED


@pytest.mark.parametrize("stage", ["edit", "score"])
@pytest.mark.parametrize("count", [1, 8, 64])
@pytest.mark.parametrize("size", [(80, 24), (160, 45), (40, 10), (20, 3), (5, 1)])
def test_it_fits_the_terminal(stage, count, size):
    lines = text_of(simulated(stage, count), *size).split("\n")
    assert len(lines) <= size[1]
    assert max(map(cell_len, lines)) <= size[0]


def test_a_row_says_what_the_rank_does():
    text = shown(rank(3, step=28, steps=40, done=5, seconds={"computing": 66.0}, gpu=H200), width=160)
    row = next(line for line in text.split("\n") if "key-3" in line)
    assert re.search(r"3  3 H200 +editing +key-3 .*28/40 +5 +13\.2 +98 % +57/141 GB +640 W +61 °C", row)


def monsters(stage: str) -> Snapshot:
    """Ranks with every number as large as it may be, and names as long; none of the names has a digit."""
    gpu = Gpu("NVIDIA RTX Ada Generation Max-Q", 100.0, 1400 * 2**30, 1536 * 2**30, 1200.0, 101.0)
    common = {
        "gpu": gpu,
        "device": "cuda",
        "item": "a-name-without-an-end" * 3,
        "failed": 123_456,
        "reasons": {"error": 123_456},
    }
    common |= {"seconds": {"computing": 9e9}, "done": 7_654_321, "scores": {"category-without-end": [7_654_321, 7e7]}}
    steps = {"step": 999, "steps": 1000} if stage == "edit" else {}
    events = [scored("a-key-without-an-end" * 3, number=number, note="words " * 99) for number in range(1, 9)]
    ranks = [rank(1000 + number, host=f"host-{'ab'[number % 2]}", events=events, **steps, **common) for number in range(6)]
    ranks += [rank(1006, state=status.DEAD, message="died " * 30, **common), rank(1007, updated=NOW - 400_000, **common)]
    return look(*ranks, run=run_of(stage, total=99_999_999, ranks=8, title="title " * 30))


@pytest.mark.parametrize("stage", ["edit", "score"])
def test_no_number_is_cut_in_a_terminal_of_60_columns_or_more(stage):
    snapshot = monsters(stage)
    for width in range(60, 201):
        lines = text_of(snapshot, width, 40).split("\n")
        assert not [line for line in lines if re.search(r"\d[.,:/]?…(?! \d+ more)|…\d", line)], width
        row = next(line for line in lines if line.startswith("1000"))
        assert "7654321" in row, width
        heading = next(line for line in lines if line.startswith("rank"))
        shown = {
            "s/sample": "1157",
            "gpu": "100 %",
            "memory": "1400/1536 GB",
            "power": "1200 W",
            "temp": "101 °C",
            "failed": "123456",
        }
        assert [number for title, number in shown.items() if title in heading.split() and number not in row] == [], width


def test_names_give_way_before_a_column_of_numbers_goes():
    gpu = Gpu("NVIDIA RTX 6000 Ada Generation", memory_used=57 * 2**30, memory_total=141 * 2**30)
    texts = [shown(rank(step=3, steps=40, gpu=gpu), width=width) for width in range(60, 161)]
    assert any("memory" in text and "0 RTX…" in text for text in texts)
    assert "0 RTX 6000 Ada …" in texts[-1]


def test_power_goes_before_memory_and_memory_before_utilisation():
    texts = {width: shown(rank(step=1, steps=40, gpu=H200), width=width) for width in range(50, 161)}
    needs = {title: min(width for width, text in texts.items() if title in text) for title in ("power", "memory", "gpu")}
    assert needs["power"] > needs["memory"] > needs["gpu"]


def test_without_a_driver_there_are_no_columns_for_it():
    assert not re.search("gpu|memory|power|temp", shown(rank(device="cpu"), width=200))


def test_what_the_driver_said_of_a_dead_rank_is_not_shown():
    assert "98 %" not in shown(rank(state=status.DEAD, gpu=H200), rank(1, gpu=Gpu("NVIDIA H200", 50.0)))


def test_nodes_are_named_when_there_are_several():
    assert "node" not in shown(*many(2)).split("\n")[4]
    assert "left" in shown(rank(0, host="left"), rank(1, host="right"))


def test_a_dead_rank_says_how_it_died_and_where_to_read_more():
    text = shown(rank(7, state=status.DEAD, message="died: killed by signal 9"))
    assert "died: killed by signal 9" in text
    assert "logs/attempt-1/rank-007.log" in text


def test_a_failure_names_its_reason_and_its_log():
    text = shown(rank(2, failed=1, reasons={"error": 1}, events=[failed("lamp")]))
    assert "lamp  error: ValueError: no" in text
    assert "1 failed: error" in text
    assert "logs/attempt-1/rank-002.log" in text


def test_an_edit_that_looks_wrong_is_shown():
    assert "flagged lamp  flags: uniform" in shown(
        rank(done=1, events=[Event("lamp", "x", OK, note="flags: uniform", number=1)])
    )


def test_ranks_that_do_not_fit_are_counted_and_the_worst_stay():
    ranks = [*many(60), rank(60, state=status.DEAD), rank(61, updated=NOW - 600), rank(62, state=status.LOADING)]
    text = shown(*ranks, width=100)
    assert re.search(r"… \d+ more: \d+ editing, 1 loading", text)
    assert text.index("\n  60 ") < text.index("\n  61 ") < text.index("\n   0 ")


def test_the_slowest_of_the_healthy_stay():
    ranks = [rank(number, done=1, seconds={"computing": 10.0 + (number == 40) * 30}) for number in range(64)]
    assert "\n  40 " in shown(*ranks)


def test_a_resize_changes_nothing_but_the_layout():
    snapshot = simulated("edit", 8)
    first = text_of(snapshot, 80, 24)
    text_of(snapshot, 160, 45)
    assert text_of(snapshot, 80, 24) == first


@pytest.mark.parametrize("foreign", ["[bold red]x[/]", "\x1b[2J\x1b[H", "a\nb\rc\x07", "\u202eright to left", "表示" * 60])
def test_foreign_text_stays_text(foreign):
    events = [Event(foreign, foreign, ERROR, note=foreign, number=1), scored(foreign, note=foreign, number=2)]
    events.append(scored(foreign, None, foreign, note=foreign, number=3))
    one = rank(item=foreign, host=foreign, message=foreign, events=events, scores={foreign: [1, 7.0]}, reasons={foreign: 1})
    out = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    out.print(
        screen(
            look(one, rank(1, state=status.DEAD, message=foreign), rank(2, state=foreign), run=run_of("score", title=foreign)),
            100,
            40,
        )
    )
    text = out.file.getvalue()
    assert all(letter.isprintable() or letter == "\n" for letter in text)
    assert max(map(cell_len, text.split("\n"))) <= 100


def test_scores_come_with_their_means():
    events = [scored("a", 7.0, number=1), scored("b", None, UNPARSED, "sorry", number=2)]
    text = shown(rank(done=2, events=events, scores={"social": [3, 21.0]}), run=run_of("score", scores={"social": [1, 3.0]}))
    assert re.search(r"social +6\.00  n 4", text)
    assert re.search(r"  7\.00  social +a +as asked", text)
    assert re.search(r"     -  social +b +unparsed: sorry", text)


def test_the_mean_of_all_is_no_mean_of_means():
    text = shown(rank(scores={"social": [3, 30.0], "causal": [1, 2.0]}), run=run_of("score"))
    assert re.search(r"all +8\.00  n 4", text)


@pytest.mark.parametrize(("score", "scale", "expected"), [(2, (0, 10), "red"), (3, (1, 5), "yellow"), (9, (0, 10), "green")])
def test_scores_are_coloured_by_the_rubrics_scale(score, scale, expected):
    assert colour(score, scale) == expected
    assert colour(score, None) == ""


def test_a_run_that_has_ended_shows_how():
    run = run_of(ended=NOW + 125, outcome="finished")
    text = shown(rank(state=status.FINISHED, done=100), run=run)
    assert "finished after 2:05" in text
    assert "left" not in text


def test_a_rank_that_its_launcher_took_along_is_lost():
    assert "lost" in shown(rank(), run=run_of(ended=NOW + 1, outcome="torchrun was killed"))


def test_a_silent_rank_is_doubted_and_its_silence_told():
    assert "stalled? 1:30" in shown(rank(), rank(1, updated=NOW + 90), at=NOW + 90)
    assert "stalled?" not in shown(rank(), at=NOW + 59)


def test_a_run_that_nobody_keeps_any_more_says_so():
    assert "no sign of life for 10:00" in shown(rank(), at=NOW + 600)
