"""Every training learns from all channels of the files, and what comes out says the same without PyTorch."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("timm")
pytest.importorskip("tifffile")

sys.path.insert(0, str(Path(__file__).parent))
from measured import METRES, field, fields, low_bits, png, pools, sample, tiff, write_fields  # noqa: E402

from lucida.catalog import add  # noqa: E402
from lucida.compress.verb import compress  # noqa: E402
from lucida.data import Samples  # noqa: E402
from lucida.errors import InputError  # noqa: E402
from lucida.evaluate.predict import predict_samples  # noqa: E402
from lucida.evaluate.verb import evaluate  # noqa: E402
from lucida.images import Image, Spacing, decode  # noqa: E402
from lucida.label.verb import label  # noqa: E402
from lucida.models.onnx.card import read_card  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.results import Detections, Segmentation  # noqa: E402
from lucida.runs.seeing import Seer, Wish  # noqa: E402
from lucida.train import recipes  # noqa: E402
from lucida.train.job import TrainResult  # noqa: E402
from lucida.train.loop import fit  # noqa: E402
from lucida.train.request import Request  # noqa: E402
from lucida.train.settings import Settings  # noqa: E402
from lucida.train.trained import Trained  # noqa: E402
from lucida.train.verb import train  # noqa: E402

pytestmark = pytest.mark.torch
TINY = {"model": "test_resnet", "size": 32, "epochs": 6, "batch": 8, "rate": 5e-3, "workers": 0, "arithmetic": "fp32"}
SHORT = Settings(epochs=6, batch=8, rate=3e-3, rounds=2, workers=0, arithmetic="fp32")


def write_both(home: Path) -> Path:
    write_fields(home / "data" / "train", 12, extratags=METRES)
    write_fields(home / "data" / "validation", 6, 500, extratags=METRES)
    return home


@pytest.fixture
def home(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_both(tmp_path)


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> tuple[Path, TrainResult, TrainResult]:
    """A home with two finished runs, of all channels and of three, for tests that do them no harm."""
    home = write_both(tmp_path_factory.mktemp("learned"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        whole = train("classify", data=home / "data", **TINY)
        return home, whole, train("classify", data=home / "data", channels="rgb", **{**TINY, "epochs": 1})


@pytest.fixture
def finished(learned: tuple[Path, TrainResult, TrainResult], monkeypatch) -> tuple[Path, TrainResult]:
    monkeypatch.chdir(learned[0])
    return learned[:2]


@pytest.fixture
def of_rgb(learned: tuple[Path, TrainResult, TrainResult], monkeypatch) -> tuple[Path, TrainResult]:
    monkeypatch.chdir(learned[0])
    return learned[0], learned[2]


def test_a_class_that_only_the_fifth_channel_shows_is_learned(finished: tuple[Path, TrainResult]):
    home, done = finished
    assert done.metrics["accuracy"] > 0.9
    assert "16 bits, 6 channels: learned from as they are stored." in done.notes
    config = json.loads((Path(done.folder) / "config.json").read_text())
    assert (config["channels"], config["depth"], config["deep"]) == ("raw", 6, True)
    assert config["spacing"] == [20.0, 10.0, "m"]

    spec = find(done.run, home / "lucida-catalog" / "models")
    assert (spec.needs.channels, spec.needs.shape) == ("raw", (6, 32, 32))
    assert spec.needs.spacing == Spacing(20.0, 10.0, "m")
    every = np.concatenate([decode(file).pixels.reshape(-1, 6) for file in (home / "data" / "train").rglob("*.tif")])
    # All images are small enough to be seen as they are.
    np.testing.assert_allclose(spec.needs.mean, every.astype(np.float64).mean(0), rtol=1e-9)
    np.testing.assert_allclose(spec.needs.std, every.astype(np.float64).std(0), rtol=1e-9)

    images = [decode(file) for file in sorted((home / "data" / "validation").rglob("*.tif"))]
    batch = np.stack([spec.needs.prepare(image) for image in images])
    network = Trained.open(Path(done.folder)).network()
    with torch.inference_mode():
        ours = (network(torch.from_numpy(batch)) / done.metrics["temperature"]).softmax(1).numpy()
    theirs = torch.from_numpy(spec.load("fp32").logits(batch)).softmax(1).numpy()
    np.testing.assert_allclose(theirs, ours, atol=1e-4)

    judged = evaluate(done.run, data=home / "data" / "validation", output=home / "report.html")
    assert judged.figures["accuracy"].value == pytest.approx(done.metrics["accuracy"], abs=1e-6)
    assert judged.skipped == 0
    assert not any("Pixels lie" in note for note in judged.notes)

    write_fields(home / "photos", 3, 900)
    (home / "photos" / "dry" / "other.tif").write_bytes(tiff(field("dry", 7, channels=5)))
    add([home / "photos"])
    labelled = label(model=done.run)
    assert labelled.images == 6
    assert "other.tif: The image has other channels" in labelled.notes[-1]

    smaller = compress(done.run, bf16=True)
    assert smaller.images == 12
    assert read_card(Path(smaller.folder) / "model" / "model.toml").needs == spec.needs


def test_a_trained_run_can_be_explained_and_pruned(finished: tuple[Path, TrainResult]):
    pytest.importorskip("pytorch_grad_cam")
    pytest.importorskip("torch_pruning")
    from lucida.explain.verb import explain

    home, done = finished
    photo = next((home / "data" / "validation" / "wet").glob("*.tif"))
    explain(done.run, photo, output=home / "explained")
    assert PIL.Image.open(next((home / "explained").rglob("*.png"))).size == (40, 40)
    smaller = compress(done.run, prune=0.3, epochs=1)
    assert read_card(Path(smaller.folder) / "model" / "model.toml").needs.shape == (6, 32, 32)


@pytest.mark.usefixtures("unexported")
def test_a_class_that_only_low_bits_show_is_learned(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for split, count, seed in (("train", 12, 0), ("validation", 6, 500)):
        for number, kind in enumerate(("dry", "wet")):
            (tmp_path / "data" / split / kind).mkdir(parents=True)
            for k in range(count):
                pixels = low_bits(kind, seed + 2 * k + number)
                (tmp_path / "data" / split / kind / f"{k}.png").write_bytes(png(pixels))
    # In 8 bits all of them are the same, and so are left out as likes of those that judge.
    done = train("classify", data=tmp_path / "data", augmentation="none", **TINY)
    assert done.metrics["accuracy"] > 0.9
    assert any(note.startswith("16 bits, 1 channel") for note in done.notes)


def test_an_evaluation_says_when_pixels_lie_elsewhere(finished: tuple[Path, TrainResult]):
    home, done = finished
    write_fields(home / "far", 3, 700, extratags=[(33550, "d", 3, (30.0, 60.0, 0.0)), METRES[1]])
    notes = evaluate(done.run, data=home / "far").notes
    assert any("60 x 30 m apart in these images, 20 x 10 m in those that it learned from" in note for note in notes)


def test_rgb_can_be_asked_for(of_rgb: tuple[Path, TrainResult]):
    needs = read_card(Path(of_rgb[1].folder) / "model" / "model.toml").needs
    assert (needs.channels, needs.depth) == ("RGB", 3)


def exported(recipe, folder: Path):
    (folder / "model").mkdir()
    recipe.export(folder / "model")
    return find(str(folder / "model"))


def test_the_embedded_encoder_begins_from_its_weights(tmp_path: Path):
    recipe = recipes.make("classify", Request(fields(), size=32))
    assert recipe.backbone.start == "embedded"
    three = recipes.make("classify", Request(fields(), size=32, channels="rgb"))
    ours, theirs = recipe.model.trunk.stem[0].weight, three.model.trunk.stem[0].weight
    assert ours.shape[1] == 6
    torch.testing.assert_close(ours.sum(1), theirs.sum(1))
    spec = exported(recipe, tmp_path)
    assert spec.load("fp32").embed(np.zeros((1, *spec.needs.shape), np.float32)).shape == (1, 384)


def test_views_of_a_strong_training_are_finite_and_of_the_same_kind():
    recipe = recipes.make("classify", Request(fields(), model="test_resnet", size=32, augmentation="strong"))
    batch = recipe.collate([recipe.example(row) for row in range(6)])
    assert batch[0].dtype == torch.float32
    assert batch[0].shape == (6, 6, 32, 32)
    assert torch.isfinite(recipe.loss(recipe.network, batch)["loss"])


def test_holes_in_the_data_do_no_harm(tmp_path: Path):
    items = []
    for k, one in enumerate(fields()):
        pixels = decode(one.read()).pixels.astype(np.float32)
        pixels[k % 20 : k % 20 + 8, :10] = np.nan
        items.append(sample(one.name, tiff(pixels), one.target, one.split))
    recipe = recipes.make("classify", Request(replace(fields(), items=tuple(items)), model="test_resnet", size=32))
    known = np.concatenate([decode(one.read()).pixels.reshape(-1, 6) for one in items[:12]]).astype(np.float64)
    np.testing.assert_allclose(recipe.needs.mean, np.nanmean(known, 0), rtol=1e-9)
    done = fit(recipe, replace(SHORT, rate=5e-3), tmp_path)
    assert done.metrics["accuracy"] > 0.9


@pytest.mark.usefixtures("unexported")
def test_tags(tmp_path: Path):
    items = tuple(replace(one, target=(str(one.target), "any")) for one in fields())
    whole = Samples("tag", ("any", "dry", "wet"), items, "made")
    recipe = recipes.make("tag", Request(whole, model="test_resnet", size=32))
    assert fit(recipe, replace(SHORT, rate=5e-3), tmp_path).metrics["average_precision"] > 0.9
    assert exported(recipe, tmp_path).tasks == ("tag",)


def test_boxes_that_only_the_fifth_channel_shows(tmp_path: Path):
    pytest.importorskip("faster_coco_eval")
    request = Request(pools(24, extratags=METRES), size=64, augmentation="light")
    recipe = recipes.make("detect", request)
    done = fit(recipe, replace(SHORT, epochs=12), tmp_path)
    assert done.metrics["map_50"] > 0.5
    spec = exported(recipe, tmp_path)
    judges = [decode(one.read()) for one in pools(24, extratags=METRES).of("validation")]
    found = spec.load().predict(judges)
    assert all(isinstance(one, Detections) and one.spacing == (20.0, 10.0, "m") for one in found)
    best = found[0]
    assert isinstance(best, Detections)
    assert best.to_json()["objects"][0]["size"][0] == pytest.approx(10 * (best.xyxy[0, 2] - best.xyxy[0, 0]), rel=1e-4)
    assert spec.needs.spacing == Spacing(20.0, 10.0, "m")


def test_masks_that_only_the_fifth_channel_shows(tmp_path: Path):
    request = Request(pools(16, task="segment", extratags=METRES), size=64)
    recipe = recipes.make("segment", request)
    done = fit(recipe, replace(SHORT, epochs=10), tmp_path)
    assert done.metrics["foreground_mean_iou"] > 0.6
    spec = exported(recipe, tmp_path)
    images = [decode(one.read()) for one in request.validation]
    other = [*request.validation, sample("five.tif", tiff(field("dry", 3, channels=5)), request.validation[0].target)]
    said = predict_samples(spec, replace(request.validation, items=tuple(other)))
    assert len(said.results) == 6
    assert set(said.skipped) == {"five.tif"}
    seen = Seer(spec, Wish()).see([other[0].read(), other[-1].read()])
    assert seen[0].result is not None
    assert "other channels" in seen[1].problem
    with torch.inference_mode():
        expected = recipe.find(recipe.network.eval(), torch.device("cpu"))
    for image, one, two in zip(images, spec.load().predict(images), expected, strict=True):
        assert isinstance(one, Segmentation)
        assert isinstance(two, Segmentation)
        assert one.mask.shape == image.pixels.shape[:2]
        # Weights are stored as int8.
        assert (one.mask == two.mask).mean() > 0.97
        assert one.areas()["pool"] == pytest.approx(200 * int((one.mask == 1).sum()))


def test_an_oddity_of_one_channel_is_found(tmp_path: Path):
    # Two channels only: the maps of each lie side by side, and what they have in common costs the cube of their number.
    normal = [sample(f"{k}.tif", tiff(field("dry", k, channels=2)), "good") for k in range(10)]
    odd = []
    for k in range(4):
        pixels = field("dry", 900 + k, channels=2)
        pixels[10:22, 12:24, 1] += 500
        odd.append(sample(f"odd {k}.tif", tiff(pixels), "hole", "validation"))
        odd.append(sample(f"good {k}.tif", tiff(field("dry", 950 + k, channels=2)), "good", "validation"))
    recipe = recipes.make("anomaly", Request(Samples("anomaly", ("good", "hole"), (*normal, *odd), "made"), size=32))
    done = recipe.fit(SHORT, tmp_path)
    assert done.metrics["image_auroc"] > 0.9
    spec = exported(recipe, tmp_path)
    image = decode(odd[0].read())
    with torch.inference_mode():
        ours = recipe.model(torch.from_numpy(spec.needs.prepare(image)[None])).numpy()
    theirs = spec.load().raw(spec.needs.prepare(image)[None])[0]
    np.testing.assert_allclose(theirs, ours, rtol=1e-3)
    config = {"model": "embedded", "start": "auto", "channels": "raw", "depth": 2}
    again = Trained(tmp_path, config, {})
    recipes.rebuild(replace(again, config={**config, "task": "anomaly"})).load_state_dict(recipe.model.state_dict())


@pytest.mark.usefixtures("unexported")
def test_an_encoder_without_labels_and_a_classifier_from_it(home: Path):
    small = {**TINY, "model": "vit_tiny_patch16_224", "epochs": 1}
    first = train("pretrain", data=home / "data", **small)
    needs = read_card(Path(first.folder) / "model" / "model.toml").needs
    assert needs.shape == (6, 32, 32)
    Trained.open(Path(first.folder)).network()
    second = train("classify", data=home / "data", start=first.run, **small)
    assert Trained.open(Path(second.folder)).network().trunk.patch_embed.proj.in_channels == 6


@pytest.mark.usefixtures("unexported")
def test_a_run_of_photos_lends_its_weights_to_one_of_six_channels(of_rgb: tuple[Path, TrainResult]):
    home, first = of_rgb
    second = train("classify", data=home / "data", start=first.run, **{**TINY, "epochs": 1})
    assert second.start == str(first.folder)
    assert second.metrics["accuracy"] >= 0


@pytest.mark.usefixtures("unexported")
def test_few_labels_and_many_images(tmp_path: Path):
    request = Request(fields(20, 6), model="test_resnet", size=32, extra={"labels": 3})
    recipe = recipes.make("semi-supervised", request)
    done = fit(recipe, replace(SHORT, epochs=2), tmp_path)
    assert done.metrics["accuracy"] >= 0.5
    (tmp_path / "model").mkdir()
    assert "unlabelled_sure" in recipe.export(tmp_path / "model")


@pytest.mark.usefixtures("unexported")
def test_a_teacher_of_rgb_teaches_a_student_of_all_channels(of_rgb: tuple[Path, TrainResult]):
    home, teacher = of_rgb
    done = train("distil", data=home / "data", teacher=teacher.run, **{**TINY, "epochs": 1})
    assert read_card(Path(done.folder) / "model" / "model.toml").needs.depth == 6


@pytest.mark.parametrize(
    "name", ["embedded", "unet:resnet18", "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large", "segformer"]
)
@pytest.mark.parametrize("channels", [1, 5])
def test_every_segmenter_takes_other_channels(name: str, channels: int):
    from lucida.train.segment import models

    if name.startswith("unet"):
        pytest.importorskip("segmentation_models_pytorch")
    if name == "segformer":
        pytest.importorskip("transformers")
    network = models.build(name, ("a", "b"), "nothing", channels).network.eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, channels, 64, 64)).shape[:2] == (1, 2)


@pytest.mark.parametrize(
    "name", ["embedded", "fasterrcnn_mobilenet_v3_large_fpn", "ssdlite320_mobilenet_v3_large", "rtdetr", "detr"]
)
def test_every_detector_takes_other_channels(name: str):
    from lucida.train.detect import models

    if name.endswith("detr"):
        pytest.importorskip("transformers")
    network = models.build(name, ("a", "b"), "nothing", 5).network.eval()
    with torch.inference_mode():
        scores, boxes = network(torch.zeros(1, 5, 320, 320))
    assert (scores.shape[2], boxes.shape[2]) == (2, 4)


@pytest.mark.usefixtures("unexported")
def test_photos_are_trained_on_as_before(home: Path):
    from pictures import write_pictures

    write_pictures(home / "photos" / "train", 8, by_class=True)
    write_pictures(home / "photos" / "validation", 3, first_seed=500, by_class=True)
    done = train("classify", data=home / "photos", **{**TINY, "epochs": 1})
    config = json.loads((Path(done.folder) / "config.json").read_text())
    assert not {"channels", "depth", "deep", "spacing"} & set(config)
    card = (Path(done.folder) / "model" / "model.toml").read_text()
    assert 'channels = "RGB"' in card
    assert "deep" not in card
    recipe = recipes.make("classify", Request(_photos(), model="test_resnet", size=32, augmentation="none"))
    view = recipe.example(0)[0]
    assert view.dtype == torch.uint8
    assert torch.equal(recipe._seen[0], torch.from_numpy(recipe.needs.fit(Image(_pixels(9), "RGB"))).permute(2, 0, 1))


def _pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 255, (32, 32, 3)).astype(np.uint8)


def _photos() -> Samples:
    items = [sample(f"{k}", png(_pixels(k)), "ab"[k % 2], "train" if k < 9 else "validation") for k in range(12)]
    return Samples("classify", ("a", "b"), tuple(items), "made")


def test_images_that_differ_in_channels_are_refused_before_anything_is_trained(home: Path):
    (home / "data" / "train" / "dry" / "five.tif").write_bytes(tiff(field("dry", 3, channels=5)))
    with pytest.raises(InputError, match="differ in what they store") as caught:
        train("classify", data=home / "data", **TINY)
    assert "images with 6 channels of more than 8 bits, 1 images with 5 channels" in caught.value.got


def test_a_browser_page_is_refused(finished: tuple[Path, TrainResult]):
    from lucida.compress.edge.folder import write_edge

    home, done = finished
    with pytest.raises(InputError, match="browser"):
        write_edge(read_card(Path(done.folder) / "model" / "model.toml"), home / "edge", home)
