"""serve.yaml: all of it, the command line over it, and every mistake with its place."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lucida.cli import run
from lucida.errors import InputError
from lucida.serve.audit import AuditSettings
from lucida.serve.config import Settings
from lucida.serve.key_file import read_keys
from lucida.serve.serve_file import Plan, make_plan
from lucida.serve.tls import check_tls
from lucida.serve.watch.log import LogSettings

WHOLE = """\
models: {clothes: mobilenet-clothes, mine: ./runs/a, siglip2: siglip2}
host: 0.0.0.0
port: 8443
workers: 2
queue: 50
deadline: 5
catalog: photos
keys: keys.yaml
policy: privacy
audit: {file: /var/log/lucida.jsonl, bytes: 10 MB, files: 3, prompts: yes}
tls: {cert: cert.pem, key: key.pem}
limits: {body: 8 MB, held: 0.5 GB, cache: 0, pixels: 20_000_000, images: 16, classes: 50}
clients: {header_seconds: 3, body_seconds: 4, body_rate: 64 KB}
stop: {notice: 0, grace: 10}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "serve.yaml"


def test_all_of_it_is_read(file: Path) -> None:
    file.write_text(WHOLE)
    home = file.parent
    assert make_plan(file) == Plan(
        Settings(
            "0.0.0.0", 8443, 2, 50, 5.0, 8 * 2**20, 2**29, 20_000_000, 16, 50, 0, 3.0, 4.0, 2**16, notice=0.0,
            grace=10.0, cert=home / "cert.pem", cert_key=home / "key.pem",
        ),
        ("clothes=mobilenet-clothes", f"mine={home / 'runs/a'}", "siglip2=siglip2"),
        home / "photos",
        home / "keys.yaml",
        AuditSettings(Path("/var/log/lucida.jsonl"), 10 * 2**20, 3, prompts=True),
        policy=Path("privacy"),
    )  # fmt: skip


WHERE = ("Who may ask", "serve.yaml")


def test_what_the_page_shows_is_read(file: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/serving.md").read_text()
    keys, shown = (page.split(f"\n## {title}\n")[1].split("```yaml\n")[1].split("```")[0] for title in WHERE)
    file.write_text(shown)
    plan = make_plan(file)
    assert (plan.settings, plan.models[0]) == (
        Settings(
            "0.0.0.0", queue=200, cert=file.parent / "cert.pem", cert_key=file.parent / "key.pem", plan="measured"
        ),
        "clothes=mobilenet-clothes",
    )
    assert plan.audit == AuditSettings(file.parent / "audit.jsonl")
    assert (plan.log, plan.traces) == (LogSettings("json"), "http://localhost:4318")
    file.write_text(keys)
    assert read_keys(file)[0].images_a_day == 20_000


def test_the_command_line_counts_more(file: Path) -> None:
    file.write_text("models: [a, ./b]\nport: 1\nqueue: 7\nworkers:\naudit: {file: a.jsonl, files: 2}\nlimits:\n")
    plan = make_plan(file, ["c"], {"port": 2, "queue": None, "audit": Path("b.jsonl"), "insecure": None})
    assert (plan.models, plan.settings) == (("c",), Settings(port=2, queue=7))
    assert (plan.audit, plan.insecure) == (AuditSettings(Path("b.jsonl"), files=2), False)
    file.write_text("log: {file: serve.log, files: 3}\nmodels: a")
    assert make_plan(file, given={"log": "plain"}).log == LogSettings("plain", file.parent / "serve.log", files=3)
    file.write_text("models: [a, ./b]")
    assert make_plan(file).models == ("a", f"{file.parent / 'b'}")
    assert make_plan(None) == Plan()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "is empty"),
        ("- a", "line 1.*is no table"),
        ("port: 1\nporrt: 2", "porrt(.|\n)*did you mean 'port'.*line 2"),
        ("limits: {bodies: 1}", "bodies(.|\n)*did you mean 'body'.*line 1"),
        ("\nlimits: 3", "line 2.*'limits'.*no table"),
        ("port: 80 80", "line 1.*'port'"),
        ("port: 1.5", "line 1.*'port'"),
        ("deadline: nan", "line 1.*'deadline'.*out of range"),
        ("limits: {body: 3 apples}", "line 1.*'body'(.|\n)*32 MB"),
        ("limits:\n  body: 9 MB\n  held: 1 MB", "'body_bytes' is out of range(.|\n)*serve.yaml"),
        ("models: {a b: c}", "'a b' is no name"),
        ("models: {a: [c]}", "the model 'a' is no text"),
        ("models: []", "line 1.*is empty"),
        ("audit: {files: 2}", "lacks the key 'file'"),
        ("audit: {file: a, prompts: maybe}", "neither on nor off"),
        ("port: 1\nport: 2", "line 2.*there twice"),
        ("log: xml", "none of its words(.|\n)*json or plain"),
        ("a: [", "line 1|line 2"),
    ],
)
def test_every_mistake_has_its_place(file: Path, text: str, match: str) -> None:
    file.write_text(text)
    with pytest.raises(InputError, match=match) as error:
        make_plan(file)
    told = error.value.to_json()
    assert all(told[part] for part in ("what", "expected", "got", "hint"))


def test_a_key_is_made_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = tmp_path / "keys.yaml"
    made = ["serve", "--keys", str(keys), "--make-key", "anna"]
    assert run([*made, "--scopes", "classify, model:siglip2"]) == 0
    key = capsys.readouterr().out.splitlines()[0]
    assert key.startswith(f"lucida-{read_keys(keys)[0].id}-")
    assert read_keys(keys)[0].scopes == ("classify", "model:siglip2")
    assert run([*made, "--scopes", "clasify"]) == 1
    assert "did you mean 'classify'" in capsys.readouterr().err
    assert run(["serve", "embedded", "--scopes", "classify"]) == 1
    assert run(["serve", "embedded", "--host", "0.0.0.0"]) == 1
    assert "--make-key" in capsys.readouterr().err


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_a_certificate_is_checked_before_anything_is_loaded(tmp_path: Path) -> None:
    def pair(name: str) -> tuple[Path, Path]:
        cert, key = tmp_path / f"{name}.pem", tmp_path / f"{name}.key"
        kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=localhost"]
        subprocess.run(
            ["openssl", "req", "-x509", *kind, "-keyout", key, "-out", cert], check=True, capture_output=True
        )
        return cert, key

    (cert, key), (_, other) = pair("a"), pair("b")
    locked = tmp_path / "locked.key"
    command = ["openssl", "pkcs8", "-topk8", "-in", key, "-out", locked, "-passout", "pass:secret"]
    subprocess.run(command, check=True, capture_output=True)
    check_tls(Settings(cert=cert, cert_key=key))
    both = tmp_path / "both.pem"
    both.write_bytes(cert.read_bytes() + key.read_bytes())
    check_tls(Settings(cert=both))
    for wrong in ((cert, other), (cert, None), (None, key), (cert, tmp_path / "none"), (key, key), (cert, locked)):
        with pytest.raises(InputError, match=r"certificate|no file") as error:
            check_tls(Settings(cert=wrong[0], cert_key=wrong[1]))
        assert all(error.value.to_json().values())
