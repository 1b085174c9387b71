"""The server of the page: what each address answers, and to whom.

A request names maps and rasters by what was found on disk; no text of it becomes a path. Answers forbid the browser
everything but this server, and requests by another host's name are refused: a page elsewhere cannot reach this one.
"""

import math
from collections.abc import Callable
from importlib import resources
from typing import TYPE_CHECKING, Any

from soc_assets.errors import SocError
from soc_assets.serving import content, place, rasters, relief
from soc_assets.serving.colours import NOTHING, Picture
from soc_assets.serving.hosts import is_local
from soc_assets.serving.layers import HATCHED, LAYERS, layers_of, render
from soc_assets.serving.maps import MapFolder
from soc_assets.serving.state import State
from soc_assets.serving.tiles import Tile

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "txt": "text/plain"}
STATIC = {
    "view.css": "view.css",
    "view.js": "view.js",
    "live.js": "live.js",
    "leaflet.js": "leaflet/leaflet.js",
    "leaflet.css": "leaflet/leaflet.css",
    "LICENSE.txt": "leaflet/LICENSE",
}
"""Files of the page by their name in the address."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
_FOREVER = "private, max-age=31536000, immutable"


def make_app(state: State) -> "Starlette":
    """The application, for uvicorn."""
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.routing import Route

    address = "{z:int}/{x:int}/{y:int}.png"
    routes = [
        Route("/", _answering(state, _page)),
        Route("/static/{name}", _answering(state, _static)),
        Route("/api/view", _answering(state, _view)),
        Route("/api/samples", _answering(state, _samples)),
        Route("/api/at", _answering(state, _at)),
        Route("/api/inputs", _answering(state, _inputs)),
        Route("/card/{model}/{period}.md", _answering(state, _card)),
        Route(f"/tiles/map/{{model}}/{{period}}/{{layer}}/{{stamp}}/{address}", _answering(state, _map_tile)),
        Route(f"/tiles/raster/{{key}}/{address}", _answering(state, _raster_tile)),
        Route(f"/tiles/relief/{{key}}/{address}", _answering(state, _relief_tile)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(_Guard)])


class _Guard:
    """Refuses requests under a strange host name, and adds the headers to every answer."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        from starlette.responses import PlainTextResponse

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                own = [(key.encode(), value.encode()) for key, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        if is_local(dict(scope["headers"]).get(b"host", b"").decode("latin-1")):
            await self.app(scope, receive, sending)
        else:
            refused = PlainTextResponse("This page answers only as 127.0.0.1 or localhost.\n", status_code=421)
            await refused(scope, receive, sending)


class _NotFoundError(Exception):
    """The address names nothing that is there."""


def _answering(state: State, answer: "Callable[[State, Request], Response]") -> "Callable[[Request], Response]":
    """A handler, in a thread: what is not there is 404, what the user can mend 500 with the message."""

    def handler(request: "Request") -> "Response":
        from starlette.responses import JSONResponse

        try:
            return answer(state, request)
        except _NotFoundError:
            return JSONResponse({"error": "There is nothing at this address."}, status_code=404)
        except SocError as error:
            return JSONResponse({"error": str(error)}, status_code=500)

    return handler


def static_file(name: str) -> bytes:
    """A file of the page."""
    return (resources.files("soc_assets.serving") / "static" / name).read_bytes()


def _page(state: State, request: "Request") -> "Response":
    return _file("index.html", "html")


def _static(state: State, request: "Request") -> "Response":
    name = request.path_params["name"]
    if name not in STATIC:
        raise _NotFoundError
    return _file(STATIC[name], name.rpartition(".")[2])


def _file(name: str, kind: str) -> "Response":
    from starlette.responses import Response

    return Response(
        static_file(name), media_type=f"{_TYPES[kind]}; charset=utf-8", headers={"cache-control": "no-cache"}
    )


def _view(state: State, request: "Request") -> "Response":
    maps, bands = state.maps(), state.rasters()
    terrain = rasters.terrain(bands.values(), state.project.settings.rasters.reference)
    return _json(
        {
            "project": state.project.root.name,
            "layers": content.layers(),
            "models": content.models(maps.values()),
            "rasters": content.rasters(bands.values()),
            "relief": terrain.key if terrain else None,
        }
    )


def _samples(state: State, request: "Request") -> "Response":
    return _json(content.samples(state.samples(_asked_map(state, request))))


def _at(state: State, request: "Request") -> "Response":
    found, here = _asked_map(state, request), _asked_place(request)
    return _json(place.values_at(found, *here) | {"nearest": place.nearest(state.samples(found), *here)})


def _inputs(state: State, request: "Request") -> "Response":
    return _json(place.inputs_at(state, _asked_map(state, request), *_asked_place(request)))


def _card(state: State, request: "Request") -> "Response":
    from starlette.responses import PlainTextResponse

    text = content.card(_map_of(state, request.path_params["model"], request.path_params["period"]))
    if text is None:
        raise _NotFoundError
    return PlainTextResponse(text, headers={"cache-control": "no-store"})


def _map_tile(state: State, request: "Request") -> "Response":
    model, period, layer = (request.path_params[name] for name in ("model", "period", "layer"))
    found = _map_of(state, model, period)
    own = [each.key for each in layers_of(found)]
    if not (layer in own or (layer == HATCHED and "quality" in own)):
        raise _NotFoundError
    span = state.spans(model).get(layer, (0.0, 1.0)) if layer in LAYERS else (0.0, 1.0)
    return _picture(render(found, layer, _asked_tile(request), span))


def _raster_tile(state: State, request: "Request") -> "Response":
    return _picture(rasters.render(_raster_of(state, request), _asked_tile(request)))


def _relief_tile(state: State, request: "Request") -> "Response":
    return _picture(relief.relief(_raster_of(state, request), _asked_tile(request)))


def _raster_of(state: State, request: "Request") -> rasters.RasterLayer:
    found = state.rasters().get(request.path_params["key"])
    if found is None:
        raise _NotFoundError
    return found


def _map_of(state: State, model: str, period: str) -> MapFolder:
    found = state.maps().get((model, period))
    if found is None:
        raise _NotFoundError
    return found


def _asked_map(state: State, request: "Request") -> MapFolder:
    return _map_of(state, request.query_params.get("model", ""), request.query_params.get("period", ""))


def _asked_place(request: "Request") -> tuple[float, float]:
    try:
        longitude, latitude = (float(request.query_params[name]) for name in ("longitude", "latitude"))
    except (KeyError, ValueError):
        raise _NotFoundError from None
    if not (math.isfinite(longitude) and abs(longitude) <= 180 and abs(latitude) <= 90):
        raise _NotFoundError
    return longitude, latitude


def _asked_tile(request: "Request") -> Tile:
    numbers = request.path_params
    tile = Tile.of(numbers["z"], numbers["x"], numbers["y"])
    if tile is None:
        raise _NotFoundError
    return tile


def _picture(picture: Picture | None) -> "Response":
    from starlette.responses import Response

    drawn = NOTHING if picture is None else picture
    return Response(drawn.png(), media_type="image/png", headers={"cache-control": _FOREVER})


def _json(values: Any) -> "Response":
    from starlette.responses import JSONResponse

    return JSONResponse(values, headers={"cache-control": "no-store"})
