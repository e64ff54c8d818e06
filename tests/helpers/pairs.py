"""A network of two inputs, and data of one's own for it."""

from __future__ import annotations

SPEC = """
supernet pairs {
  input left image(1, 8, 8)
  input right image(1, 8, 8)
  classes 2
  norm batch
  width uniform {0.5, 1.0} round 8
  stem {
    a = conv(16, kernel=3, from=left)
    b = conv(16, kernel=3, from=right)
    add(a, b); norm; relu
  }
  head { pool(avg); linear(classes) }
}
METHOD
data own(path="pairs.py")
train { epochs=1; batch_size=64; calibrate=64; optimizer=sgd(lr=0.1); mixup=0.2; cutmix=1.0; label_smoothing=0.1 }
search { calibrate=64; strategy=exhaustive }
"""

PAIRS = '''
"""Pairs of images; class 1 where the right one is brighter."""
import torch

def load(settings):
    generator = torch.Generator().manual_seed(settings["seed"])
    parts = []
    for count in (256, 64):
        pixels = torch.randint(0, 128, (count, 2, 8, 8), generator=generator, dtype=torch.uint8)
        labels = torch.randint(0, 2, (count,), generator=generator)
        pixels[torch.arange(count), labels] += 100
        parts.append((pixels, labels))
    return parts
'''
