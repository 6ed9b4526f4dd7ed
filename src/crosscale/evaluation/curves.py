"""What the report draws over epochs: of pre-training, and of training with labels."""

from collections.abc import Mapping, Sequence

from crosscale.evaluation.evaluation import Evaluation
from crosscale.evaluation.plots import Lines

Rows = Sequence[Mapping[str, object]]
Panels = dict[str, Lines]

TITLES = {
    "knn": "nearest-neighbour accuracy",
    "embedding_std": "spread of the vectors",
    "pos_sim": "similarity of views of a clip",
    "neg_sim": "similarity to other clips",
    "instance_acc": "own clip found (share)",
    "same_label": "mined clips of the same class",
    "lr": "learning rate",
}
EXPLAINED = {
    "loss": "what training makes small. It should fall and then level off.",
    TITLES["knn"]: "share of clips whose nearest neighbour has their label, which training does "
    "not see. It should rise.",
    TITLES["embedding_std"]: "how much vectors differ from clip to clip. It must not sink to 0, "
    "where all clips look alike.",
    TITLES["pos_sim"]: "cosine of what the encoder says of two views of one clip. High is good.",
    TITLES["neg_sim"]: "the same of two different clips. Low is good.",
    TITLES["instance_acc"]: "how often a view finds its own clip among all others. It should rise.",
    TITLES["same_label"]: "how many of the clips that it takes for alike are of one class. It "
    "should rise.",
    TITLES["lr"]: "how large the steps are, as planned.",
}
CHANCE, GUESSING = "chance_loss", "guessing"  # drawn into the plot of the loss
TOTAL = "total"


def pretraining_panels(runs: Mapping[str, Rows]) -> Panels:
    """Plots by title, each with its lines by name, from the rows of `metrics.jsonl`.

    Args:
        runs: rows by run: numbers by name, among them `epoch`. A name `joint/loss` is the line
            `joint` in the plot `loss`; with several runs, the line's name begins with the run.
    """
    panels: Panels = {}
    for run, rows in runs.items():
        for row in rows:
            epoch = row["epoch"]
            for key, value in row.items():
                if key == "epoch" or not _number(epoch) or not _number(value):
                    continue
                title, line = _place(key)
                name = f"{run} {line}".strip() if len(runs) > 1 else line
                x, y = panels.setdefault(title, {}).setdefault(name, ([], []))
                x.append(float(epoch))  # type: ignore[arg-type]
                y.append(float(value))  # type: ignore[arg-type]
    loss = panels.get("loss", {})
    alike = [name for name, line in loss.items() if name != TOTAL and line == loss.get(TOTAL)]
    if alike:  # of one stream, whose loss is all of it
        del loss[TOTAL]
    last = TITLES["lr"]
    first = ["loss", *(title for title in TITLES.values() if title != last)]
    order = [*first, *(title for title in panels if title not in (*first, last)), last]
    return {title: panels[title] for title in order if title in panels}


def explained(panels: Panels) -> dict[str, str]:
    """What a reader should know of the plots, by title."""
    told = {title: EXPLAINED[title] for title in panels if title in EXPLAINED}
    if any(name.endswith(GUESSING) for name in panels.get("loss", {})):
        told["loss"] += f" Where it stays at “{GUESSING}”, nothing is learned."
    return told


def labelled_panels(evaluation: Evaluation) -> Panels:
    """Loss and accuracy of each stream's training with labels; none where nothing is trained."""
    if not evaluation.curves:
        return {}
    loss: Lines = {}
    accuracy: Lines = {}
    for stream, curve in evaluation.curves.items():
        epochs = [float(epoch) for epoch in range(1, len(curve.train_loss) + 1)]
        loss[stream] = epochs, list(curve.train_loss)
        accuracy[stream] = epochs, [100 * share for share in curve.train_accuracy]
    return {"cross entropy, training clips": loss, "accuracy, training clips (%)": accuracy}


def _place(key: str) -> tuple[str, str]:
    """In which plot a measurement is drawn, and as which line."""
    if key == CHANCE:
        return "loss", GUESSING
    line, _, quantity = key.rpartition("/")
    if quantity == "loss" and not line:
        line = TOTAL
    return TITLES.get(quantity, quantity.replace("_", " ")), line


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
