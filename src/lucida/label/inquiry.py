"""Ask about many images, several at a time, and never for more than may be spent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, NamedTuple

from lucida.errors import ImageError, ModelError
from lucida.models.chat import Prompt, Reply

if TYPE_CHECKING:
    from lucida.label.journal import Journal
    from lucida.models.spec import Model

HOPELESS = 20  # images without any answer after which asking on would be waste

Reader = Callable[[Sequence[str]], Callable[[str], bytes]]
Replies = list[tuple[str, Reply]]


class _Group(NamedTuple):
    """What came of one call: images that could not be read, and what the model replied about the others."""

    unread: Replies
    replies: Replies


class Inquiry:
    """One question about many images.

    A request is sent only if what is spent, what is under way and what it costs itself at most keep the limit; near
    the limit requests are sent one after the other, so that what they cost in truth is known before the next.

    Args:
        model: Answers.
        prompt: The question.
        journal: Keeps each reply as it comes, and knows what is spent.
        reader: For some images gives what turns one into its bytes.
        limit: US dollars that all of the journal may cost; None for no limit.

    Attributes:
        left: Images that were not asked about because of the limit.
    """

    def __init__(self, model: Model, prompt: Prompt, journal: Journal, reader: Reader, limit: float | None) -> None:
        self._model, self._prompt, self._journal = model, prompt, journal
        self._reader, self._limit = reader, limit
        self._answered = bool(journal.tally.bases)
        self._failed = 0
        self.left = 0

    def ask(self, images: Sequence[str]) -> Iterator[Replies]:
        """Yield replies as they come, in any order; images that cannot be read come back with their problem.

        Raises:
            ModelError: The model answers no more, or none of the first images.
        """
        size, workers = max(1, self._model.together), max(1, self._model.workers)
        groups = (tuple(images[start : start + size]) for start in range(0, len(images), size))
        waiting: dict[Future[_Group], float] = {}
        asked = 0
        pool = ThreadPoolExecutor(workers, thread_name_prefix="lucida-ask")
        try:
            group = next(groups, None)
            while group is not None or waiting:
                quote = self._quote(len(group)) if group is not None else 0.0
                if group is not None and len(waiting) < workers and self._affordable(quote, waiting.values()):
                    waiting[pool.submit(self._ask, group, quote)] = quote
                    asked += len(group)
                    group = next(groups, None)
                    continue
                if not waiting:
                    break  # even alone the next one could cost too much
                done, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    del waiting[future]
                groups_done = [future.result() for future in done]
                yield [reply for each in groups_done for reply in (*each.unread, *self._judged(each.replies))]
            self.left += len(images) - asked
        except BaseException:
            self._model.stop()
            raise
        finally:
            # Replies under way are paid for: they are waited for and kept, whatever happened.
            pool.shutdown(wait=True, cancel_futures=True)

    def _quote(self, images: int) -> float:
        return self._model.quote(self._prompt, images).cost or 0.0

    def _affordable(self, quote: float, under_way: Iterable[float]) -> bool:
        return self._limit is None or self._journal.tally.spent + sum(under_way) + quote <= self._limit

    def _ask(self, images: tuple[str, ...], quote: float) -> _Group:
        read = self._reader(images)
        unread: Replies = []
        readable: dict[str, bytes] = {}
        for image in images:
            try:
                readable[image] = read(image)
            except ImageError as error:
                unread.append((image, Reply(problem=error.what)))
        if not readable:
            return _Group(unread, [])
        self._journal.sent(list(readable), quote)
        replies = list(zip(readable, self._model.ask(self._prompt, list(readable.values())), strict=True))
        self._journal.take(replies)
        return _Group(unread, replies)

    def _judged(self, replies: Replies) -> Replies:
        """Count replies without an answer, and stop where there are only such."""
        problems = [reply.problem for _, reply in replies if reply.problem]
        self._answered = self._answered or len(problems) < len(replies)
        self._failed += len(problems)
        if not self._answered and self._failed >= HOPELESS:
            raise ModelError(
                f"The model {self._model.spec.name!r} answered none of the first {self._failed} images.",
                expected="one of the classes",
                got=problems[-1] if problems else "no answer",
                hint="try another model; what was answered so far is kept",
            )
        return replies
