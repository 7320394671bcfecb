import pickle

import pytest

from lucida import errors
from lucida.errors import InputError, LucidaError, MissingExtra, UnknownName


def test_message_holds_the_four_parts_in_order():
    error = InputError("It broke.", expected="a whole one", got="two halves", hint="glue")
    assert str(error).splitlines() == ["It broke.", "  expected: a whole one", "  got: two halves", "  try: glue"]


def test_empty_parts_leave_no_line():
    assert str(LucidaError("It broke.", hint="glue")).splitlines() == ["It broke.", "  try: glue"]


def test_a_line_for_lists_says_what_came_and_what_was_expected():
    error = InputError("It has too many pixels.", expected="at most 9", got="4 x 4", hint="less")
    assert error.line() == "It has too many pixels (4 x 4; expected at most 9)."
    assert LucidaError("It broke.", hint="glue").line() == "It broke."


def test_every_error_is_caught_by_the_root_and_stands_in_the_tree():
    classes = [c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, Exception)]
    assert len(classes) > 5
    for kind in classes:
        assert issubclass(kind, LucidaError)
        assert kind.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize(
    "error",
    [
        InputError("a", expected="b", got="c", hint="d"),
        UnknownName("class", "drss", ["dress", "hat"]),
        MissingExtra("sklearn", "demo", "The demo"),
    ],
)
def test_errors_survive_a_process_boundary(error):
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - what multiprocessing does, on our own object
    assert type(again) is type(error)
    assert again.to_json() == error.to_json()


def test_unknown_name_tells_the_nearest():
    error = UnknownName("class", "Drss", ["hat", "Dress", "shoes"])
    assert "'Dress'" in error.hint
    assert error.got == "'Drss'"


def test_unknown_name_without_a_near_one_still_lists_what_there_is():
    error = UnknownName("class", "qqqq", ["hat", "dress"])
    assert "did you mean" not in error.hint
    assert "hat" in error.expected


def test_missing_extra_names_the_install_command():
    error = MissingExtra("sklearn", "demo", "The demo")
    assert 'pip install "camera-lucida[demo]"' in str(error)
    assert isinstance(error, ImportError)
