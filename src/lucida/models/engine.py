"""Engines: what runs an ONNX file on this machine. One file, OpenVINO or ONNX Runtime.

Every call runs on one thread of its own, so that several workers that decode and infer in turn use all
cores without waiting for each other: for small models this beats one call on all cores.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from lucida.errors import ModelError, UnknownName
from lucida.models.threads import available_cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Feeds = Mapping[str, NDArray[Any]]

X86 = ("x86_64", "amd64")


class Session(Protocol):
    """A loaded ONNX file.

    Attributes:
        engine: Name of the engine and the precision: "openvino bf16".
        inputs: Shapes of the inputs by name; None where a size is free.
        outputs: Names of the outputs, in order.
    """

    engine: str
    inputs: dict[str, tuple[int | None, ...]]
    outputs: list[str]

    def __call__(self, feeds: Feeds, wanted: Sequence[str]) -> list[NDArray[np.float32]]:
        """Return the wanted outputs for the inputs given by name."""
        ...


class FileSession(Session, Protocol):
    """A session of an engine, which can open its file anew."""

    def fixed(self, shapes: Mapping[str, Sequence[int]]) -> FileSession | None:
        """Return the same for inputs of these shapes alone, where that is faster."""
        ...


# What int8 leaves in floating point runs at whatever is fastest.
_HINTS = {"fp32": "f32", "bf16": "bf16"}


class OpenVinoSession:
    """An ONNX file compiled by OpenVINO for the CPU.

    Args:
        path: The file.
        precision: As `open_session` has it.
        shapes: Of inputs that are to take nothing else; others stay as free as the file has them.
    """

    def __init__(self, path: Path, precision: str, shapes: Mapping[str, Sequence[int]] | None = None) -> None:
        core = openvino_core()
        self._path, self._precision = path, precision
        try:
            model = core.read_model(path)
            if shapes:
                model.reshape({name: list(shape) for name, shape in shapes.items()})
            self._compiled = core.compile_model(
                model,
                "CPU",
                {
                    "INFERENCE_PRECISION_HINT": _HINTS.get(precision) or ("bf16" if has_bf16() else "f32"),
                    "INFERENCE_NUM_THREADS": available_cores(),
                    "NUM_STREAMS": available_cores(),
                    "ENABLE_CPU_PINNING": False,
                },
            )
        except RuntimeError as error:
            raise unreadable(path, error) from error
        self.engine = f"openvino {precision}"
        self.inputs = {
            port.any_name: tuple(None if axis.is_dynamic else axis.get_length() for axis in port.partial_shape)
            for port in self._compiled.inputs
        }
        self._ports = {name: port for port in self._compiled.outputs for name in port.names}
        self.outputs = [port.any_name for port in self._compiled.outputs]
        # An infer request holds its own buffers: one a thread, never shared.
        self._local = threading.local()

    def __call__(self, feeds: Feeds, wanted: Sequence[str]) -> list[NDArray[np.float32]]:
        request = getattr(self._local, "request", None)
        if request is None:
            request = self._local.request = self._compiled.create_infer_request()
        # What it returns are the request's own buffers, until the next call: they are copied once, here.
        found = request.infer(dict(feeds), share_inputs=True, share_outputs=True)
        return [np.array(found[self._ports[name]], dtype=np.float32) for name in wanted]

    def fixed(self, shapes: Mapping[str, Sequence[int]]) -> OpenVinoSession | None:
        """Return the same for inputs of these shapes alone, which is faster; None where the file takes no such ones."""
        try:
            return OpenVinoSession(self._path, self._precision, shapes)
        except ModelError:
            return None


class OnnxRuntimeSession:
    """An ONNX file run by ONNX Runtime: on the processor, or on a GPU where its package for GPUs is installed."""

    def __init__(self, path: Path, precision: str) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=providers())
        except Exception as error:
            # ONNX Runtime raises a class of its own for every reason, without a common root.
            raise unreadable(path, error) from error
        place = self._session.get_providers()[0].removesuffix("ExecutionProvider").lower()
        self.engine = "onnxruntime fp32" if place == "cpu" else f"onnxruntime {place} fp32"
        self.inputs = {
            i.name: tuple(n if isinstance(n, int) else None for n in i.shape) for i in self._session.get_inputs()
        }
        self.outputs = [o.name for o in self._session.get_outputs()]

    def __call__(self, feeds: Feeds, wanted: Sequence[str]) -> list[NDArray[np.float32]]:
        found = self._session.run(list(wanted), dict(feeds))
        return [np.asarray(value, dtype=np.float32) for value in found]

    def fixed(self, shapes: Mapping[str, Sequence[int]]) -> None:
        """Return nothing: free sizes cost ONNX Runtime little."""


ENGINES: dict[str, type[OpenVinoSession] | type[OnnxRuntimeSession]] = {
    "openvino": OpenVinoSession,
    "onnxruntime": OnnxRuntimeSession,
}


def engine_name() -> str:
    """Return the engine for this machine: LUCIDA_ENGINE, else OpenVINO on x86 without a GPU that can be used.

    Raises:
        UnknownName: LUCIDA_ENGINE names no engine.
        ModelError: LUCIDA_ENGINE names one that is not installed.
    """
    wanted = os.environ.get("LUCIDA_ENGINE", "").lower()
    if wanted and wanted not in ENGINES:
        raise UnknownName("engine", wanted, ENGINES, hint="LUCIDA_ENGINE may also stay unset.")
    if wanted and importlib.util.find_spec(wanted) is None:
        raise ModelError(
            f"The engine {wanted!r} is not installed.",
            expected=f"the package {wanted!r}, as LUCIDA_ENGINE asks",
            got="an install without it",
            hint=f"pip install {wanted}, or unset LUCIDA_ENGINE",
        )
    if wanted:
        return wanted
    x86 = platform.machine().lower() in X86 and not has_gpu()
    return "openvino" if x86 and importlib.util.find_spec("openvino") else "onnxruntime"


@lru_cache(maxsize=1)
def has_gpu() -> bool:
    """Tell whether ONNX Runtime is installed with its provider for NVIDIA GPUs, and finds one."""
    try:
        # Looked up before ONNX Runtime is imported: on most machines it is not needed at all.
        importlib.metadata.distribution("onnxruntime-gpu")
    except importlib.metadata.PackageNotFoundError:
        return False
    import onnxruntime

    return onnxruntime.get_device() == "GPU" and "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def providers() -> list[str]:
    """Return where ONNX Runtime is to run, the first that can."""
    return [*(["CUDAExecutionProvider"] if has_gpu() else []), "CPUExecutionProvider"]


_core: Any = None
_lock = threading.Lock()


def openvino_core() -> Any:
    """Return OpenVINO's core, one a process, with its telemetry kept off."""
    global _core
    with _lock:
        if _core is None:
            # Importing OpenVINO reports to a server unless this package cannot be imported: it then falls
            # back to a stub that does nothing. Nothing may leave the machine.
            sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
            import openvino

            _core = openvino.Core()
    return _core


