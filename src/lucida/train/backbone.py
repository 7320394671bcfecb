"""Networks to begin from: the embedded encoder, any of timm's, or an earlier run, as a trunk and a head."""

# Where PyTorch is not installed its classes are unknown to mypy.
# mypy: disallow_subclassing_any=False
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lucida.errors import InputError, MissingExtra, ModelError, UnknownName
from lucida.models.hub.snapshot import from_hub
from lucida.models.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Callable

EMBEDDED = "embedded"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Short names that people type; everything else is timm's own name.
ALIASES = {
    "mobilenetv3": "mobilenetv3_large_100",
    "mobilenetv4": "mobilenetv4_conv_small",
    "efficientnet": "efficientnet_b0",
    "resnet": "resnet50",
    "vit": "vit_small_patch16_224",
    "swin": "swin_tiny_patch4_window7_224",
    "convnext": "convnext_tiny",
}


class Classifier(nn.Module):
    """A trunk that gives features and a linear head.

    Args:
        trunk: float32 (n, c, h, w) to features float32 (n, d).
        width: d.
        classes: How many.
        drop: Share of features that are dropped in training.
    """

    def __init__(self, trunk: nn.Module, width: int, classes: int, drop: float = 0.0) -> None:
        super().__init__()
        self.trunk, self.head, self.drop = trunk, nn.Linear(width, classes), nn.Dropout(drop)
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits (n, classes)."""
        logits: Tensor = self.head(self.drop(self.trunk(x)))
        return logits


@dataclass
class Backbone:
    """A trunk, and what images it takes.

    Attributes:
        name: As it is recorded.
        trunk: float32 (n, channels, h, w), normalised, to features float32 (n, width).
        width: Length of the features.
        size: Usual side of the input in pixels.
        mean: Of the input on 0..1, a value a channel.
        std: Likewise.
        rate: Usual peak learning rate to train all of it.
        start: What the weights are: "hub", "embedded", "nothing", or the run that they come from.
        licence: Of the weights that it begins with.
        target: Layer whose maps show where it looks (see `lucida.explain`), a name within the trunk; "" if unknown.
        fixed: Whether only images of `size` are taken.
        note: What a person should know of how the weights were had.
    """

    name: str
    trunk: nn.Module
    width: int
    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    rate: float
    start: str
    licence: str
    target: str = ""
    fixed: bool = False
    note: str = ""


class EncoderTrunk(nn.Module):
    """The embedded encoder without its own head."""

    def __init__(self, encoder: Any) -> None:
        super().__init__()
        self.stem, self.blocks = encoder.stem, encoder.blocks

    def maps(self, x: Tensor) -> list[Tensor]:
        """Return the feature map at the end of each stage, in falling resolution."""
        features = torch.relu(self.stem(x))
        found: list[Tensor] = []
        for block in self.blocks:
            features = block(features)
            if found and features.shape[1] == found[-1].shape[1]:
                found[-1] = features
            else:
                found.append(features)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Return features (n, 384)."""
        return self.maps(x)[-1].mean(dim=(2, 3))


def build(name: str, *, start: str = "auto", channels: int = 3, size: int | None = None) -> Backbone:
    """Return a backbone by name.

    Args:
        name: "embedded"; a name of timm's ("resnet50", "vit_small_patch16_224") or a short one of `ALIASES`.
        start: "hub" for its published weights, "nothing" for random ones, a folder with `best.safetensors` of a run
            for those, "auto" for published weights where they are to be had.
        channels: Of the images; the first layer is adapted to more or fewer than three.
        size: Side of the images in pixels; None for the usual one, or that of the run it starts from.

    Raises:
        UnknownName: No such model.
        MissingExtra: timm is not installed.
        InputError: The weights are not to be had, or are of another network.
    """
    size = size or _size_of_run(start)
    backbone = _embedded(start, channels) if name == EMBEDDED else _timm(name, start, channels, size)
    if name == EMBEDDED and channels != 3:
        backbone.mean, backbone.std = (0.5,) * channels, (0.25,) * channels
    return backbone


def _size_of_run(start: str) -> int | None:
    from lucida.models.onnx.card import read_card
    from lucida.train.location import MODEL

    card = Path(start) / MODEL / "model.toml"
    return read_card(card).needs.size if card.is_file() else None


