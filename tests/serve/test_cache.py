"""Answers that are kept: bounded in bytes, the least recently used go first."""

from __future__ import annotations

from lucida.serve.cache import OVERHEAD, Cache, key_of


def test_the_oldest_go_first() -> None:
    cache = Cache(3 * (OVERHEAD + 10))
    for name in (b"a", b"b", b"c"):
        cache.keep(name, bytes(10))
    assert cache.get(b"a") == bytes(10)
    cache.keep(b"d", bytes(10))
    assert (cache.get(b"b"), cache.get(b"a"), len(cache)) == (None, bytes(10), 3)
    cache.keep(b"a", bytes(OVERHEAD))
    assert cache.bytes <= cache.most
    cache.keep(b"e", bytes(cache.most))
    assert cache.get(b"e") is None
    assert (cache.hits, cache.misses) == (2, 2)


def test_nothing_is_kept_where_nothing_may_be() -> None:
    cache = Cache(0)
    cache.keep(b"a", b"")
    assert (len(cache), cache.bytes) == (0, 0)


def test_a_key_tells_images_models_and_wishes_apart() -> None:
    keys = {
        key_of(image, model, wish)
        for image in ("1", "2")
        for model in ("a@1", "a@2")
        for wish in ({"task": "tag"}, {"task": "tag", "least": 0.5})
    }
    assert len(keys) == 8
