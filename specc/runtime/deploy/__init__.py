"""What goes out: static networks as source, torch.export and ONNX, in eight bits, and bundles of many sub-networks."""
