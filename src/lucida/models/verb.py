"""The verb `models`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucida.models.spec import Spec


@dataclass(frozen=True)
class ModelList:
    """The models at hand."""

    specs: tuple[Spec, ...]

    def to_json(self) -> dict[str, Any]:
        """Return what each spec says of itself."""
        names = ("name", "family", "tasks", "licence", "source", "revision", "note")
        return {"models": [{name: getattr(spec, name) for name in names} for spec in self.specs]}

    def __str__(self) -> str:
        blocks = []
        for spec in self.specs:
            lines = [f"{spec.name}  ({', '.join(spec.tasks)})", f"  licence: {spec.licence}"]
            blocks.append("\n".join([*lines, f"  {spec.note}"] if spec.note else lines))
        further = "Any model of your own: --model onnx:PATH, with a small TOML beside it (docs/models.md)."
        return "\n\n".join([*blocks, further])


def models() -> ModelList:
    """List the models at hand, with their tasks, licences and what to know before relying on them."""
    from lucida.models.registry import specs

    return ModelList(tuple(specs()))
