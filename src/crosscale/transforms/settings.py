"""How clips become tensors, as settings; apart from what does it, which needs PyTorch."""

from dataclasses import dataclass
from typing import Literal

from crosscale.errors import CrosscaleError

Length = Literal["present", "moving", "published"]
Root = Literal["clip", "frame", "body_frame"]
Facing = Literal["clip", "frame", "heading", "none"]
Reference = Literal["first", "each"]
Size = Literal["kept", "normal"]


@dataclass(frozen=True)
class Preprocess:
    """How clips become a tensor.

    Attributes:
        frames: how many frames (T) every clip is resampled to.
        root: what is subtracted. `clip`: the first body's root at the first frame, which keeps
            trajectories and where two people stand to each other; `frame`: the first body's root
            in each frame; `body_frame`: each body's own root in each frame, as published.
        facing: `clip`: one turn about the vertical axis per clip; `frame`: one per frame and body,
            as published; `heading`: one turn per clip in the plane x, y, which is the floor of an
            animal seen from above, until it heads up; `none`.
        length: `present`: from the first to the last frame in which somebody is there; `moving`:
            of these from shortly before somebody moves first to shortly after somebody moves last,
            as recordings are seldom cut where an action begins and ends; `published`: as many
            frames, from the first, as have body 0's joint 0 away from zero.
        bodies: how many people a clip has room for; further ones are left out.
        reference: which body is the first one that `root`, `facing` and `size` speak of: `first`
            of the recording; or `each` in turn, so that M is `bodies` squared: the features of a
            clip, a mean over M, then do not depend on which of two people was recorded first.
        size: `kept`; or `normal`: each clip is scaled until its first body's bones, in the mean,
            are as long as those of a usual body, for people of any size and sensors that place
            joints differently.
    """

    frames: int = 50
    root: Root = "clip"
    facing: Facing = "clip"
    length: Length = "present"
    bodies: int = 2
    size: Size = "kept"
    reference: Reference = "first"

    @property
    def places(self) -> int:
        """How many bodies (M) a preprocessed clip has room for, each as often as it is seen."""
        return self.bodies if self.reference == "first" else self.bodies**2

    def __post_init__(self) -> None:
        if self.frames < 1 or self.bodies < 1:
            raise CrosscaleError(
                f"preprocessing needs at least 1 frame and 1 body, not {self.frames} frames and "
                f"{self.bodies} bodies"
            )


PUBLISHED = Preprocess(root="body_frame", facing="frame", length="published")
