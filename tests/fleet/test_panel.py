"""What the panel shows of given status files; and that nothing in them can spoil the terminal."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
import simulate
from rich.cells import cell_len
from rich.console import Console

from editbench import console
from editbench.fleet import status
from editbench.fleet.panel import live as panel
from editbench.fleet.panel.live import Panel, Style
from editbench.fleet.panel.plain import Plain
from editbench.fleet.panel.scores import colour
from editbench.fleet.panel.screen import screen
from editbench.fleet.panel.snapshot import Observer, Snapshot
from editbench.fleet.panel.text import EMPTY, FULL, HALF, Frame, bar
from editbench.fleet.status import Event, Gpu, RankStatus, RunStatus
from editbench.fleet.tracker import Tracker
from editbench.paths import RunPaths
from editbench.records import EDIT_FAILED, ERROR, OK, UNPARSED

NOW = 1_000_000.0
H200 = Gpu("NVIDIA H200", 98.0, 57 * 2**30, 141 * 2**30, 640.0, 61.0)


def rank(number: int = 0, **values) -> RankStatus:
    common = {"attempt": 1, "host": "node", "state": status.WORKING, "item": f"key-{number}", "began": NOW, "updated": NOW}
    return RankStatus(number, **{**common, "device": f"cuda:{number}", **values})


def run_of(stage: str = "edit", **values) -> RunStatus:
    common = {"title": f"{stage} a model", "total": 100, "before": 0, "attempt": 1, "ranks": 1, "began": NOW}
    return RunStatus(stage=stage, **{**common, **values})


def look(*ranks: RankStatus, run: RunStatus | None = None, at: float = NOW) -> Snapshot:
    run = run or run_of()
    tracker = Tracker(run.total, run.before)
    tracker.update(list(ranks))
    return Observer(run, RunPaths(Path("out")), tracker, clock=lambda: 0.0, wall=lambda: at).look()


def shown(*ranks: RankStatus, width: int = 80, height: int = 24, run: RunStatus | None = None, at: float = NOW) -> str:
    return text_of(look(*ranks, run=run, at=at), width, height)


def text_of(snapshot: Snapshot, width: int, height: int) -> str:
    """The lines of the screen, without the blanks at their ends."""
    lines = screen(snapshot, width, height).renderables
    return "\n".join(line.plain.rstrip() for line in lines)


def many(count: int, **values) -> list[RankStatus]:
    return [rank(number, **values) for number in range(count)]


def failed(key: str, note: str = "error: ValueError: no", number: int = 1) -> Event:
    return Event(key, "social", EDIT_FAILED, note=note, number=number)


def scored(key: str, score: float | None = 7.0, state: str = OK, note: str = "as asked", number: int = 1) -> Event:
    return Event(key, "social", state, 0.1, score, note, "chunk 1", number)


def simulated(stage: str, count: int) -> Snapshot:
    fleet = [simulate.Rank(number, stage, RunPaths(Path("out")), gpu=True, hosts=-(-count // 8)) for number in range(count)]
    for tick in range(200):
        for simulated_rank in fleet:
            simulated_rank.tick(0.25, 10.0 + tick)
    return look(*(simulated_rank.status for simulated_rank in fleet), run=run_of(stage, total=5000, ranks=count))


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


@pytest.mark.parametrize("width", [60, 80, 110, 140])
def test_the_line_on_which_a_terminal_echoes_has_room_and_its_numbers_whole(width):
    out = Console(file=io.StringIO(), force_terminal=True, width=width, height=24, color_system=None)
    tracker = Tracker(100)
    tracker.update([rank(step=3, steps=40, gpu=H200, done=7, seconds={"computing": 92.4})])
    Panel(Observer(run_of(), RunPaths(Path("out")), tracker, wall=lambda: NOW), out).end()
    last = out.file.getvalue().rstrip("\n").rpartition("\n")[2]
    assert (cell_len(last) <= width - 2, "…" in last) == (True, False)
    assert last.split()[-2:] in (["98", "%"], ["61", "°C"])


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


def test_steps_a_second_come_from_looking_twice():
    tracker = Tracker(100)
    observer = Observer(run_of(), RunPaths(Path("out")), tracker)
    for step in (0, 6):
        tracker.update([rank(step=step, steps=40, updated=NOW + step / 3)])
        snapshot = observer.look()
    assert snapshot.ranks[0].rate == pytest.approx(3.0)
    assert "3.00 it/s" in text_of(snapshot, 160, 40)


def test_a_rank_whose_steps_stop_coming_slows_down():
    tracker = Tracker(100)
    observer = Observer(run_of(), RunPaths(Path("out")), tracker)
    for step, at in ((0, 0), (6, 2), (6, 22)):
        tracker.update([rank(step=step, steps=40, updated=NOW + at)])
        rate = observer.look().ranks[0].rate
    assert rate == pytest.approx(1 / 20)


def test_a_silent_rank_is_doubted_and_its_silence_told():
    assert "stalled? 1:30" in shown(rank(), rank(1, updated=NOW + 90), at=NOW + 90)
    assert "stalled?" not in shown(rank(), at=NOW + 59)


def test_a_clock_that_jumps_silences_nobody():
    wall = [NOW]
    tracker = Tracker(100)
    observer = Observer(run_of(), RunPaths(Path("out")), tracker, clock=lambda: 0.0, wall=lambda: wall[0])
    tracker.update([rank()])
    observer.look()
    wall[0] += 86400
    assert "stalled?" not in text_of(observer.look(), 80, 24)


def test_a_run_that_nobody_keeps_any_more_says_so():
    assert "no sign of life for 10:00" in shown(rank(), at=NOW + 600)


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


def test_a_terminal_without_unicode_gets_ascii():
    out = Console(file=io.TextIOWrapper(io.BytesIO(), encoding="ascii"), width=80)
    out.print(Frame("━╸─ … 表"))
    out.file.seek(0)
    assert out.file.read() == "#-. ~ ?\n"


def test_scores_come_with_their_means():
    events = [scored("a", 7.0, number=1), scored("b", None, UNPARSED, "sorry", number=2)]
    text = shown(rank(done=2, events=events, scores={"social": [3, 21.0]}), run=run_of("score", scores={"social": [1, 3.0]}))
    assert re.search(r"social +6\.00  n 4", text)
    assert re.search(r"  7\.00  social +a +as asked", text)
    assert re.search(r"     -  social +b +unparsed: sorry", text)


def test_the_mean_of_all_is_no_mean_of_means():
    text = shown(rank(scores={"social": [3, 30.0], "causal": [1, 2.0]}), run=run_of("score"))
    assert re.search(r"all +8\.00  n 4", text)


def test_samples_from_before_count_as_done_but_not_as_pace():
    snapshot = look(rank(done=10, seconds={"computing": 20.0}), run=run_of(before=40))
    assert (snapshot.tracker.done, snapshot.pace, snapshot.left) == (50, 0.5, 100.0)


def test_an_estimate_counts_only_ranks_that_live():
    ranks = [rank(number, done=10, seconds={"computing": 20.0}) for number in range(3)]
    ranks[1].state = status.GIVEN_UP
    assert look(*ranks).pace == pytest.approx(1.0)


def test_a_run_that_has_ended_shows_how():
    run = run_of(ended=NOW + 125, outcome="finished")
    text = shown(rank(state=status.FINISHED, done=100), run=run)
    assert "finished after 2:05" in text
    assert "left" not in text


def test_a_rank_that_its_launcher_took_along_is_lost():
    assert "lost" in shown(rank(), run=run_of(ended=NOW + 1, outcome="torchrun was killed"))


def test_a_bar_is_full_only_when_all_is_done_and_never_empty_once_begun():
    drawn = {done: bar(10, 1000, [(done, "")]).plain for done in (0, 1, 999, 1000)}
    assert drawn[0] == EMPTY * 10
    assert drawn[1] == HALF + EMPTY * 9
    assert drawn[999] == FULL * 9 + HALF
    assert drawn[1000] == FULL * 10


def test_a_few_failures_among_many_are_seen_in_the_bar():
    drawn = bar(20, 1000, [(400, "green"), (1, "red")])
    assert [drawn.plain[span.start : span.end] for span in drawn.spans if span.style == "red"] == [HALF]
    assert len(drawn) == 20


def test_a_restarted_rank_keeps_what_it_did():
    tracker = Tracker(10)
    tracker.update([rank(done=3, seconds={"loading": 2.0}, reasons={"error": 1}, failed=1)])
    tracker.update([rank(incarnation=1)])
    tracker.update([rank(incarnation=1, done=2, seconds={"loading": 2.0})])
    whole = tracker.totals()[0]
    assert (tracker.done, tracker.failed, whole.done, whole.seconds, whole.reasons) == (5, 1, 5, {"loading": 4.0}, {"error": 1})


def test_an_incarnation_that_counts_on_from_the_last_is_not_counted_twice():
    tracker = Tracker(10)
    tracker.update([rank(done=3, events=[scored("a", number=1)])])
    new = tracker.update([rank(incarnation=1, done=4, events=[scored("a", number=1), scored("b", number=2)])])
    assert (tracker.done, [event.key for event in new]) == (4, ["b"])


def test_what_an_incarnation_that_counts_from_nothing_does_is_news():
    tracker = Tracker(10)
    tracker.update([rank(done=3, events=[scored(key, number=number) for number, key in enumerate("abc", 1)])])
    tracker.update([rank(incarnation=1)])
    assert [event.key for event in tracker.update([rank(incarnation=1, done=1, events=[scored("d", number=1)])])] == ["d"]


@pytest.mark.parametrize(("score", "scale", "expected"), [(2, (0, 10), "red"), (3, (1, 5), "yellow"), (9, (0, 10), "green")])
def test_scores_are_coloured_by_the_rubrics_scale(score, scale, expected):
    assert colour(score, scale) == expected
    assert colour(score, None) == ""


def plain(*looks: list[RankStatus], run: RunStatus | None = None) -> list[str]:
    run = run or run_of()
    said: list[str] = []
    tracker = Tracker(run.total)
    watch = Plain(Observer(run, RunPaths(Path("out")), tracker), said.append)
    for ranks in looks:
        watch(tracker.update(ranks))
    watch.end()
    return said


def test_plain_speaks_at_the_start_every_five_percent_and_at_the_end():
    said = plain([rank()], [rank(done=1)], [rank(done=5)], [rank(done=6)])
    assert [line.split(",")[0] for line in said] == [
        "edit a model: 100 samples",
        "edit a model: 5 of 100 done (5 %)",
        "edit a model: 6 of 100 done (6 %)",
    ]


def test_plain_tells_a_failure_once_with_its_log():
    ranks = [rank(4, failed=1, events=[failed("lamp")])]
    said = [line for line in plain(ranks, ranks) if "lamp" in line]
    assert said == ["failed  lamp  error: ValueError: no  (log: logs/attempt-1/rank-004.log)"]


def test_plain_tells_of_a_dead_rank_once():
    ranks = [rank(4, state=status.DEAD, message="died: exit status 7")]
    said = [line for line in plain(ranks, ranks) if "died" in line]
    assert said == ["rank 4: died: exit status 7  (log: logs/attempt-1/rank-004.log)"]


def test_plain_leaves_a_fatal_error_to_the_one_message_that_ends_the_run():
    assert not [line for line in plain([rank(state=status.FATAL, message="broken weights")]) if "broken" in line]


def test_plain_gives_every_score_and_the_spread_of_its_batch():
    events = [scored("a", 7.0, number=1), scored("b", 5.0, number=2), scored("c", None, UNPARSED, "hm", number=3)]
    said = plain([rank(done=3, events=events)], run=run_of("score"))
    assert "  7.00  social         a  as asked" in said
    assert "     -  social         c  unparsed hm" in said
    assert "chunk 1: mean 6.00, min 5.00, max 7.00; 2 ok, 1 unparsed" in said


@pytest.mark.parametrize("variable", panel.UNATTENDED)
def test_auto_is_plain_where_nobody_watches(variable, monkeypatch):
    for name in panel.UNATTENDED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(console, "out", Console(force_terminal=True, file=io.StringIO()))
    assert panel.resolved(Style.AUTO) == Style.LIVE
    monkeypatch.setenv(variable, "1")
    assert panel.resolved(Style.AUTO) == Style.PLAIN


def test_auto_is_plain_without_a_terminal(monkeypatch):
    monkeypatch.setattr(console, "out", Console(file=io.StringIO()))
    assert panel.resolved(Style.AUTO) == Style.PLAIN


def live() -> tuple[Panel, Console]:
    out = Console(file=io.StringIO(), force_terminal=True, width=80, height=24, color_system=None)
    tracker = Tracker(100)
    tracker.update([rank(step=3, steps=40)])
    return Panel(Observer(run_of(), RunPaths(Path("out")), tracker), out), out


def test_the_last_frame_stays_on_the_screen_once():
    shown, out = live()
    shown([])
    shown.end()
    erased, _, kept = out.file.getvalue().rpartition("\x1b[2K")
    assert kept.count("edit a model") == 1
    assert "\x1b[?25h" in erased  # the cursor is back


def test_no_more_than_ten_frames_a_second(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(panel.time, "monotonic", lambda: clock[0])
    shown, out = live()
    for tick in range(100):
        clock[0] = 1 + tick / 100
        shown([])
    assert out.file.getvalue().count("edit a model") <= 10
    shown.end()


def test_another_width_starts_on_a_clean_screen(monkeypatch):
    shown, out = live()
    shown([])
    out.width = 60
    monkeypatch.setattr(panel, "FRAME", 0.0)
    shown([])
    _, cleared, frame = out.file.getvalue().rpartition("\x1b[2J\x1b[H")
    shown.end()
    assert cleared
    assert max(map(len, re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", frame).split("\n"))) <= 60


def test_the_panel_outlives_an_error_in_the_run(tmp_path, capsys):
    def burst() -> None:
        with panel.watching(Style.PLAIN, run_of(before=4), RunPaths(tmp_path), Tracker(100, 4)):
            raise RuntimeError("the run failed")

    with pytest.raises(RuntimeError, match="the run failed"):
        burst()
    assert "4 of 100 done" in capsys.readouterr().out


def test_off_prints_nothing(tmp_path, capsys):
    with panel.watching(Style.OFF, run_of(), RunPaths(tmp_path), Tracker(100)) as show:
        show([])
    assert capsys.readouterr().out == ""


def test_a_status_file_is_read_as_it_was_written(tmp_path):
    paths = RunPaths(tmp_path)
    paths.status.mkdir()
    one = simulate.Rank(0, "score", paths, gpu=True, hosts=1)
    for tick in range(20):
        one.tick(0.25, 10.0 + tick)
    one.write()
    assert status.read_all(paths, 1)[0] == one.status
