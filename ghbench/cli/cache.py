"""`ghbench cache`: stored features: list, verify, clear, push, pull, import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from ghbench.cli.terminal import complain, print_columns, print_json, say

app = typer.Typer(no_args_is_help=True)
_Url = Annotated[str, typer.Argument(help="A folder, or what fsspec knows: s3://BUCKET/PATH.")]
_Extractor = Annotated[str | None, typer.Option(help="Only features of this extractor.")]
_Dataset = Annotated[str | None, typer.Option(help="Only features of this dataset.")]


@app.command("list")
def list_features(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, with each complete key.")] = False,
) -> None:
    """List stored and imported features, and indices made from them."""
    from ghbench.store import default_store
    from ghbench.store.imported import imported_manifests
    from ghbench.store.indices import described_indices
    from ghbench.store.inspection import describe_folder

    found = [describe_folder(folder) for folder in default_store().folders()]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            item["key"]["extractor"],
            item["key"]["dataset"],
            item["key"]["view"],
            item["key"]["align"]["name"],
            str(item["rows"]),
            " ".join(f"{level}:{state}" for level, state in item["levels"].items()),
            f"{item['bytes'] / 1e6:.1f}",
            item["made"][:10],
            item["used"][:10],
            item["folder"].rpartition("-")[2],
        ]
        for item in found
    ]
    rows += [
        [
            f"imported:name={one.name}",
            one.dataset,
            "plain",
            "-",
            str(one.rows),
            " ".join(one.dims),
            *"---",
            one.digest[:16],
        ]
        for one in imported_manifests()
    ]
    rows += [
        ["index", *"-----", f"{one['bytes'] / 1e6:.1f}", "-", one["used"][:10], one["folder"]]
        for one in described_indices()
    ]
    print_columns(["extractor", "dataset", "view", "align", "rows", "levels", "MB", "made", "used", "key"], rows)


@app.command("verify")
def verify() -> None:
    """Check manifests, and every shard against its digest; the next run extracts damaged ones again."""
    from ghbench.store import default_store
    from ghbench.store.inspection import damaged_files

    store = default_store()
    damaged = [path for folder in store.folders() for path in damaged_files(folder)]
    for path in damaged:
        say(f"damaged  {path.relative_to(store.root)}")
    say(f"{len(store.folders())} keys, {len(damaged)} damaged files", err=True)
    sys.exit(1 if damaged else 0)


@app.command("clear")
def clear(
    extractor: _Extractor = None,
    dataset: _Dataset = None,
    everything: Annotated[bool, typer.Option("--all", help="All features of all extractors.")] = False,
    unused: Annotated[
        float | None, typer.Option(min=0, max=36_500, help="Only what was not read for so many days.")
    ] = None,
    keep: Annotated[
        float | None, typer.Option(min=0, help="The least recently read, until so many gigabytes are left.")
    ] = None,
) -> None:
    """Delete stored features and, unless --extractor or --dataset chooses, indices; imported features and assets stay.

    ghbench cache clear --unused 90 --keep 20
    """
    from datetime import timedelta

    from ghbench.errors import UsageError, UserError
    from ghbench.store import default_store
    from ghbench.store.indices import described_indices, remove_index
    from ghbench.store.inspection import chosen_for_removal, describe_folder

    if not (extractor or dataset or everything or unused is not None or keep is not None):
        raise UsageError("nothing to delete", fix="--extractor NAME, --dataset NAME, --unused DAYS, --keep GB or --all")
    store = default_store()
    kept: list[str] = []
    matching = [
        found
        for found in map(describe_folder, store.folders())
        if _is_meant(found["key"]["extractor"], found["key"]["dataset"], extractor, dataset)
    ]
    # An index is not of one extractor or dataset.
    indices = {} if extractor or dataset else {one["folder"]: one for one in described_indices()}
    chosen = chosen_for_removal(
        [*matching, *indices.values()],
        unused=None if unused is None else timedelta(days=unused),
        keep=None if keep is None else int(keep * 1e9),
    )
    for name in chosen:
        try:
            if name in indices:
                remove_index(name)
            else:
                store.remove(store.root / name)
        except UserError as error:
            kept.append(error.message)
        else:
            say(name)
    if not chosen:
        complain("no stored features match; `ghbench cache list` lists them")
    if kept:
        raise UserError("\n".join(kept), fix="wait until the other run ends, or stop it, and run this command again")


@app.command("push")
def push(url: _Url, extractor: _Extractor = None, dataset: _Dataset = None) -> None:
    """Copy complete features to a store elsewhere, where others find them.

    ghbench cache push s3://bucket/features --extractor mobilenet-v2
    """
    from ghbench.store import remote

    _copy(remote.push, url, extractor, dataset)


@app.command("pull")
def pull(url: _Url, extractor: _Extractor = None, dataset: _Dataset = None) -> None:
    """Copy features from a store elsewhere that are not here yet; each row is checked against its digest."""
    from ghbench.store import remote

    _copy(remote.pull, url, extractor, dataset)


def _copy(copy: Callable[..., Iterator[Any]], url: str, extractor: str | None, dataset: str | None) -> None:
    from ghbench.store import default_store

    found = 0
    for one in copy(default_store(), url, lambda key: _is_meant(key.extractor, key.dataset, extractor, dataset)):
        say(f"{one.folder}  {one.level}  {one.bytes / 1e6:.1f} MB")
        found += 1
    say(f"{found} levels copied", err=True)


def _is_meant(of: str, on: str, extractor: str | None, dataset: str | None) -> bool:
    """Whether features of an extractor on a dataset are among those asked for."""
    return extractor in {None, of} and dataset in {None, on}


@app.command("import")
def import_features(
    features: Annotated[
        Path, typer.Argument(help=".npy [N, D]; .npz, .parquet or .safetensors with one array a level and `ids`.")
    ],
    name: Annotated[str, typer.Option("--as", help="Their name.")],
    dataset: Annotated[str, typer.Option(help="Spec string of the dataset that they were extracted from.")],
    ids: Annotated[str, typer.Option(help="Array or column of ids, or a text file with one id a line.")] = "ids",
    replace: Annotated[bool, typer.Option("--replace", help="Replace features of that name.")] = False,
    trained_on: Annotated[
        list[str] | None, typer.Option(help="Dataset that the network learned from; may be given many times.")
    ] = None,
    supervision: Annotated[
        str | None, typer.Option(help="What taught it: none, self-supervised, class labels...")
    ] = None,
    licence: Annotated[str | None, typer.Option(help="Licence of the features.")] = None,
) -> None:
    """Import features that were extracted elsewhere; evaluate them with --extractor imported:name=NAME."""
    from ghbench import registry
    from ghbench.store import imported

    stated = {"datasets": trained_on, "supervision": supervision, "licence": licence}
    given = {key: value for key, value in stated.items() if value}
    training = imported.ImportedTraining.model_validate(given) if given else None
    loaded = registry.build("dataset", dataset)
    say(imported.import_features(features, name, loaded, ids=ids, replace=replace, training=training).folder)
