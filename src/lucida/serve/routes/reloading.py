"""POST /v1/models/NAME/reload."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from lucida.errors import InputError
from lucida.serve.keys import NoKeys
from lucida.serve.refusal import Refused
from lucida.serve.routes.tasks import REFUSALS, refuse

if TYPE_CHECKING:
    from lucida.serve.desk import Desk
    from lucida.serve.reloading import Reloader

SCOPE = "admin"


class ReloadAnswer(BaseModel):
    """What became of a model."""

    model: str
    before: str = Field(description="Revision that was served.")
    revision: str = Field(description="Revision that is served now.")
    changed: bool
    seconds: float = Field(description="That the loading took; requests were served all the time.")


def add_routes(router: APIRouter, desk: Desk, reloader: Reloader) -> None:
    """Add the address."""

    @router.post(
        "/v1/models/{name:path}/reload",
        operation_id="reload",
        summary="Serve a model as its files are now; no request is lost, and if it fails nothing changes.",
        response_model=ReloadAnswer,
        responses={status: REFUSALS[status] for status in (401, 403, 404, 421, 422, 429, 503)},
    )
    async def reload(request: Request, name: str) -> Any:
        told = request.state.told
        told["service"] = "reload"
        try:
            _admit(desk, request, name)
            if desk.settings.processes > 1:
                raise _several()
            done = await reloader.reload(name)
            told["model"] = done.model
            return done.to_json()
        except Exception as error:
            return refuse(request, error)


def _several() -> InputError:
    return InputError(
        "Several processes serve, and this is only one of them.",
        expected="a reload of all of them",
        got="a request, which one answers",
        hint="send SIGHUP to the process that started them: kill -HUP PID",
    )


def _admit(desk: Desk, request: Request, name: str) -> None:
    """Refuse whoever may not.

    Raises:
        Refused: 401 or 403.
    """
    if isinstance(desk.keys, NoKeys) and not desk.settings.local:
        error = InputError(
            "Strangers may not reload a model.",
            expected="a server on 127.0.0.1, or one with keys",
            got=f"--host {desk.settings.host} and no keys",
            hint="--make-key NAME --scopes admin makes one; or send the process SIGHUP",
        )
        raise Refused(403, error)
    desk.keys.admit(request.headers.get("authorization", ""), SCOPE).check(SCOPE, name)
