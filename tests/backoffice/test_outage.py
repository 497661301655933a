"""The back office while the database is away: a page that says so, and no fault of the program."""

import logging
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from core.models import User


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("path", ["/admin/", "/admin/core/user/"])
def test_the_admin_says_that_the_database_is_away(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(User.objects.create_superuser("otto"))
    connection.close()

    with monkeypatch.context() as away:
        # Nobody listens there.
        away.setitem(connection.settings_dict, "PORT", "1")
        answer: Any = browser.get(path)

    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "The database cannot be asked" in answer.content.decode()
    assert not [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert browser.get(path).status_code == 200
