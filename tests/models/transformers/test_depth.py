"""Depth of images of any size, from a tiny model; what estimates no depth is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lucida.errors import ModelError
from lucida.models.transformers.depth import depth_map

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def tiny_depth(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import torch
    import transformers

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("depth")
    backbone = transformers.Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, mlp_ratio=2, image_size=56, patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"], apply_layernorm=True, reshape_hidden_states=False,
    )  # fmt: skip
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone, reassemble_hidden_size=32, neck_hidden_sizes=[8, 8, 16, 16], fusion_hidden_size=8,
        head_hidden_size=8, patch_size=14,
    )  # fmt: skip
    transformers.DepthAnythingForDepthEstimation(config).save_pretrained(folder)
    transformers.DPTImageProcessor(
        size={"height": 56, "width": 56}, keep_aspect_ratio=True, ensure_multiple_of=14
    ).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("size", [(40, 90), (57, 31)])
def test_depth_has_the_size_of_the_image_and_the_whole_range(tiny_depth, size):
    pixels = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    kept = pixels.copy()

    found = depth_map(str(tiny_depth), pixels)

    assert found.shape == size
    assert found.dtype == np.uint8
    assert (found.min(), found.max()) == (0, 255)
    assert (pixels == kept).all()
    assert (depth_map(str(tiny_depth), pixels) == found).all()


def test_a_model_of_another_task_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit", "architectures": ["ViTModel"]}')
    with pytest.raises(ModelError, match="estimates no depth"):
        depth_map(str(tmp_path), np.zeros((8, 8, 3), np.uint8))
