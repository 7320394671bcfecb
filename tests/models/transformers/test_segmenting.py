"""Segmenters give the masks of transformers' own processors, at the size of the image."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.errors import InputError, UnknownName
from lucida.images import Image
from lucida.models import find
from lucida.results import Detections, Segmentation
from lucida.runs.seeing import Seer, Wish

pytestmark = pytest.mark.torch


def reference(folder, photo, kind, **more):
    """Return processor, model and outputs of transformers itself."""
    import torch
    import transformers

    model = getattr(transformers, kind).from_pretrained(folder)
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    inputs = processor(images=Pillow.fromarray(photo), return_tensors="pt", **more)
    with torch.inference_mode():
        return processor, model, model(**inputs)


@pytest.mark.parametrize("name", ["segformer", "upernet"])
def test_a_class_for_every_pixel(tiny, photo, name):
    import torch

    processor, _, outputs = reference(tiny(name), photo, "AutoModelForSemanticSegmentation")
    expected = processor.post_process_semantic_segmentation(outputs, target_sizes=[photo.shape[:2]])[0].numpy()
    spec = find(str(tiny(name)))
    assert (spec.tasks, spec.gives.classes) == (("segment",), ("cat", "dog", "bird"))
    (found,) = spec.load().predict([Image(photo, "RGB")])
    assert isinstance(found, Segmentation)
    assert len(np.unique(expected)) > 1, "random weights tell pixels apart"
    np.testing.assert_array_equal(found.mask, expected)
    logits = torch.nn.functional.interpolate(outputs.logits, photo.shape[:2], mode="bilinear", align_corners=False)
    np.testing.assert_allclose(found.confidence, logits.softmax(1)[0].max(0).values.numpy(), atol=1e-5)


def test_a_middle_that_is_cut_out_elsewhere_is_not_laid_over_the_image(tiny, photo):
    model = find(str(tiny("mobilevit"))).load()
    assert model.prepare(Pillow.fromarray(photo))["pixel_values"].shape[2:] == (64, 93)
    assert model.predict([Image(photo, "RGB")])[0].mask.shape == (75, 110)


@pytest.mark.parametrize("name", ["mask2former-instance", "maskformer"])
def test_objects_with_their_pixels(tiny, photo, name):
    processor, model, outputs = reference(tiny(name), photo, "AutoModelForUniversalSegmentation")
    row = processor.post_process_instance_segmentation(
        outputs, threshold=0.05, target_sizes=[photo.shape[:2]], return_binary_maps=True
    )[0]
    found = find(str(tiny(name))).load().predict([Image(photo, "RGB")])[0]
    assert isinstance(found, Detections)
    expected = sorted(zip(row["segments_info"], row["segmentation"].numpy(), strict=True), key=lambda p: -p[0]["score"])
    assert len(found) == len(expected) > 3
    np.testing.assert_allclose(found.confidence, [about["score"] for about, _ in expected], atol=1e-5)
    names = model.config.id2label
    assert sorted(found.labels) == sorted(names[about["label_id"]] for about, _ in expected)
    # Scores of two may be equal to the last digit.
    theirs = {mask.astype(bool).tobytes() for _, mask in expected}
    assert {found.mask(k).tobytes() for k in range(len(found))} == theirs
    for k in range(len(found)):
        down, across = found.mask(k).nonzero()
        assert found.xyxy[k].tolist() == [across.min(), down.min(), across.max() + 1, down.max() + 1]


@pytest.mark.parametrize("name", ["mask2former-panoptic", "oneformer"])
def test_segments_that_do_not_overlap(tiny, photo, name):
    # One kind of photo for which random weights are sure of something.
    photo = np.ascontiguousarray(photo[:, :12])
    model = find(str(tiny(name))).load()
    inputs = model.prepare(Pillow.fromarray(photo))
    outputs = model.run(inputs)
    processor = getattr(model._processor, "image_processor", model._processor)
    way = "panoptic" if "panoptic" in name else "instance"
    row = getattr(processor, f"post_process_{way}_segmentation")(outputs, target_sizes=[photo.shape[:2]])[0]
    found = model.predict([Image(photo, "RGB")])[0]
    assert len(found) == len(row["segments_info"])
    if way == "panoptic":
        assert len(found), "something is there to compare"
    for k, about in enumerate(sorted(row["segments_info"], key=lambda one: -one["score"])):
        assert found.confidence[k] == pytest.approx(about["score"], abs=1e-5)
        assert (found.mask(k) != (row["segmentation"].numpy() == about["id"])).mean() < 0.002, "but for rounding"


@pytest.mark.parametrize("name", ["mask2former-semantic", "mask2former-panoptic", "oneformer"])
def test_universal_models_give_the_class_of_every_pixel_where_that_is_asked(tiny, photo, name):
    spec = find(str(tiny(name)))
    assert spec.tasks == (("segment",) if name.endswith("semantic") else ("detect", "segment"))
    model = (spec.aim("segment") if spec.aim else spec).load()
    outputs = model.run(model.prepare(Pillow.fromarray(photo)))
    processor = getattr(model._processor, "image_processor", model._processor)
    expected = processor.post_process_semantic_segmentation(outputs, target_sizes=[photo.shape[:2]])[0].numpy()
    (found,) = model.predict([Image(photo, "RGB")])
    assert isinstance(found, Segmentation)
    # OneFormer's processor resizes in other steps: a pixel on a border may differ.
    assert (found.mask != expected).mean() <= (0.001 if name == "oneformer" else 0)


def test_one_name_does_both_tasks(tiny, photo):
    import io

    file = io.BytesIO()
    Pillow.fromarray(photo).save(file, "PNG")
    spec = find(str(tiny("mask2former-panoptic")))
    assert isinstance(Seer(spec, Wish(task="detect")).see([file.getvalue()])[0].result, Detections)
    assert isinstance(Seer(spec, Wish(task="segment")).see([file.getvalue()])[0].result, Segmentation)
    with pytest.raises(UnknownName, match="horse"):
        Seer(spec, Wish(task="detect", classes=("horse",)))


def test_pixels_by_words(tiny, photo):
    import torch
    import transformers

    words = ["a cat", "red hat"]
    folder = tiny("clipseg")
    model = transformers.CLIPSegForImageSegmentation.from_pretrained(folder)
    processor = transformers.CLIPSegProcessor.from_pretrained(folder)
    pictures = [Pillow.fromarray(photo)] * 2
    with torch.inference_mode():
        logits = model(**processor(text=words, images=pictures, padding=True, return_tensors="pt")).logits
    likely = torch.nn.functional.interpolate(logits[:, None], photo.shape[:2], mode="bilinear")[:, 0].sigmoid().numpy()
    expected = np.where(likely.max(0) > 0.5, likely.argmax(0) + 1, 0)
    spec = find(str(folder))
    assert (spec.tasks, spec.gives.classes) == (("segment",), ())
    (found,) = spec.look_for(words).load().predict([Image(photo, "RGB")])
    assert found.classes == ("background", *words)
    assert len(np.unique(expected)) > 1
    assert (found.mask != expected).mean() < 0.001
    (alone,) = spec.look_for(words[:1]).load().predict([Image(photo, "RGB")])
    assert ((alone.mask == 1) != (likely[0] > 0.5)).mean() < 0.001


def test_words_that_are_missing_or_too_many_are_refused(tiny):
    spec = find(str(tiny("clipseg")))
    with pytest.raises(InputError, match="told nothing"):
        spec.load()
    with pytest.raises(InputError, match="told nothing"):
        Seer(spec, Wish(task="segment"))
    with pytest.raises(InputError, match="greater length") as caught:
        spec.look_for(["a cat", "hello " * 40]).load()
    assert "at most 32 tokens" in caught.value.expected


def test_a_large_image_of_many_classes_stays_in_memory(tiny, photo):
    """150 classes at 2000 x 1500 would be 1.8 GB at once."""
    import resource

    import torch

    from lucida.models.transformers.pixels import likeliest

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    mask, confidence = likeliest(torch.randn(150, 8, 8), (1500, 2000))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 600_000, "kilobytes"
    assert mask.shape == confidence.shape == (1500, 2000)
    assert len(np.unique(mask)) > 10
    large = Image(np.tile(photo, (40, 37, 1))[:3000, :4000], "RGB")
    (found,) = find(str(tiny("mask2former-instance"))).load().predict([large])
    assert found.mask(0).shape == (3000, 4000)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_200_000, "kilobytes"
