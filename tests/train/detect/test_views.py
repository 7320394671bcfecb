"""Views: boxes stay on their objects whatever is done to the image."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from lucida.train.detect.views import AMOUNTS, View, Views, join  # noqa: E402

pytestmark = pytest.mark.torch


def rectangle(height: int = 90, width: int = 120, box=(30, 20, 70, 40), label: int = 1) -> View:
    image = torch.zeros(3, height, width, dtype=torch.uint8)
    left, top, right, bottom = box
    image[:, top:bottom, left:right] = 255
    return View(image, torch.tensor([box], dtype=torch.float32), torch.tensor([label]))


def bright(image) -> list[float]:
    rows, columns = (image[0] > 190).nonzero(as_tuple=True)
    return [float(v) for v in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)]


@pytest.mark.parametrize("strength", AMOUNTS)
def test_a_box_lies_on_its_object_in_every_view(strength: str):
    torch.manual_seed(0)
    views = Views(96, 128, 128, strength)
    seen = 0
    for _ in range(30):
        view = views.one(rectangle())
        assert view.image.shape == (3, 96, 128)
        assert view.image.dtype == torch.uint8
        assert len(view.boxes) == len(view.labels)
        if len(view.boxes):
            seen += 1
            assert view.boxes[0].tolist() == pytest.approx(bright(view.image), abs=2)
    assert seen > 15


def test_strong_views_are_turned_and_others_are_upright():
    torch.manual_seed(0)
    tall = {
        strength: any(
            float(box[3] - box[1]) > float(box[2] - box[0])
            for box in (Views(128, 128, 128, strength).one(rectangle()).boxes.flatten() for _ in range(20))
            if len(box)
        )
        for strength in ("medium", "strong")
    }
    assert tall == {"medium": False, "strong": True}


def test_without_changes_an_image_is_only_laid_on_grey():
    view = Views(128, 128, 120, "none").one(rectangle())
    left, top, right, bottom = bright(view.image)
    assert view.boxes.tolist() == [[left, top, right, bottom]]
    assert (right - left, bottom - top) == (40, 20)
    assert (view.image == 127).sum() == 3 * (128 * 128 - 90 * 120)


def test_four_images_make_one_each_object_in_its_corner():
    torch.manual_seed(1)
    four = [rectangle(96, 128, (40, 30, 90, 70), label) for label in range(4)]
    view = join(four)
    assert view.image.shape == (3, 96, 128)
    for box in view.boxes.round().int().tolist():
        left, top, right, bottom = box
        assert (view.image[:, top:bottom, left:right] == 255).all()


def test_an_object_of_which_little_is_left_is_none():
    # Whole images of 300 are cut to 64: most objects are lost, and none is kept that is hardly seen.
    torch.manual_seed(0)
    views = Views(64, 64, 300, "none")
    for _ in range(30):
        view = views.one(rectangle(300, 300, (100, 100, 130, 130)))
        if len(view.boxes):
            left, top, right, bottom = view.boxes[0].tolist()
            assert (right - left) * (bottom - top) > 0.3 * 900


def test_images_without_objects_have_views():
    empty = View(torch.zeros(3, 50, 60, dtype=torch.uint8), torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    view = Views(64, 64, 64, "strong")(empty, lambda: empty)
    assert view.boxes.shape == (0, 4)
    assert view.labels.shape == (0,)


def test_the_same_seed_gives_the_same_view():
    views = Views(96, 128, 128, "strong")

    def draw(seed: int):
        torch.manual_seed(seed)
        return views(rectangle(), rectangle)

    assert torch.equal(draw(3).image, draw(3).image)
    assert torch.equal(draw(3).boxes, draw(3).boxes)
    assert not torch.equal(draw(3).image, draw(4).image)
