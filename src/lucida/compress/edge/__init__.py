"""A classifier without this package: in a web page, and in the format of ONNX Runtime on phones."""
