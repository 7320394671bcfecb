"""What models that run here say is what transformers' own generation gives."""

from __future__ import annotations

import io
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from PIL import Image as Pillow

from lucida.errors import ModelError
from lucida.models import find
from lucida.models.answer_form import Written
from lucida.models.chat import STOPPED, Talk, Turn
from lucida.models.json_text import plain
from lucida.models.spec import Model

pytestmark = pytest.mark.torch
CHATS = ("smolvlm", "qwen2-vl", "llava")


def png(seed: int = 0) -> bytes:
    out = io.BytesIO()
    Pillow.fromarray(np.random.default_rng(seed).integers(0, 255, (80, 100, 3), np.uint8)).save(out, "PNG")
    return out.getvalue()


def opened(data: bytes) -> Pillow.Image:
    return Pillow.open(io.BytesIO(data))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    """A function that gives the folder of a tiny model, built once."""
    from models.tiny_chat import BUILDERS

    home = tmp_path_factory.mktemp("chat")

    def get(name: str) -> Path:
        if not (home / name).is_dir():
            BUILDERS[name](home / name)
        return home / name

    return get


@pytest.fixture(scope="module", params=CHATS)
def chat(request: pytest.FixtureRequest, folder):
    return folder(request.param), find(str(folder(request.param))).load()


def test_an_answer_is_that_of_transformers_own_pipeline(chat):
    as_the_pipeline_says(*chat)


@pytest.mark.parametrize("name", ["qwen2.5-vl", "qwen3-vl"])
def test_younger_models_answer_as_transformers_own_pipeline(folder, name):
    as_the_pipeline_says(folder(name), find(str(folder(name))).load())


def as_the_pipeline_says(at: Path, model: Model) -> None:
    from transformers import pipeline

    messages = [
        {"role": "user", "content": [{"type": "image", "image": opened(png(0))},
                                     {"type": "image", "image": opened(png(1))},
                                     {"type": "text", "text": "Be short.\n\nWhat differs?"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "nothing"}]},
        {"role": "user", "content": [{"type": "text", "text": "Sure?"}]},
    ]  # fmt: skip
    own = pipeline("image-text-to-text", model=str(at))
    expected = own(text=messages, max_new_tokens=8, return_full_text=False, generate_kwargs={"do_sample": False})
    turns = (Turn("What differs?", (png(0), png(1))), Turn("nothing", by="assistant"), Turn("Sure?"))
    found = model.say(Talk(turns, rules="Be short.", longest=8))
    assert found.text == plain(expected[0]["generated_text"])
    assert found.text
    assert model.say(Talk(turns, rules="Be short.", longest=8)) == found, "the same talk has the same answer"


def test_the_score_is_the_mean_probability_of_the_tokens(chat):
    import torch
    from transformers import AutoModelForImageTextToText, AutoProcessor

    at, model = chat
    found = model.say(Talk((Turn("What is it?", (png(),)),), longest=5))
    network = AutoModelForImageTextToText.from_pretrained(at).eval()
    content = [{"type": "image", "image": opened(png())}, {"type": "text", "text": "What is it?"}]
    inputs = AutoProcessor.from_pretrained(at).apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt",
    )  # fmt: skip
    with torch.inference_mode():
        whole = network.generate(**inputs, max_new_tokens=5, do_sample=False)
        length, count = inputs["input_ids"].shape[1], whole.shape[1] - inputs["input_ids"].shape[1]
        further = {**inputs, "input_ids": whole, "attention_mask": torch.ones_like(whole)}
        for name in ("mm_token_type_ids", "token_type_ids"):
            if name in inputs:
                further[name] = torch.cat([inputs[name], inputs[name].new_zeros((1, count))], 1)
        likely = network(**further).logits[0].log_softmax(-1)
    each = [float(likely[length - 1 + k, whole[0, length + k]]) for k in range(count)]
    assert found.score == pytest.approx(np.exp(np.mean(each)), rel=1e-3)


def test_a_talk_that_is_too_long_is_told_with_both_numbers(chat):
    found = chat[1].say(Talk((Turn("x" * 9000, (png(),)),)))
    assert "of at most 2,048." in found.problem
    assert "9,0" in found.problem
    assert not found.text


def test_an_answer_ends_where_the_model_reads_no_further(chat, monkeypatch):
    _, model = chat
    before = model.say(Talk((Turn("x" * 1990, (png(),)),), longest=300))
    assert before.text
    assert not before.problem


