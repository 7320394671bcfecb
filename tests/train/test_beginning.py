"""Networks begin from the weights of an earlier run, whichever shape the embedded encoder had there."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from lucida.errors import InputError  # noqa: E402
from lucida.train.beginning import shape_of  # noqa: E402
from lucida.train.detect import models as detectors  # noqa: E402
from lucida.train.segment import models as segmenters  # noqa: E402
from lucida.train.standing import BEST  # noqa: E402
from lucida.tuning import checkpoint  # noqa: E402

pytestmark = pytest.mark.torch
CLASSES = ("cat", "dog")


@pytest.mark.parametrize("table", [detectors, segmenters])
@pytest.mark.parametrize("start", ["auto", "nothing"])
def test_the_weights_of_a_run_are_taken_over(tmp_path: Path, table, start: str):
    # The shipped encoder has no norms any more: a network built with norms takes other weights, or none.
    first = table.build("embedded", CLASSES, start).network
    checkpoint.save(tmp_path / BEST, {"network": first.state_dict()}, {})
    again = table.build("embedded", CLASSES, shape_of("embedded", tmp_path)).network
    again.load_state_dict(first.state_dict())
    begun = table.build("embedded", (*CLASSES, "fox"), str(tmp_path))
    known, wanted = begun.network.state_dict(), first.state_dict()
    assert begun.start == str(tmp_path)
    same = [name for name in wanted if name in known and known[name].shape == wanted[name].shape]
    assert len(same) > 0.8 * len(wanted)
    assert all(torch.equal(known[name], wanted[name]) for name in same)


def test_a_run_without_weights_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="no weights to begin from"):
        shape_of("embedded", tmp_path)
    assert shape_of("unet", tmp_path) == "nothing"
