"""Detectors of the YOLO kind as they are exported to ONNX: recognised by their outputs, decoded here."""
