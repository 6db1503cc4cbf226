"""What becomes of a pipeline's picture, of whatever kind it is."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers.image_processor import IPAdapterMaskProcessor, VaeImageProcessor
from diffusers.video_processor import VideoProcessor
from PIL import Image

from editbench.edit import decoded

EVERY_STEP = torch.linspace(0, 1, 3 * 40 * 50, dtype=torch.float64).reshape(3, 40, 50)
HALVES = (torch.arange(3 * 16 * 16).reshape(3, 16, 16) % 255 + 0.5) / 255
"""Values halfway between two of 8 bits, as near as floats come to it."""


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("values", [EVERY_STEP, HALVES, HALVES.nextafter(torch.zeros(()))])
@pytest.mark.parametrize("channels", [1, 3])
def test_8_bits_are_those_of_the_pipelines_own_postprocessing(values: torch.Tensor, dtype: torch.dtype, channels: int) -> None:
    picture = values[:channels].to(dtype)
    own = VaeImageProcessor(do_normalize=False).postprocess(picture[None], output_type="pil")[0].convert("RGB")
    array = VaeImageProcessor.pt_to_numpy(picture[None])[0]
    for given in (picture, array, own):
        made = decoded.finished(given)
        assert (made.image.mode, made.image.tobytes()) == ("RGB", own.tobytes())
        assert made.finite


@pytest.mark.parametrize("as_given", [lambda picture: picture, lambda picture: picture.permute(1, 2, 0).numpy()])
def test_what_is_no_finite_number_is_told_and_settled(as_given) -> None:
    picture = torch.tensor([np.nan, np.inf, -np.inf, 0.5]).expand(3, 1, 4)
    made = decoded.finished(as_given(picture))
    assert not made.finite
    assert [made.image.getpixel((column, 0))[0] for column in range(4)] == [0, 255, 0, 128]


def test_transparency_is_dropped_as_pillow_drops_it() -> None:
    picture = torch.rand(4, 8, 8, generator=torch.Generator().manual_seed(0))
    own = VaeImageProcessor.numpy_to_pil(picture.permute(1, 2, 0).numpy())[0]
    assert own.mode == "RGBA"
    assert decoded.finished(picture).image.tobytes() == own.convert("RGB").tobytes()


def test_a_tensor_is_asked_for_only_where_diffusers_own_postprocessing_makes_it() -> None:
    class Painter(VaeImageProcessor):
        def postprocess(self, image: torch.Tensor, output_type: str = "pil") -> list[Image.Image]:
            raise NotImplementedError

    kinds = {
        "pt": (VaeImageProcessor, IPAdapterMaskProcessor, VideoProcessor),
        "np": (Painter, object),
    }
    for kind, processors in kinds.items():
        for each in processors:
            assert decoded.output_type(SimpleNamespace(image_processor=each())) == kind
    assert decoded.output_type(SimpleNamespace()) == "np"
