"""What is asked of the hub, and what is taken from it; the hub's client is played by a table of commits."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from huggingface_hub.errors import LocalEntryNotFoundError

from lucida.errors import ModelError
from lucida.models.hub import download
from lucida.models.hub.family import locate

REFERENCE = "refs/pr/7"


@dataclass
class Request:
    title: str = download.TITLE
    author: str = download.BOT
    git_reference: str = REFERENCE


@dataclass
class Commit:
    commit_id: str


@dataclass
class Hub:
    """A hub with one model: files by revision."""

    cache: Path
    files: dict[str, list[str]]
    requests: list[Request] = field(default_factory=list)
    base: str = "main-commit"
    asked: list[tuple[str | None, tuple[str, ...]]] = field(default_factory=list)

    def snapshot_download(
        self, name, *, revision=None, local_files_only=False, allow_patterns=("*",), ignore_patterns=()
    ):
        commit = {None: "main-commit", REFERENCE: "pr-commit"}.get(revision, revision)
        folder = self.cache / "snapshots" / commit
        if local_files_only:
            if not folder.is_dir():
                raise LocalEntryNotFoundError("not in the cache")
            return str(folder)
        from fnmatch import fnmatch

        self.asked.append((revision, tuple(allow_patterns)))
        for file in self.files[commit]:
            wanted = any(fnmatch(file, p) for p in allow_patterns) and not any(
                fnmatch(file, p) for p in ignore_patterns
            )
            if wanted:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).write_text("{}")
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def list_repo_commits(self, name, revision=None):
        return [Commit("pr-commit"), Commit(self.base)] if revision else [Commit("main-commit")]

    def get_repo_discussions(self, name, **options):
        return iter(self.requests)

    def list_repo_files(self, name, revision=None):
        return self.files["main-commit"]


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A function that makes the hub."""
    import huggingface_hub

    def make(files: dict[str, list[str]], **more: object) -> Hub:
        made = Hub(tmp_path / "cache", files, **more)
        monkeypatch.setattr(huggingface_hub, "snapshot_download", made.snapshot_download)
        monkeypatch.setattr(huggingface_hub, "HfApi", lambda: made)
        return made

    return make


PICKLED = ["config.json", "vocab.txt", "pytorch_model.bin", "modeling_own.py"]


def test_safetensors_are_taken_and_nothing_else(hub):
    made = hub({"main-commit": [*PICKLED, "model.safetensors", "onnx/model.onnx", "tf_model.h5"]})
    found = locate("hf:org/model")
    assert sorted(p.name for p in found.folder.rglob("*") if p.is_file()) == [
        "config.json",
        "model.safetensors",
        "vocab.txt",
    ]
    assert found.revision == "main-commit"
    assert len(made.asked) == 1
    assert locate("org/model").folder == found.folder
    assert len(made.asked) == 1, "what is in the cache is not asked for again"


def test_exported_files_in_full_precision(hub):
    files = ["config.json", "onnx/vision_model.onnx", "onnx/vision_model_fp16.onnx", "onnx/text_model_quantized.onnx"]
    hub({"main-commit": [*files, "onnx/text_model.onnx"]})
    found = locate("hf:org/model")
    assert sorted(p.name for p in found.folder.rglob("*.onnx")) == ["text_model.onnx", "vision_model.onnx"]


def test_weights_by_the_hubs_own_converter(hub):
    made = hub({"main-commit": PICKLED, "pr-commit": [*PICKLED, "model.safetensors"]}, requests=[Request()])
    found = locate("hf:org/model")
    assert found.revision == "pr-commit", "the commit that was used is recorded"
    assert not list(found.folder.glob("*.bin"))
    before = len(made.asked)
    assert locate("hf:org/model").folder == found.folder, "it is found in the cache the next time"
    assert len(made.asked) == before


@pytest.mark.parametrize(
    ("requests", "base"),
    [
        ([], "main-commit"),
        ([Request(author="somebody")], "main-commit"),
        ([Request(title="Better weights")], "main-commit"),
        ([Request()], "an-older-commit"),
    ],
    ids=["none", "of another", "for something else", "of older weights"],
)
def test_other_pull_requests_do_not_count(hub, requests, base):
    hub({"main-commit": PICKLED, "pr-commit": [*PICKLED, "model.safetensors"]}, requests=requests, base=base)
    with pytest.raises(ModelError, match="pickle only") as caught:
        locate("hf:org/model")
    assert "pytorch_model.bin" in caught.value.got
    assert "save_pretrained" in caught.value.hint


def test_a_revision_that_is_asked_for_is_the_one_that_is_taken(hub):
    hub({"main-commit": PICKLED, "v2": ["config.json", "model.safetensors"]})
    found = locate("hf:org/model@v2")
    assert (found.name, found.revision) == ("hf:org/model@v2", "v2")
