"""Where the web build of ONNX Runtime is; it is an npm package, and nothing here downloads it."""

from __future__ import annotations

from pathlib import Path

from lucida.errors import InputError

USUAL = Path("node_modules", "onnxruntime-web", "dist")
# The smallest build: WebAssembly alone, for any browser of the last years.
FILES = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
HOW = "npm pack onnxruntime-web && tar xzf onnxruntime-web-*.tgz, then --runtime package/dist"


def find_runtime(folder: Path | None = None) -> Path:
    """Return the folder that holds `FILES`.

    Args:
        folder: The package's folder, or `dist` in it; None for where npm puts it.

    Raises:
        InputError: It is not there.
    """
    place = folder or USUAL
    for found in (place, place / "dist"):
        if all((found / name).is_file() for name in FILES):
            return found
    raise InputError(
        f"The web build of ONNX Runtime is not in {place}.",
        expected=f"a folder with {', '.join(FILES)}",
        got="another folder" if place.is_dir() else "no such folder",
        hint=HOW,
    )
