"""Detectors that are told in words what to find give what transformers' own processors give."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

pytest.importorskip("torch")

from lucida.errors import InputError
from lucida.images import Image
from lucida.models import find
from lucida.models.transformers import finding
from lucida.runs.seeing import Seer, Wish
from pictures import inside

pytestmark = pytest.mark.torch
WORDS = ["cat", "red hat"]


@pytest.mark.parametrize("name", ["owlv2", "owlvit"])
def test_what_owl_finds(tiny, photo, name):
    import torch
    import transformers

    folder, picture = tiny(name), Pillow.fromarray(photo)
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    prompts = [["a photo of a cat", "a photo of a red hat"]]
    with torch.inference_mode():
        outputs = model(**processor(text=prompts, images=picture, return_tensors="pt"))
    row = processor.post_process_grounded_object_detection(
        outputs, threshold=0.05, target_sizes=torch.tensor([photo.shape[:2]])
    )[0]
    (found,) = find(str(folder)).look_for(WORDS).load().predict([Image(photo, "RGB")])
    order = np.argsort(-row["scores"].numpy(), kind="stable")
    assert len(found) == len(order) > 3
    assert found.classes == tuple(WORDS)
    np.testing.assert_allclose(found.xyxy, inside(row["boxes"].numpy()[order], photo), atol=1e-4)
    np.testing.assert_allclose(found.confidence, row["scores"].numpy()[order], atol=1e-4)
    assert found.class_id.tolist() == row["labels"].numpy()[order].tolist()


def test_what_grounding_dino_finds(tiny, photo):
    import torch
    import transformers

    folder, picture = tiny("grounding-dino"), Pillow.fromarray(photo)
    model = transformers.AutoModelForZeroShotObjectDetection.from_pretrained(folder)
    processor = transformers.AutoProcessor.from_pretrained(folder)
    inputs = processor(text=[WORDS], images=picture, return_tensors="pt")
    with torch.inference_mode():
        outputs = model(**inputs)
    row = processor.post_process_grounded_object_detection(
        outputs, inputs["input_ids"], threshold=0.05, target_sizes=[photo.shape[:2]]
    )[0]
    (found,) = find(str(folder)).look_for(["Cat", "red hat."]).load().predict([Image(photo, "RGB")])
    order = np.argsort(-row["scores"].numpy(), kind="stable")
    assert len(found) == len(order) > 3
    np.testing.assert_allclose(found.xyxy, inside(row["boxes"].numpy()[order], photo), atol=1e-4)
    np.testing.assert_allclose(found.confidence, row["scores"].numpy()[order], atol=1e-4)
    # By hand: [CLS] cat . red hat . [SEP]
    likely = outputs.logits[0].sigmoid().numpy()
    likely = likely[likely.max(1) > 0.05][order]
    expected = np.where(likely[:, 1] >= likely[:, 3:5].max(1), "Cat", "red hat.")
    assert found.labels == tuple(expected)


def test_words_of_each_description():
    assert finding.spans([101, 7, 1012, 8, 9, 1012, 102], 1012, {101, 102}) == [[1], [3, 4]]
    assert finding.spans([7], 1012, set()) == [[0]]


@pytest.mark.parametrize("name", ["owlv2", "grounding-dino"])
def test_it_has_to_be_told_and_in_few_words(tiny, name):
    spec = find(str(tiny(name)))
    assert spec.look_for is not None
    with pytest.raises(InputError, match="told nothing"):
        Seer(spec, Wish(task="detect"))
    with pytest.raises(InputError, match="told nothing"):
        spec.look_for(["cat", " "]).load()
    with pytest.raises(InputError, match="greater length") as caught:
        spec.look_for(["cat " * 50]).load()
    assert "at most 32 tokens" in caught.value.expected
