"""The loss of an example in grammar/REFERENCE.md: outputs of one's own learn by a file beside the spec."""

import torch.nn.functional as F
from torch import Tensor


def loss(outputs: dict[str, Tensor], targets: Tensor) -> Tensor:
    """`targets` are [N, 13, 16, 16]: four numbers of a box and nine scores at every place."""
    boxes = F.smooth_l1_loss(outputs["boxes"], targets[:, :4])
    return boxes + F.binary_cross_entropy_with_logits(outputs["scores"], targets[:, 4:])
