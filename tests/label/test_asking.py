"""Labels by asking: paid once, kept as they come, within a limit."""

from __future__ import annotations

import json
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from lucida.catalog import Catalog, add
from lucida.errors import CatalogError, ImageError, InputError, ModelError
from lucida.images import content_id
from lucida.label.asking import JOURNAL, AskLabeller
from lucida.label.instructions import read_instructions
from lucida.label.job import run_label
from lucida.label.journal import Journal
from lucida.label.vocabulary import NONE, read_vocabulary
from lucida.models.chat import Prompt, Reply, Usage
from lucida.models.needs import ImageNeeds
from lucida.models.spec import Gives, Model, Spec
from pictures import KINDS, write_pictures

PRICE = 0.01  # US dollars a reply
CLASSES = ",".join(KINDS)


@dataclass
class Talker:
    """A model that talks, as a test wants it.

    Attributes:
        reply: Gives the reply about an image by its content id.
        quote: US dollars that an image may cost at most; None for no known price.
        workers: Calls at a time.
        together: Images a call.
        asked: How often each image was asked about.
        most: The most that was under way at a time.
    """

    reply: Callable[[str], Reply] = lambda image: good("disc")
    quote: float | None = 0.02
    workers: int = 4
    together: int = 1
    asked: Counter[str] = field(default_factory=Counter)
    groups: list[int] = field(default_factory=list)
    prompts: list[Prompt] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def spec(self) -> Spec:
        needs = ImageNeeds(64, resize="fit")
        return Spec(
            "talker", "test", ("ask",), needs, Gives(), "none", "a test", "1", build=lambda s, p, t: Talking(s, self)
        )


class Talking(Model):
    def __init__(self, spec: Spec, talker: Talker) -> None:
        super().__init__(spec)
        self._talker = talker

    @property
    def together(self) -> int:
        return self._talker.together

    @property
    def workers(self) -> int:
        return self._talker.workers

    def quote(self, prompt: Prompt, images: int = 1) -> Usage:
        return Usage(100 * images, 10, None if self._talker.quote is None else self._talker.quote * images)

    def ask(self, prompt: Prompt, images: Sequence[bytes]) -> list[Reply]:
        ids = [content_id(data) for data in images]
        with self._talker.lock:
            self._talker.asked.update(ids)
            self._talker.groups.append(len(ids))
            self._talker.prompts.append(prompt)
        return [self._talker.reply(image) for image in ids]


def good(name: str, cost: float = PRICE, basis: str = "self-report") -> Reply:
    rest = {kind: 0.05 for kind in KINDS if kind != name}
    return Reply({name: 0.9, **rest}, f"It is a {name}.", basis, usage=Usage(100, 10, cost))  # type: ignore[arg-type]


def bad(problem: str = "It answered nonsense.", cost: float = PRICE) -> Reply:
    return Reply(problem=problem, usage=Usage(100, 10, cost))


@pytest.fixture
def catalog(place):
    """The open catalog of 24 photos."""
    with Catalog.open(place.catalog) as opened:
        yield opened


def label(catalog: Catalog, talker: Talker, **options):
    labeller = AskLabeller(talker.spec, read_vocabulary(CLASSES), question="What is drawn?", **options)
    return run_label(catalog, labeller, question="kind"), labeller


def kept(catalog: Catalog, run: str) -> Journal:
    return Journal(catalog.runs.folder(run) / JOURNAL)


def test_every_image_is_asked_about_once(catalog, place):
    truth = place.truth()
    talker = Talker(lambda image: good(truth[image]))
    result, labeller = label(catalog, talker)
    assert set(talker.asked.values()) == {1}, "the first question, before the run, is not paid for twice"
    assert len(talker.asked) == result.new == 24
    rows = catalog.annotations.current("kind")
    assert {row.image: row.label for row in rows} == truth
    assert result.cost == pytest.approx(24 * PRICE)
    detail = next(iter(catalog.annotations.rows(run=result.run))).detail
    assert detail["reason"].startswith("It is a")
    assert (detail["basis"], detail["cost"]) == ("self-report", PRICE)
    assert any("$0.2400" in note for note in labeller.notes)
    assert any("100% by self-report" in note for note in labeller.notes)
    talker.reply = None  # nothing is left to ask, so that neither a key nor a server is needed
    again, _ = label(catalog, talker)
    assert (again.run, again.new, again.cost) == (result.run, 0, 0)
    assert talker.asked.total() == 24


