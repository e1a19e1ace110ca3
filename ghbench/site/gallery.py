"""The gallery: what generators draw and what edits do, from the figures of a clone of the repository.

An installed ghbench has no figures; the page then says so.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"
_LARGE, _WIDEST, _QUALITY = 200_000, 1600, 82


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure with what is seen on it.

    Args:
        file: Its file in `docs/figures`.
        alt: What is seen, for who does not see it.
        text: What the reader should look at.
        command: What draws it.
    """

    file: str
    alt: str
    text: str
    command: str

    def content(self) -> tuple[str, bytes]:
        """Path in the site, and the file: as it is, or where it is large as a JPEG of at most 1600 pixels."""
        from PIL import Image

        path = FIGURES / self.file
        if path.stat().st_size <= _LARGE:
            return f"gallery/{self.file}", path.read_bytes()
        small, stream = Image.open(path).convert("RGB"), io.BytesIO()
        small.thumbnail((_WIDEST, _WIDEST), Image.Resampling.LANCZOS)
        small.save(stream, format="JPEG", quality=_QUALITY)
        return f"gallery/{path.stem}.jpg", stream.getvalue()


SECTIONS: dict[str, Sequence[Picture]] = {
    "Reconstructions": (
        Picture(
            "edit-reconstruct.png",
            "A photograph and two generated faces, each beside its reconstruction and the refined one",
            "GH-Feat's codes of an image, drawn again by the generator: at once, and after 25 steps of refinement. "
            "Errors are mean squared differences, first of the plain, then of the refined reconstruction.",
            "ghbench edit reconstruct astronaut.png seed:1,4 --both --size 512 --out edit-reconstruct.png",
        ),
    ),
    "Edits": (
        Picture(
            "edit-mix.png",
            "Two faces; from column to column codes of another resolution come from a third face",
            "Style mixing: codes of one resolution after the other come from the face at the right.",
            "ghbench edit mix astronaut.png seed:1 --with seed:4 --out edit-mix.png",
        ),
        Picture(
            "edit-global.png",
            "Two faces, each in six variants with features of the faces above them",
            "Codes at 16 and 32 pixels come from six other faces: features change, hair and pose stay.",
            "ghbench edit global astronaut.png seed:1 --with seed:0-5 --levels r16-r32 --out edit-global.png",
        ),
        Picture(
            "edit-local.png",
            "Two faces, whose mouths and chins come from five others",
            "The lower half of a face comes from another one, at one feature map of the generator.",
            "ghbench edit local astronaut.png seed:1 --with seed:2-6 --mask 0.28,0.6,0.72,0.9 --out edit-local.png",
        ),
        Picture(
            "edit-harmonize.png",
            "The eyes of one face pasted on two others, and the harmonized results",
            "Eyes are pasted from another face, and the result is encoded and drawn again: the seam is gone.",
            "ghbench edit harmonize astronaut.png seed:1 --with seed:4 --mask 0.2,0.3,0.8,0.55 "
            "--out edit-harmonize.png",
        ),
    ),
    "Traversals": (
        Picture(
            "edit-traverse.png",
            "A photograph moved along three directions: width of the mouth, fringe, eyes open or closed",
            "Three directions that ContraFeat found without labels, on the code of a photograph.",
            "ghbench edit traverse astronaut.png --navigator contrafeat-binary -d mouth-width -d fringe -d eyes-open "
            "--reach 0.7 --columns 5 --out edit-traverse.png",
        ),
        Picture(
            "contrafeat-binary.jpg",
            "One generated face moved along the five named directions of a navigator",
            "All named directions of contrafeat-binary, on one generated face; from 0 to the sides the code moves on.",
            "python docs/draw_contrafeat.py docs/figures",
        ),
        Picture(
            "contrafeat-prototype.jpg",
            "The same face moved along the seven named directions of another navigator",
            "The same of contrafeat-prototype.",
            "python docs/draw_contrafeat.py docs/figures",
        ),
    ),
    "Clothes": (
        Picture(
            "stylegan2-fashion32.png",
            "64 small grey images of clothes, shoes and bags",
            "Seeds 0 to 63 of a StyleGAN2 that ghbench trained on Fashion-MNIST, not selected.",
            "ghbench generate -g stylegan2-fashion32 --seeds 0-63 --psi 1 --out stylegan2-fashion32.png",
        ),
        Picture(
            "stylegan1-fashion32.png",
            "64 small grey images of clothes, shoes and bags",
            "The same seeds of a StyleGAN1.",
            "ghbench generate -g stylegan1-fashion32 --seeds 0-63 --psi 1 --out stylegan1-fashion32.png",
        ),
    ),
}


def gallery() -> dict[str, list[Picture]]:
    """Pictures by section, those whose figures are here; empty where the repository's figures are not."""
    here = {name: [one for one in listed if (FIGURES / one.file).is_file()] for name, listed in SECTIONS.items()}
    return {name: listed for name, listed in here.items() if listed}
