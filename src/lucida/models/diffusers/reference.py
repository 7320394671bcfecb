"""The style of an image by an IP-Adapter, put on where a request has a reference and taken off where it has none.

Source: Ye et al. 2023 (IP-Adapter); Wang et al. 2024 (InstantStyle), for layers that have to do with style alone.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lucida.errors import ModelError
from lucida.models.diffusers.files import piece
from lucida.models.quiet import quiet

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lucida.models.diffusers.table import Adapter


class Reference:
    """The IP-Adapter of a model.

    Args:
        adapter: Row of the table; None where only one of the user's own is used.
        own: Folder of one of the user's own: ip-adapter*.safetensors, and the encoder in image_encoder/.
    """

    def __init__(self, adapter: Adapter | None, own: Path | None) -> None:
        self._adapter, self._own = adapter, own
        self._parts: dict[str, Any] = {}  # what looks at the image: kept while the adapter is off

    def put_on(self, pipeline: Any) -> None:
        """Make a pipeline look at an image besides the prompt.

        Raises:
            ModelError: The adapter is not to be had, or is not one for this model.
        """
        folder, inside, file, encoder = self._files()
        network = pipeline.unet
        if self._parts:
            pipeline.register_modules(**self._parts)
        try:
            with quiet():
                pipeline.load_ip_adapter(
                    str(folder), subfolder=inside, weight_name=file, image_encoder_folder=encoder, local_files_only=True
                )
        except (RuntimeError, ValueError, KeyError, OSError, AttributeError) as error:
            # A half-loaded adapter would ask for an image ever after.
            pipeline.unload_ip_adapter()
            raise ModelError(
                f"The IP-Adapter {folder / inside / file} is not one for this model.",
                expected=f"an adapter for prompts of {network.config.cross_attention_dim} numbers a token",
                got=" ".join(str(error).split())[:200],
                hint="one that was trained for this family",
            ) from error
        self._parts = {"image_encoder": pipeline.image_encoder, "feature_extractor": pipeline.feature_extractor}

    def take_off(self, pipeline: Any) -> None:
        """Bring a pipeline back to the prompt alone."""
        pipeline.unload_ip_adapter()

    @property
    def parts(self) -> Mapping[str, Any]:
        """What looks at the image, for pipelines that share the network."""
        return self._parts

    def scale(self, strength: float) -> Any:
        """Return how strongly the image counts, in each layer where the table says so."""
        if self._own is not None or self._adapter is None or not self._adapter.style:
            return strength
        return {
            place: {block: [weight * strength for weight in weights] for block, weights in blocks.items()}
            for place, blocks in self._adapter.style.items()
        }

    def _files(self) -> tuple[Path, str, str, str]:
        """Return the folder of the files, the folder in it, the name of the weights, and the folder of the encoder."""
        if self._own is not None:
            file = next(iter(sorted(self._own.glob("*ip-adapter*.safetensors"))))
            return self._own, "", file.name, "image_encoder"
        row = self._adapter
        assert row is not None, "asked for only where the model has one"
        patterns = [
            f"{row.folder}/{row.file}",
            *(f"{row.folder}/{row.encoder}/{end}" for end in ("*.json", "*.safetensors")),
        ]
        return piece(row.repo, patterns, patterns[0]), row.folder, row.file, row.encoder
