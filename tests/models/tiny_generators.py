"""Tiny ONNX networks that draw: exact flows and diffusions of Gaussian data, a GAN, and a VAE that loses nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 8
CLASSES = ("cat", "dog", "ship")
DEVIATION = 0.1  # of the data around the mean of its class
LATENT = (4, 2, 2)
HEAD = 'task = "generate"\nlicence = "CC0"\nsource = "tests"\n'


def means(channels: int = 3) -> np.ndarray:
    """Return the mean of each class, and of none, float32 (4, channels, 1, 1)."""
    return np.random.default_rng(5).uniform(-0.4, 0.4, (len(CLASSES) + 1, channels, 1, 1)).astype(np.float32)


class _Graph:
    """Nodes by what they compute."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, value: Any) -> str:
        name = f"w{len(self.weights)}"
        kind = value.dtype if isinstance(value, np.ndarray) and value.dtype == np.int64 else np.float32
        self.weights.append(numpy_helper.from_array(np.asarray(value, kind), name))
        return name

    def __call__(self, kind: str, *inputs: Any, out: str = "", **options: Any) -> str:
        names = [one if isinstance(one, str) else self.weight(one) for one in inputs]
        self.nodes.append(helper.make_node(kind, names, [out or f"n{len(self.nodes)}"], **options))
        return self.nodes[-1].output[0]

    def save(self, file: Path, inputs: dict[str, list], output: list) -> None:
        kinds = {"class": TensorProto.INT64}
        graph = helper.make_graph(
            self.nodes,
            "generator",
            [helper.make_tensor_value_info(n, kinds.get(n, TensorProto.FLOAT), shape) for n, shape in inputs.items()],
            [helper.make_tensor_value_info("output", TensorProto.FLOAT, output)],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.checker.check_model(model)
        file.parent.mkdir(parents=True, exist_ok=True)
        onnx.save(model, file)


def _mean(g: _Graph, channels: int, classes: bool) -> str:
    return g("Gather", means(channels), "class") if classes else g("Identity", means(channels)[:1])


def _column(g: _Graph, vector: str) -> str:
    return g("Unsqueeze", vector, np.array([1, 2, 3]))


def _steps_inputs(shape: tuple[int, ...], classes: bool) -> dict[str, list]:
    found: dict[str, list] = {"x": ["n", *shape], "time": ["n"]}
    return found | {"class": ["n"]} if classes else found


def flow(folder: Path, *, classes: bool = True, shape: tuple[int, ...] = (3, SIDE, SIDE), head: str = "") -> Path:
    """Write the exact velocity of data N(mean of the class, DEVIATION²), and return its card.

    E[noise - data | x] = (t - (1 - t) s²) / ((1 - t)² s² + t²) (x - (1 - t) mean) - mean.
    """
    g, s2 = _Graph(), DEVIATION**2
    mean, t = _mean(g, shape[0], classes), _column(g, "time")
    keep = g("Sub", 1.0, t)
    above = g("Sub", t, g("Mul", keep, s2))
    below = g("Add", g("Mul", g("Mul", keep, keep), s2), g("Mul", t, t))
    centred = g("Sub", "x", g("Mul", keep, mean))
    g("Sub", g("Mul", g("Div", above, below), centred), mean, out="output")
    g.save(folder / "model.onnx", _steps_inputs(shape, classes), ["n", *shape])
    return _card(folder, "flow", classes, shape, head=head)


def diffusion(folder: Path, *, classes: bool = True) -> Path:
    """Write the exact network F of data N(mean of the class, DEVIATION²) with sigma_data 0.5, and return its card."""
    g, s2, d2, shape = _Graph(), DEVIATION**2, 0.25, (3, SIDE, SIDE)
    mean = _mean(g, 3, classes)
    sigma = g("Exp", g("Mul", _column(g, "time"), 4.0))
    square = g("Mul", sigma, sigma)
    whole = g("Sqrt", g("Add", square, d2))
    x = g("Mul", "x", whole)
    data = g("Add", mean, g("Mul", g("Div", s2, g("Add", square, s2)), g("Sub", x, mean)))
    skipped = g("Mul", x, g("Div", d2, g("Add", square, d2)))
    g("Div", g("Sub", data, skipped), g("Div", g("Mul", sigma, 0.5), whole), out="output")
    g.save(folder / "model.onnx", _steps_inputs(shape, classes), ["n", *shape])
    return _card(folder, "diffusion", classes, shape)


def gan(folder: Path, *, classes: bool = True) -> Path:
    """Write a generator of one layer, and return its card."""
    g, draw = _Graph(), np.random.default_rng(6)
    planes = g("MatMul", "x", draw.normal(0, 0.3, (5, 3 * SIDE * SIDE)))
    picture = g("Reshape", planes, np.array([-1, 3, SIDE, SIDE]))
    g("Tanh", g("Add", picture, _mean(g, 3, classes)), out="output")
    g.save(folder / "model.onnx", {"x": ["n", 5]} | ({"class": ["n"]} if classes else {}), ["n", 3, SIDE, SIDE])
    return _card(folder, "gan", classes, (5, 1, 1))


def vae(folder: Path, *, encoder: bool = True) -> Path:
    """Write a linear VAE, whose encoder is the inverse of its decoder, and return its card."""
    write_vae(folder, "model.onnx")
    more = "[latent]\nscale = 2.0\nshift = 0.5\n" + ('encoder = "encoder.onnx"\n' if encoder else "")
    return _card(folder, "vae", False, LATENT, tail=more)


def latent_flow(folder: Path, *, encoder: bool = True) -> Path:
    """Write a flow of the latents of a VAE, and return its card."""
    card = flow(folder, shape=LATENT)
    write_vae(folder, "decoder.onnx")
    more = '[latent]\ndecoder = "decoder.onnx"\nscale = 2.0\nshift = 0.5\n'
    with card.open("a") as file:
        file.write(more + ('encoder = "encoder.onnx"\n' if encoder else ""))
    return card


def write_vae(folder: Path, decoder: str) -> None:
    """Write a decoder, and encoder.onnx, with an orthonormal patch for each channel of the latent."""
    draw, size = np.random.default_rng(7), SIDE // LATENT[1]
    basis = np.linalg.qr(draw.normal(size=(3 * size * size, LATENT[0])))[0].T.reshape(LATENT[0], 3, size, size)
    g = _Graph()
    g("ConvTranspose", "x", basis, out="output", strides=[size, size])
    g.save(folder / decoder, {"x": ["n", *LATENT]}, ["n", 3, SIDE, SIDE])
    g = _Graph()
    g("Conv", "picture", basis, out="output", strides=[size, size])
    g.save(folder / "encoder.onnx", {"picture": ["n", 3, SIDE, SIDE]}, ["n", *LATENT])


def _card(folder: Path, method: str, classes: bool, shape: tuple[int, ...], *, head: str = "", tail: str = "") -> Path:
    names = ", ".join(f'"{name}"' for name in CLASSES) if classes else ""
    lines = [
        f'name = "{folder.name}"',
        f'{HEAD}method = "{method}"',
        f"classes = [{names}]",
        f"size = [{SIDE}, {SIDE}]",
    ]
    lines += [head, "[network]", 'image = "x"', f'class = "{"class" if classes else ""}"']
    lines += [f"{name} = {size}" for name, size in zip(("channels", "height", "width"), shape, strict=True)]
    lines += ["[sampler]", "steps = 5", "guidance = 1.5", 'sampler = "heun"'] if method in ("flow", "diffusion") else []
    card = folder / "model.toml"
    card.write_text("\n".join(lines) + "\n" + tail)
    return card


WRITERS = {"flow": flow, "diffusion": diffusion, "gan": gan, "vae": vae, "latent": latent_flow}


def shipped(folder: Path) -> Path:
    """Write a model as the package ships one, and return the folder of such models."""
    flow(folder / "embedded-generator")
    return folder
