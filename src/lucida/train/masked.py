"""A masked autoencoder around a vision transformer: most of an image is hidden, and has to be made up from the rest.

Source: He et al. 2021, Masked Autoencoders Are Scalable Vision Learners.
"""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from lucida.errors import InputError, MissingExtra

HIDDEN = 0.75  # share of the patches that the encoder does not see
WIDTH, DEPTH, HEADS = 128, 2, 4  # of the decoder: it is thrown away, so it may be small
FLAT = 1e-6  # added to the variance of a patch: one colour has none


class MaskedAutoencoder(nn.Module):
    """A trunk that sees a quarter of the patches, and a small decoder that makes up the others.

    Args:
        trunk: A plain vision transformer of timm's, without a head.
        width: Of its tokens.

    Raises:
        InputError: The network is of another kind.
    """

    positions: Tensor

    def __init__(self, trunk: Any, width: int) -> None:
        super().__init__()
        check_transformer(trunk)
        from timm.models.vision_transformer import Block

        self.trunk = trunk
        self.patch: int = trunk.patch_embed.patch_size[0]
        self.grid: tuple[int, int] = tuple(trunk.patch_embed.grid_size)
        self.prefix: int = trunk.num_prefix_tokens
        self.narrow = nn.Linear(width, WIDTH)
        self.missing = nn.Parameter(torch.zeros(1, 1, WIDTH))
        nn.init.normal_(self.missing, std=0.02)
        self.register_buffer("positions", waves(self.grid, WIDTH), persistent=False)
        self.decoder = nn.Sequential(*(Block(WIDTH, HEADS, qkv_bias=True) for _ in range(DEPTH)), nn.LayerNorm(WIDTH))
        self.paint = nn.Linear(WIDTH, trunk.patch_embed.proj.in_channels * self.patch**2)

    @property
    def patches(self) -> int:
        """Return how many patches an image has."""
        return self.grid[0] * self.grid[1]

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Make up what is hidden.

        Args:
            images: float32 (n, c, h, w), normalised.
            noise: Decides what is seen: the patches of the smallest numbers, float32 (n, patches).

        Returns:
            Patches float32 (n, patches, c * patch²), each normalised by its own mean and deviation; and which were
            hidden, bool (n, patches).
        """
        # On a processor the fused way is the slower one for so few tokens.
        with sdpa_kernel(SDPBackend.MATH) if images.device.type == "cpu" else nullcontext():
            return self._painted(images, noise)

    def _painted(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        order = noise.argsort(dim=1)
        seen = order[:, : max(1, round(self.patches * (1 - HIDDEN)))]
        tokens = self.narrow(self.encode(images, seen))
        hidden = torch.ones_like(noise, dtype=torch.bool).scatter(1, seen, False)
        place = seen[:, :, None].expand(-1, -1, tokens.shape[2])
        missing = self.missing.expand(len(images), self.patches, -1).to(tokens.dtype)
        whole = missing.scatter(1, place, tokens[:, self.prefix :]) + self.positions
        painted = self.decoder(torch.cat([tokens[:, : self.prefix], whole], 1))
        return self.paint(painted[:, self.prefix :]), hidden

    def encode(self, images: Tensor, seen: Tensor) -> Tensor:
        """Return tokens (n, prefix + k, d) of the patches that are seen, int64 (n, k); the others cost nothing."""
        trunk = self.trunk
        # Some give their patches as a map.
        tokens = trunk.patch_embed(images).reshape(len(images), self.patches, -1)
        embedded = 0 if trunk.no_embed_class else self.prefix
        tokens = tokens + trunk.pos_embed[:, embedded:]
        tokens = tokens.gather(1, seen[:, :, None].expand(-1, -1, tokens.shape[2]))
        first = [token for token in (trunk.cls_token, trunk.reg_token) if token is not None]
        if first:
            prefix = torch.cat(first, 1)
            prefix = prefix + trunk.pos_embed[:, :embedded] if embedded else prefix
            tokens = torch.cat([prefix.expand(len(tokens), -1, -1).to(tokens.dtype), tokens], 1)
        encoded: Tensor = trunk.norm(trunk.blocks(trunk.norm_pre(tokens)))
        return encoded


class MeanFeatures(nn.Module):
    """The trunk as an encoder: the mean over its patches, of which each was trained to say what lies around it."""

    def __init__(self, trunk: Any) -> None:
        super().__init__()
        self.trunk = trunk

    def forward(self, images: Tensor) -> Tensor:
        """Return features (n, d) of float32 (n, c, h, w)."""
        tokens = self.trunk.forward_features(images)[:, self.trunk.num_prefix_tokens :]
        features: Tensor = self.trunk.fc_norm(tokens.mean(1))
        return features


def reconstruction_loss(painted: Tensor, images: Tensor, hidden: Tensor, patch: int) -> Tensor:
    """Return the mean squared error of the hidden patches alone; predicting their means gives 1.

    Args:
        painted: What `MaskedAutoencoder` gave.
        images: float32 (n, c, h, w), as it saw them.
        hidden: bool (n, patches).
        patch: Side of a patch in pixels.
    """
    truth = cut(images, patch)
    mean, variance = truth.mean(-1, keepdim=True), truth.var(-1, keepdim=True)
    error = (painted.float() - (truth - mean) / (variance + FLAT).sqrt()).square().mean(-1)
    return (error * hidden).sum() / hidden.sum()


def cut(images: Tensor, patch: int) -> Tensor:
    """Return the patches (n, patches, c * patch²) of images (n, c, h, w), row by row."""
    n, channels, height, width = images.shape
    blocks = images.reshape(n, channels, height // patch, patch, width // patch, patch)
    return blocks.permute(0, 2, 4, 1, 3, 5).reshape(n, -1, channels * patch**2)


def waves(grid: tuple[int, int], width: int) -> Tensor:
    """Return positions as sines and cosines of row and column, float32 (1, patches, width); width a multiple of 4.

    Source: Vaswani et al. 2017; in two dimensions as in He et al. 2021.
    """
    rates = 1 / 10000 ** (torch.arange(width // 4, dtype=torch.float64) / (width // 4))
    rows, columns = torch.meshgrid(*(torch.arange(side, dtype=torch.float64) for side in grid), indexing="ij")
    angles = [axis.reshape(-1, 1) * rates for axis in (columns, rows)]
    return torch.cat([part for angle in angles for part in (angle.sin(), angle.cos())], 1)[None].float()


def begin_at_waves(model: MaskedAutoencoder) -> None:
    """Let a trunk that knows nothing yet begin with positions that already tell near from far."""
    table = model.trunk.pos_embed
    if table.shape[-1] % 4 == 0:
        with torch.no_grad():
            table.zero_()
            table[:, table.shape[1] - model.patches :] = waves(model.grid, table.shape[-1])


def check_transformer(trunk: Any) -> None:
    """Refuse a network of which no part can be left out.

    Raises:
        InputError: It is no plain vision transformer.
        MissingExtra: timm is not installed.
    """
    try:
        from timm.layers import PatchEmbed
        from timm.models.vision_transformer import VisionTransformer
    except ImportError as error:
        raise MissingExtra("timm", "train", "Pretraining") from error
    plain = isinstance(trunk, VisionTransformer) and isinstance(trunk.patch_embed, PatchEmbed)
    if not plain or trunk.pos_embed is None:
        raise InputError(
            "This network cannot learn from masked images.",
            expected="a plain vision transformer of timm's, such as vit_tiny_patch16_224 or vit_small_patch16_224",
            got=type(trunk).__name__,
            hint="leave --model out; lucida label --adapt tunes the embedded encoder without labels",
        )
    height, width = trunk.patch_embed.img_size
    patch = trunk.patch_embed.patch_size[0]
    if height % patch or width % patch:
        raise InputError(
            "The patches do not cover the image.",
            expected=f"a --size that is a multiple of {patch}",
            got=f"{height}",
            hint=f"--size {max(1, round(height / patch)) * patch}",
        )
