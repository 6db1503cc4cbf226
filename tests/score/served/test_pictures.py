from __future__ import annotations

import base64
import io

import pytest
from PIL import Image
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

from editbench.score.served.pictures import data_url, fitted_size


@pytest.mark.parametrize(
    "size", [(48, 32), (320, 224), (1280, 1024), (4000, 3000), (33, 5000), (1023, 1025), (100, 100), (16, 16), (1024, 1024)]
)
@pytest.mark.parametrize("limits", [(65_536, 1_048_576), (1_024, 50_000)])
def test_sizes_are_those_of_the_in_process_judge(size: tuple[int, int], limits: tuple[int, int]) -> None:
    height, width = smart_resize(size[1], size[0], 32, *limits)
    assert fitted_size(*size, *limits) == (width, height)


def test_a_picture_of_the_right_size_goes_as_it_is() -> None:
    image = Image.effect_noise((320, 256), 90).convert("RGB")
    url = data_url(image, 65_536, 1_048_576, None)
    assert url.startswith("data:image/png;base64,")
    sent = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert (sent.format, sent.tobytes()) == ("PNG", image.tobytes())