def test_what_is_asked(catalog, place):
    talker = Talker()
    label(catalog, talker)
    (prompt,) = set(map(repr, talker.prompts))
    assert "What is drawn?" in prompt
    assert talker.prompts[0].classes == KINDS


def test_copies_are_one_image(catalog, place, tmp_path):
    first = next(place.photos.iterdir())
    shutil.copy(first, tmp_path / "copy.png")
    add([tmp_path / "copy.png"], catalog=place.catalog)
    talker = Talker()
    label(catalog, talker)
    assert talker.asked[content_id(first.read_bytes())] == 1


def test_several_images_a_question(catalog):
    talker = Talker(together=5)
    result, _ = label(catalog, talker)
    assert result.new == 24
    assert sorted(talker.groups) == [1, 3, 5, 5, 5, 5]


def test_none_of_these_is_a_class_more(catalog):
    talker = Talker(lambda image: Reply({NONE: 0.8, "disc": 0.2}, usage=Usage(1, 1, 0.0)))
    labeller = AskLabeller(talker.spec, read_vocabulary(CLASSES, none_of_these=True))
    result = run_label(catalog, labeller, question="kind")
    assert result.classes == (*KINDS, NONE)
    assert talker.prompts[0].classes == (*KINDS, NONE)
    assert {row.label for row in catalog.annotations.current("kind")} == {NONE}


def test_parameters_say_what_decides_and_no_more():
    talker = Talker()

    def parameters(**options):
        return AskLabeller(talker.spec, read_vocabulary(CLASSES), question="What?", **options).parameters()

    found = parameters(settings={"votes": 3})
    assert found == {
        "mode": "asked",
        "classes": list(KINDS),
        "question_text": "What?",
        "descriptions": [[kind] for kind in KINDS],
        "votes": 3,
        "encoder": "embedded",
    }
    assert parameters(max_cost=5.0) == parameters(max_cost=7.0) == parameters()
    json.dumps(found)


class Killed(BaseException):
    """A kill, as far as one process can show it."""


def test_what_is_paid_for_is_not_asked_again_after_a_kill(catalog):
    talker = Talker(workers=3)
    labeller = AskLabeller(talker.spec, read_vocabulary(CLASSES))
    labeller.check(catalog, catalog.images.ids(), None)
    run = catalog.runs.start("label", question="kind", model="talker", revision="1", parameters=labeller.parameters())
    labeller.learn(catalog, catalog.runs.folder(run.id))
    proposals = labeller.propose(catalog, catalog.runs.missing(run.id))
    for _ in range(6):
        next(proposals)  # what is proposed was not written: the program died before
    proposals.close()
    paid = set(talker.asked)
    assert 6 <= len(paid) < 24
    result = run_label(catalog, AskLabeller(talker.spec, read_vocabulary(CLASSES)), question="kind")
    assert result.run == run.id
    assert result.new == 24
    assert set(talker.asked.values()) == {1}
    assert result.cost == pytest.approx((24 - len(paid)) * PRICE), "the cost of this call"
    assert kept(catalog, run.id).tally.usage.cost == pytest.approx(24 * PRICE), "the cost of the run"


@pytest.mark.parametrize(
    "tear", [b'{"image": "', b'{"image": "abc", "is": {"disc": 1.0}, "rea', b"\xff\n", b"[]\n", b"5\n"]
)
def test_a_torn_line_is_no_harm(catalog, tear):
    talker = Talker()
    result, _ = label(catalog, talker)
    path = catalog.runs.folder(result.run) / JOURNAL
    before = path.read_bytes()
    path.write_bytes(before + tear)
    journal = Journal(path)
    assert journal.tally.bases.total() == 24
    journal.take([("new", good("disc"))])
    assert Journal(path).tally.bases.total() == 25, "the line after a torn one is not lost with it"


@pytest.mark.parametrize(
    ("usage", "line"),
    [
        (Usage(1000, 50, 0.25), "1,000 tokens in, 50 out: $0.2500."),
        (Usage(1000, 50, 0.0), "1,000 tokens in, 50 out: nothing to pay."),
        (Usage(1000, 50), "1,000 tokens in, 50 out: what they cost is not known."),
        (Usage(0, 0, 0.0), ""),
    ],
)
def test_what_it_took_in_words(tmp_path, usage, line):
    journal = Journal(tmp_path / JOURNAL)
    journal.take([("a", Reply({"disc": 1.0}, basis="votes", usage=usage))])
    assert journal.tally.sentences() == ["1 answer in all: 100% by votes.", *([line] if line else [])]


