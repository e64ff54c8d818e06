"""Networks that are no chains: operators of several tensors, channels in runs, and torchvision's networks of both."""
