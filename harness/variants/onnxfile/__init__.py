"""Quantised ONNX files, by ONNX Runtime's quantiser."""
