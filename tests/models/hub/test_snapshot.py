"""What is refused before anything is loaded: folders and names that are no model to label images with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lucida.errors import LucidaError, ModelError, UnknownName
from lucida.models import find
from lucida.models.hub import family
from lucida.models.hub.aliases import ALIASES, alias_of, limits_of
from lucida.models.hub.family import locate
from lucida.models.hub.processor import image_needs
from lucida.models.hub.snapshot import local

CLIP = {"model_type": "clip", "architectures": ["CLIPModel"], "text_config": {}, "vision_config": {}}
CONVNEXT = {"image_processor_type": "ConvNextImageProcessor"}
VIT = {"model_type": "vit", "architectures": ["ViTForImageClassification"], "image_size": 32}


def made(folder: Path, config: dict, *files: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    for name in files:
        (folder / name).write_bytes(b"weights")
    return folder


def refused(name: str | Path, kind: type[LucidaError] = ModelError) -> LucidaError:
    with pytest.raises(kind) as caught:
        find(str(name))
    error = caught.value
    assert all((error.what, error.expected, error.got, error.hint)), "an error says four things"
    return error


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A hub that cannot be reached, with an empty cache; what was asked of it."""
    import huggingface_hub
    from huggingface_hub.errors import LocalEntryNotFoundError

    asked: list[str] = []

    def download(name: str, *, local_files_only: bool = False, **options: object) -> str:
        asked.append(name)
        raise LocalEntryNotFoundError("nothing in the cache") if local_files_only else OSError("no route to host")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("siglip2", "google/siglip2-base-patch16-224"),
        ("SigLIP2", "google/siglip2-base-patch16-224"),
        ("chinese_clip", "OFA-Sys/chinese-clip-vit-base-patch16"),
        ("mobilenetv3", "timm/mobilenetv3_large_100.ra_in1k"),
        ("timm:resnet18.a1_in1k", "timm/resnet18.a1_in1k"),
        ("hf:org/model@v2", "org/model"),
        ("org/model", "org/model"),
    ],
)
def test_without_a_network_the_error_says_where_to_put_it(no_network, name, repository):
    error = refused(name)
    assert set(no_network) == {repository}, "the cache is asked first, then the hub"
    assert repository in error.what
    assert "hub" in error.expected, "where it was looked for"
    assert "--local-dir" in error.hint
    assert "--model embedded works offline" in error.hint


def test_a_model_in_the_cache_needs_no_network(no_network, monkeypatch, tmp_path):
    import huggingface_hub

    folder = made(tmp_path / "4f1c2b", VIT, "model.safetensors")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", lambda name, **options: str(folder))
    found = locate("hf:org/model")
    assert (found.folder, found.revision, found.name) == (folder, "4f1c2b", "hf:org/model")


def test_aliases_are_different_and_whole():
    assert len({alias.name for alias in ALIASES}) == len(ALIASES)
    assert all(alias.uri.startswith(("hf:", "timm:", "torchvision:")) for alias in ALIASES)
    assert alias_of("Chinese-CLIP") is alias_of("chinesecliP")
    assert alias_of("clipp") is None


@pytest.mark.parametrize("name", ["segformer", "hf:nvidia/segformer-b5-finetuned-ade-640-640", "blip2"])
def test_what_a_licence_forbids_is_said_before_anything_is_downloaded(no_network, capsys, monkeypatch, name):
    monkeypatch.setattr(family, "_TOLD", set())
    for _ in range(2):
        with pytest.raises(ModelError, match="cannot be downloaded"):
            find(name)
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"The weights of {name} are under the ")
    assert "research" in line
    assert limits_of("hf:google/siglip2-base-patch16-224") == ""


def test_a_near_alias_is_suggested():
    assert "'siglip2'" in refused("siglip22", UnknownName).hint


def test_pickle_is_refused_with_the_way_out(tmp_path):
    error = refused(made(tmp_path / "pickled", CLIP, "pytorch_model.bin"))
    assert "pickle" in error.what
    assert "pytorch_model.bin" in error.got
    assert "save_pretrained" in error.hint
    error = refused(made(tmp_path / "timm", {"architecture": "resnet18", "num_classes": 2}, "pytorch_model.bin"))
    assert "safe_serialization" in error.hint
    assert "no weights" in refused(made(tmp_path / "empty", CLIP)).what


