"""The peer's work under LitServe: PEER_MODEL=model.onnx python -m benchmarks.serving_litserve PORT WORKERS."""

# LitServe reads the annotations below: they must be no strings.
import os
import sys
from typing import Any

import litserve
from fastapi import Request


class Classifier(litserve.LitAPI):  # type: ignore[misc]
    """Says which class an image is of."""

    def setup(self, device: str) -> None:
        """Load the model, in each worker."""
        # Imported here, as the process that takes requests loads no model.
        from benchmarks.serving_peer import classify

        self._classify = classify

    def decode_request(self, request: Request) -> bytes:
        """Read the upload, which comes as a form."""
        return request["image"].file.read()  # type: ignore[no-any-return]

    def predict(self, data: bytes) -> dict[str, Any]:
        """Decode and infer."""
        return self._classify(data)

    def encode_response(self, answer: dict[str, Any]) -> dict[str, Any]:
        """Return it as it is."""
        return answer


if __name__ == "__main__":
    assert os.environ["PEER_MODEL"]
    api = Classifier(api_path="/v1/classify")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=int(sys.argv[2]), timeout=60)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False, log_level="warning")
