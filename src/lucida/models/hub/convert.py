"""A PyTorch model becomes ONNX files with a TOML beside them: once, checked, and kept in the cache."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lucida.errors import MissingExtra, ModelError
from lucida.models import engine
from lucida.models.cache import cache_folder
from lucida.models.hub.snapshot import UNSTATED, Snapshot
from lucida.models.onnx.card import Card, read_card, write_card
from lucida.models.precision import made_sample
from lucida.models.quiet import quiet
from lucida.progress import track

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from lucida.models.needs import ImageNeeds

# Raised whenever conversion gives other files: old ones must not be taken for new.
VERSION = "c1"
CLOSE = 1e-4  # largest difference from PyTorch, relative to the largest output
TEXTS = ("a cat", "Red Hat!", "猫")  # short, for models with few positions


@dataclass
class TextHalf:
    """The text half of a pair.

    Attributes:
        module: int64 (n, tokens) ids, and a mask where it takes one, to float32 (n, d).
        masked: Whether it takes a mask.
        context: Tokens it reads.
        tokenizer: What turns texts into ids: a `tokenizers.Tokenizer` with its padding set.
        encode: The reference: texts to vectors float32 (n, d), by the library that the model comes from.
        logit_scale: Factor on cosines.
    """

    module: torch.nn.Module
    masked: bool
    context: int
    tokenizer: Any
    encode: Callable[[list[str]], NDArray[np.float32]]
    logit_scale: float


@dataclass
class Network:
    """A loaded model, ready to be written.

    Attributes:
        image: float32 (n, channels, height, width) to one tensor a name of `outputs`.
        outputs: "embedding", "logits" or both.
        needs: What it needs of an image.
        prepare: The reference: prepares a PIL image as the library that the model comes from does; None to skip.
        classes: For each logit the names of its class.
        text: The text half.
        licence: Licence of the weights, as far as the files say.
    """

    image: torch.nn.Module
    outputs: tuple[str, ...]
    needs: ImageNeeds
    prepare: Callable[[Any], NDArray[np.float32]] | None = None
    classes: list[list[str]] = field(default_factory=list)
    text: TextHalf | None = None
    licence: str = UNSTATED


def converted(snapshot: Snapshot, load: Callable[[], Network]) -> Card:
    """Return the card of a converted model; it is converted now where that has not been done.

    Args:
        snapshot: The model's files.
        load: Builds the network and loads its weights.

    Raises:
        ModelError: The ONNX files do not give what PyTorch gives, or images are not prepared as they must be.
        MissingExtra: PyTorch and its exporter are not installed.
    """
    plain = re.sub(r"[^A-Za-z0-9.-]+", "-", snapshot.name.removeprefix("hf:")).strip("-")[-60:]
    folder = cache_folder() / "converted" / f"{plain}-{snapshot.revision[:12]}-{VERSION}"
    if not (folder / "model.toml").is_file():
        for package in ("torch", "onnx", "onnxscript"):
            try:
                __import__(package)
            except ImportError as error:
                raise MissingExtra(package, "hub", f"Converting {snapshot.name}") from error
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as partial, track("Converting", 4, unit="steps") as step:
            with quiet():
                network = load()
            step(1)
            _write(snapshot, network, Path(partial), step)
            if folder.exists():
                shutil.rmtree(folder)
            try:
                Path(partial).rename(folder)
            except OSError:
                # Another process was quicker.
                if not (folder / "model.toml").is_file():
                    raise
            Path(partial).mkdir(exist_ok=True)
    return read_card(folder / "model.toml")


def _write(snapshot: Snapshot, network: Network, folder: Path, step: Callable[[int], None]) -> None:
    import torch

    sample = torch.from_numpy(made_sample(network.needs, 3))
    if network.prepare is not None:
        _check_preparation(snapshot, network)
    with quiet(), torch.inference_mode():
        truth = [value.numpy() for value in _tuple(network.image.eval()(sample))]
    export_onnx(network.image, (sample,), ("image",), network.outputs, folder / "image.onnx")
    step(1)
    if network.text is not None:
        _export_text(network.text, folder)
    if network.classes:
        rows = [{"name": names[0], "synonyms": names[1:]} for names in network.classes]
        (folder / "classes.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    widths = dict(zip(network.outputs, (value.shape[1] for value in truth), strict=True))
    _write_card(snapshot, network, widths, folder / "model.toml")
    step(1)
    # What is checked is what will be read: the card, and the files that it names.
    card = read_card(folder / "model.toml")
    found = engine.open_session(card.file, "fp32")({card.input: sample.numpy()}, network.outputs)
    for name, expected, got in zip(network.outputs, truth, found, strict=True):
        _check_close(snapshot, name, expected, got)
    if network.text is not None and card.text is not None:
        from lucida.models.onnx.text import TextEncoder

        with quiet():
            spoken = network.text.encode(list(TEXTS))
        _check_close(snapshot, "text", spoken, TextEncoder(card.text)(TEXTS))
    step(1)


def _export_text(text: TextHalf, folder: Path) -> None:
    import torch

    text.tokenizer.save(str(folder / "tokenizer.json"))
    names = ("input_ids", "attention_mask")[: 1 + text.masked]
    ids = torch.ones((2, text.context), dtype=torch.int64)
    export_onnx(text.module, (ids, torch.ones_like(ids))[: len(names)], names, ("embedding",), folder / "text.onnx")


def export_onnx(
    module: torch.nn.Module,
    sample: tuple[torch.Tensor, ...],
    inputs: Sequence[str],
    outputs: Sequence[str],
    path: Path,
    *,
    whole: bool = False,
) -> None:
    """Write a network as ONNX, for any number of rows.

    Args:
        module: What is written.
        sample: Its inputs, with more than one row.
        inputs: Their names in the file.
        outputs: Names of what it returns.
        path: The file.
        whole: Keep the weights in this one file, which may be 2 GB large; they lie beside it otherwise.
    """
    import torch

    rows = torch.export.Dim("n", min=1, max=4096)
    with quiet(), torch.inference_mode(), contextlib.redirect_stderr(io.StringIO()):
        torch.onnx.export(
            module.eval(),
            sample,
            path,
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_shapes=tuple({0: rows} for _ in inputs),
            dynamo=True,
            external_data=not whole,
            verbose=False,
        )


def _tuple(found: Any) -> tuple[Any, ...]:
    return found if isinstance(found, tuple) else (found,)


def _check_close(snapshot: Snapshot, name: str, expected: NDArray[np.float32], got: NDArray[np.float32]) -> None:
    largest = float(np.abs(expected).max()) or 1.0
    off = float(np.abs(expected - got).max()) / largest if expected.shape == got.shape else float("inf")
    if off > CLOSE:
        raise ModelError(
            f"Converting {snapshot.name} changed what it gives ({name}).",
            expected=f"the outputs of PyTorch within {CLOSE:g} of the largest",
            got=f"{off:.2g}, shapes {expected.shape} and {got.shape}",
            hint="report it with the name of the model; another model: lucida models",
        )


def _check_preparation(snapshot: Snapshot, network: Network) -> None:
    """Prepare one image of an odd shape in our way and in that of the model's own library."""
    from PIL import Image as Pillow

    from lucida.images import Image

    assert network.prepare is not None, "asked before"
    side = network.needs.cover
    # Waves rather than noise: the libraries' filters differ by a grey level on the sharpest edges.
    across, down = np.meshgrid(np.arange(side * 2 + 3) / side, np.arange(side + 14) / side)
    waves = [120 + 100 * np.sin(9 * (across * a + down * b)) for a, b in ((1, 2), (2, -1), (-1, 1))]
    pixels = np.stack(waves, axis=2).astype(np.uint8)
    ours = network.needs.prepare(Image(pixels, "RGB"))
    with quiet():
        theirs = network.prepare(Pillow.fromarray(pixels))
    grey = network.needs.scale / min(network.needs.std)
    off = float(np.abs(ours - theirs).max()) / grey if ours.shape == theirs.shape else float("inf")
    if off > 2:
        raise ModelError(
            f"Images cannot be prepared here as {snapshot.name} needs them.",
            expected="the pixels of its own image processor, within 2 grey levels",
            got=f"{off:.1f} grey levels off, shapes {ours.shape} and {theirs.shape}",
            hint="export the model to ONNX and describe its input in a TOML: --model onnx:PATH",
        )


def _write_card(snapshot: Snapshot, network: Network, widths: dict[str, int], path: Path) -> None:
    task = "clip" if network.text else "encode" if "embedding" in widths else "classify"
    output: dict[str, Any] = {name: name for name in widths}
    if "embedding" in widths:
        output["dimensions"] = widths["embedding"]
    if network.classes:
        output["classes"] = "classes.json"
    top = {
        "name": snapshot.name,
        "task": task,
        "file": "image.onnx",
        "licence": network.licence,
        "source": snapshot.name,
        "digest": f"{snapshot.revision[:12]}.{VERSION}",
    }
    text: dict[str, Any] = {}
    if network.text:
        text = {
            "file": "text.onnx",
            "tokenizer": "tokenizer.json",
            "context": network.text.context,
            "output": "embedding",
            "logit_scale": network.text.logit_scale,
            **({"mask": "attention_mask"} if network.text.masked else {}),
        }
    write_card(path, top, network.needs, output, text=text)
