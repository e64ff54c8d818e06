"""Pictures of a network: stages as lanes, blocks as boxes, what can be left out as dashed detours."""

from specc.picture.build import build
from specc.picture.formats import FORMATS, picture
from specc.picture.view import Picture

__all__ = ["FORMATS", "Picture", "build", "picture"]
