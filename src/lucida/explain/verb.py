"""The verb `explain`."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from lucida.explain.explanation import Explained


def explain(
    run: str = "",
    *photos: Path,
    output: Annotated[Path, Parameter(alias="-o")] = Path("explained"),
    wrong: int = 8,
    catalog: Path | None = None,
) -> Explained:
    """Show where a trained model looked, and which of its training images it was reminded of.

    Args:
        run: A run of `lucida train` for classes, tags, boxes or oddities; the latest where it is left out. Of boxes
            the surest is explained.
        photos: What to explain; without any, the surest wrong answers among the images that judged its training.
        output: Folder for the heat maps and the page that shows all of them.
        wrong: Without photos: how many wrong answers.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        UnknownName: No such model.
        InputError: It is not a training whose answers are about images, or no photo can be read.
        ModelError: The run is not finished.
        MissingExtra: PyTorch, or another package of the extra `train`, is not installed.
    """
    from lucida.errors import InputError
    from lucida.evaluate.choice import latest_run
    from lucida.evaluate.verb import open_catalog
    from lucida.explain import job

    if run and Path(run).is_file():
        # The first word is a photo: the latest run is meant.
        run, photos = "", (Path(run), *photos)
    with ExitStack() as stack:
        opened = open_catalog(stack, catalog, needed=not run)
        if opened is not None:
            run = run or latest_run(opened)
        explainer = job.Explainer.open(run, opened)
        samples = job.photos(photos) if photos else job.wrong_answers(explainer, wrong)
        if not samples:
            raise InputError(
                "There is nothing to explain.",
                expected="photos, or wrong answers",
                got="no photo, and no wrong answer",
                hint=f"lucida explain {run} PHOTO …",
            )
        return job.explain_samples(explainer, samples, output.expanduser())
