"""`crosscale export`, `crosscale import` and `crosscale push`."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from crosscale.cli.console import plain_console
from crosscale.data.store import ClipStore
from crosscale.errors import CrosscaleError
from crosscale.skeleton.layout import Layout
from crosscale.transforms.settings import PUBLISHED, Preprocess
from crosscale.utils.progress import progress
from crosscale.utils.text import counted

if TYPE_CHECKING:
    from crosscale.models.export import Exported


def onnx(run: Path, *, out: Path) -> "Exported":
    """Write all streams as one ONNX file, for any number of clips of any length, and check it.

        crosscale export onnx runs/nwucla --out nwucla.onnx

    Inputs are prepared clips, `coordinates` (N, 3, T, V, M) and `body_mask` (N, M): the JSON file
    beside it tells how to prepare them, docs/export.md shows it in a few lines of numpy. Outputs
    are the features (N, D) of each stream, by its name. ONNX Runtime computes made-up clips with
    the file; it is kept only if it agrees with the encoders to 0.0001 of the largest feature.

    Args:
        out: the file, or a folder, in which it becomes encoder.onnx. A JSON file beside it tells
            inputs, outputs, joints and how clips are prepared.
    """
    from crosscale.models.checkpoint import load_encoders
    from crosscale.models.export import export_onnx
    from crosscale.models.hub import resolve

    with progress("exporting and checking"):
        return _told(export_onnx(load_encoders(resolve(run)), _file_in(out, ".onnx")))


def torch_program(run: Path, *, out: Path) -> "Exported":
    """Write all streams as one `torch.export` program, load it again, and check it.

        crosscale export torch runs/nwucla --out nwucla.pt2

    It runs where PyTorch is, without crosscale: torch.export.load("nwucla.pt2").module(). Inputs
    are those of `crosscale export onnx`; the output is a dictionary of features by stream. It is
    kept only if it agrees with the encoders to 0.0001 of the largest feature.

    Args:
        out: the file, or a folder, in which it becomes encoder.pt2. A JSON file beside it tells
            inputs, outputs, joints and how clips are prepared.
    """
    from crosscale.models.checkpoint import load_encoders
    from crosscale.models.export import export_torch
    from crosscale.models.hub import resolve

    with progress("exporting and checking"):
        return _told(export_torch(load_encoders(resolve(run)), _file_in(out, ".pt2")))


def published(run: Path, *, out: Path) -> None:
    """Write the encoders as a .pt file under the names of the published code.

        crosscale export published runs/nwucla --out nwucla.pt

    The weights are named as SkeletonCLR, CrosSCLR and AimCLR name them: encoder_q of the joint
    stream or the only one, encoder_q_motion and encoder_q_bone of the others, and, for those that
    these programs lack, for example encoder_q_bone_motion and encoder_q_joint_part10.

    Args:
        out: the file, ending in .pt.
    """
    from crosscale.models.checkpoint import load_encoders
    from crosscale.models.hub import resolve
    from crosscale.models.published_file import write_published

    _check_ending(out, ".pt")
    trained = load_encoders(resolve(run))
    write_published(trained, out)
    settings = [
        f"--preprocess.{name} {value}"
        for name, value in dataclasses.asdict(trained.preprocess).items()
        if value != getattr(PUBLISHED, name)
    ]
    settings += [f"--bodies {e.bodies}" for e in trained.encoders.values() if e.bodies != "all"][:1]
    only = list(trained.encoders)
    settings += [f"--stream {only[0]}"] if len(only) == 1 and only != ["joint"] else []
    plain_console().print(
        f"published names: {out}\nThe file does not hold how clips are prepared. To import it:\n"
        f"crosscale import published {out} --out RUN --layout {trained.layout.name} "
        f"{' '.join(settings)}".rstrip()
    )


def import_published(
    file: Path,
    *,
    out: Path,
    data: Path | None = None,
    layout: str | None = None,
    protocol: str | None = None,
    stream: str = "joint",
    bodies: Literal["all", "present"] = "all",
    preprocess: Preprocess = PUBLISHED,
) -> Path:
    """Make a run folder of a checkpoint of SkeletonCLR, CrosSCLR or AimCLR.

        crosscale import published aimclr_ntu60_xsub.pt --out runs/aimclr --layout ntu25

    The query encoders are taken; momentum encoders, queues and heads are left out, and told. Every
    weight must be there and fit. Nothing in the file is run.

    Args:
        file: the checkpoint, a dictionary of tensors saved by PyTorch.
        out: the run folder to make.
        data: the store that it was trained on, for `crosscale evaluate`; gives layout and classes.
        layout: in place of data, the layout of its joints: a name, or a YAML file.
        protocol: whose training part it saw; by default the first protocol of the data, or
            all of it.
        stream: which stream encoder_q is; files of one stream do not say.
        bodies: whether empty bodies are averaged in, as the published code does.
        preprocess: how clips are prepared; by default as the published code does.
    """
    from crosscale.encoders.stgcn import EncoderSettings
    from crosscale.models.published_file import import_checkpoint, read_published

    if data is None and layout is None:
        raise CrosscaleError(
            "name the data that it was trained on (--data STORE), or where that is not at hand, "
            "the layout of its joints (--layout ntu25)"
        )
    if data is not None and layout is not None:
        raise CrosscaleError("--data and --layout both name the joints: leave one of them out")
    if protocol is not None and data is None:
        raise CrosscaleError("a protocol is one of a data set's: name that with --data STORE")
    _check_free(out)
    checkpoint = read_published(file, stream)
    known = ClipStore.open(data) if data is not None else Layout.load(str(layout))
    settings = EncoderSettings(hops="capped", init="published", bodies=bodies)
    import_checkpoint(checkpoint, file, out, known, protocol, preprocess, settings)
    left_out = counted(len(checkpoint.left_out), "weight")
    parts = sorted({_part(name) for name in checkpoint.left_out})
    plain_console().print(
        f"streams {', '.join(checkpoint.encoders)}: {out}\nleft out "
        + (f"{left_out}: {', '.join(parts)}" if parts else "nothing")
    )
    return out


def folder(run: Path, *, out: Path, license: str = "other") -> Path:
    """Write the folder that `crosscale push` uploads: weights, configuration, model card.

        crosscale export folder runs/nwucla --out nwucla-model

    It is loaded like a run: crosscale.load_model("nwucla-model").

    Args:
        run: a run folder made by `crosscale pretrain`, or its encoder file. Recipe and figures in
            the folder come into the card.
        out: the folder to make.
    """
    from crosscale.models.folder import write_model_folder

    _check_free(out)
    write_model_folder(run, out, license, out.name)
    plain_console().print(f"model folder: {out}")
    return out


def push(run: Path, repository: str, *, license: str = "other", private: bool = False) -> str:
    """Share the encoders on the Hugging Face hub, with a model card made from the run.

        crosscale push runs/nwucla user/nwucla --license mit

    Log in once with `hf auth login`. Others then say crosscale.load_model("user/nwucla").

    Args:
        run: a run folder made by `crosscale pretrain`, or its encoder file. Recipe and figures in
            the folder come into the card.
        repository: user/model; made where it does not exist.
        private: make a new repository visible to its owner only.
    """
    from crosscale.models.hub import push as push_to_hub

    address = push_to_hub(run, repository, license, private=private)
    plain_console().print(f"pushed: {address}")
    return address


def _file_in(out: Path, ending: str) -> Path:
    """`out`, or in a folder of that name, the encoder's file."""
    if out.is_dir() or not out.suffix:
        return out / f"encoder{ending}"
    _check_ending(out, ending)
    return out


def _check_ending(out: Path, ending: str) -> None:
    if out.suffix != ending or out.is_dir():
        raise CrosscaleError(f"cannot write {out}: name a file that ends in {ending}")


def _check_free(out: Path) -> None:
    if out.exists():
        raise CrosscaleError(f"{out} exists already; choose another folder")


def _told(exported: "Exported") -> "Exported":
    from crosscale.models.export import TOLERANCE

    console = plain_console()
    for stream, difference in exported.differences.items():
        console.print(
            f"{stream}: largest difference to the encoder {difference:.1e} of its largest feature, "
            f"over {exported.trials} batches ({TOLERANCE:.0e} is allowed)"
        )
    console.print(f"written: {exported.path}\ndescribed: {exported.description}")
    return exported


def _part(name: str) -> str:
    """To which part of a published file a weight belongs: queue, encoder_k, encoder_q.fc."""
    head, _, rest = name.removeprefix("module.").partition(".")
    return f"{head}.fc" if rest.startswith("fc.") and head.startswith("encoder_q") else head
