"""The encoder's recipe on random data: it learns, resumes as if never stopped, and exports what it trained."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from recipes.encoder.data import ImageSet  # noqa: E402
from recipes.encoder.sampling import generator_for, normalise  # noqa: E402
from recipes.encoder.schedule import Budget, learning_rate, resolution  # noqa: E402
from recipes.encoder.sources import Labelled, Sources, related_classes  # noqa: E402
from recipes.encoder.train import Settings, Trainer, top_1  # noqa: E402

from lucida.models.embedded.network import Encoder, fold_batch_norm  # noqa: E402
from lucida.tuning import checkpoint  # noqa: E402
from lucida.tuning.augment import DEGRADATIONS, augment, cutmix, dct_basis  # noqa: E402

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")


def coloured_images(n: int = 64, classes: int = 4, seed: int = 0) -> ImageSet:
    """Make noisy images whose class is how dark they are."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    pixels = generator.normal(40 + labels[:, None, None, None] * 55, 12, (n, 32, 32, 3))
    return ImageSet(pixels.clip(0, 255).astype(np.uint8), labels.astype(np.int64), tuple("abcd")[:classes])


def sources(related: tuple[int, int] | None = None) -> Sources:
    """Make two labelled sets, the second with classes of its own, and one without labels."""
    first, second = coloured_images(), coloured_images(32, classes=2, seed=2)
    pairs = np.zeros((6, 6), bool)
    if related:
        pairs[related] = pairs[related[::-1]] = True
    pools = (coloured_images(seed=3).pixels, coloured_images(40, seed=4).pixels[:, :24, :24])
    return Sources((Labelled(first, 0, 0.75), Labelled(second, 4, 0.25)), pools, (0.7, 0.3), pairs)


def trainer(out: Path, steps: int = 8, **options: Any) -> Trainer:
    settings = Settings(Budget(steps=steps), batch=16, unlabelled=8, widths=(8, 16), depths=(1, 1), save_every=1e9)
    return Trainer(sources(), coloured_images(seed=1), settings, out, **options)


def same_weights(one: Trainer, other: Trainer) -> bool:
    pairs = [(one.model, other.model), (one.average, other.average), (one.contrast, other.contrast)]
    states = [(a.state_dict(), b.state_dict()) for a, b in pairs]
    return all(torch.equal(a[name], b[name]) for a, b in states for name in a)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    run = trainer(tmp_path, steps=60)
    before = run.accuracy()
    # Contrast joins the loss on the way: only steps before it are compared.
    losses = [float(run.train_step()) for _ in range(24)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1
    while run.step < 60:
        run.train_step()
    assert run.accuracy() > max(before, 0.3)


def test_unlabelled_images_are_looked_at_in_two_views_once_their_time_has_come(tmp_path: Path) -> None:
    sampler = trainer(tmp_path).sampler
    early, late = sampler.draw(0, 0.1), sampler.draw(0, 0.9)
    assert early.views is None
    assert len(early.images) == len(early.labels) == 16
    assert late.views is not None
    assert late.views.shape == late.images[16:].shape
    assert late.sets.tolist() == [0] * 6 + [1] * 2
    assert not torch.equal(late.views, late.images[16:])
    assert set(late.labels[12:].tolist()) <= {4, 5}


def test_an_epoch_shows_every_image_once(tmp_path: Path) -> None:
    sampler = trainer(tmp_path).sampler
    seen = torch.cat([sampler._epoch(0, 64, 16, step) for step in range(4)])
    assert sorted(seen.tolist()) == list(range(64))


def test_related_classes_are_no_counter_examples(tmp_path: Path) -> None:
    run = trainer(tmp_path)
    run.related = torch.from_numpy(sources(related=(0, 4)).related)
    logits = torch.zeros(2, 6, requires_grad=True)
    run._labels(logits, torch.tensor([0, 1])).backward()
    assert logits.grad is not None
    assert logits.grad[0, 4] == 0
    assert logits.grad[1, 4] != 0


def test_related_classes_are_found_by_name() -> None:
    related = related_classes(["n02085620", "n01443537", "dog", "cat"])
    assert related[0, 2]
    assert related[2, 0]
    assert related.sum() == 2


def test_a_teacher_is_learnt_from_and_never_changed(tmp_path: Path) -> None:
    torch.manual_seed(5)
    teacher = Encoder(4, (8,), (1,)).requires_grad_(False)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    taught, alone = trainer(tmp_path / "taught", teacher=teacher), trainer(tmp_path / "alone")
    batch = taught.sampler.draw(0, 0.0)
    logits = torch.randn(16, 6, generator=generator_for(CPU, 1))
    assert float(taught._classification(batch, logits)) != pytest.approx(float(alone._classification(batch, logits)))
    taught.train_step()
    assert all(torch.equal(value, before[name]) for name, value in teacher.state_dict().items())


def test_word_vectors_pull_embeddings(tmp_path: Path) -> None:
    vectors = torch.eye(6, 5)
    run = trainer(tmp_path, vectors=vectors)
    before = run.reader.weight.clone()
    run.train_step()
    assert not torch.equal(run.reader.weight, before)


def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole")
    for _ in range(8):
        whole.train_step()
    first = trainer(tmp_path / "stopped")
    for _ in range(3):
        first.train_step()
    first.save()
    first.train_step()  # lost with the process, as after kill -9
    second = trainer(tmp_path / "stopped")
    assert second.step == 3
    for _ in range(5):
        second.train_step()
    assert same_weights(whole, second)


def test_run_stops_at_the_budget_and_leaves_a_checkpoint(tmp_path: Path) -> None:
    trainer(tmp_path, steps=3).run()
    _, state = checkpoint.load(tmp_path / "checkpoint.safetensors")
    assert state["step"] == 3
    assert '"done": true' in (tmp_path / "log.jsonl").read_text()


def test_a_failed_save_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.safetensors"
    checkpoint.save(path, {"model": {"w": torch.ones(3)}}, {"step": 1})

    def disk_full(*_: object, **__: object) -> None:
        path.with_suffix(".partial").write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", disk_full)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(path, {"model": {"w": torch.zeros(3)}}, {"step": 2})
    groups, state = checkpoint.load(path)
    assert state == {"step": 1}
    assert torch.equal(groups["model"]["w"], torch.ones(3))


def test_folding_keeps_the_outputs() -> None:
    torch.manual_seed(0)
    encoder = Encoder(5, (8, 16), (1, 1))
    encoder(torch.randn(8, 3, 32, 32))  # moves the running statistics off their start
    encoder.eval()
    images = torch.randn(3, 3, 40, 24)
    with torch.inference_mode():
        before = encoder(images)
        fold_batch_norm(encoder)
        after = encoder(images)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in encoder.modules())
    for a, b in zip(before, after, strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=1e-4)


