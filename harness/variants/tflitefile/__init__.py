"""Quantised TFLite files, by ai-edge-quantizer."""
