"""What the log says of pages: never what opens one."""

import logging

import pytest
from structlog.stdlib import ProcessorFormatter

from paygo import logs
from tests.api.world import PERMISSIONS, Api, create
from tests.pages.visiting import Visitor

pytestmark = pytest.mark.usefixtures("node")

TOKEN = "Tk3-_" * 8


@pytest.fixture
def formatter() -> ProcessorFormatter:
    """As the handler of `LOGGING` has it."""
    options = {**logs.configured(level="INFO")["formatters"]["json"]}
    made: ProcessorFormatter = options.pop("()")(**options)
    return made


def test_a_form_without_its_cookie_is_logged_without_the_links_token(
    vera: Api, caplog: pytest.LogCaptureFixture, formatter: ProcessorFormatter
):
    path = f"{PERMISSIONS}/{create(vera)['permission_id']}/payer_links"
    url = vera.post(path).body["payer_url"]
    token = url.rsplit("/", 1)[-1]

    answer = Visitor().post(url)

    lines = [formatter.format(each) for each in caplog.records]
    assert answer.status_code == 403
    assert any("CSRF" in each and "/payer/open/..." in each for each in lines)
    assert not any(token in each for each in lines)


@pytest.mark.parametrize("path", ["checkout/{}/state", "demo/{}", "payer/open/{}", "mail/stop/{}"])
def test_a_fault_is_logged_without_the_links_token(
    path: str, caplog: pytest.LogCaptureFixture, formatter: ProcessorFormatter
):
    path = path.format(TOKEN)
    try:
        raise LookupError(f"nothing at /{path}")
    except LookupError:
        logging.getLogger("django.request").exception("Internal Server Error: /%s", path)

    (line,) = [formatter.format(each) for each in caplog.records]

    assert TOKEN not in line
    assert "LookupError" in line
