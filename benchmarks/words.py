"""Measure labels by words with CLIP ViT-B/32: beside a plain transformers loop, its pipeline, and the model alone.

    python -m benchmarks.words --photos FOLDER --rounds 3
    python -m benchmarks.words --photos FOLDER --classifier         # MobileNetV3-large beside a timm loop instead
    python -m benchmarks.words --photos FOLDER --memory 100000

The weights are random: speed does not depend on them. Every photo is encoded anew at several JPEG qualities. The sides
take turns in every round; ratios are medians over the rounds. What a side does once (loading, converting, making int8)
is left out of the rates and printed. Needs the extra "hub".
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from PIL import Image

from lucida.catalog import add
from lucida.env import versions
from lucida.label import label
from lucida.models.registry import find
from lucida.models.threads import available_cores
from lucida.runs.vectors import prepare

LABELS = ["dog", "cat", "car", "house", "tree", "person", "boat", "food", "flower", "street"]
QUALITIES = range(35, 100, 5)  # 13 of them
BATCH = 32
SHOWN = ("camera-lucida", "python", "openvino", "torch", "transformers", "timm", "nncf", "pillow")


def main() -> None:
    """Run the rounds and print rates and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="folder of images")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--classifier", action="store_true", help="a small classifier instead of CLIP")
    parser.add_argument("--memory", type=int, default=0, help="instead: peak memory over so many images")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        os.environ.setdefault("LUCIDA_CACHE", f"{name}/cache")
        if options.memory:
            memory(options.photos, Path(name), options.memory)
        else:
            rates(options.photos, Path(name), options.rounds, write_mobilenet if options.classifier else write_clip)


