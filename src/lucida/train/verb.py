"""The verb `train`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lucida.errors import InputError

if TYPE_CHECKING:
    from lucida.data import Samples
    from lucida.train.job import TrainResult
    from lucida.train.plan import TrainPlan
    from lucida.train.recipes import Entry
    from lucida.train.request import Request


def train(
    task: str = "classify",
    *,
    data: Path | None = None,
    question: str = "label",
    model: str = "",
    start: str = "auto",
    tune: Literal["full", "probe", "lora"] = "full",
    size: int | None = None,
    augmentation: Literal["auto", "none", "light", "medium", "strong"] = "auto",
    channels: Literal["auto", "rgb", "raw"] = "auto",
    include: Literal["reviewed", "accepted", "proposed"] = "accepted",
    labels: int | None = None,
    teacher: str = "",
    temperature: float = 2.0,
    hard: float = 0.3,
    scale: int = 4,
    degradation: Literal["bicubic", "real"] = "bicubic",
    latent: str = "",
    token: str = "",
    prior: str = "",
    rank: int = 16,
    minutes: float = 20.0,
    epochs: int | None = None,
    batch: int | None = None,
    accumulate: int = 1,
    rate: float | None = None,
    arithmetic: Literal["auto", "fp32", "bf16", "fp16"] = "auto",
    patience: int = 5,
    workers: int | None = None,
    wandb: bool = False,
    seed: int = 0,
    plan: bool = False,
    latency: str | None = None,
    private: bool = False,
    max_error: float = 0.05,
    catalog: Path | None = None,
) -> TrainResult | TrainPlan:
    """Train a small model of your own, from the catalog's answers or from a folder of labelled images.

    The same call again goes on where it was stopped, to the same result. The model that comes out is named by its run:
    `lucida label --model RUN`. It runs without PyTorch.

    Args:
        task: What to train: "classify" (one class an image), "tag" (several), "detect" (boxes), "segment" (a class for
            every pixel), "anomaly" (what is odd, from normal images alone); "pretrain" (an encoder, from images
            without labels), "semi-supervised" (one class, from few labels and many images without), "distil" (one
            class, from the answers of a larger model), "restorer" (images larger, or without noise, from good images),
            "generator" (draws pictures like these, by class where there are classes), "lora" (teach a model that draws
            one thing, from a few photos).
        data: Labelled images instead of the catalog's: class folders, Parquet, COCO, YOLO, VOC, images with masks.
        question: Whose answers in the catalog to learn from; and the name of what is learned.
        model: The network: "embedded", or any name of timm's, such as "mobilenetv3", "resnet50", "vit", "swin"; to
            detect also "fasterrcnn_resnet50_fpn", "ssdlite320_mobilenet_v3_large", "rtdetr"; to draw "flow",
            "diffusion", "gan", "vae", "flow-dit", "diffusion-dit"; to segment "unet",
            "deeplabv3_mobilenet_v3_large", "segformer".
        start: What its weights begin from: "hub", "nothing", an earlier run, or "auto": the hub's where they are to be
            had.
        tune: Train "full"; only a linear "probe"; or "lora", low-rank changes.
        size: Side of the images in pixels.
        augmentation: How much training images are changed.
        channels: What is looked at of images: "rgb", 8 bits a colour; "raw", all channels as they are stored,
            normalised by the training images; "auto" takes "raw" for more than 8 bits or more than four channels.
        include: From the catalog: only answers of people ("reviewed"), certified ones too ("accepted"), or also
            proposals ("proposed").
        labels: For "semi-supervised": keep the labels of only so many training images a class, to see what few give.
        teacher: For "distil": a label run of the catalog, or any model that names classes of its own.
        temperature: For "distil": the teacher's probabilities are softened by it.
        hard: For "distil": share of the loss that known labels get, where there are some.
        scale: For "restorer": how many times larger images become, 2, 3 or 4; 1 for a denoiser.
        degradation: For "restorer": what good images are made worse by, to learn to undo it: "bicubic", as in the
            benchmarks; "real", with blur, noise and JPEG, as phone photos are.
        latent: For "generator": draw in the latents of this run of `--model vae` instead of in pixels.
        token: For "lora": words that call what is learned by name: a rare one and its class, "sks bag".
        prior: For "lora": the class that the model must not forget, "bag": it draws pictures of it itself, and is
            trained on them as well.
        rank: For "lora": of the changes; higher ones hold more detail, and more of the photos themselves.
        minutes: Bound on the time; the schedule is fitted to it.
        epochs: Passes over the images instead.
        batch: Images a step; found where it is left out.
        accumulate: Steps whose gradients are added up.
        rate: Peak learning rate; found where it is left out.
        arithmetic: Of training; "auto" takes bf16 where the processor is fast at it.
        patience: Evaluations without gain, neither in the metric nor in the loss, after which it stops.
        workers: Processes that prepare images.
        wandb: Also report to Weights & Biases.
        seed: Another seed gives another training.
        plan: Train nothing: say whether the large model is enough, and if not, what to train, and why.
        latency: With `plan`: time that one image may take, such as "10ms".
        private: With `plan`: images must not leave this machine.
        max_error: With `plan`: share of labels that may be wrong.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default. It is made where there is none.

    Raises:
        UnknownName: No such training or model.
        InputError: Nothing can be learned from what was given.
        MissingExtra: PyTorch, or another package of the extra `train`, is not installed.
        TrainingError: Training cannot go on.
    """
    from lucida.catalog import Catalog
    from lucida.train import recipes
    from lucida.train.job import run_train
    from lucida.train.need import need_torch, need_wandb
    from lucida.train.request import Request
    from lucida.train.settings import Settings

    usual: dict[str, Any] = {"tune": "full", "start": "auto", "size": None, "augmentation": "auto"}
    usual |= {"labels": None, "teacher": "", "temperature": 2.0, "hard": 0.3}
    usual |= {"scale": 4, "degradation": "bicubic"}
    usual |= {"latent": "", "token": "", "prior": "", "rank": 16}
    given: dict[str, Any] = {"tune": tune, "start": start, "size": size, "augmentation": augmentation}
    own: dict[str, Any] = {"labels": labels, "teacher": teacher, "temperature": temperature, "hard": hard}
    own |= {"scale": scale, "degradation": degradation}
    own |= {"latent": latent, "token": token, "prior": prior, "rank": rank}
    recipes.refuse_idle(task, {name: value for name, value in (given | own).items() if value != usual[name]})
    if plan and task == "generator" and data is None and latency is None and not private:
        from lucida.train.generative.choice import advise

        return advise()
    if plan or latency is not None or private:
        return _plan(catalog, question, data, plan, latency, private, max_error, minutes)
    settings = Settings(
        minutes=minutes,
        epochs=epochs,
        batch=batch,
        accumulate=accumulate,
        rate=rate,
        arithmetic=arithmetic,
        patience=patience,
        workers=workers,
        wandb=wandb,
        seed=seed,
    )
    need_torch()
    if wandb:
        need_wandb()
    from lucida.train.together import first_one_first, join

    few = _few(data) if recipes.entry(task).few else None
    join()
    with first_one_first():
        place = Catalog.open(catalog, create=data is not None)
    with place as opened:
        samples = few or _samples(opened, recipes.entry(task), data, question, include, teacher)
        extra = {name: value for name, value in own.items() if name in recipes.entry(task).options}
        if extra.get("latent"):
            extra["latent"] = _start(opened, latent)
        request = Request(
            samples, model, _start(opened, start), tune, size, augmentation, seed, extra, channels=channels
        )
        if "teacher" in extra:
            request = _taught(opened, request, teacher)
        included = include if data is None and recipes.entry(task).labels != "any" else ""
        return run_train(opened, task, request, settings, question=question, include=included)


def _plan(
    place: Path | None,
    question: str,
    data: Path | None,
    plan: bool,
    latency: str | None,
    private: bool,
    max_error: float,
    minutes: float,
) -> TrainPlan:
    from lucida.catalog import Catalog
    from lucida.train.plan import Wishes, plan_training, read_latency

    if not plan or data is not None:
        raise InputError(
            "--latency and --private are wishes for a plan, which looks at the catalog.",
            expected="--plan with wishes, without --data",
            got="no --plan" if not plan else f"--data {data}",
            hint="lucida train --plan --latency 10ms --private",
        )
    wishes = Wishes(read_latency(latency), private, max_error, minutes)
    with Catalog.open(place) as opened:
        return plan_training(opened, question, wishes)


def _samples(catalog: Any, entry: Entry, data: Path | None, question: str, include: str, teacher: str) -> Samples:
    from lucida.data import read_data
    from lucida.data.unlabelled import read_images, read_some
    from lucida.train.parts import parts
    from lucida.train.teacher import is_label_run

    if data is not None:
        if is_label_run(teacher):
            raise InputError(
                "What a label run proposed is about the images of the catalog.",
                expected="--teacher RUN without --data, or --data with a model as the teacher",
                got=f"--data {data} --teacher {teacher}",
            )
        some = {"all": lambda place: read_data(place, entry.reads), "some": read_some, "any": read_images}
        some["known"] = read_some
        return parts(some[entry.labels](data), some=entry.labels == "some")
    from lucida.data.catalog import read_answers, read_unlabelled

    unasked = entry.labels == "known" and not any(run.verb == "label" for run in catalog.runs.all())
    if entry.labels == "any" or unasked:
        return parts(read_unlabelled(catalog))
    if is_label_run(teacher):
        question = catalog.runs.get(teacher).question
    rest = entry.labels in ("some", "known")
    found = read_answers(catalog, question, proposed=include == "proposed", rest=rest)
    if include == "reviewed":
        seen = [one.slices.get("state") == "reviewed" for one in found]
        items = (one if kept else replace(one, target=None) for one, kept in zip(found, seen, strict=True))
        found = replace(found, items=tuple(one for one in items if one.target is not None or rest))
    return parts(found, some=entry.labels == "some")


def _few(data: Path | None) -> Samples:
    from lucida.data.sample import TEST, TRAIN
    from lucida.data.unlabelled import read_images

    if data is None:
        raise InputError(
            "It was not said which photos to learn from.",
            expected="a folder with a few photos",
            got="no --data",
            hint="--data FOLDER",
        )
    found = read_images(data)
    return replace(found, items=tuple(replace(one, split=TRAIN) for one in found if one.split != TEST))


def _taught(catalog: Any, request: Request, name: str) -> Request:
    """Add the teacher; what decides its opinions is a parameter of the run."""
    from lucida.train.teacher import find_teacher

    teacher = find_teacher(catalog, name, request.samples.classes)
    return replace(request, teacher=teacher, extra={**request.extra, "teacher": teacher.key})


def _start(catalog: Any, start: str) -> str:
    """Return the folder of a run that is named by its id."""
    folder = catalog.path / "runs" / start
    return str(folder) if start and "/" not in start and folder.is_dir() else start
