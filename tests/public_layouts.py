"""Miniatures of the public benchmarks, to the letter in the layout of their releases, and of what users have of their own.

Each function fills a folder and returns what `editbench import` is to be given. Every picture is another one.
"""

from __future__ import annotations

import io
import itertools
import json
import random
from pathlib import Path
from typing import Any

from PIL import Image

from editbench.benchmarks.formats import gedit, imgedit, kris, rise

_numbers = itertools.count()


def picture(kind: str = "PNG", size: tuple[int, int] = (24, 16)) -> bytes:
    """Another picture at each call."""
    buffer = io.BytesIO()
    noise = random.Random(next(_numbers)).randbytes(size[0] * size[1] * 3)
    Image.frombytes("RGB", size, noise).save(buffer, kind)
    return buffer.getvalue()


def put(path: Path) -> str:
    """A picture file, of the kind that the suffix says; returns its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture("JPEG" if path.suffix in (".jpg", ".jpeg") else "PNG"))
    return path.name


def gedit_rows(each: int = 1) -> list[dict[str, Any]]:
    """`each` pictures of every task type, in both languages."""
    rows = []
    for category in gedit.CATEGORIES:
        for number in range(each):
            image = {"bytes": picture(), "path": None}
            common = {"key": f"{category[:4]}{number:028x}", "task_type": category}
            pictures = {"input_image": image, "input_image_raw": {"bytes": picture(), "path": "raw.png"}}
            for language, instruction in (("en", f"Do {category}."), ("cn", f"请做 {category}。")):
                said = {"instruction": instruction, "instruction_language": language}
                rows.append({**common, **said, **pictures, "Intersection_exist": number % 2 == 0})
    return rows


def gedit_dataset(rows: list[dict[str, Any]]) -> Any:
    import datasets

    text, image = datasets.Value("string"), datasets.Image()
    features = {name: image if name.startswith("input_image") else text for name in rows[0]}
    features["Intersection_exist"] = datasets.Value("bool")
    return datasets.Dataset.from_list(rows, features=datasets.Features(features))


def gedit_parquet(root: Path, rows: list[dict[str, Any]], files: int = 2) -> Path:
    """As the hub has it: `data/train-00000-of-00002.parquet` ..."""
    (root / "data").mkdir(parents=True)
    (root / "README.md").write_text("---\nconfigs: []\n---\n")
    data = gedit_dataset(rows)
    for number in range(files):
        name = f"train-{number:05d}-of-{files:05d}.parquet"
        data.shard(files, number, contiguous=True).to_parquet(root / "data" / name)
    return root


def imgedit_folder(root: Path) -> Path:
    entries = {}
    for number, kind in enumerate(imgedit.CATEGORIES, 22):
        name = f"animal/{number:09d}.jpg"
        put(root / "singleturn" / name)
        entries[str(number)] = {"id": name, "prompt": f"Do {kind}.", "edit_type": kind}
    (root / "basic_edit.json").write_text(json.dumps(entries, indent=4))
    (root / "prompts.json").write_text(json.dumps(dict.fromkeys(imgedit.CATEGORIES, "Judge <edit_prompt>.")))
    return root


def kris_folder(root: Path) -> Path:
    """A sample in each of the 20 categories."""
    for category in kris.CATEGORIES:
        folder = root / category
        if category == "temporal_prediction":
            entry = {"ori_img": [put(folder / f"1-{frame}.jpg") for frame in (2, 3, 4)], "gt_img": put(folder / "1-1.jpg")}
        elif category == "multi-element_composition":
            entry = {"ori_img": [put(folder / f"1-{part}.png") for part in (1, 2)]}
        else:
            entry = {"ori_img": put(folder / "1.jpg")}
        if category == "viewpoint_change":
            entry["gt_img"] = put(folder / "1_gt.jpg")
        entry |= {"ins_en": f"Do {category}.", "explain_en": "" if "gt_img" in entry else f"Because of {category}."}
        (folder / "annotation.json").write_text(json.dumps({"1": entry}, indent=2))
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")
    return root


def rise_folder(root: Path) -> Path:
    """As pandas writes it, with NaN where a sample lacks a field. The pictures lie in `data`."""
    rows = []
    for category in rise.CATEGORIES:
        for number in (1, 2):
            name = f"{category}_images/{number}.png"
            put(root / "data" / name)
            row = {"index": f"{category}_{number}", "category": category, "instruction": f"Draw {category}.", "image": name}
            rows.append({**row, "reference": f"It is {category}.", "subtask": "part", "consistency_free": float("nan")})
    rows[1]["consistency_free"] = "True"
    answers: list[dict[str, Any]] = [{"reference_txt": "B"}, {"reference_img": "logical_reasoning_images/2_ref.png"}]
    put(root / "data" / answers[1]["reference_img"])
    for row, answer in zip(rows[-2:], answers, strict=True):
        del row["reference"]
        row.update(answer)
    (root / "datav2_total_w_subtask.json").write_text(json.dumps(rows))
    return root


def own_csv(root: Path) -> Path:
    """A table with Chinese column names, as a spreadsheet saves it."""
    names = [put(root / "图片" / f"{number}.png") for number in (1, 2)]
    lines = ["编号,图片,指令,类别,备注", *(f"样本{name[0]},图片/{name},把背景换成雪山,环境,第{name[0]}行" for name in names)]
    (root / "我的.csv").write_text("\r\n".join(lines), "utf-8-sig")
    return root / "我的.csv"


OWN_COLUMNS = {"id": "编号", "image": "图片", "instruction": "指令", "category": "类别"}


def own_folder(root: Path) -> Path:
    """Pictures, and a text that says what to do with each."""
    for name in ("cat.png", "old house.jpg", "tree.png"):
        put(root / name)
    (root / "prompts.txt").write_text("cat.png: Make it black.\nold house\t把它变成城堡\ntree.png Add snow, please.\n")
    return root
