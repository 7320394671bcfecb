"""The function `search`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lucida.catalog import Catalog
    from lucida.search.query import Query
    from lucida.search.result import SearchResult

Many = Annotated[list[Path] | None, Parameter(consume_multiple=True)]


def search(
    words: str = "",
    *,
    text: str = "",
    image: Many = None,
    like: Many = None,
    unlike: Many = None,
    where: list[str] | None = None,
    state: Literal["reviewed", "accepted", "proposed"] | None = None,
    glob: str = "",
    by: Literal["all", "vectors", "text"] = "all",
    top: int = 20,
    distinct: bool = False,
    judge: bool = False,
    share: float = 0.9,
    model: str = "embedded",
    precision: Literal["auto", "fp32", "bf16", "int8"] = "auto",
    out: Annotated[Path | None, Parameter(alias="-o")] = None,
    catalog: Path | None = None,
) -> SearchResult:
    """Find images by words, by images, by both, or by what was written of them; each result says why.

    Words are matched with the images themselves, and with file names, labels, captions and text that was read in
    them. Images without a vector are seen first, so a search is as new as the last `lucida add`.

    Args:
        words: What to look for, in English or Chinese.
        text: The same, beside images: --image x.jpg --text "in blue".
        image: Images to resemble: files, or names of images in the catalog, which then come first.
        like: Images of what is wanted; several at once.
        unlike: Images of what is not wanted.
        where: A condition on annotations, "QUESTION=LABEL" or "QUESTION!=LABEL"; may be given several times.
        state: Only answers in this state meet a condition.
        glob: Pattern of paths or file names, such as "*/summer/*.jpg".
        by: "vectors" (what is seen), "text" (what is written), or both.
        top: How many results.
        distinct: Of near-identical images show only the best.
        judge: Ask in the shell about a few results, and say where relevance ends, with 95 % confidence; the results are
            then those up to there. Answers are kept. `lucida studio` asks with pictures.
        share: With `judge`: at least this share of the results up to there is relevant.
        model: The model that sees: "embedded", "siglip2", or any with the task "encode"; for words one with "words".
        precision: Arithmetic of the model.
        out: Also write the results: a .csv or .txt file, or a folder for copies of the images.
        catalog: Folder of the catalog; LUCIDA_CATALOG or ./lucida-catalog by default.

    Raises:
        InputError: There is nothing to look for or nothing to look in.
        UnknownName: No such model, question or label.
        ImageError: An image to look for cannot be decoded.
        ModelError: The model cannot do what is asked.
    """
    from lucida.catalog import Catalog
    from lucida.search.distinct import AHEAD, without_likes
    from lucida.search.searcher import DEPTH, Searcher
    from lucida.search.writing import write_results

    with Catalog.open(catalog) as opened:
        query = read_query(
            opened, " ".join(part for part in (words, text) if part), image or (), like or (), unlike or (),
            where=where or (), state=state or "", glob=glob, by=by,
        )  # fmt: skip
        searcher = Searcher(opened, model, precision=precision)
        result = searcher.search(query, max(top, DEPTH) if judge else top * AHEAD if distinct else top)
        if judge and result.hits:
            result = _judged(opened, result, share, top)
        if distinct:
            hits = without_likes(opened, result.hits)
            result = replace(result, hits=hits if judge else hits[:top])
        if out is None:
            return result
        files = write_results(out.expanduser(), result.hits, opened.images.reader([hit.image for hit in result.hits]))
        return replace(result, files=files)


def _judged(catalog: Catalog, result: SearchResult, share: float, top: int) -> SearchResult:
    """Return the results up to where relevance ends; the first few where nothing is proven."""
    from lucida.search.judging import Judging
    from lucida.search.shell import judge

    claim = judge(Judging(catalog, result, share=share))
    return replace(result, hits=result.hits[: claim.results or top], claim=claim)


def read_query(
    catalog: Catalog,
    text: str = "",
    image: Sequence[Path | str] = (),
    like: Sequence[Path | str] = (),
    unlike: Sequence[Path | str] = (),
    *,
    where: Sequence[str] = (),
    state: str = "",
    glob: str = "",
    by: Literal["all", "vectors", "text"] = "all",
) -> Query:
    """Return a query whose images are found; see `search`."""
    from lucida.search.query import Query, read_examples

    return Query(
        text.strip(),
        read_examples(catalog, image),
        read_examples(catalog, like),
        read_examples(catalog, unlike),
        tuple(where),
        state,
        glob,
        by,
    )
