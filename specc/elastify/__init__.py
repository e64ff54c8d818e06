"""Makes a network elastic: from a spec with few choices or none to the text of one with widths, kernels, depths and
resolutions to choose from, whose largest sub-network is the network that came in."""

from specc.elastify.make import CannotTrain, Elastified, NothingElastic, elastify
from specc.elastify.request import Request, WrongRequest, read_request

__all__ = ["CannotTrain", "Elastified", "NothingElastic", "Request", "WrongRequest", "elastify", "read_request"]
