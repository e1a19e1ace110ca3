"""The worst errors of an extractor on a task, with images, scores and nearest neighbours: one HTML file, no server."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import atomic
from ghbench.dataset import Drawn
from ghbench.errors import UsageError
from ghbench.extractor import Decoder, ExtractorSpec
from ghbench.extras import require
from ghbench.metrics.verification import pair_similarity
from ghbench.results import files
from ghbench.results.schema import Result
from ghbench.running.comparison import InMetric
from ghbench.running.options import RunOptions
from ghbench.running.pair import Pair
from ghbench.running.request import load_task, subject_request
from ghbench.task_errors import ErrorList, WithErrors, of_whole

GENERATOR = "ghbench errors"
"""What a page says that it was made by; only such files are replaced."""
RECORDS, NEAR = 20, 5
_SIDE, _NEAR_SIDE = 160, 80
_TEMPLATE = Path(__file__).with_name("errors.html")


@dataclass(frozen=True, slots=True)
class ShownImage:
    """An image on the page.

    Args:
        id: Its id in the dataset, or what it is.
        label: Name of its class or person, empty where there is none.
        uri: `data:` URI, None where it may not be shown.
        similarity: To the image that it is a neighbour of.
        other: Whether it is of another class or person than that image.
    """

    id: str
    label: str = ""
    uri: str | None = None
    similarity: float | None = None
    other: bool = False


@dataclass(frozen=True, slots=True)
class ShownItem:
    """An image of a record, what is decoded from its features, and its nearest neighbours in features."""

    image: ShownImage
    decoded: ShownImage | None
    near: tuple[ShownImage, ...]


@dataclass(frozen=True, slots=True)
class ShownRecord:
    """One wrong record: its numbers as text, and its images."""

    text: str
    items: tuple[ShownItem, ...]


@dataclass(frozen=True, slots=True)
class ErrorPart:
    """Errors of one kind, the worst first."""

    title: str
    what: str
    count: int
    records: tuple[ShownRecord, ...]

    @property
    def shown(self) -> int:
        """How many are on the page."""
        return len(self.records)


@dataclass(frozen=True, slots=True)
class ErrorPage:
    """All that the page says."""

    extractor: str
    task: str
    scores: str
    notes: tuple[str, ...]
    parts: tuple[ErrorPart, ...]


def write_errors_page(
    extractor: str,
    task: str,
    out: Path,
    *,
    count: int = RECORDS,
    near: int = NEAR,
    show_images: bool = False,
    force: bool = False,
    options: RunOptions | None = None,
) -> ErrorPage:
    """Evaluate an extractor on a task, unless that is done, and write a page about where it is wrong.

    Args:
        extractor: Spec string.
        task: Spec string of a task that tells its errors, see `ghbench.task_errors.WithErrors`.
        out: The HTML file; one that this function did not write is left alone.
        count: Records of each kind of error.
        near: Nearest neighbours of each image.
        show_images: Whether to embed images that may not be passed on; the page is then for one's own eyes.
        force: Whether to replace any file.
        options: How to run.

    Returns:
        What the page says.

    Raises:
        UsageError: The task does not tell its errors, levels are evaluated one by one, or the file is another's.
        MissingError: jinja2 is not installed.
    """
    jinja2 = require("jinja2", "report")
    check_page(out, force=force)
    loaded, options = load_task(task), options or RunOptions()
    if not isinstance(loaded, WithErrors):
        raise UsageError(f"task {loaded.name!r} does not say which of its records are wrong")
    request = subject_request(extractor, loaded)
    if request.policy == "each":
        raise UsageError("errors are shown of one level, or of several together", fix="level=NAME, without policy=each")
    pair = Pair(request, loaded, options, f"ghbench errors -e {request} -t {loaded.name}")
    result = pair.result()
    lists = loaded.errors(files.load_records(files.path_of(result, options.results), result))
    page = _page(pair, result, lists, count, near, show_images=show_images)
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined)
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    atomic.write_bytes(out, template.render(page=page, generator=GENERATOR).encode("utf-8", "backslashreplace"))
    return page


def check_page(out: Path, *, force: bool) -> None:
    """Check a file name before the work starts.

    Raises:
        UsageError: It is no HTML file's, or there is a file that is not a page of ours.
    """
    if out.suffix.lower() not in {".html", ".htm"} or out.is_dir():
        raise UsageError(f"cannot write a page to {out.name!r}", fix=f"--out {out.stem or 'errors'}.html")
    if force or not out.exists():
        return
    if not out.is_file() or f'content="{GENERATOR}"'.encode() not in out.read_bytes()[:500]:
        raise UsageError(f"{out} is there and was not written by ghbench", fix="--force, or another --out")


def _page(
    pair: Pair, result: Result, lists: Sequence[ErrorList], count: int, near: int, *, show_images: bool
) -> ErrorPage:
    stored, _ = pair.features()
    views: dict[str, _Images] = {}
    notes = [*result.warnings, f"Overlap of training and test: {result.overlap}."]
    parts = []
    roles = {name: data.role for name, data in pair.roles.items()}
    for found in (of_whole(one, roles) for one in lists):
        assert found.role is not None
        if found.role not in views:
            levels = stored[found.role]["plain"] if "plain" in stored.get(found.role, {}) else None
            read = {} if levels is None else {level: levels.read(level) for level in pair.levels}
            views[found.role] = _Images(pair, found.role, read, show_images=show_images)
            notes += views[found.role].notes()
        order = np.argsort(-found.error, kind="stable")[:count]
        records = tuple(_record(found, int(row), views[found.role], near) for row in order)
        parts.append(ErrorPart(found.title, found.what, len(found.error), records))
    scores = [f"{one.metric} {one.value:.4f}" for one in result.metrics if one.value is not None and one.level is None]
    spec, task = result.subject.spec_string, result.task.name
    return ErrorPage(spec, task, ", ".join(scores), tuple(dict.fromkeys(notes)), tuple(parts))


def _record(found: ErrorList, row: int, images: _Images, near: int) -> ShownRecord:
    numbers = {"error": found.error, **found.shown}
    text = ", ".join(f"{name} {values[row]:.4f}" for name, values in numbers.items())
    return ShownRecord(text, tuple(images.item(int(place), near) for place in found.images[row]))


@dataclass(eq=False)
class _Images:
    """The images of a role, their features, and what of them may be shown."""

    pair: Pair
    role: str
    features: Mapping[str, NDArray[Any]]
    show_images: bool = field(kw_only=True)

    def __post_init__(self) -> None:
        whole, self.dataset = self.pair.roles[self.role].role.dataset, self.pair.roles[self.role].dataset
        place = {name: row for row, name in enumerate(self.dataset.ids)}
        self._place = [place.get(name, -1) for name in whole.ids]  # records name rows of the whole
        self._uri = cache(lambda row, side: data_uri(self.dataset.image(row), side))

    @property
    def may_show(self) -> bool:
        """Whether images are embedded."""
        return self.show_images or self.dataset.card().may_show

    def notes(self) -> list[str]:
        """Licence of the images, and why they are not shown."""
        card = self.dataset.card()
        notes = [f"Images: {card.title}, {card.source}. Licence: {card.licence}."]
        if not self.may_show:
            notes.append("Their terms do not allow passing them on, so ids stand for them; --show-images embeds them.")
        elif not card.may_show:
            notes.append("Their terms do not allow passing them on: keep this page to yourself.")
        return notes

    def item(self, row_of_whole: int, near: int) -> ShownItem:
        """One image with what is decoded from it, and its neighbours."""
        row = self._place[row_of_whole]
        neighbours = self._neighbours(row, near) if self.features and near else ()
        return ShownItem(self._shown(row), self._reconstruction(row), neighbours)

    def _shown(self, row: int, side: int = _SIDE, similarity: float | None = None, of: int | None = None) -> ShownImage:
        dataset = self.dataset
        label, other = "", False
        if "label" in dataset.targets:
            target = dataset.targets["label"]
            label = str(target.names[target.values[row]])
            other = of is not None and bool(target.values[row] != target.values[of])
        uri = None
        if self.may_show:
            if isinstance(dataset, Drawn):
                dataset.draw([row], self.pair.options.extraction.progress)
            uri = self._uri(row, side)
        return ShownImage(str(dataset.ids[row]), label, uri, similarity, other)

    def _reconstruction(self, row: int) -> ShownImage | None:
        subject = self.pair.subject
        if Decoder not in self.pair.task.requires or not isinstance(subject, Decoder) or not self.features:
            return None
        if not self.may_show:
            return None
        subject = self.pair.context.on_device(subject)
        part = {level: np.asarray(values[row : row + 1], dtype=np.float32) for level, values in self.features.items()}
        (image,) = subject.decode(part)
        return ShownImage("decoded from its features", uri=data_uri(image.transpose(1, 2, 0), _SIDE))

    def _neighbours(self, row: int, near: int) -> tuple[ShownImage, ...]:
        rows = np.arange(len(self.dataset))
        assert isinstance(self.pair.spec, ExtractorSpec)
        kind = "cosine" if self.pair.metrics else self.pair.spec.similarity
        similarity = pair_similarity(self._joined, np.full(len(rows), row), rows, kind)
        similarity[row] = -np.inf
        nearest = np.argsort(-similarity, kind="stable")[: min(near, len(rows) - 1)]
        return tuple(self._shown(int(other), _NEAR_SIDE, float(similarity[other]), row) for other in nearest)

    @cached_property
    def _joined(self) -> NDArray[np.float32]:
        """All levels side by side, in their metric, or less the training mean where the extractor has one."""
        if self.pair.metrics:
            compared = InMetric(self.features, self.pair.metrics)
            return np.concatenate([compared[name] for name in compared], axis=1)
        mean = self.pair.spec.mean if isinstance(self.pair.spec, ExtractorSpec) else None
        parts = [
            np.asarray(values, dtype=np.float32) - (0 if mean is None else mean[level])
            for level, values in self.features.items()
        ]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def data_uri(image: NDArray[np.uint8], side: int, quality: int = 90) -> str:
    """A JPEG of at most `side` pixels; equal images give equal text."""
    from PIL import Image

    content = io.BytesIO()
    small = Image.fromarray(np.ascontiguousarray(image))
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small.save(content, format="JPEG", quality=quality, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(content.getvalue()).decode()}"
