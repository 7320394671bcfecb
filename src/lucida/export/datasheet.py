"""`datasheet.md`: what the data are, where they come from, what is claimed of them and what is not.

Source: T. Gebru et al., "Datasheets for Datasets", Communications of the ACM 64 (2021), whose seven sections it has.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from lucida import __version__

if TYPE_CHECKING:
    from lucida.catalog import Annotation, Run
    from lucida.export.proof import Proof
    from lucida.export.selection import Row

FILE = "datasheet.md"
OWNER = "*For the owner to fill in.*"
_MOST = 20


@dataclass(frozen=True)
class Facts:
    """All that the datasheet is written from.

    Attributes:
        question: The question the labels answer.
        format: imagefolder, parquet or csv.
        rows: Every labelled image.
        laid_out: The images in this export.
        include: Which states are laid out.
        proof: Where the question stands.
        runs: The runs of the question.
        licences: Models that proposed labels -> their licence, as far as it is known.
        answers: Answers of people that stand, and labels that came with examples.
        splits: Names of the splits, as asked; empty without.
        division: How the splits were asked for.
        together: Images that have a near-identical one in their split.
        skipped: Images that could not be read, with the reason.
        reading: Lines of Python that read this export.
    """

    question: str
    format: str
    rows: Sequence[Row]
    laid_out: Sequence[Row]
    include: str
    proof: Proof
    runs: Sequence[Run]
    licences: Mapping[str, str]
    answers: Sequence[Annotation]
    splits: Sequence[str]
    division: str
    together: int
    skipped: Sequence[dict[str, str]]
    reading: str


def write(facts: Facts) -> str:
    """Return the datasheet as Markdown."""
    sections = (
        ("Motivation", _motivation),
        ("Composition", _composition),
        ("Collection process", _collection),
        ("Preprocessing, cleaning, labelling", _labelling),
        ("What is claimed", _claim),
        ("Uses", _uses),
        ("Distribution", _distribution),
        ("Maintenance", _maintenance),
    )
    title = f"# Datasheet: {_text(facts.question)}\n\n{_opening(facts)}"
    parts = [title, *(f"## {name}\n\n" + "\n\n".join(text(facts)) for name, text in sections)]
    return "\n\n".join(parts) + "\n"


def _opening(facts: Facts) -> str:
    count = "no images" if facts.format == "csv" else f"{len(facts.laid_out):,} images"
    return (
        f"{len(facts.rows):,} labels, {count}, written on {datetime.now(UTC):%Y-%m-%d} by Camera Lucida "
        f"{__version__}. The sections are those of "
        "[Datasheets for Datasets](https://doi.org/10.1145/3458723); what the program cannot know is left to the owner."
    )


def _motivation(facts: Facts) -> list[str]:
    return [f"The labels answer one question: **{_text(facts.question)}**.", f"Why, by whom, for whom: {OWNER}"]


def _composition(facts: Facts) -> list[str]:
    states = ("reviewed", "accepted", "proposed")
    found = Counter((row.label, row.state) for row in facts.rows)
    kept = Counter(row.label for row in facts.rows if row.kept)
    here = Counter(row.label for row in facts.laid_out)
    labels = sorted({row.label for row in facts.rows})
    table = [
        [_text(c), here[c], *(found[c, s] for s in states), kept[c], sum(found[c, s] for s in states)] for c in labels
    ]
    total = ["**all**", *(sum(row[i] for row in table) for i in range(1, 7))]  # type: ignore[misc]
    parts = [
        "Each instance is one image with one label. Byte-identical files are one image.",
        _table(["class", "in this export", *states, "kept", "labelled"], [*table, total]),
        "*reviewed*: answered by a person. *accepted*: in the certified set, not looked at one by one. *proposed*: a "
        "model's answer that nobody stands behind yet. *kept*: the certified set. "
        "`labels.csv` has one row for every labelled image.",
    ]
    if facts.splits:
        by = Counter((row.label, row.split) for row in facts.laid_out)
        parts += [
            f"Splits ({facts.division}). Near-identical images stay in one split: {facts.together:,} images have one "
            "beside them. They were found by what they look like at 16 x 16 pixels, by a perceptual hash and, where "
            "there are some, by embeddings; a strong crop or a mirror image is not found.",
            _table(
                ["class", *facts.splits], [[_text(c), *(by[c, s] for s in facts.splits)] for c in labels if here[c]]
            ),
        ]
    endings = Counter(PurePosixPath(row.file).suffix.casefold() for row in facts.laid_out)
    if endings:
        parts.append("Files: " + ", ".join(f"{count:,} {ending}" for ending, count in endings.most_common()) + ".")
    parts.append(f"Do images show people, or anything else that is sensitive? {OWNER}")
    return parts


def _collection(facts: Facts) -> list[str]:
    folders = Counter(str(PurePosixPath(row.path.replace("\\", "/")).parent) for row in facts.rows)
    parts = [
        "Where the labelled images were added from:",
        _table(["folder", "images"], [[_code(f), n] for f, n in folders.most_common(_MOST)]),
    ]
    if len(folders) > _MOST:
        parts.append(f"and {len(folders) - _MOST:,} more folders.")
    parts.append("Files that `lucida add` refused are in neither the catalog nor this export.")
    if facts.skipped:
        shown = [[_code(r["path"]), _text(r["reason"])] for r in facts.skipped[:_MOST]]
        parts += [
            "Labelled images that could not be read when this was written, and are missing here:",
            _table(["path", "reason"], shown),
        ]
        if len(facts.skipped) > _MOST:
            parts.append(f"and {len(facts.skipped) - _MOST:,} more.")
    parts.append(f"How, when and by whom the images were made; consent: {OWNER}")
    return parts


def _labelling(facts: Facts) -> list[str]:
    used = Counter(row.run for row in facts.rows)
    named = [run for run in facts.runs if used[run.id] or run.verb in ("label", "teach", "review")]
    table = [
        [
            _code(run.id),
            run.verb,
            _text(_model(run)),
            _text(_settings(run)),
            _text(run.program),
            f"{datetime.fromtimestamp(run.started, UTC):%Y-%m-%d}",
        ]
        for run in named
    ]
    parts = ["The image files are unchanged. Models proposed labels in these runs:"]
    parts.append(_table(["run", "verb", "model", "settings", "program", "began"], table))
    parts += [f"Licence of {_text(name)}: {_text(text)}." for name, text in facts.licences.items()]
    parts += _people(facts)
    doubtful = sum(row.disagreement for row in facts.rows)
    if doubtful:
        parts.append(f"People disagreed about {doubtful:,} images; the majority, then the latest answer, counts.")
    return parts


def _people(facts: Facts) -> list[str]:
    taught = sum(row.kind == "taught" for row in facts.answers)
    answers = [row for row in facts.answers if row.kind == "answer"]
    parts = []
    if answers:
        verdicts = Counter((row.actor, _phase(row), str(row.detail.get("verdict"))) for row in answers)
        people = sorted({(actor, phase) for actor, phase, _ in verdicts})
        table = [
            [_text(a or "unnamed"), p, *(verdicts[a, p, v] for v in ("right", "wrong", "unsure"))] for a, p in people
        ]
        parts += [
            "People answered (answers taken back are not counted):",
            _table(["who", "phase", "right", "wrong", "unsure"], table),
        ]
    else:
        parts.append("Nobody has checked these labels yet.")
    if taught:
        parts.append(f"{taught:,} images have the same bytes as an example and have its label.")
    return parts


def _phase(row: Annotation) -> str:
    return str(row.detail.get("phase") or "check")


def _model(run: Run) -> str:
    model = f"{run.model}@{run.revision}" if run.revision else str(run.model or "")
    told = run.parameters.get("instructions")
    named = f"{told.get('name', '')} {told.get('version', '')}".strip() if isinstance(told, dict) else ""
    return f"{model}, told by {named}" if named else model


def _settings(run: Run) -> str:
    shown = {k: v for k, v in run.parameters.items() if k not in ("digest", "seed", "classes") and v is not None}
    return ", ".join(f"{k} {v}" for k, v in shown.items() if not isinstance(v, list | dict))[:200]


def _claim(facts: Facts) -> list[str]:
    proof = facts.proof
    if proof.state != "valid":
        return ["**Nothing is claimed of these labels.** " + _unproven(facts)]
    certificate = proof.certificate
    parts = [f"> {certificate.get('claim', '')}", str(certificate.get("claim_in_full", ""))]
    if certificate.get("kept"):
        parts.append(
            f"{len(certificate['kept']):,} labels are kept; {len(certificate['accepted']):,} of them are accepted "
            f"without a look, of which at most {_percent(certificate['rate_left'])} are wrong. "
            f"{len(certificate['reviewed']):,} were checked, {certificate['errors_found']:,} of them were wrong."
        )
    here = sum(row.kept for row in facts.laid_out)
    others = len(facts.laid_out) - here
    not_claimed = [
        "Nothing is claimed of labels that are not kept (`kept` is false).",
        "“Wrong” means wrong in the reviewer's judgement; the claim is about the set as a whole, not about one class, "
        "one split or one image, unless it says so.",
        "Images added after the labels were frozen are not covered.",
    ]
    if others:
        not_claimed.append(
            f"{others:,} images of this export are not in the kept set; `--include kept` exports that set alone."
        )
    if facts.format != "csv" and here < len(certificate.get("kept", [])):
        missing = len(certificate["kept"]) - here
        not_claimed.append(
            f"{missing:,} labels that the certificate keeps are not laid out here, because their image could not be "
            "read, or because a person has since called it undecidable. The bound is for the kept set as a whole."
        )
    attempts = len(certificate.get("attempts", []))
    if attempts > 1:
        not_claimed.append(f"There were {attempts} attempts on the same labels; a promise holds for one.")
    parts += ["Not claimed:", "\n".join(f"- {line}" for line in not_claimed)]
    parts.append("Anyone can recheck it: `lucida verify certificate.json`.")
    return parts


def _unproven(facts: Facts) -> str:
    if facts.proof.state == "void":
        return f"They were certified once, but {facts.proof.reason}, so the certificate is void and is not included."
    if facts.proof.state == "open":
        return "A review has begun and has not ended."
    if any(row.state == "reviewed" for row in facts.rows):
        return "People gave some of them, and nothing is proven of the others: scores are a model's opinion of itself."
    return "They have not been reviewed: scores are a model's opinion of itself."


def _uses(facts: Facts) -> list[str]:
    parts = []
    if facts.reading:
        parts.append(f"To read it:\n\n```python\n{facts.reading}\n```")
    return [*parts, f"What they are for, and what they must not be used for: {OWNER}"]


def _distribution(facts: Facts) -> list[str]:
    return [
        f"Licence of the images: {OWNER}",
        f"Licence of the labels: {OWNER} The licence of the model that proposed them is given above.",
        "File names and paths are in this export as they were given; names of reviewers are above.",
    ]


def _maintenance(facts: Facts) -> list[str]:
    again = f"lucida export <this folder> --format {facts.format}"
    return [
        f"Who keeps it up, and where errors are reported: {OWNER}",
        f"`{again}` with the same options refreshes the export from the catalog. A datasheet that was edited stays as "
        "it is; the new one is then written beside it as `datasheet.new.md`.",
    ]


def _percent(rate: float) -> str:
    return f"{100 * rate:.6g} %"  # a bound must not be rounded down


def _text(value: object) -> str:
    """Return plain text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(str(value).split()))


def _code(value: object) -> str:
    text = " ".join(str(value).split()).replace("|", "\\|")
    fence = "``" if "`" in text else "`"
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value)