def test_images_may_be_proposed_a_few_at_a_time(catalog):
    talker = Talker(quote=0.01)
    labeller = AskLabeller(talker.spec, read_vocabulary(CLASSES), max_cost=0.1)
    ids = catalog.images.ids()
    labeller.check(catalog, ids, None)
    run = catalog.runs.start("label", question="kind", model="talker", revision="1", parameters=labeller.parameters())
    labeller.learn(catalog, catalog.runs.folder(run.id))
    parts = [ids[start : start + 5] for start in range(0, 24, 5)]
    found = [p.image for part in parts for batch in labeller.propose(catalog, part) for p in batch]
    assert len(found) == 10
    assert set(found) == set(ids[:10])
    assert sum("Stopped at" in note for note in labeller.notes) == 1
    assert any("14 images left" in note for note in labeller.notes)
    again = [p.image for batch in labeller.propose(catalog, ids[:10]) for p in batch]
    assert sorted(again) == sorted(ids[:10]), "what is kept is proposed as often as it is asked for"
    assert talker.asked.total() == 10


def test_a_model_that_never_answers_is_given_up_in_small_parts_as_well(catalog):
    talker = Talker(lambda image: bad(), workers=1)
    labeller = AskLabeller(talker.spec, read_vocabulary(CLASSES))
    labeller.learn(catalog, catalog.path)
    parts = (batch for image in catalog.images.ids() for batch in labeller.propose(catalog, [image]))
    with pytest.raises(ModelError, match="none of the first 20"):
        list(parts)


def test_a_disk_without_room_stops_the_asking(tmp_path):
    (tmp_path / JOURNAL).mkdir()
    with pytest.raises(CatalogError, match="cannot be kept") as caught:
        Journal(tmp_path / JOURNAL)
    assert all((caught.value.expected, caught.value.got, caught.value.hint))
    journal = Journal(tmp_path / "gone" / JOURNAL)
    with pytest.raises(CatalogError, match="cannot be kept"):
        journal.take([("a", good("disc"))])


def test_what_a_kill_cut_off_stays_counted_when_it_is_asked_again(catalog):
    talker = Talker()
    labeller = AskLabeller(talker.spec, read_vocabulary(CLASSES), question="What is drawn?")
    run = catalog.runs.start("label", question="kind", model="talker", revision="1", parameters=labeller.parameters())
    kept(catalog, run.id).sent(catalog.images.ids()[:2], 0.5)
    result, _ = label(catalog, talker)
    assert result.run == run.id
    tally = kept(catalog, run.id).tally
    assert tally.lost == pytest.approx(0.5)
    assert tally.spent == pytest.approx(0.5 + 24 * PRICE)
    assert any("$0.5000 at most for questions without a reply" in note for note in result.notes)


def test_what_was_under_way_at_a_kill_counts_as_paid(tmp_path):
    journal = Journal(tmp_path / JOURNAL)
    journal.sent(["a", "b"], 0.4)
    journal.sent(["c"], 0.1)
    journal.take([("a", good("disc", 0.05)), ("b", bad(cost=0.05))])
    assert Journal(journal.path).tally.spent == pytest.approx(0.1 + 0.1)
    journal.sent(["c"], 0.1)
    journal.take([("c", good("disc", 0.03))])
    tally = Journal(journal.path).tally
    assert tally.lost == pytest.approx(0.1), "the second question does not pay for the first"
    assert tally.spent == pytest.approx(0.23)


def test_the_limit_is_never_passed_and_a_higher_one_goes_on(catalog):
    talker = Talker(quote=0.03, workers=6)
    result, _ = label(catalog, talker, max_cost=0.1)
    spent = kept(catalog, result.run).tally.spent
    assert spent <= 0.1
    # With 0.03 at most and 0.01 in truth, the last question is sent at 0.07: near the limit they go one by one.
    assert talker.asked.total() == 8
    assert result.new == 8
    note = next(note for note in result.notes if note.startswith("Stopped at"))
    assert "$0.0800 of $0.1: 16 images left" in note
    assert "--max-cost" in note
    assert catalog.runs.get(result.run).finished is None
    again, _ = label(catalog, talker, max_cost=0.1)
    assert (again.new, talker.asked.total()) == (0, 8), "nothing is asked within the same limit"
    more, _ = label(catalog, talker, max_cost=1.0)
    assert more.run == result.run
    assert set(talker.asked.values()) == {1}
    assert catalog.runs.get(result.run).finished