def _embedded(start: str, channels: int) -> Backbone:
    from lucida.models.embedded.family import weights
    from lucida.models.embedded.network import Encoder
    from lucida.models.embedded.tuned import load_network

    shipped = start in ("auto", "hub", EMBEDDED)
    # The shipped weights, and what was trained from them, have no norms any more.
    folded = shipped or (start != "nothing" and "stem.0.bias" in trunk_weights(Path(start)))
    trunk = EncoderTrunk(load_network(weights()) if folded else Encoder(10))
    adapt_first(trunk, channels)
    licence = "research only, see lucida/models/embedded/weights/LICENSE"
    backbone = Backbone(EMBEDDED, trunk, 384, 128, *IMAGENET, 1e-3, EMBEDDED, licence, target="blocks")
    if start == "nothing":
        backbone.start, backbone.licence = "nothing", ""
    elif not shipped:
        load_trunk(trunk, Path(start))
        backbone.start, backbone.licence = start, ""
    return backbone


def _timm(name: str, start: str, channels: int, size: int | None) -> Backbone:
    try:
        import timm
    except ImportError as error:
        raise MissingExtra("timm", "train", f"Training {name}") from error
    full = ALIASES.get(name, name.removeprefix("timm:").removeprefix("timm/"))
    if not timm.is_model(full):
        raise UnknownName(
            "model to train", name, [EMBEDDED, *ALIASES, *timm.list_models()], hint="any name of timm's works"
        )
    options: dict[str, Any] = {"num_classes": 0, "in_chans": channels}
    published = timm.get_pretrained_cfg(full)
    fixed = bool(published and published.fixed_input_size)
    if fixed and size:
        options["img_size"] = size
    trunk, origin, note = None, "nothing", ""
    if start in ("auto", "hub"):
        try:
            trunk, origin = _published(full, options), "hub"
        except ModelError as error:
            if start == "hub":
                raise InputError(
                    f"The published weights of {full} are not to be had.",
                    expected="a network, or the weights in the hub's cache",
                    got=error.got or error.what,
                    hint="--start nothing trains from random weights; --model embedded has weights offline",
                ) from error
            note = f"The published weights of {full} are not to be had here, so it begins from nothing."
    if trunk is None:
        with quiet():
            trunk = timm.create_model(full, pretrained=False, **options)
    if start not in ("auto", "hub", "nothing"):
        load_trunk(trunk, Path(start))
        origin = start
    data = timm.data.resolve_model_data_config(trunk)
    side = size or data["input_size"][1]
    mean, std = (tuple(data[key]) if channels == 3 else (0.5,) * channels for key in ("mean", "std"))
    with torch.no_grad(), quiet():
        width = int(trunk.eval()(torch.zeros(1, channels, side, side)).shape[1])
    # Attention diverges at rates that convolutions like.
    attends = any(isinstance(module, nn.LayerNorm) for module in trunk.modules())
    licence = str((published.license if published else "") or "") if origin == "hub" else ""
    return Backbone(
        full, trunk, width, side, mean, std, 5e-4 if attends else 1.5e-3, origin, licence, fixed=fixed, note=note
    )


def _published(full: str, options: dict[str, Any]) -> nn.Module:
    """Return a network with its published weights, never from pickle.

    Raises:
        ModelError: There are none, or they are not to be had.
    """
    import timm

    published = timm.get_pretrained_cfg(full)
    if published is None or not published.has_weights:
        raise ModelError(f"There are no published weights of {full}.", expected="weights in the hub", got="none")
    snapshot = from_hub(published.hf_hub_id or f"timm/{full}.{published.tag}".rstrip("."))
    file = snapshot.folder / (published.hf_hub_filename or "model.safetensors")
    with quiet():
        trunk: nn.Module = timm.create_model(
            full, pretrained=True, pretrained_cfg_overlay={"file": str(file)}, **options
        )
    return trunk


def adapt_first(network: nn.Module, channels: int) -> None:
    """Let a network for images of three channels take others, in place: its first convolution is adapted."""
    if channels == 3:
        return
    name, first = next(
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.Conv2d) and module.in_channels == 3
    )
    layer = nn.Conv2d(
        channels,
        first.out_channels,
        first.kernel_size,  # type: ignore[arg-type, unused-ignore]
        first.stride,  # type: ignore[arg-type, unused-ignore]
        first.padding,  # type: ignore[arg-type, unused-ignore]
        first.dilation,  # type: ignore[arg-type, unused-ignore]
        bias=first.bias is not None,
    )
    with torch.no_grad():
        layer.weight.copy_(adapted(first.weight, channels))
        if first.bias is not None and layer.bias is not None:
            layer.bias.copy_(first.bias)
    setattr(network.get_submodule(name.rpartition(".")[0]), name.rpartition(".")[2], layer)
    for module in network.modules():
        # Networks of transformers look whether images have as many channels as they were made for.
        if getattr(module, "num_channels", None) == 3:
            module.num_channels = channels


