"""Who may do what: every route, called by nobody, with another scope, by another client, with the right key.

`PAYGO_RECORD_EXAMPLES=1` (`make api`) keeps what Vera is answered as the examples of the OpenAPI document.
"""

from typing import Any

import pytest

from paygo.api import keys
from tests.api import matrix, recording
from tests.api.matrix import BODIES, FOREIGN, OWN, SHARED, Route, World
from tests.api.world import Api, make_api
from zcash.node.rpc import RpcClient

ROUTES = list(matrix.routes())
GUARDED = [route for route in ROUTES if route.scope is not None]
HOW = "add it to tests/api/matrix.py"


def named(route: Route) -> str:
    return route.name


@pytest.fixture
def world(vera: Api, node: RpcClient) -> World:
    return matrix.build(vera, node)


def call(api: Api, route: Route, world: World) -> Any:
    body = matrix.body_of(route, world)
    return api.get(world.path(route)) if route.method == "GET" else api.post(world.path(route), body)


def key_with(world: World, *scopes: str) -> Api:
    """Return Vera with another key."""
    from core import clock

    user = world.vera.user
    assert user is not None
    return Api(user, keys.create(user, name="matrix", now=clock.now(), scopes=scopes))


@pytest.mark.parametrize("route", GUARDED, ids=named)
def test_only_its_owner_with_the_right_key_gets_in(route: Route, world: World) -> None:
    assert route.method == "GET" or route.name in BODIES, f"{route.name} takes a body: {HOW}"
    assert set(route.parameters) <= set(world.in_path), f"{route.name} has an unknown part: {HOW}"
    assert route.scope is not None
    before = matrix.state_of(world.vera.client_id)

    nobody = call(Api(), route, world)
    assert (nobody.status, nobody.code) == (401, "authentication_required")

    others = [scope for scope in keys.SCOPES if scope != route.scope]
    without = call(key_with(world, *others), route, world)
    assert (without.status, without.code) == (403, "insufficient_scope")

    _mallory_sees_nothing(route, world)
    assert matrix.state_of(world.vera.client_id) == before or route.name in SHARED

    own = call(key_with(world, route.scope), route, world)
    assert own.status in ([OWN[route.name]] if route.name in OWN else [200, 201, 202]), own.body
    recording.note(route, body=matrix.body_of(route, world), answer=own)


def _mallory_sees_nothing(route: Route, world: World) -> None:
    told = f"{world.path(route)} {matrix.body_of(route, world)}"
    answer = call(make_api("mallory"), route, world)
    expected = FOREIGN.get(route.name) or (404 if matrix.is_about_vera(route, world) else None)
    assert answer.status in ([expected] if expected else [200, 201, 202]), answer.body
    assert {each for each in world.secrets(told=told) if each in str(answer.body)} == set()


@pytest.mark.parametrize("route", [route for route in ROUTES if route.scope is None], ids=named)
def test_what_needs_no_key_tells_nothing_of_anybody(route: Route, world: World, nobody: Api) -> None:
    answer = nobody.get(world.path(route))

    assert answer.status == 200
    # The examples of the OpenAPI document are of this very world, in which ids are new each time.
    assert {each for each in world.secrets(told="veras-own") if each in str(answer.body)} == set()
    if "/v1/" in world.path(route):
        recording.note(route, body=None, answer=answer)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", sorted({route.path for route in GUARDED}))
def test_knows_no_other_method(path: str, method: str, vera: Api) -> None:
    if any(route.path == path and route.method == method for route in ROUTES):
        return
    answer = vera.call(method, "/api/" + path.replace("<str:", "").replace(">", ""))

    assert (answer.status, answer.code) == (405, "method_not_allowed")


def test_every_method_has_a_scope() -> None:
    assert matrix.unscoped() == []
    assert {route.scope for route in GUARDED} <= set(keys.SCOPES)


def test_the_table_names_no_route_that_is_gone() -> None:
    assert {*BODIES, *FOREIGN, *OWN, *SHARED} <= {route.name for route in ROUTES}