@pytest.mark.parametrize("workers", [1, 3, 16])
@pytest.mark.parametrize("cost", [0.0, 0.004, 0.02])
def test_the_limit_holds_whatever_a_reply_costs(catalog, workers, cost):
    talker = Talker(lambda image: good("disc", cost), quote=0.02, workers=workers, together=2)
    result, _ = label(catalog, talker, max_cost=0.13)
    assert talker.asked.total() * cost <= 0.13
    assert (result.new == 24) == (cost < 0.02)


def test_problems_are_paid_for_as_well(catalog):
    talker = Talker(lambda image: bad(), quote=0.01)
    result, _ = label(catalog, talker, max_cost=0.05)
    assert talker.asked.total() == 5
    assert result.new == 0
    assert result.skipped == 5
    assert any("5 × It answered nonsense." in note for note in result.notes)


def test_a_problem_is_asked_about_again_the_next_time(catalog):
    wrong = set(catalog.images.ids()[:3])
    talker = Talker(lambda image: bad() if image in wrong else good("disc"))
    result, _ = label(catalog, talker)
    assert (result.new, result.skipped) == (21, 3)
    assert set(talker.asked.values()) == {1}
    wrong.clear()
    again, _ = label(catalog, talker)
    assert (again.run, again.new) == (result.run, 3)
    assert Counter(talker.asked.values()) == {1: 21, 2: 3}


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_limit_that_is_no_amount(limit):
    with pytest.raises(InputError, match="no amount of money") as caught:
        AskLabeller(Talker().spec, read_vocabulary(CLASSES), max_cost=limit)
    assert all((caught.value.expected, caught.value.got, caught.value.hint))


def test_a_limit_without_a_price(catalog):
    with pytest.raises(InputError, match="price of this model is not known") as caught:
        label(catalog, Talker(quote=None), max_cost=1)
    assert "--price" in caught.value.hint
    talker = Talker(lambda image: Reply({"disc": 1.0}, usage=Usage(5, 1)), quote=None)
    result, _ = label(catalog, talker)
    assert result.cost is None
    assert any("not known" in note for note in result.notes)


def test_a_limit_below_one_image(catalog):
    talker = Talker(quote=0.5)
    with pytest.raises(InputError, match="less than one image") as caught:
        label(catalog, talker, max_cost=0.4)
    assert "$0.5000" in caught.value.expected
    assert not talker.asked
    assert not catalog.runs.all(), "no run has started"


def test_a_model_that_cannot_be_reached_starts_no_run(catalog):
    def gone(image: str) -> Reply:
        raise ModelError("The model cannot be reached.")

    with pytest.raises(ModelError, match="cannot be reached"):
        label(catalog, Talker(gone))
    assert not catalog.runs.all()


def test_an_error_on_the_way_loses_nothing(catalog):
    count = Counter[str]()

    def fails(image: str) -> Reply:
        count["asked"] += 1
        if count["asked"] > 10:
            raise ModelError("The quota is used up.")
        return good("disc")

    talker = Talker(fails, workers=1)
    with pytest.raises(ModelError, match="used up"):
        label(catalog, talker)
    (run,) = catalog.runs.all()
    assert kept(catalog, run.id).tally.bases.total() == 10
    talker.reply = lambda image: good("disc")
    talker.asked.clear()
    result, _ = label(catalog, talker)
    assert (result.run, result.new) == (run.id, len(catalog.runs.missing(run.id)) + result.new)
    assert talker.asked.total() == 14
    assert len(list(catalog.annotations.current("kind"))) == 24


def test_a_model_that_never_answers_is_given_up(catalog):
    talker = Talker(lambda image: bad("It said: hello."), workers=2)
    with pytest.raises(ModelError, match="answered none of the first 20 images") as caught:
        label(catalog, talker)
    assert "hello" in caught.value.got
    assert talker.asked.total() <= 23


