"""A benchmark, models and folders whose every text is hostile go through all commands: what people are shown, on a terminal or
in a file, is visible characters that take no effect; files for programs keep the texts to the letter."""

from __future__ import annotations

import csv
import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import orjson
import pytest
from markdown_it import MarkdownIt
from PIL import Image
from processes import Command

import editbench
from editbench.benchmarks.benchmark import Benchmark
from editbench.paths import ReportPaths, ScorePaths

HOSTILE = (
    "=1+1 物理 \x1b[2J\x1b]0;title\x07\x9b31m\x7f\u202e\u2066\u200f\u200b\ufeff\U000e0041\u2028 [red]x[/] **b** [a](b)"
    " `c` |d| <script>alert(1)</script> $ $\\frac{ \\input{f} %{g}_^~ &amp; {{ h }} {i} :x: 'i\"\t\r\nerror: lost\n# k"
)
FOLDER = "物 \x1b[2J\x9b'\"`|<b>$%\u202e"
RUBRIC = f"""
name = "{"".join(f"%sU{ord(letter):08x}" % chr(92) for letter in HOSTILE)}"
version = 1
scale = [0, 5]
languages = ["en"]
any_category = true
score = "success"
[headline]
aggregate = "both"
[criteria.success]
range = [0, 5]
[questions.edit]
images = ["source", "edited"]
criteria = ["success"]
text.en = "Do: {{instruction}} \\u001b[2J"
[form.en]
generate = "{{answers}}"
expected = ""
[answer_prefix]
generate = ""
expected = ""
"""
MODELS = f"""
from editbench.score.judge import Judge, Reply

class Editor:
    def __init__(self, device):
        print({HOSTILE!r})

    def edit(self, images, instruction, *, seed):
        if instruction.startswith("fail"):
            raise ValueError({HOSTILE!r})
        return images[0].rotate(180)

class Hostile(Judge):
    def __init__(self, settings):
        pass

    def answer(self, prepared):
        return [Reply({HOSTILE!r} + ("" if question.key == "mute" else ' {{"success": 3}}')) for question in prepared]
"""


