"""Write an evaluation as one HTML file: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Final

from lucida.errors import ImageError
from lucida.evaluate.report import plots
from lucida.evaluate.report.pictures import data_uri
from lucida.evaluate.report.style import STYLE

if TYPE_CHECKING:
    from lucida.evaluate.evaluation import Evaluation
    from lucida.evaluate.figure import Figure
    from lucida.evaluate.judged import ClassRow, Judged
    from lucida.evaluate.slices import Slice

MOST_CLASSES: Final = 60  # that are listed one by one
_VERBS = {
    "classify": "names one class",
    "tag": "gives tags",
    "detect": "finds objects",
    "segment": "gives every pixel a class",
    "anomaly": "finds what is odd",
}


def page(evaluation: Evaluation, judged: Judged) -> str:
    """Return the HTML of an evaluation.

    Args:
        evaluation: What is written.
        judged: The model's answers, for the pictures of its mistakes.
    """
    return document(
        f"Evaluation of {evaluation.model}",
        [
            _head(evaluation, judged),
            _mistakes(judged),
            _confusion(judged),
            _calibration(judged),
            _classes(judged.classes, evaluation),
            _slices(evaluation.slices, judged.metrics[0].title),
            _foot(),
        ],
    )


def document(title: str, sections: Iterable[str]) -> str:
    """Return a whole page from the HTML of its sections."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><meta name="viewport"'
        f' content="width=device-width, initial-scale=1"><title>{escape(title)}</title><style>{STYLE}</style></head>'
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _head(evaluation: Evaluation, judged: Judged) -> str:
    lead = next(iter(evaluation.figures.values()), None)
    title = judged.metrics[0].title
    skipped = f"; {evaluation.skipped:,} could not be read" if evaluation.skipped else ""
    engine = f", run by {escape(judged.predicted.engine)}" if judged.predicted.engine else ""
    parts = [
        f"<h1>{escape(evaluation.model)}</h1>",
        f'<p class="soft">A model that {_VERBS[evaluation.task]}, judged by {evaluation.images:,} images of'
        f" {escape(evaluation.data)}{skipped}{engine}.</p>",
    ]
    if lead is not None:
        parts.append(
            f'<div class="lead"><b>{_value(lead)}</b><span>{escape(title)}<br><span class="soft">'
            f"{_value_of(lead.low, lead)} to {_value_of(lead.high, lead)} with 95 % confidence</span></span></div>"
        )
    if evaluation.against is not None:
        parts.append(f'<p class="verdict">{escape(evaluation.against.sentence)}</p>')
    parts.append(_figures(evaluation, judged))
    if evaluation.notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in evaluation.notes)
        parts.append(f'<ul class="notes">{items}</ul>')
    return "".join(parts)


def _figures(evaluation: Evaluation, judged: Judged) -> str:
    lines = []
    for metric in judged.metrics:
        figure = evaluation.figures.get(metric.name)
        if figure is None:
            continue
        less = ' <span class="pale">(less is better)</span>' if metric.less else ""
        lines.append(f"<tr><td>{escape(metric.title)}{less}</td>{_cells(figure)}</tr>")
    return f"<div class='wide'><table><tbody>{''.join(lines)}</tbody></table></div>"


def _cells(figure: Figure | None) -> str:
    if figure is None:
        return '<td></td><td class="pale" colspan="2">says nothing here</td>'
    return (
        f'<td class="number"><b>{_value(figure)}</b></td><td class="pale">{_value_of(figure.low, figure)} to'
        f" {_value_of(figure.high, figure)}</td><td>{plots.interval(figure)}</td>"
    )


def _value(figure: Figure) -> str:
    return _value_of(figure.value, figure)


def _value_of(number: float, figure: Figure) -> str:
    """Write a number as percent where the interval is that of a share of images."""
    return f"{100 * number:.1f} %" if figure.interval == "wilson" else f"{number:.3f}"