def test_an_answer_that_nobody_waits_for_ends_after_the_next_token(chat):
    class Soon(Event):
        """Is set once it was asked for the third time."""

        asked = 0

        def is_set(self) -> bool:
            self.asked += 1
            return self.asked > 2

    stop = Soon()
    found = chat[1].say(Talk((Turn("What?", (png(),)),), longest=300, stop=stop))
    assert (found.text, found.problem) == ("", STOPPED)
    assert stop.asked < 6


def test_an_image_that_cannot_be_read_is_a_problem_of_its_talk(chat):
    assert chat[1].say(Talk((Turn("What?", (b"no image",)),))).problem


def test_json_is_read_from_what_it_writes_and_asked_for_again(chat, monkeypatch):
    from lucida.models.transformers import chat as module

    asked = []

    def write(model, processor, talk, pictures, **more) -> Written:
        asked.append(talk)
        return Written(["two", '{"answer": {"count": 2}, "reason": "I see two."}'][len(asked) - 1])

    monkeypatch.setattr(module, "written", write)
    schema = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
    found = chat[1].say(Talk((Turn("How many?", (png(),)),), schema=schema, reason=True))
    assert (found.data, found.reason, found.problem) == ({"count": 2}, "I see two.", "")
    assert len(asked) == 2


def test_what_a_chat_model_says_of_itself(chat):
    _, model = chat
    assert model.spec.tasks == ("ask", "caption", "answer")
    assert "mean probability" in model.spec.note
    assert model.quote_talk(Talk((Turn("?", (png(),)),))).cost == 0


@pytest.mark.parametrize(
    ("name", "question", "text"),
    [
        ("blip", "", ""),
        ("blip-vqa", "what is it?", "what is it?"),
        ("blip2", "", ""),
        ("blip2", "What is it?", "Question: What is it? Answer:"),
    ],
)
def test_captions_and_answers_are_those_of_generate(folder, name, question, text):
    import transformers as t

    at = folder(name)
    kinds = {
        "blip": t.BlipForConditionalGeneration,
        "blip-vqa": t.BlipForQuestionAnswering,
        "blip2": t.Blip2ForConditionalGeneration,
    }
    network, processor = kinds[name].from_pretrained(at).eval(), t.AutoProcessor.from_pretrained(at)
    inputs = processor(images=opened(png()), return_tensors="pt", **({"text": text} if text else {}))
    made = network.generate(**inputs, max_new_tokens=6, do_sample=False)
    # BLIP begins with a mark of its own, which the published tokenizers do not even know.
    start = 1 if name != "blip2" else inputs["input_ids"].shape[1] if text else 0
    expected = processor.batch_decode(made[:, start:], skip_special_tokens=True)[0]
    found = find(str(at)).load().say(Talk((Turn(question, (png(),)),), longest=6))
    assert (found.text, found.problem) == (plain(expected), "")
    assert 0 < found.score < 1


def test_a_question_goes_on_from_those_before(folder):
    from lucida.models.transformers.captioning import ARCHITECTURES, prompt_of

    turns = (Turn("What is it?", (png(),)), Turn("a cat", by="assistant"), Turn("What colour?"))
    kind = ARCHITECTURES["Blip2ForConditionalGeneration"]
    assert prompt_of(kind, turns) == "Question: What is it? Answer: a cat. Question: What colour? Answer:"
    assert prompt_of(ARCHITECTURES["BlipForQuestionAnswering"], turns) == "What colour?"
    assert find(str(folder("blip2"))).load().say(Talk(turns, longest=4)).text


@pytest.mark.parametrize(
    ("name", "talk", "said"),
    [
        ("blip", Talk((Turn("How many?", (b"",)),)), "describes images and answers no questions"),
        ("blip-vqa", Talk((Turn("", (b"",)),)), "was asked none"),
        ("blip2", Talk((Turn("What differs?", (b"", b"")),)), "one image at a time, and was shown 2"),
        ("blip2", Talk((Turn("How many?", (b"",)),), schema={}), "never in JSON"),
        ("blip2", Talk((Turn("x" * 999, (png(),)),)), "of at most 128."),
        ("blip", Talk((Turn("", (b"no image",)),)), "image"),
    ],
)
def test_what_a_captioner_cannot_do_is_said(folder, name, talk, said):
    assert said in find(str(folder(name))).load().say(talk).problem


def test_a_captioner_has_the_tasks_that_it_can_do(folder):
    assert find(str(folder("blip"))).tasks == ("caption",)
    assert find(str(folder("blip-vqa"))).tasks == ("answer",)
    assert find(str(folder("blip2"))).tasks == ("caption", "answer")
    with pytest.raises(ModelError, match="cannot run int8"):
        find(str(folder("blip"))).load("int8")
