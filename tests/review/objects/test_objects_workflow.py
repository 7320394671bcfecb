"""A review of boxes: two stages, every answer kept, killed and taken up, certified and rechecked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lucida.catalog import Annotation
from lucida.errors import CertificateError, InputError
from lucida.results import run_lengths
from lucida.review import ObjectReview, ObjectsCertificate, ObjectTerms, Review, Terms, verify
from lucida.review.objects.cards import Correction

TERMS = ObjectTerms(max_error=0.15, max_missed=0.12)


def opened(world: Any, terms: ObjectTerms = TERMS, **more: Any) -> ObjectReview:
    return ObjectReview.open(world.catalog, terms=terms, reviewer="anna", **({"seed": 5} | more))


def test_both_stages_are_proven_and_rechecked(world: Any) -> None:
    world.label()
    review = opened(world)
    assert (review.phase, review.unit, review.classes) == ("check", "boxes", ["cell", "disc"])
    world.answer(review)
    certificate = review.certificate
    assert certificate is not None
    kept = [review.population.ids[row] for row in certificate.found.kept.tolist()]
    wrong = {f"{image}#{item}" for image, item in world.wrong}
    assert len(kept) > 300
    assert len(wrong & set(kept)) <= 0.15 * len(kept)
    missed = certificate.missed
    assert missed is not None
    assert missed["images_bound"] >= sum(bool(n) for n in world.missed.values())
    assert missed["total_bound"] >= sum(world.missed.values())
    assert missed["images_bound"] <= 0.12 * 120
    assert certificate.found.confidence == pytest.approx(0.975)
    for words in ("boxes kept, at most 15 % are wrong", "of the 120 images", "95 % confidence"):
        assert words in certificate.claim
    assert verify(str(review.certificate_path)).problems == ()
    status = review.status()
    assert (status.phase, status.done, status.kept) == ("done", True, len(kept))
    assert status.marked == missed["marked"] > 0


def test_a_drawn_seed_is_no_simulation(world: Any) -> None:
    world.images = world.images[:6]
    world.label()
    review = opened(world, seed=None)
    world.answer(review)
    certificate = review.certificate
    assert certificate is not None
    assert not certificate.simulation
    assert "SIMULATION" not in certificate.claim_in_full
    assert verify(str(review.certificate_path)).ok


def test_what_is_true_of_the_objects_is_what_people_said(world: Any) -> None:
    world.label()
    review = opened(world, ObjectTerms(max_error=0.3, max_missed=0.12))
    card = review.next()
    assert card is not None
    assert card.unit is not None
    assert (card.width, card.height, len(card.others)) == (24, 24, 3)
    review.answer(card.id, "wrong", "disc" if card.unit.label == "cell" else "cell", (20.0, 1.0, 9.0, 30.0))
    other = review.next()
    assert other is not None
    review.answer(other.id, "wrong")
    world.answer(review)
    now = {(one.image, one.item): one for one in world.catalog.annotations.current_objects("things")}
    changed = now[card.image, card.unit.item]
    assert (changed.label == "disc") == (card.unit.label == "cell")
    assert changed.detail == {"box": [9.0, 1.0, 20.0, 24.0]}  # within the image, whichever way it was drawn
    assert (changed.state, changed.score) == ("reviewed", None)
    assert other.unit is not None
    assert (other.image, other.unit.item) not in now
    added = [one for one in now.values() if one.added]
    assert added
    assert all(one.item > 4 and one.state == "reviewed" for one in added)
    kept = {review.population.ids[row] for row in review.certificate.found.kept.tolist()}  # type: ignore[union-attr]
    held = {f"{one.image}#{one.item}" for one in now.values() if one.kept}
    assert held <= kept
    assert {one.state for one in now.values() if one.kept} == {"accepted", "reviewed"}
    # A run that is newer voids the certificate, and its numbers name other objects.
    world.label(seed=1, least=0.1)
    later = world.catalog.annotations.current_objects("things")
    assert {one.state for one in later} == {"proposed"}
    assert len(later) == 480


def test_a_killed_review_goes_on_where_it_stood(world: Any) -> None:
    world.label()
    first = opened(world)
    world.answer(first, 15)
    second = opened(world)  # as after a kill: nothing was closed
    assert second.run.id == first.run.id
    assert [card.id for card in second.upcoming(5)] == [card.id for card in first.upcoming(5)]
    while second.phase == "check":
        world.answer(second, 1)
    world.answer(second, 4)
    third = opened(world)
    assert third.phase == "missed"
    assert third.status() == second.status()
    assert third.next() == second.next()
    undone = third.undo()
    assert undone is not None
    assert opened(world).next() == undone == third.next()
    world.answer(third)
    assert verify(str(third.certificate_path)).ok
    again = opened(world)
    assert again.phase == "done"
    assert again.certificate.to_json() == third.certificate.to_json()  # type: ignore[union-attr]


def test_undo_takes_back_the_last_answer_of_a_stage(world: Any) -> None:
    world.label()
    review = opened(world)
    assert review.undo() is None
    card = review.next()
    assert card is not None
    review.answer(card.id, "unsure")
    assert review.status().errors_found == 1
    assert review.undo() == card == review.next()
    world.answer(review, 30)
    review.stop()
    assert review.phase == "missed"
    assert review.undo() is None  # what was found is settled
    image = review.next()
    assert image is not None
    assert image.unit is None
    review.look(image.image, [("cell", (1, 1, 5, 5)), ("new class", (4, 4, 9, 9))])
    assert "new class" in review.classes
    items = [one.item for one in world.catalog.annotations.current_objects("things") if one.added]
    assert items == [5, 6]
    assert review.undo() == image
    assert not [one for one in world.catalog.annotations.current_objects("things") if one.added]
    review.look(image.image, None)
    assert review.status().with_missed == 1


def test_answers_of_another_review_of_the_same_run_count_again(world: Any) -> None:
    world.label()
    world.answer(opened(world))
    stricter = opened(world, ObjectTerms(max_error=0.1, max_missed=0.2))
    assert any(entry.reused for entry in stricter.journal.entries)
    assert stricter.status().reviews > 0
    world.label(seed=3, least=0.2)
    assert opened(world).status().reviews == 0  # other objects


def test_images_labelled_after_the_freeze_are_not_covered(world: Any) -> None:
    *some, last = world.images
    world.images = some
    run = world.label()
    review = opened(world)
    world.answer(review, 3)
    world.catalog.annotations.append([
        Annotation(last, "things", run, detail={"count": 1}),
        Annotation(last, "things", run, item=1, label="cell", score=0.9, detail={"box": [1, 1, 9, 9]}),
    ])  # fmt: skip
    again = opened(world)
    assert again.run.id == review.run.id
    assert len(again.ids) == 119
    assert "1 images were labelled since" in again.status().advice
    world.answer(again)
    assert again.certificate is not None
    assert again.certificate.context["images_added_later"] == 1
    assert verify(str(again.certificate_path)).ok


def test_few_objects_are_all_asked(world: Any) -> None:
    world.images = world.images[:8]
    world.label()
    review = opened(world, ObjectTerms(max_error=0.05))
    assert "saves answers from about 296 on" in review.status().advice
    assert review.status().needed == 296
    world.answer(review)
    certificate = review.certificate
    assert certificate is not None
    assert len(certificate.found.reviewed) == 32
    stand = sum(state == "reviewed" for state in world.states().values()) - sum(world.missed.values())
    assert f"All 32 boxes were checked by a person: {stand} stand." in certificate.claim
    assert certificate.missed is not None
    assert certificate.missed["images_bound"] == 1  # all were looked at: the number itself


def test_few_objects_are_all_asked_though_most_are_wrong(world: Any) -> None:
    world.images = world.images[:12]
    world.label()
    review = opened(world, ObjectTerms(max_error=0.05, max_missed=0.9))
    while (card := review.next()) is not None and card.unit is not None:
        review.answer(card.id, "right" if card.unit.item == 1 else "wrong")
    status = review.status()
    assert (status.phase, status.reviews, status.kept, status.stand) == ("missed", 48, 0, 12)
    certificate = review.stop()
    assert certificate is not None
    assert "All 48 boxes were checked by a person: 12 stand" in certificate.claim
    assert verify(str(review.certificate_path)).problems == ()


def test_where_no_box_stands_nobody_looks_for_more(world: Any) -> None:
    world.label()
    review = opened(world)
    review.stop()
    assert review.phase == "done"
    certificate = review.certificate
    assert certificate is not None
    assert certificate.missed is None
    assert "No box is kept" in certificate.claim
    assert verify(str(review.certificate_path)).ok


def test_masks_are_reviewed_as_boxes_are(world: Any) -> None:
    run = world.catalog.runs.start("label", question="things", model="m", parameters={"task": "segment"})
    pixels = np.zeros((24, 24), bool)
    pixels[3:9, 5:20] = True
    for image in world.images:
        mask = run_lengths.encode(pixels)
        world.catalog.annotations.append([
            Annotation(image, "things", run.id, detail={"shares": {}}),
            Annotation(image, "things", run.id, item=1, label="crack", detail={"mask": mask, "class": 1}),
        ])  # fmt: skip
        world.missed[image] = 0
    world.catalog.runs.finish(run.id)
    review = opened(world, ObjectTerms(max_error=0.3, max_missed=0.3))
    card = review.next()
    assert card is not None
    assert card.unit is not None
    assert card.unit.box == (5, 3, 20, 9)
    review.answer(card.id, "wrong", "tear")
    world.answer(review)
    assert review.certificate is not None
    assert "masks kept" in review.certificate.claim
    assert verify(str(review.certificate_path)).ok
    torn = [one for one in world.catalog.annotations.current_objects("things") if one.label == "tear"]
    assert [sorted(one.detail) for one in torn] == [["mask"]]


def test_what_makes_no_sense_is_refused(world: Any) -> None:
    run = world.catalog.runs.start("label", question="things", model="m", parameters={"task": "detect"})
    world.catalog.annotations.append(Annotation(i, "things", run.id, detail={"count": 0}) for i in world.images)
    world.catalog.runs.finish(run.id)
    with pytest.raises(InputError, match="no object in any image"):
        opened(world)
    world.label()
    for terms in (ObjectTerms(max_missed=0), ObjectTerms(cap=0), ObjectTerms(max_error=2)):
        with pytest.raises(InputError):
            opened(world, terms)
    with pytest.raises(InputError, match="within images"):
        Review.open(world.catalog, terms=Terms())
    review = opened(world)
    card = review.next()
    assert card is not None
    for box in ((1, 1, 1, 9), (float("nan"), 1, 5, 5), (30, 30, 40, 40), (1, 2, 3)):
        with pytest.raises(InputError, match="no box"):
            review.answer(card.id, "wrong", "cell", box)
    with pytest.raises(InputError, match="class"):
        review.answer(card.id, "wrong", " \n ")
    with pytest.raises(InputError, match="not asked"):
        review.look(card.image, [])
    assert review.status().reviews == 0
    assert not world.catalog.annotations.rows(kind="answer")


def test_a_promise_for_each_class(world: Any) -> None:
    world.label()
    review = opened(world, ObjectTerms(max_error=0.2, max_missed=0.12, per_class=True))
    world.answer(review)
    certificate = review.certificate
    assert certificate is not None
    assert [group["name"] for group in certificate.found.groups] == ["cell", "disc"]
    assert [group["level"] for group in certificate.found.groups] == pytest.approx([0.0125, 0.0125])
    assert all(group["kept"] > 100 for group in certificate.found.groups)
    assert "at most 20 % in each class are wrong" in certificate.claim
    kept = [review.units[review.population.ids[row]] for row in certificate.kept.tolist()]
    for name in ("cell", "disc"):
        wrong = [(unit.image, unit.item) in world.wrong for unit in kept if unit.label == name]
        assert sum(wrong) <= 0.2 * len(wrong)
    assert verify(str(review.certificate_path)).problems == ()


def test_any_edit_of_what_enters_the_claim_is_found(world: Any, tmp_path: Path) -> None:
    world.label()
    review = opened(world)
    world.answer(review)
    path = Path(str(review.certificate_path))
    original = path.read_text()
    values = json.loads(original)

    def edited(change: Any) -> tuple[str, ...]:
        copy = json.loads(original)
        change(copy)
        path.write_text(json.dumps(copy))
        try:
            return verify(path).problems
        finally:
            path.write_text(original)

    assert edited(lambda v: None) == ()
    for change in (
        lambda v: v.update(confidence=0.99),
        lambda v: v.update(claim=v["claim"].replace("15 %", "5 %")),
        lambda v: v.update(unit="masks"),
        lambda v: v.update(seed="0" * 32),
        lambda v: v["shares"].update(found=0.9),
        lambda v: v["found"].update(max_error=0.05),
        lambda v: v["found"]["kept"].pop(),
        lambda v: v["missed"].update(images_bound=1),
        lambda v: v["missed"].update(mean_bound=0.0),
        lambda v: v["missed"].update(cap=1),
        lambda v: v["missed"]["answers"].pop(),
        lambda v: v["missed"]["answers"].reverse(),
        lambda v: next(a for a in v["missed"]["answers"] if a["objects"]).update(objects=[]),
        lambda v: v["missed"].update(answers="none"),
    ):
        assert edited(change), change
    with pytest.raises(CertificateError):
        edited(lambda v: v.pop("missed"))
    images = path.with_name(values["missed"]["images_file"])
    kept = images.read_bytes()
    images.write_bytes(path.with_name(values["found"]["population_file"]).read_bytes())
    assert not verify(path).ok
    images.write_bytes(kept)
    assert ObjectsCertificate.load(path).verify().ok


def test_it_can_be_signed(world: Any, tmp_path: Path) -> None:
    from lucida.review.signing import make_key_pair, sign

    world.label()
    review = opened(world)
    world.answer(review)
    private, public = make_key_pair(tmp_path / "key.pem")
    path = Path(str(review.certificate_path))
    sign(path, private)
    assert verify(path, public_key=public).ok
    path.write_text(path.read_text().replace('"question": "things"', '"question": "thongs"'))
    assert not verify(path, public_key=public).ok


def square(left: int, top: int, right: int, bottom: int) -> dict[str, Any]:
    """Write a rectangle as a mask of these pictures."""
    pixels = np.zeros((24, 24), bool)
    pixels[top:bottom, left:right] = True
    return run_lengths.encode(pixels)


def test_masks_are_corrected_pixel_by_pixel(world: Any) -> None:
    world.images = world.images[:6]
    run = world.catalog.runs.start("label", question="things", model="m", parameters={"task": "segment"})
    for image in world.images:
        world.catalog.annotations.append([
            Annotation(image, "things", run.id, detail={"shares": {}}),
            Annotation(image, "things", run.id, item=1, label="crack", detail={"mask": square(5, 3, 20, 9)}),
        ])  # fmt: skip
    world.catalog.runs.finish(run.id)
    review = opened(world, ObjectTerms(max_error=0.3, max_missed=0.9))
    first, better = review.next(), square(4, 2, 9, 12)
    assert first is not None
    for odd in ({"size": [24, 24], "counts": [576]}, {"size": [9, 9], "counts": [40, 41]}, {"counts": "abc"}, 7):
        with pytest.raises(InputError, match="mask"):
            review.answer(first.id, "wrong", mask=odd)
    runs = {"size": [24, 24], "counts": [98, 10, 14, 10, 14, 10, 14, 10, 14, 10, 372]}  # as a browser may send it
    review.answer(first.id, "wrong", mask=runs)
    (said,) = (one for one in world.catalog.annotations.current_objects("things") if one.image == first.image)
    assert (said.label, said.state) == ("crack", "reviewed")
    assert said.detail == {"box": [4, 2, 9, 12], "mask": better}
    same = review.next()
    assert same is not None
    review.answer(same.id, "wrong", mask=square(5, 3, 20, 9))  # nothing was changed
    assert review.status().errors_found == 1
    world.answer(review, 4)
    looked = review.next()
    assert looked is not None
    assert looked.unit is None
    review.look(looked.image, [Correction("tear", mask=square(0, 0, 3, 3))])
    again = opened(world, ObjectTerms(max_error=0.3, max_missed=0.9))  # as after a kill
    assert again.status() == review.status()
    shown = again._deck.of_image(first.image, "missed", again._looking.standing)  # type: ignore[union-attr]
    assert [(one.label, one.mask) for one in shown.others] == [("crack", better)]
    added = [one for one in world.catalog.annotations.current_objects("things") if one.added]
    assert [one.detail for one in added] == [{"box": [0, 0, 3, 3], "mask": square(0, 0, 3, 3)}]
    world.missed = dict.fromkeys(world.images, 0)
    world.answer(again)
    assert verify(str(again.certificate_path)).ok


def test_what_turns_out_wrong_later_leaves_the_accepted(world: Any) -> None:
    world.label()
    review = opened(world)
    while review.phase == "check":
        world.answer(review, 1)
    before = review.status()
    unseen = {review.population.ids[row] for row in review._looking.found.accepted.tolist()}  # type: ignore[union-attr]
    image = review.next()
    assert image is not None
    items = [one.item for one in image.others if f"{image.image}#{one.item}" in unseen]
    assert len(items) > 1
    with pytest.raises(InputError, match="does not stand"):
        review.look(image.image, [], [(9, None)])
    review.look(image.image, [], [(items[0], None), (items[1], Correction("tear", (1, 1, 9, 9)))])
    status = review.status()
    assert (status.kept, status.accepted, status.wrong_seen) == (before.kept, before.accepted - 2, 2)
    assert status.with_missed == 0
    assert status.rate_left < before.rate_left
    now = {one.item: one for one in world.catalog.annotations.current_objects("things", image=image.image)}
    assert items[0] not in now
    torn = now[items[1]]
    assert (torn.label, torn.state, torn.detail) == ("tear", "reviewed", {"box": [1, 1, 9, 9]})
    # What is searched for is what stands, not what the model has drawn.
    said = world.catalog.annotations.objects
    assert sum(one == image.image for one, _ in said("things")) == 3
    assert (image.image, "tear") in said("things", state="reviewed")
    assert not said("things", state="accepted")  # until the review has ended
    assert [hit.image for hit in world.catalog.text.search("tear")] == [image.image]
    assert review.undo() == image
    assert review.status().accepted == before.accepted
    review.look(image.image, [], [(items[0], None)])
    assert opened(world).status() == review.status()
    world.answer(review)
    certificate = review.certificate
    assert certificate is not None
    assert certificate.accepted == len(certificate.found.accepted) - 1
    assert "1 of the boxes that stand were called wrong" in certificate.claim_in_full
    path = Path(str(review.certificate_path))
    assert verify(path).problems == ()
    values = json.loads(path.read_text())
    for look in values["missed"]["answers"]:
        look["wrong"] = []
    path.write_text(json.dumps(values))
    assert not verify(path).ok


def test_too_many_wrong_ones_withdraw_what_was_kept(world: Any) -> None:
    world.label()
    review = opened(world)
    while review.phase == "check":
        world.answer(review, 1)
    while review.phase == "missed" and not review.status().withdrawn:
        card = review.next()
        if card is None:
            break
        review.look(card.image, [], [(one.item or 0, None) for one in card.others])
    status = review.status()
    assert status.withdrawn
    assert (status.kept, status.accepted, status.phase) == (0, 0, "missed")
    assert "nothing is proven any more" in status.advice
    review.undo()
    assert not review.status().withdrawn
    card = review.next()
    assert card is not None
    review.look(card.image, [], [(one.item or 0, None) for one in card.others])
    certificate = review.stop()
    assert certificate is not None
    assert "turned out wrong" in certificate.claim
    assert len(certificate.kept) == 0
    assert not [one for one in world.catalog.annotations.current_objects("things") if one.kept]
    assert verify(str(review.certificate_path)).problems == ()