def _mistakes(judged: Judged) -> str:
    if not judged.mistakes or judged.draw is None:
        return ""
    there = "there:" if judged.predicted.task in ("detect", "segment") else "is"
    figures = []
    for mistake in judged.mistakes:
        try:
            picture = judged.draw(mistake)
        except ImageError:
            continue
        figures.append(
            f'<figure><img src="{data_uri(picture)}" alt="{escape(mistake.name)}"><figcaption><b class="bad">'
            f"{escape(mistake.found)}</b><br>{there} {escape(mistake.truth)}"
            f'<small title="{escape(mistake.name)}">{escape(_tail(mistake.name))}</small></figcaption></figure>'
        )
    broad = judged.predicted.task not in ("classify", "tag")
    found = '<i style="background:#e25224"></i>what was found' if judged.predicted.task != "anomaly" else ""
    key = f'<p class="soft key"><i style="background:#24a060"></i>what is there{found}</p>' if broad else ""
    surest = "Those it was surest of come first." if judged.predicted.task == "classify" else "The worst come first."
    return (
        f'<h2>Worst mistakes</h2><p class="soft">{surest}</p>{key}<div class="pictures{" broad" if broad else ""}">'
        f"{''.join(figures)}</div>"
    )


def _tail(name: str, most: int = 60) -> str:
    """Return the last part of a path: the rest is the same for all."""
    return name.rpartition("/")[2][-most:]


def _confusion(judged: Judged) -> str:
    if judged.confusion is None:
        return ""
    return (
        f'<h2>What is taken for what</h2><p class="soft">Rows are true classes; numbers are'
        f" {escape(judged.confusion.unit)}, colours shares of the row.</p>{plots.confusion(judged.confusion)}"
    )


def _calibration(judged: Judged) -> str:
    if not judged.calibration:
        return ""
    return (
        '<h2>How sure, how right</h2><p class="soft">On the dashed line a model is right as often as it says; below it,'
        " it is too sure. Larger dots are more images; bars are 95 % intervals.</p>"
        f"{plots.calibration(judged.calibration)}"
    )


def _classes(classes: Sequence[ClassRow], evaluation: Evaluation) -> str:
    if not classes:
        return ""
    titles = list(classes[0].figures)
    rest = len(classes) - MOST_CLASSES
    said = f"The worst {MOST_CLASSES} first; --json has the other {rest:,}." if rest > 0 else "The worst first."
    unit = "Objects" if evaluation.task == "detect" else "Images"
    head = "".join(f'<th colspan="3">{escape(title)}</th>' for title in titles)
    lines = "".join(
        f'<tr><td>{escape(row.name)}</td><td class="number">{row.count:,}</td>'
        f"{''.join(_cells(row.figures[title]) for title in titles)}</tr>"
        for row in classes[:MOST_CLASSES]
    )
    return (
        f"<h2>Class by class</h2><p class='soft'>{said}</p><div class='wide'><table><thead><tr><th>Class</th>"
        f"<th class='number'>{unit}</th>{head}</tr></thead><tbody>{lines}</tbody></table></div>"
    )


def _slices(slices: Sequence[Slice], title: str) -> str:
    if not slices:
        return ""
    lines = []
    for key in dict.fromkeys(one.key for one in slices):
        lines.append(f'<tr><th colspan="5">{escape(key)}</th></tr>')
        for one in slices:
            if one.key != key:
                continue
            few = ' <span class="pale">(few)</span>' if one.small else ""
            lines.append(
                f'<tr><td>{escape(one.value)}{few}</td><td class="number">{one.images:,}</td>{_cells(one.figure)}</tr>'
            )
    return (
        f"<h2>Part by part</h2><p class='soft'>{escape(title)} on parts of the images, the worst of each kind first. Of"
        " many small parts one is always bad by chance: look at the intervals.</p><div class='wide'><table><thead><tr>"
        f"<th>Part</th><th class='number'>Images</th><th colspan='3'>{escape(title)}</th></tr></thead><tbody>"
        f"{''.join(lines)}</tbody></table></div>"
    )


def _foot() -> str:
    from lucida import __version__

    return (
        "<h2>How this was measured</h2><p class='soft'>Intervals are of 95 %. Those of plain shares of images are"
        " Wilson's; all others come from drawing the images again with replacement (percentiles, corrected for bias;"
        " for the calibration error the basic interval). Images are taken as independent of each other.</p>"
        f"<p class='soft'>Camera Lucida {escape(__version__)}</p>"
    )
