"""Explained photos as one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING

import PIL.Image

from lucida.errors import ImageError
from lucida.evaluate.report.page import document
from lucida.evaluate.report.pictures import data_uri, plain_picture

if TYPE_CHECKING:
    from lucida.data import Sample
    from lucida.explain.explanation import Explained, Explanation

_WIDE = 280


def page(explained: Explained, photos: Sequence[Sample], training: Mapping[str, Sample]) -> str:
    """Return the HTML of explained photos.

    Args:
        explained: What is said of them.
        photos: One an explanation.
        training: Training images by name; those that are missing are named only.
    """
    notes = "".join(f"<li>{escape(note)}</li>" for note in explained.notes)
    shown = any(one.nearest for one in explained.photos)
    alike = " Below, the training images that it finds most alike." if shown else ""
    head = (
        f"<h1>{escape(explained.run)}</h1><p class='soft'>Where it looked (maps of {escape(explained.layer)}):"
        f" yellow speaks most for what it says.{alike}</p>"
        f"{f'<ul class=notes>{notes}</ul>' if notes else ''}"
    )
    parts = [_photo(one, sample, training) for one, sample in zip(explained.photos, photos, strict=True)]
    return document(f"Explanations of {explained.run}", [head, *parts])


def _photo(one: Explanation, sample: Sample, training: Mapping[str, Sample]) -> str:
    wrong = bool(one.truth) and not one.right
    truth = f"is {escape(one.truth)}" if wrong else ""
    with PIL.Image.open(one.heat) as opened:
        heat = opened.convert("RGB")
    heat.thumbnail((_WIDE, _WIDE))
    said = str(one.dependence) if one.dependence else "where it finds the photo odd"
    pictures = [
        _figure(plain_picture(sample, _WIDE), escape(sample.name.rpartition("/")[2])),
        _figure(heat, f"{'<b>No map</b>: nothing speaks for it. ' if one.flat else ''}{escape(said)}"),
    ]
    alike = []
    for near in one.nearest:
        caption = f"<b>{escape(near.label)}</b> {near.likeness:.2f}"
        alike.append(_near(training.get(near.name), caption, near.name))
    title = escape(one.said) + (f" <span class='bad'>{truth}</span>" if truth else "")
    rows = f"<p class='soft'>Most alike in training:</p><div class='pictures'>{''.join(alike)}</div>" if alike else ""
    return f"<h2>{title}</h2><div class='pictures broad'>{''.join(pictures)}</div>{rows}"


def _near(sample: Sample | None, caption: str, name: str) -> str:
    if sample is None:
        return f"<figure><figcaption>{caption}<small>{escape(name)}</small></figcaption></figure>"
    try:
        return _figure(plain_picture(sample), caption)
    except ImageError:
        return f"<figure><figcaption>{caption}<small>cannot be read</small></figcaption></figure>"


def _figure(picture: PIL.Image.Image, caption: str) -> str:
    return f'<figure><img src="{data_uri(picture)}" alt=""><figcaption>{caption}</figcaption></figure>'
