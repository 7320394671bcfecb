"""Results in a line, for people."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from lucida.results import (
    Classification,
    Description,
    Detections,
    Embedding,
    Oddness,
    Reading,
    Segmentation,
    Tags,
    Text,
)

if TYPE_CHECKING:
    from lucida.results import Result

MOST = 8


def in_words(result: Result) -> str:
    """Return a result in a line or a few."""
    match result:
        case Classification():
            others = ", ".join(f"{label} {score:.2f}" for label, score in result.runner_up[:3])
            return f"{result.label} {result.score:.2f}" + (f" ({others})" if others else "")
        case Tags():
            pairs = zip(result.labels, result.scores, strict=True)
            return ", ".join(f"{label} {score:.2f}" for label, score in pairs) or "no tag"
        case Detections():
            return _objects(result)
        case Segmentation():
            shares = sorted(result.shares().items(), key=lambda pair: -pair[1])
            return ", ".join(f"{name} {share:.1%}" for name, share in shares[:MOST] if share)
        case Oddness():
            return f"{'odd' if result.score >= 1 else 'normal'}, score {result.score:.2f} (odd from 1)"
        case Reading():
            return result.text.replace("\n", " / ") or "no text"
        case Text():
            reason = f" ({result.reason})" if result.reason else ""
            return "\n".join([*(f"{q} {a}" for q, a in result.before), result.text + reason])
        case Description():
            return f"{result.title}: {result.alternative} [{', '.join(result.keywords)}]"
        case Embedding():
            shown = ", ".join(f"{value:.3f}" for value in result.vector[:4].tolist())
            return f"{len(result.vector)} numbers of {result.key}: {shown}, … (--json has all)"
        case _:
            return str(result.to_json())


def _objects(found: Detections) -> str:
    if not len(found):
        return "nothing found"
    counts = Counter(found.labels)
    lines = [", ".join(f"{count} {name}" for name, count in counts.most_common(MOST))]
    for row in range(min(len(found), MOST)):
        box = ", ".join(f"{value:.0f}" for value in found.xyxy[row].tolist())
        lines.append(f"  {found.labels[row]} {found.confidence[row]:.2f} at [{box}]")
    if len(found) > MOST:
        lines.append(f"  … and {len(found) - MOST} more")
    return "\n".join(lines)
