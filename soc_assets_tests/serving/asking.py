"""Asking the page's application without a server or a socket."""

import asyncio
import json
import math
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from soc_assets.project import Project
from soc_assets.serving.app import make_app
from soc_assets.serving.state import State
from soc_assets_tests.small_world import coordinates_of_pixels, reference_grid


@dataclass(frozen=True)
class Answer:
    """What the application answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Asked:
    """An ASGI application that is asked."""

    def __init__(self, app: Any) -> None:
        self.app = app

    def ask(self, path: str, **how: Any) -> Answer:
        """As `answer`, for tests that are not coroutines."""
        return asyncio.run(self.answer(path, **how))

    async def answer(
        self,
        path: str,
        host: str = "127.0.0.1:3001",
        method: str = "GET",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        **query: object,
    ) -> Answer:
        said: list[dict[str, Any]] = []
        given = [(key.encode(), value.encode()) for key, value in {"host": host, **(headers or {})}.items()]
        scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http"}
        scope |= {"path": path, "raw_path": path.encode(), "root_path": "", "query_string": urlencode(query).encode()}
        scope |= {"headers": given, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 3001)}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            said.append(message)

        await self.app(scope, receive, send)
        found = {key.decode(): value.decode() for key, value in said[0]["headers"]}
        return Answer(said[0]["status"], found, b"".join(message.get("body", b"") for message in said[1:]))


class Page(Asked):
    """The application of a project's page."""

    def __init__(self, project: Project) -> None:
        super().__init__(make_app(State(project)))


def address_of(zoom: int, row: int = 0, column: int = 0) -> tuple[int, int, int]:
    """Zoom, column and row of the tile that a pixel of the small world lies in."""
    longitude, latitude = coordinates_of_pixels([row], [column], reference_grid())
    north = math.asinh(math.tan(math.radians(latitude[0])))
    across, down = (longitude[0] + 180) / 360, (1 - north / math.pi) / 2
    return zoom, int(across * 2**zoom), int(down * 2**zoom)