def adapted(weight: Tensor, channels: int) -> Tensor:
    """Return filters (outputs, c, h, w) for other channels: the mean filter, as strong in sum as before."""
    return weight.mean(1, keepdim=True).repeat(1, channels, 1, 1) * weight.shape[1] / channels


def fitting(stored: Tensor, wanted: Tensor) -> Tensor:
    """Return stored weights, adapted where they are filters for images of other channels than those wanted."""
    filters = stored.ndim == wanted.ndim == 4 and stored.shape != wanted.shape
    if filters and stored.shape[0] == wanted.shape[0] and stored.shape[2:] == wanted.shape[2:]:
        return adapted(stored, wanted.shape[1])
    return stored


def load_trunk(trunk: nn.Module, run: Path) -> None:
    """Put the trunk of an earlier run's network into a new one.

    Args:
        trunk: Changed in place.
        run: Folder of the run, or its checkpoint.

    Raises:
        InputError: There is no checkpoint, or it is of another network.
    """
    from lucida.train.standing import another

    own = trunk.state_dict()
    weights = {n: fitting(value, own[n]) if n in own else value for n, value in trunk_weights(run).items()}
    try:
        trunk.load_state_dict(_resampled(weights, trunk))
    except RuntimeError as error:
        raise another(run, error) from error


def trunk_weights(run: Path) -> dict[str, Tensor]:
    """Return the weights of the trunk of an earlier run's network.

    Raises:
        InputError: There is no checkpoint.
    """
    from lucida.train.standing import BEST
    from lucida.tuning import checkpoint

    path = run / BEST if run.is_dir() else run
    if not path.is_file():
        raise InputError(
            f"There are no weights to begin from at {run}.",
            expected='"auto", "hub", "nothing", or a training run',
            got=f"no {BEST} there",
            hint="lucida train prints the name of its run",
        )
    weights = checkpoint.load(path)[0]["network"]
    return {name.removeprefix("trunk."): value for name, value in weights.items() if name.startswith("trunk.")}


def _resampled(weights: dict[str, Tensor], trunk: Any) -> dict[str, Tensor]:
    """Return weights whose positions, where a transformer learned some, fit images of another size."""
    known, wanted = weights.get("pos_embed"), getattr(trunk, "pos_embed", None)
    if known is None or wanted is None or known.shape == wanted.shape:
        return weights
    from timm.layers import resample_abs_pos_embed

    prefix = 0 if trunk.no_embed_class else trunk.num_prefix_tokens
    grid = list(trunk.patch_embed.grid_size)
    return {**weights, "pos_embed": resample_abs_pos_embed(known, grid, num_prefix_tokens=prefix)}


def freeze_all_but_head(model: Classifier) -> None:
    """Leave only the head to be trained: a linear probe."""
    model.trunk.requires_grad_(False)


def add_lora(model: Classifier, rank: int = 8) -> Callable[[], None]:
    """Freeze the trunk and add low-rank changes beside its linear and pointwise layers; return what merges them.

    Raises:
        MissingExtra: The package `peft` is not installed.
        InputError: No layer of the trunk can take one.

    Source: Hu et al. 2022, LoRA.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
        from peft.tuners.lora import LoraLayer
    except ImportError as error:
        raise MissingExtra("peft", "train", "Training by LoRA") from error
    fitting = [
        name
        for name, module in model.trunk.named_modules()
        if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
    ]
    if not fitting:
        raise InputError(
            "No layer of this model can be trained by LoRA.",
            expected="linear layers or plain convolutions",
            got=type(model.trunk).__name__,
            hint="--tune full",
        )
    with quiet():
        inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=fitting), model.trunk)

    def merge() -> None:
        """Fold the changes into the layers, so that nothing of them remains."""
        for name, module in list(model.trunk.named_modules()):
            if isinstance(module, LoraLayer):
                module.merge()
                parent = model.trunk.get_submodule(name.rpartition(".")[0])
                setattr(parent, name.rpartition(".")[2], module.get_base_layer())

    return merge
