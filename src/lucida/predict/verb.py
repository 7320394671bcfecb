"""The verb `predict`."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from lucida.models.openai_api.flags import MaxCost, Price, Timeout, Workers

if TYPE_CHECKING:
    from lucida.predict.moments import Moment, Watched
    from lucida.results import Result

SHOWN = 20  # results printed one by one


@dataclass(frozen=True)
class Predicted:
    """What was said of one image.

    Attributes:
        path: Of the image, as given.
        task: What was done.
        result: What the model says.
        size: Width and height of the image in pixels.
        saved: The drawing; None where none was asked for.
        together: Paths of all images that were looked at together, the first included; empty where it was alone.
        at: When it was shown, of a frame; None of an image.
    """

    path: str
    task: str
    result: Result
    size: tuple[int, int]
    saved: Path | None = None
    together: tuple[str, ...] = ()
    at: Moment | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        body: dict[str, Any] = {"path": self.path, "task": self.task, "width": self.size[0], "height": self.size[1]}
        if self.together:
            body["together"] = list(self.together)
        if self.at:
            body |= self.at.to_json()
        return {**body, **self.result.to_json(), **({"saved": self.saved.as_posix()} if self.saved else {})}

    def __str__(self) -> str:
        from lucida.predict.words import in_words

        when = f" at {self.at.time:.2f} s" if self.at else ""
        return f"{' + '.join(self.together) or self.path}{when}: {in_words(self.result)}"


@dataclass(frozen=True)
class PredictResult:
    """What was said of all images.

    Attributes:
        results: Of each that could be read, in order; empty where they were written to a file.
        images: How many there were.
        skipped: Images of which nothing could be said, and why.
        model: The model.
        task: What was done.
        engine: What ran the model.
        seconds: How long it took.
        out: The file that the results were written to.
        cost: US dollars, of a model that is paid for.
        notes: What a person should know, a sentence each.
        videos: What was seen in each video as a whole.
    """

    results: tuple[Predicted, ...]
    images: int
    skipped: dict[str, str]
    model: str
    task: str
    engine: str
    seconds: float
    out: Path | None = None
    cost: float | None = None
    notes: tuple[str, ...] = field(default=())
    videos: tuple[Watched, ...] = ()

    @property
    def exit_code(self) -> int:
        """1 where nothing could be said of any image."""
        return 1 if self.skipped and len(self.skipped) == self.images else 0

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "results": [one.to_json() for one in self.results],
            "images": self.images,
            "skipped": self.skipped,
            "model": self.model,
            "task": self.task,
            "engine": self.engine,
            "seconds": self.seconds,
            "out": self.out.as_posix() if self.out else None,
            "cost": self.cost,
            "notes": list(self.notes),
            **({"videos": [one.to_json() for one in self.videos]} if self.videos else {}),
        }

    def __str__(self) -> str:
        lines = [str(one) for one in self.results[:SHOWN]]
        if len(self.results) > SHOWN:
            lines.append(f"… and {len(self.results) - SHOWN:,} more: -o FILE.json or --json gives all.")
        lines += [f"{path}: {why}" for path, why in list(self.skipped.items())[:SHOWN]]
        lines += [str(one) for one in self.videos if one.frames]
        if self.out:
            lines.append(f"Results of {self.images - len(self.skipped):,} images are in {self.out}.")
        if self.cost:
            lines.append(f"This call cost about ${self.cost:.4f}.")
        return "\n".join([*lines, *self.notes])


def predict(
    *paths: str | Path,
    task: str = "",
    model: str = "",
    classes: str | None = None,
    question: list[str] | None = None,
    schema: Path | None = None,
    reason: bool = False,
    together: bool = False,
    write: Literal["copy", "in-place"] | None = None,
    point: list[str] | None = None,
    box: list[str] | None = None,
    least: float | None = None,
    rate: str = "",
    track: bool = False,
    seconds: float | None = None,
    save: Path | None = None,
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
    max_cost: MaxCost = None,
    price: Price = None,
    workers: Workers = 8,
    timeout: Timeout = None,
    catalog: Path | None = None,
) -> PredictResult:
    """Ask a model about images, videos, streams and cameras, without a catalog.

    What a model behind an address may cost, and how it is asked, is said by the options of
    `lucida.models.openai_api.flags`.

    Args:
        paths: Images: files, folders, patterns, archives. Videos: files, addresses such as rtsp://HOST/PATH, or the
            number of a camera: 0.
        task: "classify", "tag", "detect", "segment", "outline", "anomaly", "read", "caption", "answer", "describe" or
            "embed"; what the model is for, where it is left out.
        model: The model, by any name that `lucida models` takes, or a training run.
        classes: What to look for or to tell apart: "bolt,crack".
        question: What to ask; given several times, each is asked with what was said before.
        schema: A file with the JSON schema that an answer must follow.
        reason: Also ask for a reason.
        together: Ask about all images at once: "What differs?".
        write: Write descriptions (--task describe) into the images' XMP, where search engines and screen readers find
            them: "copy" into copies, beside the images or under --save, "in-place" into the images themselves. Pixels
            stay as they are.
        point: "x,y" in pixels, to outline what lies there; a minus before both, "-x,-y", for what does not belong.
        box: "left,top,right,bottom" in pixels, to outline what lies within.
        least: Leave out objects and tags that are less probable.
        rate: Frames of a video that are looked at: so many a second, "scene" for one of each scene, or "all"; 2 by
            default, and all of a stream or with --track. A question is asked about 16 of them.
        track: Follow objects from frame to frame of a video, and number them.
        seconds: How many seconds of each video or stream are looked at; all by default.
        save: A folder for images and videos with what was found drawn on them; for a question about a video, a picture
            of the frames that were shown to the model, with their times and the answer.
        out: A file for the results, JSON; ".jsonl" for one line an image, written as it goes.
        precision: Arithmetic of the model; "auto" measures which is faithful and fast.
        catalog: Where models of one's own lie; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        InputError: Nothing to look at, or what is asked is not clear, or the limit of cost cannot be kept.
        UnknownName: No such model, task or class.
        ModelError: The model cannot do this.
        MissingExtra: The model needs a package that is not installed.
    """
    from lucida.models.openai_api.options import ApiOptions
    from lucida.predict.films import Watch
    from lucida.predict.job import run_predict
    from lucida.runs.asking import read_wish
    from lucida.runs.spending import Budget
    from lucida.video import read_sampling

    wish = read_wish(
        task=task, classes=classes, questions=question, schema=schema, reason=reason, points=point, boxes=box,
        least=least,
    )  # fmt: skip
    watch = Watch(read_sampling(rate) if rate else None, track, seconds)
    return run_predict(
        paths, wish, model=model, precision=precision, save=save, out=out, together=together, write=write, watch=watch,
        api=ApiOptions(workers=workers, price=price, timeout=timeout), budget=Budget(max_cost), catalog=catalog,
    )  # fmt: skip