def test_augmented_images_stay_in_range_and_repeat_from_their_seed() -> None:
    pixels = torch.from_numpy(coloured_images().pixels)
    first, again, other = (augment(pixels, 24, generator_for(CPU, seed)) for seed in (1, 1, 2))
    assert first.shape == (64, 3, 24, 24)
    assert float(first.min()) >= 0
    assert float(first.max()) <= 1
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("degrade", "share"), DEGRADATIONS, ids=lambda value: getattr(value, "__name__", ""))
def test_degradations_keep_shape_and_brightness(degrade: object, share: float) -> None:
    assert callable(degrade)
    images = torch.rand(6, 3, 32, 32, generator=generator_for(CPU, 3)) * 0.5 + 0.25
    before = images.clone()
    after = degrade(images, generator_for(CPU, 4))
    assert after.shape == images.shape
    assert torch.equal(images, before)
    assert 0 < share < 1
    assert abs(float(after.mean() - images.mean())) < 0.02


def test_dct_basis_is_orthonormal() -> None:
    torch.testing.assert_close(dct_basis() @ dct_basis().T, torch.eye(8), atol=1e-6, rtol=0)


def test_cutmix_reports_the_share_it_left() -> None:
    images = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 16, 16).contiguous()
    mixed, permutation, share = cutmix(images, generator_for(CPU, 5))
    for i in range(4):
        foreign = (mixed[i, 0] != i).float().mean()
        expected = 0.0 if permutation[i] == i else 1 - share
        assert float(foreign) == pytest.approx(expected, abs=1e-6)


def test_the_schedule_ends_at_zero_and_follows_the_clock() -> None:
    assert learning_rate(1.0, 0.2) == pytest.approx(0)
    assert max(learning_rate(i / 100, 0.2) for i in range(101)) == pytest.approx(0.2, rel=0.02)
    assert [resolution(p) for p in (0.0, 0.3, 1.0)] == [32, 48, 64]
    assert Budget(hours=1).progress(step=7, seconds=1800) == 0.5
    with pytest.raises(ValueError, match="Give one of --hours and --steps"):
        Budget(hours=1, steps=1)


