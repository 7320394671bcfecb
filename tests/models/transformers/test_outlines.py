"""SAM outlines what is pointed at, as transformers' own processor does."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.errors import InputError, ModelError
from lucida.images import Image
from lucida.models import find
from lucida.models.spec import Hint
from lucida.runs.seeing import Seer, Wish

pytestmark = pytest.mark.torch
BOX = (10.0, 20.0, 60.0, 70.0)
HINTS = {
    "a point": (Hint(((50, 40),), (True,)), {"input_points": [[[[50, 40]]]], "input_labels": [[[1]]]}),
    "points in and out": (
        Hint(((50, 40), (9, 10)), (True, False)),
        {"input_points": [[[[50, 40], [9, 10]]]], "input_labels": [[[1, 0]]]},
    ),
    "a box": (Hint(box=BOX), {"input_boxes": [[list(BOX)]]}),
    "both": (
        Hint(((30, 30),), (True,), BOX),
        {"input_points": [[[[30, 30]]]], "input_labels": [[[1]]], "input_boxes": [[list(BOX)]]},
    ),
}
KINDS = {"sam": "Sam", "sam2": "Sam2", "sam2-video": "Sam2"}


@pytest.fixture(scope="module", params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_all_hints_at_once_give_what_each_gives_in_transformers(tiny, photo, name):
    import torch
    import transformers

    folder, picture = tiny(name), Pillow.fromarray(photo)
    theirs = getattr(transformers, f"{KINDS[name]}Model").from_pretrained(folder).eval()
    processor = getattr(transformers, f"{KINDS[name]}Processor").from_pretrained(folder)
    spec = find(str(folder))
    assert spec.tasks == ("outline",)
    hints = [hint for hint, _ in HINTS.values()]
    found = spec.load().outline(Image(photo, "RGB"), hints)
    assert found.labels == ("object",) * 4
    for row, (what, (_, asked)) in enumerate(HINTS.items()):
        inputs = processor(images=picture, return_tensors="pt", **asked)
        sizes = [inputs.pop(one) for one in ("original_sizes", "reshaped_input_sizes") if one in inputs]
        inputs = {key: value.float() if value.is_floating_point() else value for key, value in inputs.items()}
        with torch.inference_mode():
            outputs = theirs(**inputs, multimask_output=what == "a point")
        best = int(outputs.iou_scores[0, 0].argmax())
        mask = processor.post_process_masks(outputs.pred_masks, *sizes)[0][0, best].numpy().astype(bool)
        assert 0 < mask.mean() < 1
        assert (found.mask(row) != mask).mean() < 0.002, what
        assert found.confidence[row] == pytest.approx(float(outputs.iou_scores[0, 0, best].clamp(0, 1)), abs=1e-4)
        down, across = mask.nonzero()
        np.testing.assert_allclose(
            found.xyxy[row], [across.min(), down.min(), across.max() + 1, down.max() + 1], atol=1.01
        )


def test_images_of_every_size(tiny):
    model = find(str(tiny("sam2"))).load()
    for height, width in ((1, 1), (3, 50), (3000, 4000)):
        found = model.outline(Image(np.full((height, width, 3), 99, np.uint8), "RGB"), [Hint(((0, 0),), (True,))])
        assert found.mask(0).shape == (height, width)
    assert len(model.outline(Image(np.zeros((9, 9, 3), np.uint8), "RGB"), [])) == 0


def test_the_command_outlines_what_is_pointed_at(tiny, photo):
    import io

    file = io.BytesIO()
    Pillow.fromarray(photo).save(file, "PNG")
    seer = Seer(find(str(tiny("sam2"))), Wish(hints=(Hint(box=BOX),)))
    assert len(seer.see([file.getvalue()])[0].result.masks) == 1


def test_hints_that_make_no_sense_are_refused(tiny, photo):
    model, image = find(str(tiny("sam2"))).load(), Image(photo, "RGB")
    with pytest.raises(InputError, match="points at nothing"):
        model.outline(image, [Hint()])
    with pytest.raises(InputError, match="outside of the image") as caught:
        model.outline(image, [Hint(((500, 3),), (True,))])
    assert "0 to 110 across" in caught.value.expected
    with pytest.raises(ModelError, match="cannot find objects"):
        model.predict([image])


def test_nothing_is_outlined_where_nothing_is_pointed_at(tiny):
    with pytest.raises(InputError, match="Nothing is pointed at") as caught:
        Seer(find(str(tiny("sam2"))), Wish())
    assert "--point" in caught.value.hint