def rates(photos: Path, folder: Path, rounds: int, write: Callable[[Path], Path]) -> None:
    """Measure the sides in turn."""
    import torch

    torch.set_num_threads(available_cores())
    files = encode(photos, folder / "photos")
    model = write(folder / "model")
    began = time.perf_counter()
    find(str(model))
    print({k: v for k, v in versions().items() if k in SHOWN})
    print(f"{len(files):,} files, {available_cores()} cores; converted in {time.perf_counter() - began:.1f} s")
    few = files[:: max(1, len(files) // 104)]
    for part, those in (("all", files), ("one", files[:1])):
        add(list(those), catalog=folder / part)
    sides: dict[str, tuple[int, Callable[[], Any]]] = {
        "lucida label": (len(files), lambda: ours(folder, model, "all")),
        "its start": (1, lambda: ours(folder, model, "one")),
    }
    if write is write_mobilenet:
        sides["timm loop"] = (len(files), timm_loop(model, files))
    else:
        loop, pipeline = plain_loop(model), zero_shot(model)
        sides["transformers loop"] = (len(files), lambda: loop(files))
        sides["zero-shot pipeline"] = (len(few), lambda: pipeline(few))
    began = time.perf_counter()
    print(ours(folder, model, "all"), f"\n(first call, int8 made: {time.perf_counter() - began:.1f} s)")
    sides |= {f"model alone, {p}": (len(files), alone(model, files, p)) for p in ("int8", "bf16", "fp32")}
    sides["decode and prepare alone"] = (len(files), lambda: prepared(model, files))
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, (_, work) in sides.items():
            start = time.perf_counter()
            work()
            seconds[side].append(time.perf_counter() - start)
    start_up = seconds.pop("its start")
    seconds["lucida label"] = [whole - start for whole, start in zip(seconds["lucida label"], start_up, strict=True)]
    rate = {side: [sides[side][0] / s for s in times] for side, times in seconds.items()}
    for side, found in rate.items():
        print(f"{side:<20} {median(found):8.1f} images/s   ({min(found):.1f} to {max(found):.1f})")
    print(f"start of a label call: {median(start_up):.2f} s, left out above")
    for side in rate:
        if side != "lucida label":
            ratio = median(a / b for a, b in zip(rate["lucida label"], rate[side], strict=True))
            print(f"lucida label is {ratio:.2f} times {side}")


def encode(photos: Path, out: Path) -> list[Path]:
    """Write every photo at several qualities."""
    out.mkdir(parents=True)
    for number, data in enumerate(pictures(photos)):
        picture = Image.open(io.BytesIO(data)).convert("RGB")
        for quality in QUALITIES:
            picture.save(out / f"{number:04}-{quality}.jpg", quality=quality)
    return sorted(out.iterdir())


def pictures(photos: Path) -> list[bytes]:
    """Return the image files of a folder, or of the Parquet files in it (column "image", as `datasets` has it)."""
    import pyarrow.parquet as pq

    files = sorted(p for p in photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png", ".parquet"))
    found: list[bytes] = []
    for path in files:
        if path.suffix == ".parquet":
            found += [row["bytes"] for row in pq.read_table(path, columns=["image"])["image"].to_pylist()]
        else:
            found.append(path.read_bytes())
    return found


def write_clip(folder: Path, *, tiny: bool = False) -> Path:
    """Write a CLIP ViT-B/32 with random weights, or a tiny one."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers

    torch.manual_seed(0)
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special, alphabet = ["<pad>", "<start>", "<end>"], pre_tokenizers.ByteLevel.alphabet()
    inner.train_from_iterator(LABELS, trainers.BpeTrainer(special_tokens=special, initial_alphabet=alphabet))
    ends = [("<start>", 1), ("<end>", 2)]
    inner.post_processor = processors.TemplateProcessing(single="<start> $A <end>", special_tokens=ends)
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="<pad>", bos_token="<start>", eos_token="<end>", model_max_length=77
    )
    ids = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
    small = (
        {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2} if tiny else {}
    )
    vision = {**small, "image_size": 32, "patch_size": 8} if tiny else {}
    config = transformers.CLIPConfig(text_config={**small, **ids}, vision_config=vision)
    transformers.CLIPModel(config).eval().save_pretrained(folder)
    size = 32 if tiny else 224
    processor = transformers.CLIPImageProcessor(size={"shortest_edge": size}, crop_size={"height": size, "width": size})
    transformers.CLIPProcessor(image_processor=processor, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def plain_loop(folder: Path) -> Callable[[list[Path]], None]:
    """Return a loop as the documentation of transformers has it, the words encoded once."""
    import torch
    import transformers

    model = transformers.CLIPModel.from_pretrained(folder).eval()
    processor = transformers.CLIPProcessor.from_pretrained(folder)
    with torch.inference_mode():
        words = processor(text=[f"a photo of a {name}" for name in LABELS], return_tensors="pt", padding=True)
        texts = model.get_text_features(**words).pooler_output
        texts = texts / texts.norm(dim=-1, keepdim=True)

    def loop(files: list[Path]) -> None:
        with torch.inference_mode():
            for first in range(0, len(files), BATCH):
                opened = [Image.open(path).convert("RGB") for path in files[first : first + BATCH]]
                pixels = processor(images=opened, return_tensors="pt")
                found = model.get_image_features(**pixels).pooler_output
                found = found / found.norm(dim=-1, keepdim=True)
                (model.logit_scale.exp() * found @ texts.T).softmax(dim=-1).argmax(dim=-1)

    return loop


def zero_shot(folder: Path) -> Callable[[list[Path]], None]:
    """Return the pipeline that most people start from; it encodes the words again for every image."""
    import transformers

    pipeline = transformers.pipeline("zero-shot-image-classification", model=str(folder))

    def run(files: list[Path]) -> None:
        pipeline([str(path) for path in files], candidate_labels=LABELS)

    return run


def ours(folder: Path, model: Path, part: str) -> Any:
    """Label a fresh copy of a catalog: vectors, labels, everything kept."""
    shutil.rmtree(folder / "fresh", ignore_errors=True)
    shutil.copytree(folder / part, folder / "fresh")
    words = None if (model / "config.json").read_text().find('"architecture"') > 0 else ",".join(LABELS)
    with contextlib.redirect_stderr(io.StringIO()):
        return label(classes=words, model=str(model), catalog=folder / "fresh")


def write_mobilenet(folder: Path) -> Path:
    """Write a MobileNetV3-large with random weights."""
    import timm
    import torch
    from timm.models import save_for_hf

    torch.manual_seed(0)
    save_for_hf(timm.create_model("mobilenetv3_large_100", pretrained=False), folder, safe_serialization=True)
    return folder


def timm_loop(folder: Path, files: list[Path]) -> Callable[[], None]:
    """Return a loop as the documentation of timm has it."""
    import timm
    import torch

    model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model), is_training=False)

    def loop() -> None:
        with torch.inference_mode():
            for first in range(0, len(files), BATCH):
                opened = [transform(Image.open(path).convert("RGB")) for path in files[first : first + BATCH]]
                model(torch.stack(opened)).softmax(dim=-1).topk(5)

    return loop


def prepared(folder: Path, files: list[Path]) -> None:
    """Read, decode and prepare all images on all cores, and do nothing with them."""
    spec = find(str(folder))
    with ThreadPoolExecutor(available_cores()) as pool:
        list(pool.map(lambda path: prepare(spec, path.read_bytes()).shape, files))


def alone(folder: Path, files: list[Path], precision: Any) -> Callable[[], None]:
    """Return the model alone on prepared images: as many threads as cores, one batch at a time each."""
    spec = find(str(folder))
    batch = np.stack([prepare(spec, path.read_bytes()) for path in files[:BATCH]])
    model = spec.load(precision)
    model.embed(batch)

    def run() -> None:
        with ThreadPoolExecutor(available_cores()) as pool:
            list(pool.map(lambda _: model.embed(batch), range(-(-len(files) // BATCH))))

    return run


def memory(photos: Path, folder: Path, count: int) -> None:
    """Label many images with a tiny model; memory must not grow with their number."""
    thumbs = []
    for data in pictures(photos)[:100]:
        out = io.BytesIO()
        Image.open(io.BytesIO(data)).convert("RGB").resize((64, 64)).save(out, "JPEG")
        thumbs.append(out.getvalue())
    model = write_clip(folder / "clip", tiny=True)
    find(str(model))
    done = 0
    for total in (count // 10, count):
        place = folder / "many" / str(total)
        place.mkdir(parents=True)
        for i in range(done, total):
            # Bytes after the end of a JPEG change its content id and nothing else.
            (place / f"{i:07}.jpg").write_bytes(thumbs[i % len(thumbs)] + i.to_bytes(4, "big"))
        done = total
        add([place], catalog=folder / "catalog")
        began = time.perf_counter()
        label(classes=",".join(LABELS), model=str(model), catalog=folder / "catalog")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        print(f"{total:>8,} images: {time.perf_counter() - began:6.1f} s, peak memory {peak / 2**20:,.0f} MB")


if __name__ == "__main__":
    main()