def test_the_exported_file_agrees_with_torch(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    from recipes.encoder import export, inference

    from lucida.models.embedded.network import Described
    from lucida.models.embedded.storage import shrink

    run = trainer(tmp_path, steps=4)
    run.run()
    encoder, _ = export.load_encoder(tmp_path)
    directions = export.principal_directions(encoder, coloured_images().pixels, -2, 5, 4)
    torch.testing.assert_close(directions @ directions.T, torch.eye(5), atol=1e-4, rtol=0)
    described = Described(encoder, directions, stage=-2, cells=4)
    models = [export.to_onnx(described, side=32) for _ in range(2)]
    for model in models:
        shrink(model)
    assert models[0].SerializeToString(deterministic=True) == models[1].SerializeToString(deterministic=True)
    assert str(Path(__file__).parents[2]).encode() not in models[0].SerializeToString()

    path = tmp_path / "encoder.onnx"
    path.write_bytes(models[0].SerializeToString())
    engine = inference.onnxruntime_engine(path)
    for n in (1, 3):
        batch = torch.randn((n, 3, 32, 32), generator=generator_for(CPU, 6))
        with torch.inference_mode():
            embedding, logits = encoder(batch)
            cells = encoder.maps(batch)[-2].unflatten(2, (4, -1)).unflatten(4, (4, -1)).mean(dim=(3, 5))
            layout = torch.einsum("dc,nchw->ndhw", directions, cells).flatten(1)
        for ours, theirs in zip(engine(batch.numpy()), (torch.cat([embedding, layout], 1), logits), strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=5e-3, rtol=5e-3)


def test_the_toml_states_what_training_did() -> None:
    from recipes.encoder.export import TOML
    from recipes.encoder.inference import OnnxEncoder

    text = TOML.format(
        licence="x", epochs=1.0, revision="r", size=64, resize="squash", interpolation="area",
        scale=1 / 255, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225], shape=4, layout=4,
    )  # fmt: skip
    card = tomllib.loads(text)
    images = coloured_images(4)
    stated = OnnxEncoder(
        lambda batch: (batch, batch), 64, "squash", "area",
        np.asarray(card["input"]["mean"], np.float32), np.asarray(card["input"]["std"], np.float32),
    ).normalise(images.pixels)  # fmt: skip
    trained = normalise(torch.from_numpy(images.pixels).permute(0, 3, 1, 2).float() / 255)
    np.testing.assert_allclose(stated, trained.numpy(), atol=1e-5)


def test_top_1_counts_every_image_once() -> None:
    class Darkness(Encoder):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            level = (x.mean(dim=(1, 2, 3)) * 0.226 + 0.449) * 255
            return level, -((level[:, None] - (40 + 55 * torch.arange(4.0))) ** 2)

    assert top_1(Darkness(4, (8,), (1,)), coloured_images(260), CPU) == 1.0


def test_what_is_chosen_afterwards_is_compared_on_one_network() -> None:
    from recipes.encoder import choose

    torch.manual_seed(0)
    encoder = Encoder(4, (8, 16), (1, 1)).eval()
    images = coloured_images(12)
    whole = torch.from_numpy(images.pixels).permute(0, 3, 1, 2).float()
    assert torch.equal(choose.mirrored(choose.mirrored(whole)), whole)
    assert choose.inner(whole).shape == whole.shape
    once = choose.features(encoder, images.pixels, (choose.same,))
    twice = choose.features(encoder, images.pixels, (choose.same, choose.same))
    assert {name: values.shape[0] for name, values in once.items()} == dict.fromkeys(choose.POOLED, 12)
    for name, values in once.items():
        np.testing.assert_allclose(values, twice[name], atol=1e-3)
    # Means of cells of the same size are the mean of all.
    cells = once["last stage, 2 x 2"].reshape(12, 16, 4).mean(axis=2)
    np.testing.assert_allclose(cells, once["last stage, mean"], atol=2e-2)
    assert 0 <= choose.top_1(encoder, images, (choose.same, choose.mirrored)) <= 1


def test_the_middle_of_an_image_is_cut_wide_and_tall_in_turn() -> None:
    from recipes.encoder import choose

    # White above and below, black in the middle: only the wide cut keeps nothing of the white.
    pixels = np.zeros((2, 64, 64, 3), np.uint8)
    pixels[:, :8], pixels[:, 56:] = 255, 255
    cut = choose.middle(ImageSet(pixels, np.zeros(2, np.int64), ("a",)), 16, "squash")
    assert cut.pixels.shape == (2, 16, 16, 3)
    assert cut.pixels[1].max() == 0
    assert cut.pixels[0].max() == 255