def test_files_that_are_gone_are_named_and_not_paid_for(catalog, place, tmp_path):
    moved = tmp_path / "moved"
    key = write_pictures(moved, 1, first_seed=5000)
    add([moved], catalog=place.catalog)
    shutil.rmtree(moved)
    talker = Talker()
    result, _ = label(catalog, talker)
    assert (result.new, result.skipped) == (24, len(key))
    assert talker.asked.total() == 24
    assert sum(note.startswith("Skipped") for note in result.notes) == 3


def test_a_catalog_whose_files_are_all_gone(tmp_path):
    write_pictures(tmp_path / "photos", 1)
    add([tmp_path / "photos"], catalog=tmp_path / "catalog")
    shutil.rmtree(tmp_path / "photos")
    with Catalog.open(tmp_path / "catalog") as catalog, pytest.raises(ImageError, match="None of the 3 images"):
        label(catalog, Talker())


def test_instructions_go_with_the_run(catalog, place, tmp_path):
    photo = next(place.photos.iterdir())
    text = (
        "name: shapes\nversion: 1\nquestion: Which shape?\nrules: Ignore colour.\nclasses:\n  disc: round\n  square:\n"
    )
    text += f"  stripes:\n    examples: [{json.dumps(str(photo))}]\n"
    file = tmp_path / "shapes.yaml"
    file.write_text(text)
    told = read_instructions(file)
    talker = Talker()
    labeller = AskLabeller(talker.spec, None, told, question="other")
    result = run_label(catalog, labeller, question="kind")
    assert labeller.parameters()["instructions"] == told.to_json()
    assert labeller.parameters()["question_text"] == "Which shape?"
    assert labeller.parameters()["descriptions"] == [["round"], ["square"], ["stripes"]]
    assert (catalog.runs.folder(result.run) / "instructions.yaml").read_text() == text
    assert result.taught == 1, "an example that is in the catalog is labelled already"
    own = content_id(photo.read_bytes())
    assert [row.label for row in catalog.annotations.current("kind") if row.image == own] == ["stripes"]
    prompt = talker.prompts[0]
    assert (prompt.question, prompt.rules, prompt.definitions) == ("Which shape?", "Ignore colour.", {"disc": "round"})
    assert [shot.answer for shot in prompt.shots] == ["stripes"]
    file.write_text(text.replace("colour", "size"))
    changed = AskLabeller(talker.spec, None, read_instructions(file), question="other")
    other = run_label(catalog, changed, question="kind")
    assert other.run != result.run
    assert any("raise their version" in note for note in other.notes)


def test_a_model_that_cannot_talk():
    spec = Spec("plain", "test", ("encode",), ImageNeeds(8), Gives(4), "none", "a test", "1")
    with pytest.raises(ModelError, match="cannot answer questions"):
        AskLabeller(spec, read_vocabulary(CLASSES))
    with pytest.raises(InputError, match="no classes"):
        AskLabeller(Talker().spec)


def test_through_a_server_that_breaks(catalog, place):
    pytest.importorskip("openai")
    from chat_server import CUT, answer, error, said, serve
    from lucida.models.openai_api.address import read_address
    from lucida.models.openai_api.family import api_spec, price_of
    from lucida.models.openai_api.model import OpenAiModel
    from lucida.models.openai_api.options import ApiOptions

    waits: list[float] = []
    options = ApiOptions(workers=4, price="1/1")
    faults = [error(500, "x"), CUT, said("nonsense"), error(429, "busy", Retry_After="30")]
    with serve() as server:
        server.in_turn(said(answer("square")), *[fault for fault in faults for _ in range(2)], said(answer("disc")))
        address = read_address(f"api:m@{server.url}")
        price = price_of(address, options)
        spec = replace(
            api_spec(address.name, options),
            build=lambda s, p, t: OpenAiModel(s, address, options, price=price, sleep=waits.append),
        )
        result = run_label(catalog, AskLabeller(spec, read_vocabulary(CLASSES), max_cost=10), question="kind")
    assert (result.new, result.skipped) == (24, 0)
    assert Counter(row.label for row in catalog.annotations.current("kind")) == {"disc": 23, "square": 1}
    assert len(waits) == 6
    assert sum(wait >= 30 for wait in waits) == 2
    assert 26 * 0.00105 < result.cost < 36 * 0.00105, "two were answered badly, two cut off perhaps after an answer"


def test_paths_of_the_run_hold_no_more_than_they_should(catalog):
    result, _ = label(catalog, Talker())
    assert [path.name for path in Path(catalog.runs.folder(result.run)).iterdir()] == [JOURNAL]
