"""Trained encoders for other programs: ONNX, torch.export, published names, the hub."""
