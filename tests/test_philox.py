"""Philox 4x32-10 against Random123's published known answers, and against its own promises."""

import numpy as np
import pytest

from fastmlp.reference.philox import philox, split64, uniform


def words(text):
    return np.array([int(word, 16) for word in text.split()], np.uint32)


KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


@pytest.mark.parametrize("counter, key, answer", KNOWN_ANSWERS)
def test_known_answers(counter, key, answer):
    result = philox(words(counter), words(key))
    assert result.dtype == np.uint32
    np.testing.assert_array_equal(result, words(answer))


def test_many_counters_at_once_give_what_each_gives_alone():
    counters = np.arange(2 * 3 * 5 * 4, dtype=np.uint32).reshape(2, 3, 5, 4) * np.uint32(0x01234567)
    together = philox(counters, (7, 11))
    assert together.shape == counters.shape
    for place in np.ndindex(2, 3, 5):
        np.testing.assert_array_equal(together[place], philox(counters[place], (7, 11)))


def test_no_counters_give_no_words():
    assert philox(np.empty((0, 4), np.uint32), (0, 0)).shape == (0, 4)


def test_the_counter_is_left_alone():
    counter = words(KNOWN_ANSWERS[2][0])
    before = counter.copy()
    philox(counter, (1, 2))
    np.testing.assert_array_equal(counter, before)


def test_split64():
    assert split64(0x0123456789ABCDEF) == (0x89ABCDEF, 0x01234567)


def test_uniform_is_exact_and_below_one():
    edges = np.array([0, 1, 255, 256, 2**31, 2**32 - 1], np.uint32)
    single, double = uniform(edges), uniform(edges, np.float64)
    assert single.dtype == np.float32 and double.dtype == np.float64
    assert single.tolist() == [0, 0, 0, 2.0**-24, 0.5, 1 - 2.0**-24]
    assert double.tolist() == [0, 2.0**-32, 255 * 2.0**-32, 2.0**-24, 0.5, 1 - 2.0**-32]


def test_uniform_of_another_dtype_is_refused():
    with pytest.raises(ValueError, match="float16"):
        uniform(np.zeros(1, np.uint32), "float16")
