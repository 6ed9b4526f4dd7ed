"""How far performances of one program differ, and how far the sensors that see them err."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Manner:
    """How far performances differ; standard deviations unless told otherwise.

    Attributes:
        size: of the logarithm of a body's size, and
        proportions: of that of each bone.
        pace: of the logarithm of the exponent by which time is bent.
        crop: share of the time that is cut off, before and after, at most.
        rest: share of a clip that passes before the action, and after it, at most.
        amount: of the logarithm of how far waves, bows and jumps go.
        style: of directions of limbs, all key poses alike, and
        carelessness: of each key pose for itself.
        tilt: of the camera, radians.
        shift: of each joint for the whole clip, metres: sensors place joints differently.
        sway: of slow unrest, metres at most.
        noise: of fast unrest, metres at most, of a sensor at the usual distance; it grows with the
            square of the distance, of whose logarithm this is
        distance: the spread.
        hidden: how wrong a sensor is about joints that the body hides from it, metres; it stands
            aside by
        side: degrees at most.
        lost: share of performances in which a joint is lost for a while, and
        spikes: in which joints jump for single frames, and
        mistaken: in which the arms, or the legs, are taken for each other for a while.
    """

    size: float = 0.1
    proportions: float = 0.08
    pace: float = 0.35
    crop: float = 0.3
    rest: float = 0.27
    amount: float = 0.25
    style: float = 0.2
    carelessness: float = 0.12
    tilt: float = 0.15
    shift: float = 0.04
    sway: float = 0.04
    noise: float = 0.02
    distance: float = 0.2
    hidden: float = 0.1
    side: float = 75.0
    lost: float = 0.15
    spikes: float = 0.4
    mistaken: float = 0.1
