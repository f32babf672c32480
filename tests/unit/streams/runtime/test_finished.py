"""A finished message is recognised when it is delivered again, and only then."""

from streams.runtime.finished import Finished

PLACE = ("topic", 3)


def test_a_message_is_recognised_once() -> None:
    finished = Finished(10)
    finished.remember(PLACE, 7, 1000)
    assert finished.forget(PLACE, 7, 1000)
    assert not finished.forget(PLACE, 7, 1000)


def test_the_same_offset_of_a_topic_made_anew_is_another_message() -> None:
    finished = Finished(10)
    finished.remember(PLACE, 7, 1000)
    assert not finished.forget(PLACE, 7, 2000)


def test_places_that_went_elsewhere_are_forgotten() -> None:
    finished = Finished(10)
    finished.remember(PLACE, 7, 1000)
    finished.keep_only({("topic", 4)})
    assert not finished.forget(PLACE, 7, 1000)


def test_the_oldest_are_forgotten_beyond_the_limit() -> None:
    finished = Finished(2)
    for offset in (5, 6, 7):
        finished.remember(PLACE, offset, 1)
    assert [finished.forget(PLACE, offset, 1) for offset in (5, 6, 7)] == [False, True, True]