def unseen(text: str) -> set[str]:
    """What of a text is more than visible characters on lines."""
    return {letter for letter in text if not letter.isprintable() and letter not in "\n\t\xa0"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Where all of it lies, and what each command said."""
    root = tmp_path_factory.mktemp("hostile") / FOLDER
    root.mkdir()
    (root / "models_of_others.py").write_text(MODELS, "utf-8")
    (root / "rubric.toml").write_text(RUBRIC, "utf-8")
    Image.new("RGB", (8, 6), "teal").save(root / "\x1b[2J.png")
    common = {"image": "\x1b[2J.png", "group": HOSTILE, "reference_text": HOSTILE, HOSTILE: HOSTILE}
    rows = [
        {**common, "id": HOSTILE, "category": HOSTILE, "instruction": f"paint {HOSTILE}"},
        {**common, "id": "mute", "category": f"-{HOSTILE}", "instruction": HOSTILE},
        {**common, "id": f"{HOSTILE}\0", "category": HOSTILE, "instruction": f"fail {HOSTILE}"},
    ]
    (root / "table.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    (root / "bad.jsonl").write_bytes(orjson.dumps({**rows[0], "image": HOSTILE}) + b"\n" + HOSTILE.encode())
    edit = ["edit", "bench", "--model", "models_of_others:Editor", "--max-failures", "9", "--out", FOLDER]
    score = ["score", FOLDER, "--model", "models_of_others:Hostile", "--rubric", "rubric.toml", "--max-failures", "9"]
    labels = ["--name", HOSTILE, "--name", f"_-{HOSTILE}", "--ratings", f"@{FOLDER}=ratings.csv"]
    (root / "ratings.csv").write_text("key,score\nmute,2\n", "utf-8")
    commands = {
        "import": (0, ["import", "table.jsonl", "--out", "bench", "--name", HOSTILE]),
        "import of bad rows": (2, ["import", "bad.jsonl", "--out", "other"]),
        "edit": (0, edit),
        "edit with other settings": (2, [*edit, "--category", HOSTILE]),
        "score": (0, [*score, "--out", "scores"]),
        "report": (0, ["report", "scores", "again", *labels, "--latex", "--out", "report"]),
        "verify": (0, ["verify", "bench", FOLDER, "scores"]),
        "watch": (0, ["watch", FOLDER]),
        "rubric": (0, ["rubric", "show", "rubric.toml", "bench"]),
    }
    said = {}
    for name, (expected, arguments) in commands.items():
        path = f"{root}:{Path(editbench.__file__).parents[1]}"
        status, said[name] = Command(arguments, {"PYTHONPATH": path}).run(cwd=root)
        assert status == expected, (name, said[name])
        if name == "score":
            shutil.copytree(root / "scores", root / "again")
    return root, said


def test_a_terminal_is_sent_nothing_to_obey(world: tuple[Path, dict[str, str]]) -> None:
    said = world[1]
    assert {name: unseen(text) for name, text in said.items() if unseen(text)} == {}
    assert [name for name, text in said.items() if r"\x1b[2J" not in text] == []
    assert [name for name, text in said.items() if "\\r\nerror: lost" in text] == ["rubric"]  # a prompt has lines


def test_programs_are_given_every_letter(world: tuple[Path, dict[str, str]]) -> None:
    root = world[0]
    benchmark = Benchmark.open(root / "bench")
    assert (benchmark.name, benchmark.samples[1].instruction, benchmark.samples[1].extra) == (
        HOSTILE,
        HOSTILE,
        {HOSTILE: HOSTILE},
    )
    rows = [orjson.loads(line) for line in ScorePaths(root / "scores").scores.read_bytes().splitlines()]
    assert (rows[0]["id"], rows[1]["response"], rows[1]["category"]) == (HOSTILE, HOSTILE, f"-{HOSTILE}")
    assert orjson.loads(ReportPaths(root / "report").json.read_bytes())["runs"][0]["label"] == HOSTILE


def test_markdown_has_only_marks_of_ours(world: tuple[Path, dict[str, str]]) -> None:
    text = ReportPaths(world[0] / "report").markdown.read_text("utf-8")
    blocks = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    kinds = {
        token.type.removesuffix("_open").removesuffix("_close")
        for block in blocks
        for token in [block, *(block.children or [])]
    }
    ours = (
        "heading paragraph inline text softbreak strong bullet_list list_item blockquote table thead tbody tr th td code_inline"
    )
    assert (unseen(text), kinds - set(ours.split())) == (set(), set())
    assert [
        line for line in text.splitlines() if "`" in line.replace(r"\`", "") and "`ok`" not in line and "`-`" not in line
    ] == []


def test_a_spreadsheet_is_given_no_formula(world: tuple[Path, dict[str, str]]) -> None:
    text = ReportPaths(world[0] / "report").leaderboard.read_text("utf-8")
    rows = list(csv.reader(io.StringIO(text)))
    assert (unseen(text), len({len(row) for row in rows}), len(rows)) == (set(), 1, 3)
    assert not [cell for row in rows for cell in row if cell.startswith(tuple("=+-@"))]


def test_latex_is_given_no_command(world: tuple[Path, dict[str, str]]) -> None:
    text = ReportPaths(world[0] / "report").latex.read_text("utf-8")
    rows = re.sub(
        r"\\(textbackslash|text\w+|[,pm&%$#_{}\\])(\{\})?", "", "".join(line for line in text.splitlines() if " & " in line)
    )
    assert (unseen(text), set(rows) & set("\\%#_^~<>|")) == (set(), set())


class Page(HTMLParser):
    """Texts of a page, and those of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.scripts, self.texts = [], []
        self.feed(text)

    def handle_data(self, data: str) -> None:
        (self.scripts if self.cdata_elem == "script" else self.texts).append(data)


def test_the_page_runs_no_script_of_others(world: tuple[Path, dict[str, str]]) -> None:
    page = Page(ReportPaths(world[0] / "report").html.read_text("utf-8"))
    assert (unseen("".join(page.texts)), [text for text in page.scripts if text.startswith("alert")]) == (set(), [])
    assert "<script>alert(1)</script>" in "".join(page.texts)


def test_charts_are_well_formed(world: tuple[Path, dict[str, str]]) -> None:
    charts = sorted(ReportPaths(world[0] / "report").figures.glob("*.svg"))
    texts = ["".join(ElementTree.parse(chart).getroot().itertext()) for chart in charts]
    assert (len(texts), unseen("".join(texts)), all(r"\x1b[2J" in text for text in texts)) == (3, set(), True)
