"""The addresses of the service, its limits, and whom it answers."""

import asyncio
import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from soc_assets.errors import SocError
from soc_assets.mapping.registered import Registered
from soc_assets.serving.hosts import is_local
from soc_assets.serving.service.batches import Batches
from soc_assets.serving.service.page import page_of
from soc_assets.serving.service.places import RefusedError, cells_of, places_of
from soc_assets.serving.service.schema import PREDICTION, REQUEST, described

if TYPE_CHECKING:
    from fastapi import FastAPI, Request, Response

_log = logging.getLogger(__name__)
MOST_BYTES = 4 * 2**20
"""Of a request's body."""
_HEADERS = {"cache-control": "no-store", "x-content-type-options": "nosniff", "referrer-policy": "no-referrer"}
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_INTERNAL = "The service has failed; its log says why."


@dataclass(frozen=True)
class Service:
    """What is served.

    Attributes:
        registered: the model.
        card: its model card, Markdown; "" without one.
        batches: predict the cells of `places.cells_of`.
        token: what a request must carry as `Authorization: Bearer ...`; None asks for none.
        local: whether it listens on this machine's own address only, and so answers under no other name.
    """

    registered: Registered
    card: str
    batches: Batches
    token: str | None = None
    local: bool = True


def make_api(service: Service) -> "FastAPI":
    """The application, for uvicorn."""
    from fastapi import FastAPI, Request
    from fastapi.responses import HTMLResponse, JSONResponse

    app = FastAPI(title="Soil organic carbon", version=service.registered.version, docs_url=None, redoc_url=None)

    @app.middleware("http")
    async def guard(request: Request, answer: "Callable[[Request], Awaitable[Response]]") -> "Response":
        try:
            _require_known(service, request)
            response = await answer(request)
        except RefusedError as error:
            response = JSONResponse({"error": str(error)}, status_code=error.status)
        except Exception:
            _log.exception("a request for %s failed", request.url.path)
            response = JSONResponse({"error": _INTERNAL}, status_code=500)
        response.headers.update(_HEADERS)
        return response

    @app.post("/predict", openapi_extra=REQUEST, responses={200: PREDICTION}, summary="Organic carbon at places")
    async def predict(request: Request) -> JSONResponse:
        try:
            places = places_of(await _json(request))
            cells = await asyncio.to_thread(cells_of, places)
            found = await asyncio.wrap_future(service.batches.ask(cells)) if places else pd.DataFrame()
        except SocError as error:
            return JSONResponse({"error": str(error)}, status_code=500)
        return JSONResponse({**_model(service), "predictions": answers_of(found)})

    @app.get("/health", summary="Whether the service is there")
    async def health() -> dict[str, Any]:
        return {"status": "ok", "model": service.registered.uri}

    @app.get("/model", summary="What predicts: the model's version, its card")
    async def model() -> dict[str, Any]:
        registered = service.registered
        facts = {"recipe": registered.recipe, "features": registered.features, "weights": registered.weights}
        return {**_model(service), **facts, "embedding_spec": registered.spec, "card": service.card}

    @app.get("/docs", response_class=HTMLResponse, summary="This page")
    async def docs(request: Request) -> HTMLResponse:
        page = page_of(app.openapi(), str(request.base_url).rstrip("/"))
        return HTMLResponse(page, headers={"content-security-policy": _POLICY})

    described(app)
    return app


def _model(service: Service) -> dict[str, Any]:
    return {"model": service.registered.uri, "unit": "g/kg", "level": service.registered.level}


def answers_of(found: pd.DataFrame) -> list[dict[str, Any]]:
    """Predictions as JSON: null where there is none."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in found.astype(object).to_dict("records")
    ]


async def _json(request: "Request") -> Any:
    """The body of a request.

    Raises:
        RefusedError: it is too large, not declared as JSON, or not JSON.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError(415, "The body must be JSON, with the header content-type: application/json.")
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > MOST_BYTES:
            raise RefusedError(413, f"The body is larger than {MOST_BYTES // 2**20} MB. Send the places in parts.")
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"The body is not JSON: {error}.") from error


def _require_known(service: Service, request: "Request") -> None:
    """A page elsewhere must not reach a service of this machine, nor a stranger one that listens to all.

    Raises:
        RefusedError: another host's name, or a wrong token.
    """
    if service.local and not is_local(request.headers.get("host", "")):
        raise RefusedError(421, "This service answers only as 127.0.0.1 or localhost.")
    if service.token is None:
        return
    kind, _, given = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), service.token.encode()):
        raise RefusedError(401, "The header authorization: Bearer TOKEN is missing, or the token is wrong.")
