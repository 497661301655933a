"""Places for what may take long: bounded in all, and for each name."""

import threading

from paygo.places import Places


def test_one_name_has_its_share_alone():
    places = Places(3, each=2)

    assert [places.take("a"), places.take("a"), places.take("a"), places.take("b")] == [
        True,
        True,
        False,
        True,
    ]


def test_all_names_together_have_no_more_than_there_are():
    places = Places(2, each=2)

    assert [places.take(each) for each in "abc"] == [True, True, False]


def test_a_place_that_is_given_back_is_for_who_waits():
    places, found = Places(1, each=1), []
    assert places.take("a")
    waiter = threading.Thread(target=lambda: found.append(places.take("a", wait_seconds=30)))
    waiter.start()

    places.leave("a")
    waiter.join(30)

    assert found == [True]
