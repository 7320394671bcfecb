"""Give every image a split, and see to it that nothing is learned from what a model is judged on.

    samples = divide(read_data("photos/", "classify"))
    train = training_part(samples)

Near-identical images stay together, classes are spread evenly, and the same images with the same seed come out the
same whatever order they stand in.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

from lucida.data.likeness import Seen, see
from lucida.data.sample import TEST, TRAIN, VALIDATION, Mask, Sample, Samples
from lucida.data.splits import Share, assign, parse
from lucida.errors import ImageError, InputError

SHARES: Final = tuple(parse("train=0.85,validation=0.15"))
HELD: Final = (TEST, VALIDATION)  # the stricter first: what is like a test image belongs there


def see_samples(samples: Samples) -> Seen:
    """Look at all images once, so that `divide` and `training_part` need not do so each."""
    return see([sample.read for sample in samples], decided=samples.decided)


def divide(samples: Samples, shares: Sequence[Share] = SHARES, *, seed: int = 0, seen: Seen | None = None) -> Samples:
    """Give every image without a split one.

    An image that is near-identical to one of a given split joins it. Where all images have splits but none is for
    validation, part of the training split becomes it.

    Args:
        samples: The images, in any order.
        shares: The splits and their shares; those of given validation and test splits are not asked again.
        seed: Another seed gives another division.
        seen: What `see_samples` returned for these images, to save the time.

    Returns:
        The same images in the same order, a note saying what was done.
    """
    given = samples.splits
    loose = [row for row, sample in enumerate(samples) if not sample.split]
    asked = [share for share in shares if share.name not in HELD or share.name not in given]
    note = "Divided"
    if not loose and TRAIN in given and VALIDATION not in given:
        loose = [row for row, sample in enumerate(samples) if sample.split == TRAIN]
        asked = [share for share in asked if share.name != TEST]
        note = "There is no validation split, so a part of the training split serves as one"
    if not loose:
        return samples
    seen = seen or see_samples(samples)
    splits = _splits(samples, loose, _whole(asked), seen, seed)
    items = tuple(replace(s, split=splits.get(row, s.split)) for row, s in enumerate(samples))
    sizes = Counter(seen.groups)
    together = sum(size for size in sizes.values() if size > 1)
    counts = Counter(sample.split for sample in items)
    said = ", ".join(f"{name} {counts[name]:,}" for name in sorted(counts, key=lambda name: -counts[name]))
    near = f"; {together:,} near-identical images stay with each other" if together else ""
    return replace(samples, items=items, notes=(*samples.notes, f"{note}: {said}{near}."))


def _whole(shares: Sequence[Share]) -> list[Share]:
    total = sum((share.share for share in shares), Fraction(0))
    return [Share(share.name, share.share / total) for share in shares] or [Share(TRAIN, Fraction(1))]


def _splits(samples: Samples, loose: list[int], shares: list[Share], seen: Seen, seed: int) -> dict[int, str]:
    groups = seen.groups
    fixed: dict[int, set[str]] = defaultdict(set)
    for row in set(range(len(samples))) - set(loose):
        fixed[groups[row]].add(samples[row].split)
    joined = {row: _strictest(fixed[groups[row]]) for row in loose if groups[row] in fixed}
    free = [row for row in loose if row not in joined]
    # Byte-identical images share a group; the name tells them apart.
    ids = [f"{seen.ids[row]}\n{samples[row].name}" for row in free]
    labels = _strata([samples[row] for row in free])
    found = assign(ids, labels, [groups[row] for row in free], shares, seed=seed)
    return joined | dict(zip(free, found, strict=True))


def _strictest(splits: set[str]) -> str:
    return next((split for split in HELD if split in splits), min(splits))


def _strata(samples: list[Sample]) -> list[str]:
    """Return what each image is spread by: the rarest of the classes it shows."""
    shown = [_shown(sample) for sample in samples]
    counts = Counter(label for labels in shown for label in labels)
    return [min(labels, key=lambda label: (counts[label], label), default="") for labels in shown]


def _shown(sample: Sample) -> tuple[str, ...]:
    """Return the classes that an image shows; those of a mask stand in its pixels."""
    if not isinstance(sample.target, Mask):
        return sample.labels
    import numpy as np

    from lucida.images import decode

    try:
        values = np.unique(decode(sample.target.read()).pixels).tolist()
    except ImageError:
        return ()
    return tuple(sample.target.values[value] for value in values if value in sample.target.values)


def training_part(samples: Samples, *, near: bool = True, seen: Seen | None = None) -> Samples:
    """Return the images that may be learned from: never those of a test or validation split, nor their likes.

    Images that are identical or near-identical to one of the validation or test split are left out, with a note: a
    model that has seen them would be judged too well.

    Args:
        samples: All images, divided; without any splits all of them may be learned from.
        near: Also leave out near-identical images; if not, they are counted in the note and stay.
        seen: What `see_samples` returned for these images, to save the time.

    Raises:
        InputError: There is no training split.
    """
    rows = [row for row, sample in enumerate(samples) if sample.split in (TRAIN, "")]
    held = [row for row, sample in enumerate(samples) if sample.split in HELD]
    if not rows:
        raise _nothing_to_learn(samples)
    if not held:
        return samples.take(rows)
    seen = seen or see_samples(samples)
    ids = {seen.ids[row] for row in held} - {""}
    groups = {seen.groups[row] for row in held}
    same = [row for row in rows if seen.ids[row] in ids]
    like = [row for row in rows if seen.groups[row] in groups and seen.ids[row] not in ids]
    dropped = {*same, *(like if near else ())}
    part = samples.take(row for row in rows if row not in dropped)
    return replace(part, notes=(*part.notes, *_leaks(samples, same, like, near=near)))


def _leaks(samples: Samples, same: list[int], like: list[int], *, near: bool) -> list[str]:
    told = ((same, "Identical", True), (like, "Near-identical", near))
    return [
        f"{how} to an image of the validation or test split: {len(rows):,} of the training split"
        f" {'left out' if out else 'not left out'} (the first: {samples[rows[0]].name})."
        for rows, how, out in told
        if rows
    ]


def _nothing_to_learn(samples: Samples) -> InputError:
    only_test = samples.splits.keys() == {TEST}
    return InputError(
        "A test split is never trained on." if only_test else f"There is no training split in {samples.origin}.",
        expected="images of a split named train, or without splits",
        got=", ".join(f"{name} {count:,}" for name, count in samples.splits.items()) or "no images",
        hint="name the folder above, which holds train as well" if only_test else "name the split train",
    )
