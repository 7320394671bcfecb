"""Labels of a hub model through the verb are those of its own library."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.catalog import Catalog
from lucida.label import label

pytestmark = pytest.mark.torch
CLASSES = ["disc", "red square", "a ring of light"]


@pytest.fixture
def hub(tiny_hub, _own_cache):
    """A function that gives a tiny model of the hub."""
    return lambda name: tiny_hub(name, Path(os.environ["LUCIDA_CACHE"]))


def test_labels_by_words_are_those_of_transformers(place, hub):
    import torch
    import transformers

    clip = hub("clip")
    template = "a photo of a {}"
    result = label(
        classes=",".join(CLASSES), model=str(clip), template=[template], precision="fp32", catalog=place.catalog
    )
    model = transformers.CLIPModel.from_pretrained(clip)
    tokenizer = transformers.AutoTokenizer.from_pretrained(clip)
    processor = transformers.AutoImageProcessor.from_pretrained(clip, backend="pil")
    words = tokenizer([template.format(name) for name in CLASSES], padding=True, return_tensors="pt")
    with Catalog.open(place.catalog) as catalog:
        run = catalog.runs.get(result.run)
        rows = {row.image: row for row in catalog.annotations.rows(run=result.run)}
        for image in catalog.images.ids():
            path = place.photos / Path(catalog.images.name(image)).name
            pixels = processor(images=Pillow.open(path).convert("RGB"), return_tensors="pt")
            with torch.inference_mode():
                expected = model(**words, **pixels).logits_per_image.softmax(-1)[0].numpy()
            row = rows[image]
            assert row.label == CLASSES[int(expected.argmax())]
            found = {row.label: row.score, **dict(row.detail["runner_up"])}
            np.testing.assert_allclose([found[name] for name in CLASSES], expected, atol=1e-4)
    assert run.model == str(clip.resolve())
    assert len(run.revision.split(".")[0]) == 12, "the resolved revision is recorded"


def test_a_classifier_labels_by_its_own_classes_and_by_example(place, hub):
    folder = hub("vit")
    own = label(model=str(folder), question="own", catalog=place.catalog)
    assert own.classes == ("tabby", "crane", "crane (2)", "boot")
    assert own.images == 24
    taught = label(model=str(folder), examples=place.examples, question="kind", catalog=place.catalog)
    assert taught.accuracy is not None


def test_a_local_chat_model_is_asked(place, tmp_path):
    from models.tiny_chat import smolvlm

    smolvlm(tmp_path / "chat")
    result = label(classes="disc,square,ring", model=str(tmp_path / "chat"), catalog=place.catalog)
    assert result.images == 24
    assert not result.cost
    assert any("log-probabilities" in note for note in result.notes)
