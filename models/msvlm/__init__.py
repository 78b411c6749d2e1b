"""MS-VLM for chest CT: a slice encoder, a Z-former over the slices of a study, and a small report decoder.

Phantoms (`models.phantoms`) go in, a bundle of three ONNX graphs comes out (`python -m models.msvlm.train`).
Needs torch (extra `train`); the agent reads the bundle with onnxruntime alone.
"""