def test_remote_code_is_refused(tmp_path):
    code = {"auto_map": {"AutoModel": "modeling_own.OwnModel"}}
    error = refused(made(tmp_path / "own", {**CLIP, **code}, "model.safetensors"))
    assert "never run" in error.what
    assert "modeling_own.OwnModel" in error.got


@pytest.mark.parametrize(
    ("config", "there_to"),
    [
        ({"model_type": "dpt", "architectures": ["DPTForDepthEstimation"]}, "measure depth"),
        ({"model_type": "bert", "architectures": ["BertModel"]}, "encode text"),
        ({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}, "write text"),
        ({"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}, "write text"),
        ({"model_type": "odd", "architectures": ["OddThing"]}, "OddThing"),
    ],
)
def test_a_model_of_another_task_names_the_right_ones(tmp_path, config, there_to):
    error = refused(made(tmp_path / "other", config, "model.safetensors"))
    assert "cannot label images" in error.what
    assert "CLIP" in error.expected
    assert "chat model" in error.expected
    assert there_to in error.got


def test_a_model_of_any_shape_names_its_fixed_kin(tmp_path):
    config = {"model_type": "siglip2", "architectures": ["Siglip2Model"], "vision_config": {"patch_size": 16}}
    assert "siglip2-base-patch16-224" in refused(made(tmp_path / "naflex", config, "model.safetensors")).hint


def test_a_damaged_config(tmp_path):
    folder = made(tmp_path / "damaged", CLIP)
    (folder / "config.json").write_text("{")
    assert "cannot be read" in refused(folder).what
    (folder / "config.json").write_text("[]")
    assert "JSON object" in refused(folder).expected
    (folder / "config.json").write_text("{}")
    assert "no model that is known" in refused(folder).what


def test_the_revision_of_a_folder_follows_its_files(tmp_path):
    folder = made(tmp_path / "model", VIT, "model.safetensors")
    before = local(folder).revision
    assert local(folder).revision == before
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert local(folder).revision != before
    # Of large files the digest is kept; a change of time or size makes it anew.
    large = folder / "model.safetensors"
    large.write_bytes(bytes(2**20 + 1))
    first = local(folder).revision
    assert local(folder).revision == first
    large.write_bytes(bytes(2**20) + b"x")
    assert local(folder).revision != first


@pytest.mark.parametrize(
    ("table", "size", "resize", "edge", "interpolation"),
    [
        ({"image_processor_type": "CLIPImageProcessor"}, 224, "crop", 0, "bicubic"),
        ({"feature_extractor_type": "CLIPFeatureExtractor", "size": 224, "crop_size": 224}, 224, "crop", 0, "bicubic"),
        ({"image_processor_type": "ViTImageProcessor"}, 224, "squash", 0, "bilinear"),
        ({"image_processor_type": "SiglipImageProcessorFast"}, 224, "squash", 0, "bicubic"),
        ({"image_processor_type": "BitImageProcessor", "size": {"shortest_edge": 256}}, 224, "crop", 256, "bicubic"),
        (
            {"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224}},
            224,
            "crop",
            256,
            "bilinear",
        ),
        (CONVNEXT, 384, "squash", 0, "bilinear"),
        ({"image_processor_type": "DeiTImageProcessor", "crop_size": 224}, 224, "squash", 256, "bicubic"),
    ],
)
def test_processors_of_older_and_newer_files(tmp_path, table, size, resize, edge, interpolation):
    folder = made(tmp_path / "model", VIT)
    (folder / "preprocessor_config.json").write_text(json.dumps(table))
    needs = image_needs(local(folder))
    assert (needs.size, needs.resize, needs.edge, needs.interpolation) == (size, resize, edge, interpolation)


def test_a_processor_that_is_missing_or_unknown(tmp_path):
    folder = made(tmp_path / "model", VIT, "model.safetensors")
    assert "how images are to be prepared" in refused(folder).what
    (folder / "preprocessor_config.json").write_text(json.dumps({"size": {"height": 20, "width": 30}}))
    assert "20" in refused(folder).got
