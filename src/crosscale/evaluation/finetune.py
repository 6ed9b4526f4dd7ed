"""Fine-tuning: an encoder and a linear layer on it, trained together with labels."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from sklearn.base import BaseEstimator
from torch import Tensor, nn
from torch.nn import functional

from crosscale.encoders.base import Encoder
from crosscale.errors import CrosscaleError
from crosscale.evaluation.probes.linear import new_layer
from crosscale.evaluation.semi import check_share
from crosscale.models.features import embed_stream
from crosscale.training.optim import Cosine, learning_rate
from crosscale.transforms.preprocess import ClipTensors
from crosscale.utils.repeatable import derived_seed, repeatable


@dataclass(eq=False, repr=False)
class Finetune(BaseEstimator):
    """Encoder and linear layer, trained together with labels.

    By SGD on the clips as they are, without random views.

    Source: HiCLR's (AAAI 2023) released settings, which go on from AimCLR's code: rate 0.1 with a
    warm-up of 5 epochs, batches of 64, momentum 0.9, weight decay 1e-4, 70 epochs, a tenth of the
    rate from epochs 30 and 55 on. Here the rate falls as a cosine, which needs no other epochs
    named when there are fewer; and there are fewer, which suits a thousand clips on a CPU.

    Attributes:
        epochs: passes over the training clips.
        learning_rate: of SGD, the highest; it falls to zero as a cosine.
        warmup: epochs over which the rate rises from zero.
        batch_size: clips a step; the last, smaller batch is used too.
        momentum: of SGD.
        weight_decay: of SGD, on all weights.
        share: of each class's training clips that keep their label, above 0 and at most 1; at
            least one clip a class. The others are left out.
    """

    epochs: int = 40
    learning_rate: float = 0.1
    warmup: int = 5
    batch_size: int = 64
    momentum: float = 0.9
    weight_decay: float = 1e-4
    share: float = 1.0

    title = "Fine-tuning with {:.4g} % of the labels"

    def check(self) -> None:
        """Refuse settings without sense."""
        if self.epochs < 1 or self.batch_size < 1 or self.warmup < 0:
            raise CrosscaleError(
                "fine-tuning needs at least one epoch and one clip a batch, and no warm-up below 0"
            )
        if self.learning_rate <= 0:
            raise CrosscaleError(f"learning_rate must be above 0, not {self.learning_rate}")
        check_share(self.share)


@dataclass(frozen=True)
class EpochTuned:
    """What the caller is told after an epoch: its number, mean loss and accuracy (0 to 1)."""

    epoch: int
    loss: float
    accuracy: float


class Classifier(nn.Module):
    """An encoder of one stream with a linear layer on its features."""

    def __init__(self, transform: nn.Module, encoder: Encoder, head: nn.Linear) -> None:
        super().__init__()
        self.transform = transform
        self.encoder = encoder
        self.head = head

    def forward(self, x: Tensor, body_mask: Tensor) -> Tensor:
        """Clips (N, C, T, V, M) with present bodies (N, M) to one output a class (N, K)."""
        outputs: Tensor = self.head(self.encoder(self.transform(x), body_mask))
        return outputs

    @torch.no_grad()
    def scores(self, clips: ClipTensors) -> Tensor:
        """Log-probabilities (N, K), without dropout and with frozen statistics."""
        features = embed_stream(self.encoder, self.transform, clips)
        return functional.log_softmax(self.head(features), dim=1)


@repeatable()
def tune(
    encoder: Encoder,
    transform: nn.Module,
    clips: ClipTensors,
    labels: Tensor,
    classes: int,
    config: Finetune,
    *,
    seed: int = 0,
    report: Callable[[EpochTuned], None] = lambda done: None,
) -> tuple[Classifier, list[EpochTuned]]:
    """Train a copy of an encoder together with a new linear layer.

    Args:
        encoder: where training starts; it is left as it is.
        transform: from joints to the encoder's stream.
        clips: N training clips, on the encoder's device.
        labels: (N,) labels in 0..classes-1, on the same device.
        classes: number of classes K.
        config: settings of the training.
        seed: of the layer's start, the order of clips and dropout.
        report: called after each epoch.

    Returns:
        Encoder and layer, in evaluation mode, and what each epoch gave.

    Raises:
        CrosscaleError: when the loss is not finite any more.
    """
    generator = torch.Generator().manual_seed(seed)
    head = new_layer(encoder.dim, classes, generator).to(labels.device)
    model = Classifier(transform, copy.deepcopy(encoder), head).train()
    optimiser = torch.optim.SGD(
        model.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        foreach=True,
    )
    steps, done = math.ceil(len(labels) / config.batch_size), []
    for epoch in range(config.epochs):
        loss_sum = torch.zeros((), device=labels.device)  # stays there: no wait for each step
        right = torch.zeros((), device=labels.device)
        for step, rows in enumerate(_batches(len(labels), config, generator, labels.device)):
            rate = learning_rate(
                Cosine(), config.learning_rate, epoch + step / steps, config.epochs, config.warmup
            )
            for group in optimiser.param_groups:
                group["lr"] = rate
            # Dropout draws from the global generators.
            torch.manual_seed(derived_seed(seed, f"dropout {epoch} {step}"))
            outputs = model(clips.coordinates[rows], clips.body_mask[rows])  # (B, K)
            loss = functional.cross_entropy(outputs, labels[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            loss_sum += loss.detach() * len(rows)
            right += (outputs.detach().argmax(dim=1) == labels[rows]).sum()
        mean = float(loss_sum) / len(labels)
        if not math.isfinite(mean):
            raise CrosscaleError(
                f"fine-tuning diverged in epoch {epoch + 1}; lower its learning_rate"
            )
        done.append(EpochTuned(epoch + 1, mean, float(right) / len(labels)))
        report(done[-1])
    return model.eval(), done


def _batches(
    count: int, config: Finetune, generator: torch.Generator, device: torch.device
) -> Iterator[Tensor]:
    order = torch.randperm(count, generator=generator).to(device)
    yield from order.split(config.batch_size)
