"""Where tensors are computed, by the name that a user says."""

import torch

from crosscale.errors import CrosscaleError


def usable(name: torch.device | str) -> torch.device:
    """A device by its name, such as cpu, cuda, cuda:1 or mps.

    Raises:
        CrosscaleError: when there is none of this name, or it cannot be used here.
    """
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise CrosscaleError(f"no device '{name}': say cpu or cuda") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise CrosscaleError("no GPU that PyTorch can use: say --device cpu")
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise CrosscaleError(f"--device {name} cannot be used here: say cpu or cuda") from error
    return device
