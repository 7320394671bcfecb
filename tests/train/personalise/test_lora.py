"""LoRAs from a few photos on tiny pipelines: taught, compared, exported, drawn with, killed."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("diffusers")
pytest.importorskip("peft")
pytestmark = pytest.mark.torch

from safetensors import safe_open  # noqa: E402

from lucida.models.generator import GenerationRequest, Lora  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.train.personalise.adapter import Adapter  # noqa: E402
from lucida.train.personalise.drawing import Easel  # noqa: E402
from lucida.train.personalise.export import FILE  # noqa: E402
from lucida.train.personalise.families import TEACHINGS, unpacked  # noqa: E402
from lucida.train.settings import Settings  # noqa: E402
from lucida.train.standing import LAST  # noqa: E402
from lucida.train.verb import train  # noqa: E402
from lucida.tuning import checkpoint  # noqa: E402
from pipelines import tiny  # noqa: E402

SHORT = Settings(epochs=1, rate=0.01, arithmetic="fp32")


def drawn(kind: str, *loras: Lora) -> np.ndarray:
    """Return a picture by a tiny pipeline, as `lucida generate` draws it."""
    request = GenerationRequest("a photo of sks disc", steps=2, size=(32, 32), loras=loras)
    return find(str(tiny(kind))).load("fp32").generate(request, [7])[0].pixels


@pytest.fixture(scope="module")
def taught(photos: Path, small: Any, tmp_path_factory: pytest.TempPathFactory):
    """A whole training by the verb."""
    catalog = tmp_path_factory.mktemp("taught") / "catalog"
    words: dict[str, Any] = {"data": photos, "model": str(tiny("sd")), "token": "sks disc", "prior": "disc"}
    words |= {"size": 32, "rank": 2, "epochs": 2, "rate": 0.01, "catalog": catalog}
    return train("lora", **words), words


def test_the_whole_way_by_the_verb(taught):
    result, words = taught
    folder = Path(result.folder)
    assert (result.images, result.validation, result.skipped, result.steps) == (3, 0, 1, 6)
    steps = sorted(file.stem for file in (folder / "checkpoints").glob("*.safetensors"))
    assert steps == ["step-000003", "step-000006"]
    assert {file.stem for file in (folder / "samples").glob("*.png")} == {*steps, "untaught"}
    assert len(list((folder / "prior").glob("*.png"))) == 3
    table = [note for note in result.notes if note.startswith("step ")]
    assert len(table) == 2
    assert sum("(proposed)" in row for row in table) == 1
    assert any(note.startswith("untaught: ") for note in result.notes)
    assert any("torn.png is left out" in note for note in result.notes)
    assert "--lora" in str(result)
    card = json.loads((folder / "model" / "lora.json").read_text())
    best = max(card["checkpoints"][1:], key=lambda row: row["score"])
    assert card["step"] == best["step"]
    assert result.metrics["score"] == best["score"]
    exported, kept = (
        safe_open(path, "pt")
        for path in (folder / "model" / FILE, folder / "checkpoints" / f"step-{card['step']:06d}.safetensors")
    )
    assert exported.metadata()["lucida.token"] == "sks disc"
    for name in exported.keys():  # noqa: SIM118 - not a mapping
        assert torch.equal(exported.get_tensor(name), kept.get_tensor(name))
    assert train("lora", **words) == result, "the same call again trains nothing"


def test_what_was_learned_changes_what_is_drawn(taught):
    file = Path(taught[0].folder) / "model" / FILE
    plain, with_it = drawn("sd"), drawn("sd", Lora(file))
    assert not np.array_equal(plain, with_it)
    np.testing.assert_array_equal(plain, drawn("sd", Lora(file, 0.0)))


def test_a_checkpoint_holds_the_low_rank_weights_alone(taught):
    network = checkpoint.load(Path(taught[0].folder) / LAST)[0]["network"]
    assert all("lora_" in name for name in network)
    assert all(2 in value.shape for value in network.values()), "of rank 2"


@pytest.mark.parametrize("kind", ["sdxl", "sd3", "flux"])
def test_every_family_learns_and_diffusers_reads_it(made, unjudged, tmp_path: Path, kind: str):
    recipe = made(kind)
    state = recipe.fit(SHORT, tmp_path)
    assert state.step == 3
    recipe.export(tmp_path / "model")
    plain = drawn(kind)
    assert not np.array_equal(plain, drawn(kind, Lora(tmp_path / "model" / FILE)))


def test_a_killed_training_goes_on_to_the_same_weights(made, unjudged, tmp_path: Path):
    settings = dataclasses.replace(SHORT, epochs=2, save_seconds=0.0)
    whole, killed = made("sd", prior="disc"), made("sd", prior="disc")
    whole.fit(settings, tmp_path / "whole")
    lost, calls = killed.loss, 0

    def loss(network: Any, batch: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 8 + 5:  # the first eight only measure the speed
            raise KeyboardInterrupt
        return lost(network, batch)

    killed.loss = loss
    with pytest.raises(KeyboardInterrupt):
        killed.fit(settings, tmp_path / "killed")
    assert json.loads((tmp_path / "killed" / "plan.json").read_text())["total"] > 0
    again = made("sd", prior="disc")
    again.fit(settings, tmp_path / "killed")
    one, other = (checkpoint.load(tmp_path / name / LAST)[0]["network"] for name in ("whole", "killed"))
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert any(value.abs().max() > 0 for name, value in one.items() if "lora_B" in name)


@pytest.mark.parametrize("row", TEACHINGS, ids=lambda row: row.name)
def test_the_network_is_asked_as_the_pipeline_asks_it(made, row):
    """What the network gets besides latents, in training and when it draws: the pipelines of diffusers decide that."""
    kind = {"Stable Diffusion": "sd", "Stable Diffusion XL": "sdxl", "Stable Diffusion 3": "sd3"}.get(row.name, "flux")
    from lucida.train.personalise.beginning import load_pipeline

    recipe = made(kind)
    easel = Easel(recipe.base, load_pipeline(recipe.base, "fp32"), torch.device("cpu"))
    easel.read(["a disc"])
    calls: list[dict[str, Any]] = []
    names = ("sample", "timestep")

    def note(module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        calls.append({**dict(zip(names, given, strict=False)), **named})

    hook = easel.denoiser.register_forward_pre_hook(note, with_kwargs=True)
    easel.draw("a disc", 3, 32)
    by_pipeline = calls[0]
    latents = by_pipeline.get("sample", by_pipeline.get("hidden_states"))[-1:]
    latents = unpacked(latents, 16, 16) if kind == "flux" else latents
    time = by_pipeline["timestep"].reshape(-1)[-1:] * (1000 if kind == "flux" else 1)
    with torch.no_grad():
        found = row.predict(easel.denoiser, latents, time, easel.words(["a disc"], latents.device, latents.dtype))
    hook.remove()
    assert found.shape == latents.shape
    ours = calls[-1]
    compared = 0
    for name, value in by_pipeline.items():
        for theirs, mine in _pairs(value, ours.get(name)):
            torch.testing.assert_close(mine.float(), (theirs[-1:] if len(mine) == 1 else theirs).float(), msg=name)
            compared += 1
    assert compared >= {"sd": 3, "sdxl": 5, "sd3": 4, "flux": 6}[kind]


def _pairs(theirs: Any, ours: Any) -> list[tuple[Any, Any]]:
    if isinstance(theirs, dict):
        return [pair for name in theirs for pair in _pairs(theirs[name], ours[name])]
    if not isinstance(theirs, torch.Tensor):
        return []
    return [(theirs.reshape(-1) if not theirs.ndim else theirs, ours)]


def test_weights_of_a_copy_are_its_own_and_leave_the_network_as_it_was():
    import copy

    import diffusers

    network = diffusers.UNet2DConditionModel.from_pretrained(tiny("sd"), subfolder="unet")
    adapter = Adapter(network, ("to_q",), 2)
    given = (torch.ones(1, 4, 8, 8), torch.tensor([1.0]), torch.ones(1, 3, 32))
    with torch.no_grad():
        before = adapter(*given).sample
        other = copy.deepcopy(adapter)
        for weight in other.parameters():
            weight += 0.3
        assert not torch.equal(other(*given).sample, before)
        assert torch.equal(adapter(*given).sample, before)
    assert len(adapter.state_dict()) == len(list(other.parameters())) > 0
    assert sum(weight.numel() for weight in adapter.parameters()) < 0.05 * sum(w.numel() for w in network.parameters())


def test_captions_of_people_come_before_those_of_models_and_both_are_kept(made, tmp_path: Path, monkeypatch):
    from lucida.models.chat import Said
    from lucida.models.spec import Model, Spec
    from lucida.train.personalise import recipe

    class Talker(Model):
        def say(self, talk: Any) -> Said:
            assert talk.turns[0].images[0].startswith(b"\x89PNG")
            return Said("a disc\nin the sun")

    spec = dataclasses.replace(find("embedded"), tasks=("caption",), build=lambda spec, *_: Talker(spec))
    assert isinstance(spec, Spec)
    (tmp_path / "none").mkdir()
    assert [*made("sd", tmp_path / "none").captions][1:] == ["a photo of sks disc, on a table", "a photo of sks disc"]
    monkeypatch.setattr(recipe, "captioner", lambda: spec)
    told = made("sd", tmp_path).captions
    assert told[1:] == ["a photo of sks disc, on a table", "a photo of sks disc, a disc in the sun"]
    monkeypatch.setattr(recipe, "captioner", lambda: None)
    assert made("sd", tmp_path).captions == told, "as they were when it began"
