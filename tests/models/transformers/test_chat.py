"""A chat model scores every class as the whole answer."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.errors import InputError, ModelError
from lucida.models import find
from lucida.models.chat import Prompt, Shot

pytestmark = pytest.mark.torch
CLASSES = ("cat", "catfish", "dog", "a red dress")
PROMPT = Prompt("What is it?", CLASSES, {"cat": "a small animal"}, rules="Look closely.")


@pytest.fixture(scope="module")
def picture() -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture(scope="module", params=["smolvlm", "qwen2-vl"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    from models.tiny_chat import BUILDERS

    folder = tmp_path_factory.mktemp(request.param)
    BUILDERS[request.param](folder)
    return find(str(folder)).load()


def test_the_scores_are_those_of_reading_each_answer_alone(model, picture):
    as_read_alone(model, picture)


@pytest.mark.parametrize("name", ["qwen2.5-vl", "qwen3-vl"])
def test_younger_models_score_as_well(name, picture, tmp_path):
    from models.tiny_chat import BUILDERS

    BUILDERS[name](tmp_path / "model")
    as_read_alone(find(str(tmp_path / "model")).load(), picture)


def as_read_alone(model, picture):
    import torch

    from lucida.models.transformers.chat import conversation

    inputs = model._processor.apply_chat_template(
        conversation(PROMPT, [model._picture(picture)]),
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    length, expected = inputs["input_ids"].shape[1], []
    for words in model._words(PROMPT, [model._picture(picture)]):
        own = dict(inputs)
        own["input_ids"] = torch.cat([inputs["input_ids"], torch.tensor([words])], 1)
        own["attention_mask"] = torch.ones_like(own["input_ids"])
        if "mm_token_type_ids" in own:
            kinds = own["mm_token_type_ids"]
            own["mm_token_type_ids"] = torch.cat([kinds, kinds.new_zeros((1, len(words)))], 1)
        with torch.inference_mode():
            likely = model._model(**own).logits[0].log_softmax(-1)
        expected.append(sum(float(likely[length - 1 + k, word]) for k, word in enumerate(words)))
    with torch.inference_mode():
        found = model.scores(PROMPT, [model._picture(picture)])
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_an_answer_is_worded_as_the_models_own_conversations_are(model, picture):
    words = model._words(PROMPT, [model._picture(picture)])
    tokenizer = model._processor.tokenizer
    # The form of these models puts a space after "assistant:", and ends a turn with a mark.
    assert [tokenizer.decode(w) for w in words] == [f" {name}<|endoftext|>" for name in CLASSES]


def test_a_reply_has_a_probability_for_every_class(model, picture):
    reply, again = model.ask(PROMPT, [picture, picture])
    assert set(reply.probabilities) == set(CLASSES)
    assert sum(reply.probabilities.values()) == pytest.approx(1)
    assert reply.basis == "log-probabilities"
    assert reply.usage.cost == 0
    assert again == reply, "the same question gets the same answer"


def test_example_images_are_read_before_the_question(model, picture):
    shot = Prompt(PROMPT.question, CLASSES, shots=(Shot(picture, "dog"),))
    plain = Prompt(PROMPT.question, CLASSES)
    assert model.ask(shot, [picture])[0].probabilities != model.ask(plain, [picture])[0].probabilities


def test_many_classes_are_scored_in_chunks(model, picture, monkeypatch):
    from lucida.models.transformers import chat

    whole = model.ask(PROMPT, [picture])[0].probabilities
    monkeypatch.setattr(chat, "CHUNK", 3)
    assert model.ask(PROMPT, [picture])[0].probabilities == pytest.approx(whole, abs=1e-4)


def test_a_list_of_classes_that_is_too_long(model, picture):
    with pytest.raises(InputError) as caught:
        model.ask(Prompt("What is it?", tuple(f"class number {i}" for i in range(2000))), [picture])
    assert "2,000 classes" in caught.value.got
    assert caught.value.hint


def test_an_image_that_cannot_be_read_is_a_problem_of_its_own(model, picture):
    good, bad = model.ask(PROMPT, [picture, b"no image"])
    assert good.probabilities
    assert bad.problem
    assert not bad.probabilities


def test_what_it_cannot_do(model):
    with pytest.raises(ModelError, match="cannot run int8"):
        model.spec.load("int8")
    with pytest.raises(ModelError, match="cannot match words"):
        model.spec.matcher([["cat"], ["dog"]])
    assert model.quote(PROMPT, 1).cost == 0
