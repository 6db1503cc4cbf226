"""Make the sample benchmark, shards/sample: 20 samples in five categories, in English and Chinese, on 10 photographs.

    python shards/make_sample.py [FOLDER]

It is also a worked example of an import: a table with one JSON object a line, pictures beside it, and

    editbench import table.jsonl --out FOLDER --name sample

The photographs come with scikit-image; each is CC0 or in the public domain by scikit-image's own documentation. With the
same versions of scikit-image and Pillow, every run gives the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import orjson
from PIL import Image
from skimage import data

from editbench import console
from editbench.benchmarks.stage import import_benchmark
from editbench.errors import UserError

FOLDER = Path(__file__).parent / "sample"
LONGEST_SIDE = 512  # pixels
JPEG_QUALITY = 90


class Photograph(NamedTuple):
    """One of `skimage.data`, and what its documentation says of where it comes from."""

    name: str
    author: str
    licence: str
    source: str


PHOTOGRAPHS = (
    Photograph("astronaut", "NASA", "public domain", "https://flic.kr/p/r9qvLn"),
    Photograph("brick", "CC0Textures, Bricks25", "CC0", "https://cc0textures.com/view.php?tex=Bricks25"),
    Photograph("camera", "Lav Varshney", "CC0", "https://github.com/scikit-image/scikit-image/issues/3927"),
    Photograph("chelsea", "Stefan van der Walt", "CC0", "https://github.com/scikit-image/scikit-image"),
    Photograph("coffee", "Rachel Michetti", "CC0", "https://github.com/scikit-image/scikit-image"),
    Photograph("grass", "linolafett", "CC0", "https://www.deviantart.com/linolafett/art/Grass-01-434853879"),
    Photograph("gravel", "CC0Textures, Gravel04", "CC0", "https://cc0textures.com/view.php?tex=Gravel04"),
    Photograph(
        "hubble_deep_field",
        "NASA",
        "public domain",
        "http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
    ),
    Photograph(
        "retina",
        "Mikael Häggström",
        "CC0",
        "https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg",
    ),
    Photograph("rocket", "SpaceX", "public domain", "https://www.flickr.com/photos/spacexphotos/16511594820/"),
)


class Task(NamedTuple):
    """A row of the table. `reference_text` describes a right result, for the judge; some tasks have none."""

    category: str
    name: str
    photograph: str
    instruction: str
    reference_text: str = ""


TASKS = (
    Task(
        "physical",
        "frozen-espresso",
        "coffee",
        "Show this coffee after a night in a deep freezer: the espresso frozen solid, frost on the cup, the saucer "
        "and the spoon.",
        "The espresso is a dull, solid block of brown ice without a liquid's mirror-like surface; white frost lies on"
        " cup, saucer and spoon. Their places and the wooden table have not changed.",
    ),
    Task(
        "physical",
        "gravitational-lens",
        "hubble_deep_field",
        "Put a very massive but invisible object in front of the middle of this field, so that its gravity bends the "
        "light of the galaxies behind it.",
        "Around the middle, galaxies are drawn out into thin arcs along circles, perhaps a ring, with nothing bright "
        "in the centre; the distortion fades outwards and the galaxies near the edges are as they were.",
    ),
    Task(
        "physical",
        "gravel-under-water",
        "gravel",
        "让这片碎石浸在大约十厘米深的清水里，水面微微起伏，阳光从斜上方照下来。",
        "石子的位置和形状不变，因为浸湿而颜色变深；石面上有水波聚光形成的明亮网纹，水面有少量反光，轮廓因折射而略有晃动。",
    ),
    Task(
        "physical",
        "weightless-astronaut",
        "astronaut",
        "让她处在失重状态：头发向四周散开，她面前的黑色头盔离开身体，自己飘在空中。",
        "头发不再下垂，而是向各个方向飘散；头盔悬浮，与身体之间有空隙，没有东西托着它。人物的面容、橙色航天服和背景保持不变。",
    ),
    Task(
        "environmental",
        "launch-site-at-noon",
        "rocket",
        "Make it a cloudless summer noon at this launch site instead of dusk.",
        "The sky is bright blue without clouds, daylight falls from high above, and the floodlights are off, without "
        "star-shaped flares. The rocket and the four lattice towers stand where they stood.",
    ),
    Task(
        "environmental",
        "hoar-frost-on-grass",
        "grass",
        "Show the same patch of lawn on a clear morning in late November, after a night of hard frost. Keep it black "
        "and white.",
        "White rime edges the blades and the clover leaves, which stay where they are; no deep snow; still a "
        "greyscale picture.",
    ),
    Task(
        "environmental",
        "field-after-snowfall",
        "camera",
        "把季节换成一场大雪之后的冬天，仍然保持黑白照片的样子。",
        "草地完全被积雪盖住，远处建筑的屋顶上有雪，三脚架的脚陷在雪里；人物的姿势、摄像机和远处的建筑都不变，画面仍是黑白的。",
    ),
    Task(
        "environmental",
        "bricks-on-a-rainy-night",
        "brick",
        "改成雨夜：砖面全部湿透，画面外右上方有一盏暖黄色的路灯照着。",
    ),
    Task(
        "social",
        "spring-festival-dress",
        "astronaut",
        "She is hosting a Chinese New Year reception rather than flying to space: dress her and decorate the room for"
        " that, but keep her face, her hair and her pose.",
        "She wears festive Chinese clothes, such as a red qipao with gold embroidery, instead of the space suit and "
        "its collar; the room has fitting decorations, such as red lanterns or paper cuttings. She is the same person"
        " in the same pose.",
    ),
    Task(
        "social",
        "press-photographer",
        "camera",
        "Make it obvious that this man is a press cameraman filming a football match, without changing where he stands.",
        "He wears something that marks the press, such as a bib or a card on a lanyard, and a match with players is "
        "going on on the field in front of his camera, to the right. His pose, face and tripod are the same.",
    ),
    Task(
        "social",
        "gongfu-tea",
        "coffee",
        "把这杯浓缩咖啡换成一套中国工夫茶的待客茶具，木桌和拍摄角度不变。",
        "桌上是盖碗或紫砂壶和几只小茶杯，杯里是清亮的茶汤，没有咖啡、咖啡匙和带把手的咖啡杯；木桌的纹理和俯视角度不变。",
    ),
    Task(
        "social",
        "lost-cat-notice",
        "chelsea",
        "把这张照片做成贴在小区公告栏上的一张寻猫启事，标题写“寻猫启事”。",
        "一张贴在公告栏上的纸，上面有写对的四个汉字“寻猫启事”和这只猫的照片，下面有联系方式的位置；猫的花纹和眼睛颜色不变。",
    ),
    Task(
        "causal",
        "cup-knocked-over",
        "coffee",
        "Show the table a moment after the cup was knocked over towards the right.",
        "The cup lies on its side with its opening to the right and is empty or nearly so; the espresso has run over "
        "the saucer and on to the wood to the right. Same cup, same saucer, same spoon, same table.",
    ),
    Task(
        "causal",
        "startled-cat",
        "chelsea",
        "A dog has just barked loudly behind the camera. Show the cat a second later.",
        "A frightened cat: ears turned back or flattened, pupils wide, body drawn back or fur raised, perhaps the "
        "mouth open in a hiss. It is the same cat in the same room. There is no dog in the picture.",
    ),
    Task(
        "causal",
        "rocket-lifts-off",
        "rocket",
        "画出火箭点火后几秒钟、刚刚离开发射台时的样子。",
        "火箭略高于原来的位置，底部喷出明亮的火焰，发射台四周涌出大团烟雾，火光照亮烟雾和旁边的铁塔；四座铁塔仍在原处。",
    ),
    Task(
        "causal",
        "half-mown-lawn",
        "grass",
        "割草机刚刚推过画面的左半边，右半边还没有割，画出现在的样子。",
        "左半边的草又短又齐，可能留有碎草屑；右半边和原来一样；两边的分界是一条大致竖直的线。画面仍是黑白的。",
    ),
    Task(
        "referential",
        "mast-left-of-rocket",
        "rocket",
        "Remove the tower that is closest to the rocket on its left. Leave the larger one at the left edge, and its "
        "twin on the right, as they are.",
        "Between the rocket and the large tower at the left edge there is only sky, cloud and lamps. Three towers "
        "remain: one at each edge, and the smaller one to the right of the rocket.",
    ),
    Task(
        "referential",
        "where-the-vessels-meet",
        "retina",
        "Draw a thin white circle around the spot from which all the blood vessels spread, not around the dark one in"
        " the middle.",
        "One thin white circle closely around the bright yellowish disc at the left, and nothing else changed.",
    ),
    Task(
        "referential",
        "the-metal-thing",
        "coffee",
        "把碟子上唯一的金属物品换成木头做的同样的东西，别的都不要动。",
        "原来的金属小匙变成同样大小、同样位置的木匙，没有金属反光；杯子、碟子、咖啡和桌面都不变。",
    ),
    Task(
        "referential",
        "same-red-as-the-flag",
        "astronaut",
        "把她胸前那枚圆形徽章的蓝紫色底改成和她身后国旗条纹一样的红色，另一边的长方形名牌不要改。",
        "圆形徽章的底色变成国旗条纹的深红色，徽章上的图案和文字还在；长方形名牌仍是蓝紫色，其余部分不变。",
    ),
)


def make(folder: Path) -> dict:
    """Write the sample benchmark into `folder` and return its manifest. Raises UserError as `import_benchmark` does."""
    with TemporaryDirectory() as temporary:
        table = Path(temporary) / "table.jsonl"
        for photograph in PHOTOGRAPHS:
            _save(photograph.name, table.parent)
        table.write_bytes(b"".join(orjson.dumps(_row(task), option=orjson.OPT_APPEND_NEWLINE) for task in TASKS))
        return import_benchmark(table, out=folder, name="sample")


def _save(name: str, folder: Path) -> None:
    image = Image.fromarray(getattr(data, name)())
    image.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    image.save(folder / f"{name}.jpg", quality=JPEG_QUALITY)


def _row(task: Task) -> dict[str, str]:
    photograph = next(photograph for photograph in PHOTOGRAPHS if photograph.name == task.photograph)
    return {
        "id": f"{task.category}-{task.name}",
        "image": f"{photograph.name}.jpg",
        "instruction": task.instruction,
        "category": task.category,
        "reference_text": task.reference_text,
        # Not columns that the import knows: they go into the sample's `extra`.
        "photograph": photograph.name,
        "author": photograph.author,
        "licence": photograph.licence,
    }


if __name__ == "__main__":
    try:
        manifest = make(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
    except UserError as error:
        console.fail(error)
        sys.exit(error.status)
    console.say(f"{manifest['samples']} samples, {sum(shard['bytes'] for shard in manifest['shards']):,} bytes")
