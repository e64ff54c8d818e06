"""Pictures of a network: stages as lanes, blocks as boxes, what can be left out as dashed detours."""

from specc.analysis.picture.build import build
from specc.analysis.picture.formats import FORMATS, picture
from specc.analysis.picture.view import Picture

__all__ = ["FORMATS", "Picture", "build", "picture"]
