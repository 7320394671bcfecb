"""The Train page: how runs are read, its routes, and the page in a real browser."""

from __future__ import annotations

import base64
import json
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from lucida.catalog import Catalog
from lucida.errors import MissingExtra, ModelError, UnknownName
from lucida.models.registry import find
from lucida.studio import serve_studio
from lucida.studio.training import Training, site, speed
from lucida.studio.training.follow import Follower

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DAY = 86_400.0


def rows(steps: int, *, every: int = 10, best: float = 0.8) -> list[dict[str, Any]]:
    """Return what a training of so many steps writes: a speed of 20 images a second, an evaluation every 50 steps."""
    found: list[dict[str, Any]] = []
    for step in range(every, steps + 1, every):
        loss = 0.4 + math.exp(-step / 60)
        found.append({"step": step, "epoch": step / 100, "images_per_second": 20.0, "loss": loss})
        if step % 50 == 0:
            value = best - 0.4 * math.exp(-step / 50)
            found.append({"step": step, "validation/accuracy": value, "validation/loss": loss + 0.1})
    return found


def text(lines: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


class Runs:
    """Training runs in a catalog, made by hand."""

    def __init__(self, path: Path) -> None:
        self.catalog = Catalog.open(path, create=True)

    def add(
        self, model: str, steps: int, total: int = 200, *, finished: bool = False, best: float = 0.8, **more: Any
    ) -> Path:
        """Add a run of so many steps out of `total`; `more` are its settings."""
        parameters = {"task": "classify", "data": "photos/clothes", "digest": "d", "seed": 0, "rate": None, **more}
        run = self.catalog.runs.start("train", question="kind", model=model, parameters=parameters)
        folder = self.catalog.runs.folder(run.id)
        (folder / "config.json").write_text(json.dumps({"model": model, "classes": ["a", "b"], **parameters}))
        plan = {"batch": 16, "accumulate": 2, "rate": 0.001, "total": total, "round": 50, "notes": ["Found a rate."]}
        (folder / "plan.json").write_text(json.dumps(plan))
        (folder / "metrics.jsonl").write_text(text(rows(steps, best=best)))
        if finished:
            (folder / "model").mkdir()
            (folder / "model" / "model.onnx").write_bytes(bytes(2_000_000))
            result = {"metrics": {"accuracy": best, "loss": 0.5}, "images": 900, "validation": 100, "seconds": 331.0}
            (folder / "result.json").write_text(
                json.dumps({"steps": steps, "stopped": "the schedule is done", "notes": [], "skipped": 2, **result})
            )
            self.catalog.runs.finish(run.id)
        return folder

    def compress(self, parent: str, *, holds: bool = True) -> Path:
        """Add a smaller model of a run."""
        nth = {"nth": len(self.catalog.runs.all())}
        run = self.catalog.runs.start("compress", question="kind", model="mobilenet", parent=parent, parameters=nth)
        folder = self.catalog.runs.folder(run.id)
        torch = {"name": "PyTorch", "engine": "eager fp32", "bytes": 2_000_000, "alone": 20.0, "together": 50.0}
        before = {"name": "before", "engine": "OpenVINO fp32", "bytes": 2_000_000, "alone": 91.0, "together": 120.0}
        after = {"name": "after", "engine": "OpenVINO int8", "bytes": 510_000, "alone": 256.0, "together": 400.0}
        shares = [{"accuracy": 0.81, "low": 0.72, "high": 0.88}, {"accuracy": 0.8, "low": 0.71, "high": 0.87}]
        rows = [torch, *(row | share for row, share in zip((before, after), shares, strict=True))]
        result = {"run": run.id, "parent": parent, "made": "int8 <weights>", "rows": rows, "images": 100, "data": "d"}
        claim = {"claim": "No more than 2 % worse.", "holds": holds, "proven": 0.02, "certificate": "c.json"}
        (folder / "result.json").write_text(json.dumps({**result, **claim, "folder": str(folder), "notes": []}))
        self.catalog.runs.finish(run.id)
        return folder


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    """An empty catalog for training runs."""
    made = Runs(tmp_path / "catalog")
    yield made
    made.catalog.close()


def quiet_since(folder: Path, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a run have been silent for so long."""
    now = time.time()
    for path in folder.iterdir():
        os.utime(path, (now, now))
    monkeypatch.setattr("lucida.studio.training.runs.time", type("Clock", (), {"time": lambda: now + seconds}))


# ---- following a file ----------------------------------------------------------------------------------------------


def test_only_what_was_appended_is_read(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    follower = Follower(path)
    assert follower.look()
    assert follower.rows == []
    path.write_text('{"step": 1, "loss": 2.0}\n{"step": 2, "lo')
    follower.look()
    assert follower.rows == [{"step": 1, "loss": 2.0}]
    with path.open("a") as file:
        file.write('ss": 1.5}\n')
    before = follower.rows[0]
    follower.look()
    assert follower.rows[1] == {"step": 2, "loss": 1.5}
    assert follower.rows[0] is before
    assert follower.generation == 0


def test_a_run_that_goes_on_writes_its_rows_anew(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(text(rows(100)))
    follower = Follower(path)
    follower.look()
    # The journal of a run that goes on: fewer rows, written beside and put in place, then more than there were.
    partial = tmp_path / "metrics.partial"
    partial.write_text(text(rows(60, best=0.5)))
    partial.replace(path)
    with path.open("a") as file:
        file.write(text(rows(400)[15:]))
    follower.look()
    assert follower.generation == 1
    anew = rows(60, best=0.5)
    assert follower.rows == [*anew, *rows(400)[15:]]
    path.unlink()
    follower.look()
    assert follower.rows == []
    assert follower.generation == 2


def test_damaged_lines_are_counted_and_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    damaged = ["\x00\x00\x00", '{"step": ', "[1, 2]", '{"loss": 1}', '{"step": "3"}', '{"step": true}']
    good = ['{"step": 1, "loss": NaN, "word": "x"}', "", '{"step": 2, "loss": Infinity, "rate": 0.1}']
    path.write_text("\n".join([*damaged, *good]) + "\n")
    follower = Follower(path)
    follower.look()
    assert follower.damaged == len(damaged)
    assert follower.rows == [{"step": 1, "loss": None}, {"step": 2, "loss": None, "rate": 0.1}]


def test_a_long_file_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lucida.studio.training.follow.AT_ONCE", 500)
    path = tmp_path / "metrics.jsonl"
    path.write_text(text(rows(200)))
    follower = Follower(path)
    assert not follower.look()
    while not follower.look():
        pass
    assert follower.rows == rows(200)


# ---- what there is to see of a run ---------------------------------------------------------------------------------


def test_runs_are_listed_newest_first_with_what_came_of_them(runs: Runs) -> None:
    runs.add("mobilenet", 200, finished=True, best=0.8, tune="probe")
    runs.add("resnet", 110)
    runs.catalog.runs.start("label", question="kind", model="mobilenet")
    going, done = Training(runs.catalog).runs()
    assert (going["model"], done["model"]) == ("resnet", "mobilenet")
    assert done["state"] == "finished"
    assert (done["monitor"], done["best"]) == ("accuracy", 0.8)
    assert (done["images"], done["validation"], done["seconds"], done["skipped"]) == (900, 100, 331.0, 2)
    assert done["size"] == 2_000_000
    assert done["settings"] == {"tune": "probe", "seed": 0, "rate": 0.001, "batch": 16, "accumulate": 2}
    assert going["state"] == "running"
    assert (going["step"], going["total"]) == (110, 200)
    # The best evaluation so far, all of its metrics.
    assert going["best"] == pytest.approx(0.8 - 0.4 * math.exp(-2))
    assert set(going["metrics"]) == {"accuracy", "loss"}
    # 110 steps of 32 images at 20 images a second.
    assert going["seconds"] == pytest.approx(110 * 32 / 20)
    json.dumps([going, done], allow_nan=False)


def test_a_silent_run_counts_as_stopped(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runs.add("resnet", 110)
    training = Training(runs.catalog)
    quiet_since(folder, 30, monkeypatch)
    assert training.runs()[0]["state"] == "running"
    quiet_since(folder, 700, monkeypatch)
    assert training.runs()[0]["state"] == "stopped"


def test_before_its_first_row_a_run_may_be_silent_for_longer(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = runs.add("resnet", 0)
    quiet_since(folder, 400, monkeypatch)
    (run,) = Training(runs.catalog).runs()
    assert (run["state"], run["best"], run["seconds"]) == ("running", None, None)


def test_rows_come_in_order_and_from_where_the_page_stands(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "ROWS", 5)
    folder = runs.add("resnet", 100)
    training = Training(runs.catalog)
    first = training.rows(folder.name)
    assert (first["start"], len(first["rows"]), first["count"]) == (0, 5, 12)
    second = training.rows(folder.name, first["generation"], 5)
    assert (second["start"], second["rows"][0]["step"]) == (5, 50)
    # Rows of an evaluation have the time and the epoch of their step.
    evaluation = next(row for row in [*first["rows"], *second["rows"]] if "validation/accuracy" in row)
    assert (evaluation["seconds"], evaluation["epoch"]) == (pytest.approx(80.0), 0.5)
    assert training.rows(folder.name, 7, 10)["start"] == 0


@pytest.mark.parametrize("name", ["result.json", "plan.json"])
@pytest.mark.parametrize("content", ["", "{", "[1]", '{"metrics": 3, "batch": "x"}'])
def test_damaged_files_hide_no_run(runs: Runs, name: str, content: str) -> None:
    folder = runs.add("resnet", 100)
    (folder / name).write_text(content)
    (run,) = Training(runs.catalog).runs()
    assert run["best"] is not None
    json.dumps(run, allow_nan=False)


def test_a_folder_that_is_deleted_underneath(runs: Runs) -> None:
    folder = runs.add("resnet", 100, finished=True)
    training = Training(runs.catalog)
    assert training.runs()[0]["rows"] == 12
    shutil.rmtree(folder)
    (run,) = training.runs()
    assert (run["state"], run["rows"]) == ("gone", 0)
    assert training.rows(folder.name, 0, 12)["rows"] == []
    assert not folder.exists(), "looking makes nothing"


# ---- mistakes, as another module finds them ------------------------------------------------------------------------


def test_smaller_models_stand_beside_the_run_they_are_made_of(runs: Runs) -> None:
    first, second = runs.add("resnet", 200, finished=True), runs.add("mobilenet", 200, finished=True)
    made = runs.compress(first.name)
    runs.catalog.runs.start("compress", question="kind", model="resnet", parent=first.name)  # not finished
    damaged = runs.compress(first.name)
    (damaged / "result.json").write_text('{"run": 1}')
    newest, oldest = Training(runs.catalog).runs()
    assert (newest["run"], newest["compressed"]) == (second.name, [])
    (one,) = oldest["compressed"]
    assert (one["run"], one["holds"], one["claim"]) == (made.name, True, "No more than 2 % worse.")
    # PyTorch is no smaller model, and was not judged.
    assert [(row["name"], row["alone"], row["bytes"]) for row in one["rows"]] == [
        ("before", 91.0, 2_000_000),
        ("after", 256.0, 510_000),
    ]


def test_speed_is_measured_once_and_on_demand(runs: Runs) -> None:
    folder, asked = runs.add("resnet", 200, finished=True), []

    def measure(catalog: Catalog, run: str) -> dict[str, Any]:
        asked.append(run)
        return {"images_per_second": 91.5, "engine": "OpenVINO fp32"}

    training = Training(runs.catalog, measure=measure)
    assert training.runs()[0]["answers"] is None
    assert training.speed(folder.name) == training.speed(folder.name)
    assert asked == [folder.name]
    assert training.runs()[0]["answers"]["images_per_second"] == 91.5
    with pytest.raises(UnknownName):
        training.speed("train-0")


def test_the_speed_is_that_of_the_exported_model(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = {"coded": find("embedded"), "seen": find("blood-cells")}
    monkeypatch.setattr("lucida.models.registry.find", lambda name, home: shipped[name])
    for name in shipped:
        found = speed.inference_speed(runs.catalog, name)
        assert found["images_per_second"] > 0
        assert found["engine"]


def test_what_is_not_finished_has_no_speed(runs: Runs) -> None:
    folder = runs.add("resnet", 100)
    with pytest.raises(ModelError):
        Training(runs.catalog).speed(folder.name)


def test_the_median_counts_and_not_the_first_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    costs = iter([9.0, 0.25, 0.25, 5.0, 0.25, 0.25])

    def answer() -> None:
        now[0] += next(costs)

    monkeypatch.setattr(speed.time, "perf_counter", lambda: now[0])
    assert speed.timed(answer) == 4


class FakeExamined:
    """Five mistakes of a run."""

    def __init__(self, picture: Callable[[int], bytes]) -> None:
        self._picture = picture

    def to_json(self) -> dict[str, Any]:
        pairs = [("circle", "square"), ("circle", "square"), ("square", "<b>circle</b>"), ("triangle", "circle")]
        mistakes = [
            {"number": i, "name": f"photos/{i}.png", "truth": t, "found": f, "score": 0.95 - i / 10, "given": 0.03}
            for i, (t, f) in enumerate(pairs)
        ]
        metric = {"name": "accuracy", "value": 0.96, "low": 0.9, "high": 0.98, "n": 100, "interval": "wilson"}
        return {
            "images": 100, "count": 4, "exact": True, "metric": metric, "mistakes": mistakes, "notes": [],
            "explains": True,
        }  # fmt: skip

    def picture(self, number: int, side: int) -> tuple[bytes, str]:
        if number > 3:
            raise site.UnknownName("mistake", str(number), [])
        return self._picture(number), "image/png"

    def heat(self, number: int) -> dict[str, Any]:
        if number == 1:
            raise MissingExtra("torch", "train", "Explaining")
        return {"heat": self._address(number), "flat": False, "depends": number == 0}

    def nearest(self, number: int) -> dict[str, Any]:
        if number == 2:
            raise RuntimeError("out of memory")
        pictures = [self._address(number), self._address(number + 1), None]
        alike = [
            {"label": "square", "name": f"t{i}", "likeness": 0.9 - i, "picture": p} for i, p in enumerate(pictures)
        ]
        return {"nearest": alike}

    def _address(self, number: int) -> str:
        return "data:image/png;base64," + base64.b64encode(self._picture(number)).decode()


def ready(training: Training, run: str) -> dict[str, Any]:
    """Return the mistakes when they are known."""
    while (found := training.mistakes(run))["state"] == "working":
        threading.Event().wait(0.01)
    return found


def test_mistakes_are_looked_for_once_beside_everything_else(runs: Runs, shape: Any) -> None:
    folder = runs.add("resnet", 100, finished=True)
    go, asked = threading.Event(), []

    def examine(catalog: Catalog, run: str) -> FakeExamined:
        asked.append(run)
        go.wait(20)
        return FakeExamined(shape)

    training = Training(runs.catalog, examine=examine)
    assert training.mistakes(folder.name) == {"state": "working"}
    assert training.runs()[0]["state"] == "finished"
    go.set()
    assert ready(training, folder.name)["count"] == 4
    training.mistakes(folder.name)
    assert asked == [folder.name]
    assert training.picture(folder.name, 0, 100)[1] == "image/png"


def test_what_could_not_be_judged_is_said_and_tried_again(runs: Runs, shape: Any) -> None:
    folder = runs.add("resnet", 100, finished=True)
    errors: list[Exception] = [MissingExtra("torchmetrics", "train", "Evaluation"), KeyError("x")]

    def examine(catalog: Catalog, run: str) -> FakeExamined:
        if errors:
            raise errors.pop(0)
        return FakeExamined(shape)

    training = Training(runs.catalog, examine=examine)
    first = ready(training, folder.name)
    assert (first["state"], first["error"]["hint"]) == ("failed", 'pip install "camera-lucida[train]"')
    assert "KeyError" in ready(training, folder.name)["error"]["what"]
    assert ready(training, folder.name)["state"] == "ready"


# ---- routes --------------------------------------------------------------------------------------------------------


class Studio:
    """The studio being served in a thread."""

    def __init__(self, training: Training, **options: Any) -> None:
        urls: list[str] = []
        up, self.over = threading.Event(), threading.Event()

        def note(url: str) -> None:
            urls.append(url)
            up.set()

        options |= {"open_browser": False, "on_url": note, "until": self.over}
        self.thread = threading.Thread(target=lambda: serve_studio(training, **options), daemon=True)
        self.thread.start()
        assert up.wait(60)
        self.url, self.base = urls[0], urls[0].split("/?")[0]

    def client(self) -> httpx.Client:
        """Return a visitor that is let in."""
        found = httpx.Client(base_url=self.base, follow_redirects=False)
        assert found.get(self.url).status_code == 200
        return found

    def end(self) -> None:
        """End the server."""
        self.over.set()
        self.thread.join(30)
        assert not self.thread.is_alive()


@pytest.fixture
def training(runs: Runs, shape: Any) -> Training:
    """Three runs: one under way, one finished, one deleted."""
    shutil.rmtree(runs.add("vit", 10))
    runs.add("mobilenet <script>", 200, finished=True, tune="probe")
    runs.add("resnet", 100, best=0.7)

    def measure(catalog: Catalog, run: str) -> dict[str, Any]:
        return {"images_per_second": 91.5, "engine": "OpenVINO fp32"}

    return Training(runs.catalog, examine=lambda catalog, run: FakeExamined(shape), measure=measure)


@pytest.fixture
def studio(training: Training) -> Iterator[Studio]:
    """The studio of these three runs, served until the test is over."""
    served = Studio(training)
    yield served
    served.end()


def test_the_studio_begins_with_the_page_it_has(studio: Studio) -> None:
    visitor = studio.client()
    assert visitor.get("/").headers["location"] == "/train"
    page = visitor.get("/train").text
    assert 'href="/train" aria-current=page' in page
    assert 'href="/compare"' not in page
    assert "mobilenet <script>" not in page
    assert visitor.get("/api/review").status_code == 404
    assert httpx.get(f"{studio.base}/api/train").status_code == 403


def test_routes_answer_and_refuse(studio: Studio, training: Training) -> None:
    visitor = studio.client()
    listed = visitor.get("/api/train").json()["runs"]
    assert [run["state"] for run in listed] == ["running", "finished", "gone"]
    going, done = listed[0]["run"], listed[1]["run"]
    got = visitor.get(f"/api/train/{going}/rows", params={"generation": 0, "start": 10}).json()
    assert [row["step"] for row in got["rows"]] == [100, 100]
    assert visitor.get("/api/train/nobody/rows").status_code == 404
    assert visitor.get(f"/api/train/{going}/rows", params={"start": -1}).status_code == 422
    assert visitor.get("/api/train/nobody/mistakes").json()["error"]["error"] == "UnknownName"
    assert ready(training, done)["count"] == 4
    picture = visitor.get(f"/api/train/{done}/picture/0")
    assert picture.headers["content-type"] == "image/png"
    assert "sandbox" in picture.headers["content-security-policy"]
    assert visitor.get(f"/api/train/{done}/picture/9").status_code == 404
    assert visitor.get(f"/api/train/{done}/picture/0", params={"side": 90_000}).status_code == 422
    assert visitor.get(f"/api/train/{done}/mistakes/0/nearest").json()["nearest"][0]["label"] == "square"
    assert visitor.get(f"/api/train/{done}/mistakes/0/heat").json()["depends"] is True
    assert visitor.get(f"/api/train/{done}/mistakes/0/other").status_code == 422
    assert visitor.get(f"/api/train/{done}/speed").json()["images_per_second"] == 91.5
    assert visitor.get("/api/train/nobody/speed").status_code == 404
    for path, error in (("1/heat", "MissingExtra"), ("2/nearest", "ModelError")):
        refused = visitor.get(f"/api/train/{done}/mistakes/{path}")
        assert (refused.status_code, refused.json()["error"]["error"]) == (422, error)


def test_beside_differences_it_is_one_more_place(training: Training, differences: Any) -> None:
    served = Studio(training, differences=differences)
    visitor = served.client()
    page = visitor.get("/train").text
    assert page.index('href="/compare"') < page.index('href="/train" aria-current=page')
    visitor.post("/api/compare/end")  # closes nothing: the studio goes on
    assert '"alone":false' in visitor.get("/compare").text
    served.end()


def test_beside_a_review_it_is_one_more_place(training: Training, review: Any, serve: Any) -> None:
    served = serve(review, training=training)
    assert 'href="/train"' in served.client.get("/").text
    assert served.client.get("/train").status_code == 200
    served.act("pause")
    served.end()


# ---- in a real browser ---------------------------------------------------------------------------------------------


@pytest.fixture
def page(studio: Studio, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    context.set_default_timeout(20_000)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: m.type in ("error", "warning") and complaints.append(m.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(studio.url)
    page.wait_for_selector("#page[data-state=ready]")
    yield page
    # A refused explanation is an answer with status 422, which Chromium reports.
    assert [text for text in complaints if "422" not in text] == []
    context.close()


def test_nothing_comes_from_elsewhere() -> None:
    static = Path(site.__file__).parent.parent / "static"
    for path in [*static.glob("train*"), static / "curves.js"]:
        source = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in source, path
        assert "https:" not in source, path


@pytest.mark.browser
def test_it_lists_runs_and_draws_what_is_chosen(page: Page) -> None:
    assert page.locator("h1").inner_text() == "Training runs"
    assert page.locator(".runs tbody tr").count() == 3
    assert page.locator(".runs tbody tr").nth(0).locator(".pill").inner_text() == "training"
    assert page.locator(".runs tbody tr").nth(2).locator("input").is_disabled()
    assert page.locator(".name strong").nth(1).inner_text() == "mobilenet <script>"
    assert page.locator(".curves .line").count() == 2
    assert page.locator(".compared").is_hidden()
    page.locator(".runs input").nth(1).check()
    page.wait_for_selector(".curves .line.cb")
    assert page.locator(".curves .line").count() == 4
    assert page.locator(".compared .winner").all_inner_texts() == ["80.0%", "0.5"]
    differing = page.locator(".compared tbody tr", has_text="trained part")
    assert differing.locator("td").all_inner_texts() == ["–", "probe"]
    assert page.locator(".compared tbody tr", has_text="seed").count() == 0
    # What is chosen is kept when the language changes.
    page.click("[data-language=zh]")
    page.wait_for_selector("h1:has-text('训练记录')")
    page.wait_for_selector(".curves .line.cb")


@pytest.mark.browser
def test_a_run_under_way_is_followed(page: Page, runs: Runs) -> None:
    folder = runs.catalog.path / "runs" / page.locator(".opened").get_attribute("data-run")
    assert "50%" in page.locator(".opened .going").inner_text()
    before = page.locator(".curves .line").first.get_attribute("d")
    with (folder / "metrics.jsonl").open("a") as file:
        file.write("damaged\n" + text(rows(150)[12:]))
    page.wait_for_selector(".opened .going:has-text('75%')")
    assert page.locator(".curves .line").first.get_attribute("d") != before
    assert "1 line of its metrics could not be read." in page.locator(".detail .notes").inner_text()
    shutil.rmtree(folder)
    page.wait_for_selector("tr[data-run] .pill.gone >> nth=1")
    assert page.locator(".detail h2").count() == 0


@pytest.mark.browser
def test_curves_are_read_by_mouse_and_keyboard(page: Page) -> None:
    chart = page.locator(".curve-card").nth(1)
    chart.locator(".curves").focus()
    page.keyboard.press("End")
    reading = chart.locator(".reading")
    assert "Steps 100" in reading.inner_text()
    assert "64.6%" in reading.inner_text()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    assert "Steps 50" in reading.inner_text()
    page.locator(".curve-card .curves").first.hover()
    assert page.locator(".curve-card").first.locator(".rule line").count() == 1
    page.keyboard.press("a")
    assert page.locator(".axes [aria-pressed=true]").inner_text() == "Minutes"


@pytest.mark.browser
def test_mistakes_are_shown_filtered_and_explained_by_keyboard(page: Page) -> None:
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    # Something trains: the mistakes wait until somebody asks for them.
    page.wait_for_selector(".wrong .plain:has-text('Look for mistakes')")
    page.keyboard.press("m")
    page.keyboard.press("Enter")
    page.wait_for_selector(".mistakes li")
    assert page.locator(".mistakes strong").nth(2).inner_text() == "<b>circle</b>"
    assert (
        "accuracy 96.0% (95% interval 90.0% to 98.0%) on 100 images"
        in page.locator(".wrong [role=status]").inner_text()
    )
    page.locator(".pairs button", has_text="circle → square").click()
    assert page.locator(".mistakes li").count() == 2
    page.keyboard.press("m")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("dialog.mistake .refused")
    assert 'pip install "camera-lucida[train]"' in page.locator(".refused").inner_text()
    page.wait_for_selector(".nearest li")
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector(".heat img")
    title = page.locator("dialog h2").inner_text().split()
    assert " ".join(title) == "✗ the model says square 95% ✓ it is circle 3%"
    assert "With shuffled weights the map is another" in page.locator(".heat figcaption").inner_text()
    page.wait_for_selector(".nearest li")
    assert page.locator(".nearest img").count() == 2
    page.keyboard.press("Escape")
    page.wait_for_selector("dialog", state="detached")
    assert page.evaluate("document.activeElement.closest('.mistakes li') !== null")


@pytest.mark.browser
def test_the_speed_of_a_model_is_measured_when_it_is_asked_for(page: Page) -> None:
    page.locator(".name").nth(1).click()
    page.locator(".measure").click()
    page.wait_for_selector(".tiles dt[title='OpenVINO fp32']")
    assert page.locator(".tiles div").last.inner_text().split("\n") == ["Images a second, one at a time", "91.5"]
    assert page.locator(".smaller").count() == 0


@pytest.mark.browser
def test_smaller_models_are_shown_with_what_is_proven(page: Page, runs: Runs) -> None:
    run = page.locator(".runs tbody tr").nth(1).get_attribute("data-run")
    assert run is not None
    runs.compress(run)
    runs.compress(run, holds=False)
    page.reload()
    page.wait_for_selector("#page[data-state=ready]")
    page.locator(".name").nth(1).click()
    page.wait_for_selector(".smaller")
    assert page.locator(".smaller article").count() == 2
    first = page.locator(".smaller article").first
    assert first.locator("h3").inner_text().startswith("int8 <weights> compress-")
    cells = first.locator("tbody tr").nth(1).locator("th, td").all_inner_texts()
    assert cells == ["after", "OpenVINO int8", "0.51 MB", "256", "400", "80.0% (71.0% to 87.0%)"]
    assert page.locator(".smaller .claim").all_inner_texts() == ["No more than 2 % worse."] * 2
    assert page.locator(".smaller .claim.not").count() == 1
    # Its speed is known from there.
    assert page.locator(".measure").count() == 0
    assert page.locator(".tiles dd").last.inner_text() == "91"


@pytest.mark.browser
def test_the_command_is_copied(page: Page) -> None:
    page.locator(".name").nth(1).click()
    page.wait_for_selector(".command code")
    run = page.locator(".opened").get_attribute("data-run")
    page.keyboard.press("c")
    page.wait_for_selector(".command button:has-text('Copied')")
    assert page.evaluate("navigator.clipboard.readText()") == f"lucida label --model {run}"


@pytest.mark.browser
def test_it_fits_a_phone_and_names_its_keys(page: Page) -> None:
    page.keyboard.press("?")
    page.wait_for_selector("dialog.keys")
    page.keyboard.press("Escape")
    page.locator(".name").nth(1).click()
    page.wait_for_selector(".command code")
    page.set_viewport_size({"width": 360, "height": 760})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


@pytest.mark.browser
def test_a_catalog_without_runs_says_how_to_begin_and_shows_the_first(runs: Runs, browser: Browser) -> None:
    served = Studio(Training(runs.catalog))
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(served.url)
    page.wait_for_selector("#page[data-state=ready]")
    assert "lucida train classify --data photos/" in page.locator(".nothing").inner_text()
    assert page.locator(".graphs").is_hidden()
    runs.add("resnet", 50)
    page.wait_for_selector(".curves .line", timeout=20_000)
    context.close()
    served.end()
