"""A server that is killed in the middle of a job the first time, and goes on with it the second time."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from lucida.catalog import Catalog
from lucida.serve.application import build
from lucida.serve.config import Settings
from lucida.serve.desk import Desk
from lucida.serve.served import Shelf
from served_models import boxes, ready, told


def answered(folder: Path, log: Path) -> dict[str, Any]:
    """Return what came of the only job on a catalog; it is sent if there is none.

    Args:
        folder: The catalog; the images of the job lie beside it.
        log: To which the numbers of all images that are looked at are appended.
    """

    def answer(number: int) -> Any:
        # Each model is shown a grey image once before it serves.
        if number != 127:
            with log.open("a") as file:
                file.write(f"{number} ")
            if log.read_text().split()[-2:] == ["20", "30"]:
                os.kill(os.getpid(), signal.SIGKILL)
        return boxes(0)

    with Catalog.open(folder) as catalog:
        desk = Desk(Shelf([told("detect", ("bolt", "nut"), answer, "bolts")]), Settings(workers=1), catalog)
        with TestClient(build(desk), base_url="http://localhost") as client:
            ready(client)
            jobs = client.get("/v1/jobs").json()["data"]
            if not jobs:
                images = [("image", path.read_bytes()) for path in sorted(folder.parent.glob("*.png"))]
                jobs = [client.post("/v1/jobs", files=images, data={"task": "detect"}).json()]
            client.get(f"/v1/jobs/{jobs[0]['id']}/events")
            return dict(json.loads(client.get(f"/v1/jobs/{jobs[0]['id']}/result").text))


if __name__ == "__main__":
    answered(Path(sys.argv[1]), Path(sys.argv[2]))
