import random
from collections import Counter, defaultdict
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucida.data.splits import Share, assign, parse
from lucida.errors import InputError

THREE = parse("train=0.8,validation=0.1,test=0.1")


def test_shares_are_read_exactly() -> None:
    assert [Share("train", Fraction(4, 5)), Share("test", Fraction(1, 5))] == parse(" train = 80% , test=20")
    assert [s.share for s in parse("a=0.333,b=0.333,c=0.333")] == [Fraction(1, 3)] * 3


@pytest.mark.parametrize(
    "text",
    ["", "train", "train=", "train=x", "train=0.8,test=0.1", "a=0.5,a=0.5", "a=1,b=0", "a=-1,b=2", "a/b=1", "a=1/0"],
)
def test_what_cannot_be_read_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(text)
    assert "--splits train=0.8" in caught.value.hint


def test_ten_of_each_class_give_eight_one_one() -> None:
    ids = [f"{i:064x}" for i in range(200)]
    labels = [f"class {i % 20}" for i in range(200)]
    found = assign(ids, labels, list(range(200)), THREE)
    assert Counter(found) == {"train": 160, "validation": 20, "test": 20}
    by_class = Counter(zip(labels, found, strict=True))
    assert {by_class[label, "train"] for label in labels} == {8}
    assert {by_class[label, "test"] for label in labels} == {1}


def test_few_images_of_many_classes_still_reach_every_split() -> None:
    labels = [f"class {i % 200}" for i in range(600)]
    found = assign([f"{i:064x}" for i in range(600)], labels, list(range(600)), THREE)
    assert Counter(found) == {"train": 480, "validation": 60, "test": 60}


POPULATIONS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=1, max_size=80)


@given(POPULATIONS, st.integers(0, 3), st.sampled_from(["a=1", "a=0.5,b=0.5", "a=0.8,b=0.1,c=0.1", "a=90,b=10"]))
def test_groups_stay_together_and_the_shares_are_kept(population: list[tuple[str, int]], seed: int, text: str) -> None:
    shares = parse(text)
    labels, groups = [label for label, _ in population], [group for _, group in population]
    found = assign([f"{i:064x}" for i in range(len(population))], labels, groups, shares, seed=seed)
    by_group = defaultdict(set)
    for group, split in zip(groups, found, strict=True):
        by_group[group].add(split)
    assert all(len(splits) == 1 for splits in by_group.values())
    largest = max(Counter(groups).values())
    for share in shares:
        excess = found.count(share.name) - share.share * len(population)
        assert -largest * (len(shares) - 1) < excess < largest or excess == 0


@given(POPULATIONS, st.randoms(use_true_random=False))
def test_the_order_of_the_images_changes_nothing(population: list[tuple[str, int]], shuffle: random.Random) -> None:
    ids = [f"{i:064x}" for i in range(len(population))]
    labels, groups = [label for label, _ in population], [group for _, group in population]
    before = dict(zip(ids, assign(ids, labels, groups, THREE), strict=True))
    order = list(range(len(ids)))
    shuffle.shuffle(order)
    again = assign([ids[i] for i in order], [labels[i] for i in order], [groups[i] for i in order], THREE)
    assert dict(zip([ids[i] for i in order], again, strict=True)) == before


def test_another_seed_gives_another_division() -> None:
    ids = [f"{i:064x}" for i in range(100)]
    first, same, other = (assign(ids, ["x"] * 100, range(100), THREE, seed=s) for s in (1, 1, 2))
    assert first == same != other
