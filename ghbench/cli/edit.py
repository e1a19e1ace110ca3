"""`ghbench edit`: edits images through their GH-Feat codes, and writes a labelled grid or single images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ghbench.cli.terminal import Watch, complain, progress_bars, say

if TYPE_CHECKING:
    from ghbench.extractor import ExtractorSpec
    from ghbench.ghfeat.codec import Codec
    from ghbench.ghfeat.editing.grids import Encoding, Levels, Sheet
    from ghbench.ghfeat.editing.inputs import EditInput

app = typer.Typer(no_args_is_help=True)
SIZE = 256
"""Default side of the results, where the generator draws such images."""

ImagesArgument = Annotated[
    list[str], typer.Argument(metavar="IMAGE...", help="Files, or generated ones: seed:5, seed:0-3, seed:5@0.5.")
]
Others = Annotated[list[str], typer.Option("--with", help="The other images, like IMAGE; may be repeated.")]
Out = Annotated[
    Path, typer.Option("--out", "-o", help="The PNG to write, a labelled grid; or a folder, for one PNG a result.")
]
Single = Annotated[bool, typer.Option("--single", help="Write the one result alone, without inputs and labels.")]
Force = Annotated[bool, typer.Option("--force", help="Replace files that ghbench did not make.")]
Weights = Annotated[str, typer.Option(help="faces128, faces64, fashion32, mnist32, or an encoder file.")]
GeneratorOption = Annotated[
    str | None, typer.Option("--generator", "-g", help="Spec string or checkpoint; default: the encoder's.")
]
Align = Annotated[str | None, typer.Option(help="Alignment of files: ffhq, none, ...; default: the encoder's.")]
Size = Annotated[
    int | None, typer.Option(min=32, max=1024, help="Side of the results; default: 256 where the generator has it.")
]
Paste = Annotated[bool, typer.Option("--paste", help="Put results back into their photographs, at full size.")]
Refine = Annotated[int, typer.Option(min=0, help="Optimisation steps by which codes are refined; 0 for none.")]
Both = Annotated[bool, typer.Option("--both", help="Show the encoder's own codes beside the refined ones.")]
Perceptual = Annotated[str, typer.Option(help="Network of the refinement's feature term; `none` for pixels only.")]
Label = Annotated[int | None, typer.Option(min=0, help="Class of generated images; default: the encoder's.")]
Device = Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")]
LevelsOption = Annotated[
    list[str] | None, typer.Option("--levels", help="r16-r64, r8.conv+rgb, 5-9, all; may be repeated.")
]
MaskOption = Annotated[
    str, typer.Option("--mask", help="x0,y0,x1,y1 as shares of the aligned image, or a PNG that is white inside.")
]
Feather = Annotated[float, typer.Option(min=0, max=0.5, help="Width of the mask's fading edge, as a share.")]


@app.command("reconstruct")
def reconstruct(
    images: ImagesArgument, out: Out, weights: Weights = "faces128", generator: GeneratorOption = None,
    align: Align = None, refine: Refine = 25, both: Both = False,
    perceptual: Perceptual = "mobilenet-v2", device: Device = "auto",
    label: Label = None, single: Single = False, size: Size = None, paste: Paste = False, force: Force = False,
) -> None:  # fmt: skip
    """Reconstruct images from their codes.

    ghbench edit reconstruct me.jpg seed:3 --out reconstructed.png
    """
    from ghbench.ghfeat.editing.grids import reconstruct_sheet

    output = _Output(out, single, paste, force, images, [*images])
    with _session(output, weights, generator, align, (refine, both), perceptual, device, label, size) as session:
        inputs = session.read(images)
        session.expect(len(inputs))
        session.save(reconstruct_sheet(session.codec, inputs, session.encodings))


@app.command("mix")
def mix(
    images: ImagesArgument, others: Others, out: Out, levels: LevelsOption = None, weights: Weights = "faces128",
    generator: GeneratorOption = None, align: Align = None, refine: Refine = 25, both: Both = False,
    perceptual: Perceptual = "mobilenet-v2", device: Device = "auto",
    label: Label = None, single: Single = False, size: Size = None, paste: Paste = False, force: Force = False,
) -> None:  # fmt: skip
    """Take the codes of some levels from another image; without --levels, of each resolution in turn.

    ghbench edit mix me.jpg --with seed:3 --levels r4-r8 --levels r64-rgb --out mixed.png
    """
    from ghbench.ghfeat.editing.grids import mix_sheet

    output = _Output(out, single, paste, force, images, [*images, *others])
    with _session(output, weights, generator, align, (refine, both), perceptual, device, label, size) as session:
        chosen = session.levels(levels or session.resolutions())
        inputs, styles = session.read(images), session.read(others)
        session.expect(len(inputs) * len(styles) * len(chosen))
        session.save(mix_sheet(session.codec, inputs, styles, chosen, session.encodings))


@app.command("global")
def edit_global(
    images: ImagesArgument, others: Others, out: Out, levels: LevelsOption = None, weights: Weights = "faces128",
    generator: GeneratorOption = None, align: Align = None, refine: Refine = 25, both: Both = False,
    perceptual: Perceptual = "mobilenet-v2", device: Device = "auto",
    label: Label = None, single: Single = False, size: Size = None, paste: Paste = False, force: Force = False,
) -> None:  # fmt: skip
    """Replace the codes of some levels by those of samples or references; seeds use their true codes.

    ghbench edit global me.jpg --with seed:0-5 --levels r16-r32 --out variants.png
    """
    from ghbench.errors import UsageError
    from ghbench.ghfeat.editing.grids import global_sheet

    if not levels:
        raise UsageError("global editing needs levels", fix="--levels r16-r32, for instance")
    output = _Output(out, single, paste, force, images, [*images, *others])
    with _session(output, weights, generator, align, (refine, both), perceptual, device, label, size) as session:
        chosen = session.levels(levels)
        inputs, references = session.read(images), session.read(others)
        session.expect(len(inputs) * len(references) * len(chosen))
        session.save(global_sheet(session.codec, inputs, references, chosen, session.encodings))


@app.command("local")
def local(
    images: ImagesArgument, others: Others, mask: MaskOption, out: Out, levels: LevelsOption = None,
    weights: Weights = "faces128", generator: GeneratorOption = None, align: Align = None,
    refine: Refine = 25, both: Both = False, perceptual: Perceptual = "mobilenet-v2",
    feather: Feather = 0.06, device: Device = "auto",
    label: Label = None, single: Single = False, size: Size = None, paste: Paste = False, force: Force = False,
) -> None:  # fmt: skip
    """Replace a region of the generator's feature map at one level by that of another image.

    ghbench edit local me.jpg --with seed:0-5 --mask 0.3,0.6,0.7,0.9 --levels r16.conv --out mouths.png
    """
    from ghbench.ghfeat.editing.grids import local_sheet

    output = _Output(out, single, paste, force, images, [*images, *others, mask])
    with _session(output, weights, generator, align, (refine, both), perceptual, device, label, size) as session:
        places = session.places(levels)
        region = session.mask(mask, feather)
        inputs, references = session.read(images), session.read(others)
        session.expect(len(inputs) * len(references) * len(places))
        session.save(local_sheet(session.codec, inputs, references, region, places, session.encodings))


@app.command("harmonize")
def harmonize(
    images: ImagesArgument, others: Others, mask: MaskOption, out: Out, weights: Weights = "faces128",
    generator: GeneratorOption = None, align: Align = None,
    refine: Refine = 25, both: Both = False, perceptual: Perceptual = "mobilenet-v2",
    feather: Feather = 0.06, device: Device = "auto",
    label: Label = None, single: Single = False, size: Size = None, paste: Paste = False, force: Force = False,
) -> None:  # fmt: skip
    """Paste the masked part of another image, encode once, decode; --single writes it with the background kept.

    ghbench edit harmonize me.jpg --with seed:3 --mask 0.3,0.6,0.7,0.9 --out harmonized.png
    """
    from ghbench.ghfeat.editing.grids import harmonize_sheet

    output = _Output(out, single, paste, force, images, [*images, *others, mask])
    with _session(output, weights, generator, align, (refine, both), perceptual, device, label, size) as session:
        region = session.mask(mask, feather)
        backgrounds, foregrounds = session.read(images), session.read(others)
        session.expect(len(backgrounds))
        sheet = harmonize_sheet(session.codec, backgrounds, foregrounds, region, session.encodings)
        session.save(replace(sheet, results=slice(-1, None)) if output.one else sheet)


@app.command("traverse")
def traverse(
    images: ImagesArgument,
    navigator: Annotated[str, typer.Option("--navigator", "-n", help="Navigator, or the file of one.")],
    directions: Annotated[list[str], typer.Option("--direction", "-d", help="Number or name; may be repeated.")],
    out: Out,
    reach: Annotated[float, typer.Option(help="Largest step, in both directions.")] = 1.0,
    columns: Annotated[int, typer.Option(min=2, max=15, help="Pictures in a row.")] = 5,
    weights: Weights = "faces128", align: Align = None, refine: Refine = 25, perceptual: Perceptual = "mobilenet-v2",
    generator: Annotated[
        str | None, typer.Option("--generator", "-g", help="Of the navigator, where its file names a checkpoint.")
    ] = None,
    device: Device = "auto", size: Size = None, paste: Paste = False, force: Force = False,
) -> None:  # fmt: skip
    """Move along a direction that a navigator found; files are encoded by GH-Feat first.

    ghbench edit traverse seed:0-3 me.jpg --navigator contrafeat-binary --direction 3 --out traversed.png
    """
    import numpy as np

    from ghbench.contrafeat.sheet import TraversalInput, traversal_sheet
    from ghbench.contrafeat.traversal import Traversal, find_direction, load_navigator
    from ghbench.errors import UsageError
    from ghbench.ghfeat.editing.inputs import named_seeds

    if not np.isfinite(reach):
        raise UsageError(f"--reach is {reach}; expected a finite number")
    output = _Output(out, single=False, pasted=paste, force=force, edited=images, inputs=[*images])
    seeds, files = ([name for name in images if name.startswith("seed:") == drawn] for drawn in (True, False))
    subject, spec = load_navigator(navigator)
    found = [find_direction(subject, text) for text in directions]
    traversal = Traversal(subject, spec, size, _device(device), generator)
    traversal.size = size or min(SIZE, traversal.full_size)
    rows = [
        TraversalInput(f"seed {seed}{shown}", seed=(seed, psi))
        for name in seeds for seed, psi, shown in _each_seed(named_seeds(name))
    ]  # fmt: skip
    steps = np.linspace(-reach, reach, columns).tolist()
    if not files:
        if not output.folder:
            output.check(output.path)
        output.save(traversal_sheet(traversal, rows, found, steps))
        return
    with _session(output, weights, None, align, (refine, False), perceptual, device, None, size) as session:
        traversal.size = session.codec.size
        for entry in session.read(files):
            codes = session.encodings[0].codes(entry.image[None])
            rows.append(TraversalInput(entry.label, codes=(session.codec, codes), source=entry))
        session.save(traversal_sheet(traversal, rows, found, steps))


@dataclass(frozen=True)
class _Output:
    """Where the results go.

    Args:
        path: A PNG, or a folder.
        single: Whether the PNG is the one result, not the grid.
        pasted: Whether results are put back into their photographs.
        force: Whether files that ghbench did not make are replaced.
        edited: What is edited.
        inputs: All that the edit reads.
    """

    path: Path
    single: bool
    pasted: bool
    force: bool
    edited: Sequence[str]
    inputs: list[str]

    def __post_init__(self) -> None:
        from ghbench.errors import UsageError

        if self.pasted and all(name.startswith("seed:") for name in self.edited):
            raise UsageError("--paste puts results into photographs, and none is given", fix="leave --paste out")
        if self.pasted and not self.folder and not self.single:
            raise UsageError("--paste writes photographs, not a grid", fix="--out FOLDER, or --single")

    @property
    def one(self) -> bool:
        """Whether one result is written alone."""
        return self.single and not self.folder

    @property
    def folder(self) -> bool:
        return self.path.is_dir() or not self.path.suffix

    def check(self, path: Path) -> None:
        from ghbench.figures.picture_grid import check_png
        from ghbench.outputs import check_output

        check_png(path)
        check_output(path, self.inputs, force=self.force)

    def expect(self, count: int) -> None:
        """Refuse more results than can be written, before they are made."""
        from ghbench.errors import UsageError

        if self.one and count > 1:
            raise UsageError(f"--single writes one result, and there are {count}", fix="--out FOLDER")

    def save(self, sheet: Sheet) -> None:
        from ghbench.figures.picture_grid import save_png

        if not self.folder and not self.single:
            say(save_png(sheet.grid(), self.path))
            return
        images = sheet.singles(pasted=self.pasted)
        paths = [self.path / f"{name}.png" if self.folder else self.path for name in images]
        for path in paths:
            self.check(path)
        for path, image in zip(paths, images.values(), strict=True):
            say(save_png(image, path))


@dataclass(frozen=True)
class _Session:
    codec: Codec
    spec: ExtractorSpec
    align: str
    encodings: list[Encoding]
    output: _Output
    refined: bool

    def read(self, names: Sequence[str]) -> list[EditInput]:
        from ghbench.ghfeat.editing.inputs import poor_reconstructions, read_inputs

        inputs = read_inputs(self.codec, names, self.align, complain)
        if not self.refined:
            for line in poor_reconstructions(self.codec, inputs):
                complain(line)
        return inputs

    def expect(self, count: int) -> None:
        self.output.expect(count * len(self.encodings))

    def mask(self, text: str, feather: float) -> Any:
        from ghbench.ghfeat.editing import masks

        found = masks.read_mask(text, self.codec.size)
        say(f"mask: {found.mean():.1%} of the image is inside", err=True)
        return masks.feather(found, feather)

    def levels(self, expressions: Sequence[str]) -> list[Levels]:
        from ghbench.levels import select_levels

        return [(text, select_levels(self.spec, text)) for text in expressions]

    def resolutions(self) -> list[str]:
        return list(dict.fromkeys(level.name.partition(".")[0] for level in self.spec.levels))

    def places(self, expressions: Sequence[str] | None) -> list[str]:
        from ghbench.ghfeat.editing.edits import region_level

        return [region_level(self.codec, self.spec, text) for text in expressions or (None,)]

    def save(self, sheet: Sheet) -> None:
        self.output.save(sheet)


@contextmanager
def _session(
    output: _Output,
    weights: str,
    generator: str | None,
    align: str | None,
    refinement: tuple[int, bool],
    perceptual: str,
    device: str,
    label: int | None,
    size: int | None,
) -> Iterator[_Session]:
    """What all edits share: the networks, loaded once, and the encodings."""
    from ghbench.errors import UsageError
    from ghbench.ghfeat.extractor import Ghfeat

    output.inputs.extend(name for name in (weights, generator) if name)
    steps, both = refinement
    if both and not steps:
        raise UsageError("--both shows refined codes beside the encoder's own; --refine 0 refines none")
    if not output.folder:
        output.check(output.path)
    extractor = Ghfeat(weights, generator)
    spec = extractor.spec()
    extractor.to(_device(device))
    codec = extractor.codec
    codec.label = codec.label if label is None else label
    codec = _at_size(codec, size)
    with progress_bars() as watch:
        encodings = _encodings(codec, steps, both, perceptual, watch)
        yield _Session(codec, spec, align or spec.preprocessing.align, encodings, output, refined=steps > 0)


def _at_size(codec: Codec, size: int | None) -> Codec:
    """The codec with results of a size, by default of `SIZE` where the whole network is larger than the encoder."""
    from ghbench.ghfeat.editing.full_size import FullSizeCodec, whole_generator

    if size == codec.size or (size is None and (whole_generator(codec) is None or codec.size >= SIZE)):
        return codec
    return FullSizeCodec(codec, size or SIZE)


def _encodings(codec: Codec, steps: int, both: bool, perceptual: str, watch: Watch) -> list[Encoding]:
    from ghbench.ghfeat.editing.grids import Encoding

    plain = Encoding("", codec.encode)
    if not steps:
        return [plain]
    from ghbench.ghfeat.refinement import Refinement, refine
    from ghbench.ghfeat.training.perceptual import perceptual_network

    network = None if perceptual == "none" else perceptual_network(perceptual)[0].to(codec.device)

    def refine_codes(images: Any) -> Any:
        report = lambda done, total: watch.images(done, total, "refining, steps")  # noqa: E731
        units = refine(codec, images, Refinement(steps=steps), perceptual=network, report=report)
        return codec.unstandardise(units)

    return [plain, Encoding(f"refined, {steps} steps", refine_codes)] if both else [Encoding("", refine_codes)]


def _device(name: str) -> str:
    import torch

    return name if name != "auto" else "cuda" if torch.cuda.is_available() else "cpu"


def _each_seed(named: tuple[list[int], float, str]) -> list[tuple[int, float, str]]:
    seeds, psi, shown = named
    return [(seed, psi, shown) for seed in seeds]
