"""Learning from a teacher: who may teach, what of it reaches the loss, and that it is asked once."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("timm")

from lucida.catalog import Annotation, Catalog, add  # noqa: E402
from lucida.data import Samples, Soft, read_data  # noqa: E402
from lucida.data.sample import TRAIN  # noqa: E402
from lucida.errors import InputError, ModelError, TrainingError, UnknownName  # noqa: E402
from lucida.models.registry import find  # noqa: E402
from lucida.train.distil import KEPT, DistilRecipe, distillation  # noqa: E402
from lucida.train.loop import fit  # noqa: E402
from lucida.train.request import Request  # noqa: E402
from lucida.train.settings import Settings  # noqa: E402
from lucida.train.standing import BEST  # noqa: E402
from lucida.train.teacher import ModelTeacher, RunTeacher, agree, find_teacher, soften  # noqa: E402
from lucida.train.verb import train  # noqa: E402
from pictures import KINDS, write_pictures  # noqa: E402

pytestmark = pytest.mark.torch
SHORT = Settings(epochs=3, batch=12, rate=5e-3, workers=0, save_seconds=60)
CLASSES = tuple(sorted(KINDS))


class Sure:
    """Knows every picture by its folder, is asked once, and says 0.8."""

    key, classes, asked = "sure@1", CLASSES, False

    def __init__(self, samples: Samples, *, every: int = 1) -> None:
        self.truth = {one.name: one.labels[0] for one in list(samples)[::every]}
        self.calls = 0

    def opinions(self, samples, classes):
        self.calls += 1
        found = np.full((len(samples), len(classes)), np.nan, np.float32)
        for row, one in enumerate(samples):
            if one.name in self.truth:
                found[row] = [0.8 if name == self.truth[one.name] else 0.1 for name in classes]
        return found


@pytest.fixture(scope="module")
def samples(tmp_path_factory) -> Samples:
    folder = tmp_path_factory.mktemp("pictures")
    write_pictures(folder / "train", 12, by_class=True)
    write_pictures(folder / "validation", 4, first_seed=500, by_class=True)
    return read_data(folder, "classify")


def bare(samples: Samples) -> Samples:
    return replace(samples, items=tuple(replace(one, target=None) for one in samples), classes=())


def request(samples: Samples, teacher, folder: Path | None = None, **extra) -> Request:
    return Request(
        samples, "test_resnet", "nothing", size=32, augmentation="none", extra=extra, teacher=teacher, folder=folder
    )


def test_the_loss_is_that_of_the_paper():
    logits, teacher = (torch.randn(5, 3, generator=torch.Generator().manual_seed(k)) for k in (1, 2))
    hard = torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 0, 1]), 3).float()
    soft = torch.softmax(teacher / 4, 1)
    found = distillation(logits, soft * 0.7, hard * 0.3, 4.0)
    divergence = torch.nn.functional.kl_div(
        torch.log_softmax(logits / 4, 1), torch.log_softmax(teacher / 4, 1), log_target=True, reduction="batchmean"
    )
    expected = 0.7 * 16 * divergence + 0.3 * torch.nn.functional.cross_entropy(logits, hard.argmax(1))
    torch.testing.assert_close(found["loss"], expected)


def test_a_student_that_agrees_loses_nothing_and_one_without_a_teacher_keeps_its_label():
    logits = torch.tensor([[2.0, 0.0]])
    agreed = distillation(logits, torch.softmax(logits / 2, 1), torch.zeros(1, 2), 2.0)
    assert float(agreed["loss"]) == pytest.approx(0, abs=1e-6)
    alone = distillation(logits, torch.zeros(1, 2), torch.tensor([[1.0, 0.0]]), 2.0)
    assert float(alone["loss"]) == pytest.approx(math.log(1 + math.exp(-2)), rel=1e-5)


def test_softening_is_dividing_logits():
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    found = soften(torch.softmax(logits, 1).numpy(), 3.0)
    np.testing.assert_allclose(found, torch.softmax(logits / 3, 1).numpy(), rtol=1e-5)
    np.testing.assert_allclose(soften(np.eye(2, dtype=np.float32), 2.0), np.eye(2))


def test_soft_labels_reach_the_loss(samples: Samples):
    recipe = DistilRecipe(request(samples, Sure(samples), temperature=1.0, hard=0.25))
    _, shares = recipe.example(0)
    own = CLASSES.index(samples.of(TRAIN)[0].labels[0])
    expected = [0.075] * 3 + [0.0] * 3
    expected[own], expected[3 + own] = 0.6, 0.25
    assert shares.tolist() == pytest.approx(expected)


def test_images_without_labels_learn_from_the_teacher_alone_and_judge_by_it(samples: Samples):
    recipe = DistilRecipe(request(bare(samples), Sure(samples)))
    assert recipe.classes == CLASSES
    assert float(recipe.example(0)[1][3:].sum()) == 0
    assert any("agrees with the teacher" in note for note in recipe.notes)


def test_images_without_an_opinion_learn_from_their_label_or_not_at_all(samples: Samples):
    some = Sure(samples, every=3)
    assert len(DistilRecipe(request(samples, some))) == 36
    assert len(DistilRecipe(request(bare(samples), some))) == 12
    with pytest.raises(InputError, match="no opinion"):
        DistilRecipe(request(samples, Sure(samples.take([]))))


def test_it_learns_and_a_run_that_goes_on_does_not_ask_again(samples: Samples, tmp_path: Path):
    teacher = Sure(samples)
    state = fit(DistilRecipe(request(samples, teacher, tmp_path)), replace(SHORT, epochs=8), tmp_path)
    assert state.metrics["accuracy"] > 0.6
    assert (tmp_path / KEPT).exists()
    DistilRecipe(request(samples, teacher, tmp_path))
    assert teacher.calls == 1


def test_a_killed_training_goes_on_to_the_same_weights(samples: Samples, tmp_path: Path, monkeypatch):
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
    often = replace(SHORT, save_seconds=0.0)

    def make(name: str) -> DistilRecipe:
        return DistilRecipe(request(samples, Sure(samples), tmp_path / name))

    fit(make("whole"), often, tmp_path / "whole")
    killed, calls, loss = make("killed"), [], DistilRecipe.loss

    def kill(network, batch):
        calls.append(1)
        if len(calls) == 8 + 4:  # the first eight only measure the speed
            raise KeyboardInterrupt
        return loss(killed, network, batch)

    monkeypatch.setattr(killed, "loss", kill)
    with pytest.raises(KeyboardInterrupt):
        fit(killed, often, tmp_path / "killed")
    fit(make("killed"), often, tmp_path / "killed")
    assert (tmp_path / "whole" / BEST).read_bytes() == (tmp_path / "killed" / BEST).read_bytes()


def test_a_teacher_must_know_the_classes(samples: Samples):
    with pytest.raises(UnknownName, match="disk"):
        agree(Sure(samples), ("disk", "square"))
    assert agree(Sure(samples), ("stripes", "disc")) == ("stripes", "disc")
    assert agree(Sure(samples), ()) == CLASSES


@pytest.mark.parametrize(("name", "value"), [("temperature", 0.0), ("hard", 1.5), ("temperature", float("nan"))])
def test_numbers_out_of_range_are_refused(samples: Samples, name: str, value: float):
    with pytest.raises(InputError, match=f"--{name} is out of its range"):
        DistilRecipe(request(samples, Sure(samples), **{name: value}))


def test_a_loss_that_is_no_number_stops(samples: Samples, tmp_path: Path, monkeypatch):
    recipe = DistilRecipe(request(samples, Sure(samples)))
    monkeypatch.setattr(recipe, "loss", lambda network, _: {"loss": next(network.parameters()).sum() * float("nan")})
    with pytest.raises(TrainingError, match="no number"):
        fit(recipe, SHORT, tmp_path)


def test_a_run_teaches_as_a_model(samples: Samples, tmp_path: Path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    place = Path(samples.origin)
    tiny = {"data": place, "model": "test_resnet", "start": "nothing", "size": 32, "batch": 12, "workers": 0}
    first = train("classify", epochs=6, rate=5e-3, **tiny)
    request.getfixturevalue("unexported")  # what the student became is another test's
    done = train("distil", teacher=first.run, epochs=1, rate=1e-3, **tiny)
    assert (Path(done.folder) / KEPT).exists()
    teacher = ModelTeacher(find(first.run, tmp_path / "lucida-catalog" / "models"))
    shares = teacher.opinions(samples, ("stripes", "disc"))
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    whole = teacher.opinions(samples, CLASSES)
    np.testing.assert_allclose(shares[:, 1], whole[:, 0] / (whole[:, 0] + whole[:, 2]), atol=1e-4)
    broken = replace(samples, items=(samples[0], replace(samples[1], read=lambda: b"no image")))
    assert np.isfinite(teacher.opinions(broken, CLASSES)).all(1).tolist() == [True, False]
    with Catalog.open(tmp_path / "lucida-catalog") as catalog:
        with pytest.raises(ModelError, match="names no classes of its own"):
            find_teacher(catalog, "embedded", ())
        with pytest.raises(InputError, match="Nobody was named"):
            find_teacher(catalog, "", ())
        with pytest.raises(UnknownName):
            find_teacher(catalog, "label-20200101-000000-0000", ())


@pytest.fixture
def labelled(tmp_path: Path, monkeypatch) -> str:
    """A catalog of 30 pictures, a label run with runners-up, and three answers."""
    monkeypatch.chdir(tmp_path)
    key = write_pictures(tmp_path / "photos", 10)
    add([tmp_path / "photos"])
    with Catalog.open(tmp_path / "lucida-catalog") as catalog:
        ids = catalog.images.ids()
        names = catalog.images.names(ids)
        truth = {image: key[Path(names[image]).name] for image in ids}
        run = catalog.runs.start("label", question="kind", parameters={"classes": [*CLASSES, "ring"]}).id
        catalog.annotations.append(
            Annotation(
                image=image, question="kind", run=run, label=truth[image], score=0.7,
                detail={"runner_up": [[CLASSES[CLASSES.index(truth[image]) - 1], 0.2]]},
            )
            for image in ids
        )  # fmt: skip
        catalog.runs.finish(run)
        review = catalog.runs.start("review", question="kind", parent=run).id
        catalog.annotations.append(
            Annotation(
                image, "kind", review, actor="me", sequence=1, kind="answer", label=truth[image],
                detail={"verdict": "right"},
            )
            for image in ids[:3]
        )  # fmt: skip
    return run


def test_a_label_run_teaches_with_its_runners_up(labelled: str, tmp_path: Path):
    with Catalog.open(tmp_path / "lucida-catalog") as catalog:
        teacher = RunTeacher(catalog, labelled)
        from lucida.data.catalog import read_answers

        samples = read_answers(catalog, "kind", rest=True)
        shares = teacher.opinions(samples, teacher.classes)
    assert teacher.classes == (*CLASSES, "ring")
    np.testing.assert_allclose(np.sort(shares, 1)[:, ::-1], [[0.7, 0.2, 0.05, 0.05]] * 30, atol=1e-5)
    assert sum(one.target is not None for one in samples) == 3
    # Few answers name few classes; the student learns all that the run asked about.
    assert agree(teacher, samples.classes) == teacher.classes


def test_the_verb_learns_from_a_label_run(labelled: str, tmp_path: Path):
    tiny = {"model": "test_resnet", "start": "nothing", "size": 32, "epochs": 1, "batch": 12, "rate": 1e-3}
    done = train("distil", teacher=labelled, workers=0, **tiny)
    assert done.images + done.validation == 30
    assert find(done.run, tmp_path / "lucida-catalog" / "models").gives.classes == (*CLASSES, "ring")
    assert train("distil", teacher=labelled, workers=0, **tiny).run == done.run
    assert json.loads((Path(done.folder) / "config.json").read_text())["include"] == "accepted"
    with pytest.raises(InputError, match="about the images of the catalog"):
        train("distil", teacher=labelled, data=tmp_path / "photos", workers=0, **tiny)


def test_opinions_without_probabilities_are_all_or_nothing(labelled: str, tmp_path: Path, monkeypatch):
    with Catalog.open(tmp_path / "lucida-catalog") as catalog:
        teacher = RunTeacher(catalog, labelled)
    name = next(iter(teacher._known))
    teacher._known[name] = Soft({"disc": 1.0})
    samples = Samples("classify", CLASSES, (_sample(name),), "")
    assert teacher.opinions(samples, CLASSES).tolist() == [[1.0, 0.0, 0.0]]


def _sample(name: str):
    from lucida.data import Sample

    return Sample(name, lambda: b"")
