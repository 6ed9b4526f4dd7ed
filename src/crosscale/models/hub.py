"""Trained encoders by name: a local path, one that comes with the package, or `user/model`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import crosscale
from crosscale.errors import CrosscaleError, nearest, needs
from crosscale.models.checkpoint import ENCODER_FILE
from crosscale.models.folder import FILES, write_model_folder

BUILT_IN = Path(crosscale.__file__).parent / "pretrained"
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def resolve(name: str | Path) -> Path:
    """Where a trained encoder lies: here, inside the package, or else fetched from the hub.

    A path that exists is taken, and so is a folder's missing neighbour refused: only a name whose
    first part is no folder here goes to the hub. From there come the encoder, its configuration
    and its card (safetensors, JSON, Markdown), nothing else, into the hub's own cache, where they
    are found again without a network.

    Args:
        name: a run folder, an encoder file, one of `built_in()`, or `user/model`.

    Returns:
        The folder or file, for `crosscale.models.checkpoint.load_encoders`.

    Raises:
        CrosscaleError: when there is no such path and no such model, or the hub cannot be reached.
    """
    path = Path(name)
    if path.exists():
        return path
    if str(name) in built_in():
        return BUILT_IN / name
    if not _names_repository(name):
        raise CrosscaleError(
            f"no run at {path}{_neighbour(path)}; crosscale itself brings {', '.join(built_in())}"
        )
    from_hub = f"no run at {path} here, and none from the Hugging Face hub"
    with needs(f"{from_hub}: that", extra="hub"):
        from huggingface_hub import snapshot_download

    with _explained(from_hub):
        folder = Path(
            snapshot_download(
                str(name),
                allow_patterns=list(FILES),
                library_name="crosscale",
                library_version=crosscale.__version__,
            )
        )
    if not (folder / ENCODER_FILE).is_file():
        raise CrosscaleError(
            f"{name} on the hub has no {ENCODER_FILE}; it is another kind of model"
        )
    return folder


def built_in() -> list[str]:
    """Names of the encoders that come with the package."""
    return sorted(folder.parent.name for folder in BUILT_IN.glob(f"*/{ENCODER_FILE}"))


def push(run: Path, repository: str, licence: str, *, private: bool = False) -> str:
    """Upload a run's encoders with their configuration and a model card to `user/model`.

    A repository that does not exist is made, visible to its owner only where it is `private`.

    Returns:
        The address of the commit.

    Raises:
        CrosscaleError: when the run has no encoder, or the hub refuses or cannot be reached.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise CrosscaleError(f"'{repository}' is no name on the hub: write user/model")
    refused = f"{repository} was not pushed"
    with needs(f"{refused}: that", extra="hub"):
        from huggingface_hub import HfApi

    api = HfApi(library_name="crosscale", library_version=crosscale.__version__)
    with TemporaryDirectory() as temporary:
        folder = write_model_folder(run, Path(temporary) / "model", licence, repository)
        with _explained(refused):
            api.create_repo(repository, private=private, exist_ok=True)
            return api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                allow_patterns=list(FILES),
                commit_message="Upload encoders",
            ).commit_url


def _names_repository(name: str | Path) -> bool:
    """Whether to ask the hub; `runs/nwucal` beside runs/nwucla is a mistyped path."""
    if isinstance(name, Path):
        name = name.as_posix()
    return bool(_REPOSITORY.fullmatch(name)) and not Path(name).parent.exists()


def _neighbour(path: Path) -> str:
    if not path.parent.is_dir():
        return ", nor a folder above it"
    if (hint := nearest(str(path), built_in())).startswith("did you mean"):
        return f": {hint}"
    folders = [other for other in path.parent.iterdir() if other.is_dir()]
    runs = [folder for folder in folders if (folder / ENCODER_FILE).is_file()]
    hint = nearest(str(path), [str(path.parent / folder.name) for folder in runs or folders])
    return f": {hint}" if runs or hint.startswith("did you mean") else ""


@contextmanager
def _explained(told: str) -> Iterator[None]:
    """In place of the library's errors, one line that says what to do."""
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        yield
    except GatedRepoError as error:
        raise CrosscaleError(f"{told}: ask its owner for access on its page first") from error
    except RepositoryNotFoundError as error:
        raise CrosscaleError(
            f"{told}: there is no such model, or it is private: `hf auth login`"
        ) from error
    except LocalEntryNotFoundError as error:
        raise CrosscaleError(
            f"{told}: the hub cannot be reached, and the model was not fetched before"
        ) from error
    except HfHubHTTPError as error:
        status = error.response.status_code
        hint = ": log in with `hf auth login`" if status in (401, 403) else ""
        raise CrosscaleError(f"{told}: the hub answers {status}{hint}") from error
    except Exception as error:  # its HTTP client differs from version to version
        reason = str(error).strip().partition("\n")[0]
        raise CrosscaleError(f"{told}: {reason or type(error).__name__}") from error
