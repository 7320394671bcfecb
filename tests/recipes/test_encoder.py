"""The encoder's recipe on random data: it learns, resumes as if never stopped, and exports what it trained."""

from __future__ import annotations

import tomllib
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from recipes.encoder import checkpoint  # noqa: E402
from recipes.encoder.augment import DEGRADATIONS, augment, cutmix, dct_basis  # noqa: E402
from recipes.encoder.data import ImageSet  # noqa: E402
from recipes.encoder.model import Encoder, fold_batch_norm  # noqa: E402
from recipes.encoder.schedule import Budget, learning_rate, resolution  # noqa: E402
from recipes.encoder.train import Settings, Trainer, generator_for, normalise, top_1  # noqa: E402

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")


def coloured_images(n: int = 64, classes: int = 4, seed: int = 0) -> ImageSet:
    """Make noisy images whose class is how dark they are."""
    generator = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    pixels = generator.normal(40 + labels[:, None, None, None] * 55, 12, (n, 32, 32, 3))
    return ImageSet(pixels.clip(0, 255).astype(np.uint8), labels.astype(np.int64), tuple("abcd"))


def trainer(out: Path, steps: int = 8) -> Trainer:
    settings = Settings(Budget(steps=steps), batch=16, widths=(8, 16), depths=(1, 1), save_every=1e9)
    return Trainer(coloured_images(), coloured_images(seed=1), settings, out)


def same_weights(one: Trainer, other: Trainer) -> bool:
    pairs = [(one.model, other.model), (one.average, other.average)]
    states = [(a.state_dict(), b.state_dict()) for a, b in pairs]
    return all(torch.equal(a[name], b[name]) for a, b in states for name in a)


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    run = trainer(tmp_path, steps=40)
    losses = [float(run.train_step()) for _ in range(40)]
    assert np.mean(losses[-5:]) < np.mean(losses[:5]) - 0.1


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

    run = trainer(tmp_path, steps=4)
    run.run()
    encoder, _ = export.load_encoder(tmp_path / "checkpoint.safetensors")
    models = [export.to_onnx(encoder, side=32) for _ in range(2)]
    for model in models:
        export.store_half(model)
    assert models[0].SerializeToString(deterministic=True) == models[1].SerializeToString(deterministic=True)
    assert str(Path(__file__).parents[2]).encode() not in models[0].SerializeToString()

    path = tmp_path / "encoder.onnx"
    path.write_bytes(models[0].SerializeToString())
    engine = inference.onnxruntime_engine(path)
    for shape in ((1, 3, 32, 32), (3, 3, 48, 40)):
        batch = torch.randn(shape, generator=generator_for(CPU, 6))
        with torch.inference_mode():
            expected = encoder(batch)
        for ours, theirs in zip(engine(batch.numpy()), expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=5e-3, rtol=5e-3)


def test_the_toml_states_what_training_did() -> None:
    from recipes.encoder.export import TOML
    from recipes.encoder.inference import OnnxEncoder

    text = TOML.format(
        licence="x", epochs=1.0, revision="r", size=64, resize="squash", interpolation="area",
        scale=1 / 255, mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225],
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

    assert top_1(Darkness(4, (8,), (1,)), coloured_images(10), CPU, batch=4) == 1.0
