"""What a person would write: FastAPI, Pillow, ONNX Runtime fp32; run by uvicorn beside `lucida serve`.

PEER_MODEL=model.onnx uvicorn benchmarks.serving_peer:app --workers 2
"""

from __future__ import annotations

import os
from typing import Annotated, Any

import numpy as np
import onnxruntime
from fastapi import FastAPI, File
from PIL import Image

SIDE, EDGE = 224, 256
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)

app = FastAPI()
options = onnxruntime.SessionOptions()
# One thread an inference: the thread pool before it has one inference a request, and the cores are few.
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(os.environ["PEER_MODEL"], options, providers=["CPUExecutionProvider"])


@app.post("/v1/classify")
def classify(image: Annotated[bytes, File()]) -> dict[str, Any]:
    """Say which class an image is of."""
    from io import BytesIO

    opened = Image.open(BytesIO(image)).convert("RGB")
    scale = EDGE / min(opened.size)
    opened = opened.resize((round(opened.width * scale), round(opened.height * scale)), Image.Resampling.BILINEAR)
    left, top = (opened.width - SIDE) // 2, (opened.height - SIDE) // 2
    pixels = np.asarray(opened.crop((left, top, left + SIDE, top + SIDE)), np.float32) / 255
    batch = ((pixels - MEAN) / STD).transpose(2, 0, 1)[None]
    (logits,) = session.run(["logits"], {"image": np.ascontiguousarray(batch)})
    shares = np.exp(logits[0] - logits[0].max())
    shares /= shares.sum()
    best = np.argsort(-shares)[:9].tolist()
    return {
        "label": f"class {best[0]}",
        "score": float(shares[best[0]]),
        "runner_up": [[k, float(shares[k])] for k in best],
    }