def has_bf16() -> bool:
    """Tell whether the engine and the processor have fast bf16."""
    if engine_name() != "openvino":
        return False
    return "BF16" in openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def describe() -> str:
    """Return engine, its version and the processor: what a measured choice of precision depends on."""
    name = engine_name()
    if name == "openvino":
        device = openvino_core().get_property("CPU", "FULL_DEVICE_NAME")
        return f"openvino {importlib.metadata.version('openvino')} {device}"
    return f"{name} {platform.machine()}"


def open_session(path: Path, precision: str) -> FileSession:
    """Load an ONNX file with this machine's engine.

    Args:
        path: The ONNX file.
        precision: "fp32", "bf16", or "int8" of a file that holds int8.

    Raises:
        ModelError: The file is missing or damaged, or the engine cannot run what is in it.
    """
    if not path.is_file():
        raise ModelError(f"The model file {path} is missing.", expected="an ONNX file", got="no such file")
    return ENGINES[engine_name()](path, precision)


def unreadable(path: Path, error: Exception) -> ModelError:
    """Return the error for an ONNX file that an engine refuses."""
    reason = " ".join(str(error).split())
    return ModelError(
        f"The model file {path} cannot be loaded.",
        expected=f"an ONNX file that {engine_name()} can run",
        got=reason[:300],
        hint="export it again; or try the other engine: LUCIDA_ENGINE=onnxruntime",
    )
