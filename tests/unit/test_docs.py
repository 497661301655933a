"""Pages that are made from the code are made from today's code."""

from django.conf import settings

from paygo.management.commands.drawstates import draw


def test_the_page_of_states_is_drawn_from_the_transition_dicts():
    page = settings.BASE_DIR / "docs" / "states.md"

    assert page.read_text() == draw()
