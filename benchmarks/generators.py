"""StyleGAN2 of 256 px against the PyPI package `stylegan2-torch`: equal weights, equal pictures, then time.

python benchmarks/generators.py [--threads 2] [--repeats 7] [--without-compile] [--processor-time]
"""

from __future__ import annotations

import argparse
import gc
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from record import write
from stylegan2_peer import common_filter, depthwise_filter, import_peer, peer_call, peer_of, set_filter
from torch import Tensor, nn

from ghbench.generators.stylegan2 import StyleGAN2

CHANNELS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 512, 128: 256, 256: 128}
"""Config F of Karras et al. 2020 at 256 px."""
BATCHES = (1, 8)
TOLERANCE = 1e-3
Synthesis = Callable[[Tensor], Tensor]
Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Mode:
    """A way in which both programs are run."""

    title: str
    dtype: torch.dtype = torch.float32
    compiled: bool = False


MODES = (
    Mode("float32, eager"),
    Mode("bfloat16 autocast, eager", torch.bfloat16),
    Mode("float32, compiled", compiled=True),
    Mode("bfloat16 autocast, compiled", torch.bfloat16, compiled=True),
)
PASSES = ("forward", "forward, backward to w", "forward, backward to weights")


def random_generator() -> StyleGAN2:
    """A generator of seeded random weights in which noise and biases are not zero."""
    torch.manual_seed(0)
    generator = StyleGAN2(CHANNELS, colours=1).eval()
    for name, parameter in generator.named_parameters():
        if name.endswith("noise.strength"):
            nn.init.constant_(parameter, 0.1)
        elif name.endswith(("conv.bias", "up.bias", "rgb.bias")):
            nn.init.normal_(parameter, std=0.2)
    return generator


def run(model: nn.Module, synthesis: Synthesis, ws: Tensor, mode: Mode, which: str, clock: Clock) -> float:
    """Seconds of one pass by a clock."""
    model.requires_grad_(which.endswith("weights"))
    ws = ws.clone().requires_grad_(which != "forward")
    began = clock()
    with torch.set_grad_enabled(which != "forward"):
        with torch.autocast("cpu", torch.bfloat16, enabled=mode.dtype != torch.float32):
            pictures = synthesis(ws)
        if which != "forward":
            pictures.float().square().mean().backward()
    seconds = clock() - began
    model.zero_grad(set_to_none=True)
    return seconds


def alternating(calls: dict[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each call and repeat; the order turns round every time, and a first call is not counted."""
    for call in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats):
        for name in list(calls)[:: -1 if repeat % 2 else 1]:
            taken[name].append(calls[name]())
        gc.collect()
    return taken


@dataclass(slots=True)
class Contest:
    """Both programs with equal weights."""

    generator: StyleGAN2
    peer: nn.Module
    ours: Synthesis
    theirs: Synthesis
    clock: Clock

    @classmethod
    def prepare(cls, folder: Path, clock: Clock = time.perf_counter) -> Contest:
        """Fetch the peer and give it our weights."""
        generator = random_generator()
        noises = [block.noise.const[None, None] for block in _styled(generator)]
        peer = peer_of(generator, import_peer(folder))
        return cls(generator, peer, lambda ws: generator.synthesis(ws, noise=noises), peer_call(peer, noises), clock)

    def difference(self, ws: Tensor) -> float:
        """Largest difference between the pictures, after the peer's two filters, and of w itself."""
        z = torch.randn(4, self.generator.z_dim)
        with torch.no_grad():
            found = [(self.generator.mapping_network(z) - self.peer.mapping(z)).abs().max().item()]
            ours = self.ours(ws)
            for resample in (common_filter, depthwise_filter):
                set_filter(resample)
                found.append((ours - self.theirs(ws)).abs().max().item())
        return max(found)

    def seconds(self, batch: int, mode: Mode, which: str, repeats: int) -> dict[str, list[float]]:
        """Time one row: ours, the peer with ghbench's filter, and (in the first mode) with the common one."""
        ws = self.w(batch)
        torch.compiler.reset()
        ours = torch.compile(self.ours) if mode.compiled else self.ours
        theirs = torch.compile(self.theirs) if mode.compiled else self.theirs

        def peer_with(resample: Callable[..., Tensor]) -> Callable[[], float]:
            def call() -> float:
                set_filter(resample)
                return run(self.peer, theirs, ws, mode, which, self.clock)

            return call

        calls = {
            "ours": lambda: run(self.generator, ours, ws, mode, which, self.clock),
            "peer": peer_with(depthwise_filter),
        }
        if mode == MODES[0]:
            calls["peer_common_filter"] = peer_with(common_filter)
        return alternating(calls, repeats)

    def w(self, batch: int) -> Tensor:
        """Seeded w [batch, w_dim]."""
        z = torch.randn(batch, self.generator.z_dim, generator=torch.Generator().manual_seed(1))
        with torch.no_grad():
            return self.generator.mapping_network(z)


def _styled(generator: StyleGAN2) -> Iterator[nn.Module]:
    for block in generator.blocks.values():
        yield from (layer for layer in (block.up, block.conv) if layer is not None)


def cells(batch: int, mode: Mode, which: str, taken: dict[str, list[float]]) -> list[str]:
    """A row of the table."""
    shown = [str(batch), which, mode.title, _spread(taken["ours"])]
    for name in ("peer_common_filter", "peer"):
        if name not in taken:
            shown += ["-", "-"]
            continue
        shown += [_spread(taken[name]), f"**{statistics.median(taken[name]) / statistics.median(taken['ours']):.2f}**"]
    return shown


def _spread(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f} to {max(seconds):.2f})"


def main() -> None:
    """Check, time, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=7, help="of batch 1; others get about half")
    parser.add_argument("--without-compile", action="store_true")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="count the processor's seconds instead of the wall clock's: on a busy machine, with one thread",
    )
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    rows, measured = [], []
    with tempfile.TemporaryDirectory(prefix="ghbench-benchmark-") as folder:
        contest = Contest.prepare(Path(folder), time.process_time if arguments.processor_time else time.perf_counter)
        difference = max(contest.difference(contest.w(batch)) for batch in BATCHES)
        assert difference < TOLERANCE, f"pictures differ by {difference}"
        for mode in MODES:
            if mode.compiled and arguments.without_compile:
                continue
            for batch in BATCHES[:1] if mode.compiled else BATCHES:
                for which in PASSES:
                    repeats = arguments.repeats if batch == 1 and not mode.compiled else (arguments.repeats + 1) // 2
                    taken = contest.seconds(batch, mode, which, repeats)
                    rows.append(cells(batch, mode, which, taken))
                    measured.append({"batch": batch, "pass": which, "mode": mode.title, "seconds": taken})
                    print(" | ".join(rows[-1]), flush=True)
    write(
        "generators",
        "StyleGAN2 of 256 px against stylegan2-torch",
        text(arguments, difference),
        ["batch", "pass", "mode", "ghbench", "stylegan2-torch", "ratio", "the same with ghbench's filter", "ratio"],
        rows,
        threads=arguments.threads,
        largest_difference=difference,
        measured=measured,
    )  # fmt: skip


def text(arguments: argparse.Namespace, difference: float) -> str:
    """What stands below the table."""
    repeats = arguments.repeats
    options = f"--threads {arguments.threads} --repeats {repeats}"
    clock = "wall clock"
    if arguments.processor_time:
        options += " --processor-time"
        clock = "processor (the machine was busy)"
    return f"""
Config F of Karras et al. 2020 (512 channels up to 64 px, then 256 and 128), one colour (the package knows no other),
random seeded weights, the same in both programs; pictures differ by at most {difference:.0e} in float32, checked before
timing. {arguments.threads} thread(s); seconds of the {clock}. Median with the smallest and the largest:
{repeats} repeats of eager rows of batch 1, {(repeats + 1) // 2} of all others. Ratio: how many times as long the
package takes. The programs take turns, and the order turns round every repeat. All rows start at w, with one constant
noise. `backward to w`: the weights are frozen, as when a generator is a loss or is inverted; `backward to weights`: all
weights and w have gradients, as in training. Options: `{options}`.

The package (1.3.0) does not run on a CPU as it is: for the filter that goes with upsampling it has CUDA code only. The
first column gives it the form that its family of programs uses on a CPU (every channel filtered as a picture of its
own). The second gives it **ghbench's own depthwise filter**, so that what remains owes nothing to a slow filter. All
else is the package's own code. Compiled rows use `torch.compile` with default settings on both.

What stands in the first column is thus not the package alone: its filter was written for this benchmark. Judge by both.

Where the time goes: several images share one convolution, with their maps scaled by the style, where the package
convolves in groups with a scaled copy of the weight for each image; frozen weights then need no weight gradients. Maps
are channels last from the start, in which filters and transposed convolutions are faster. The scale of the weight and
the gain of the rectifier move into small tensors, noise and rectifier overwrite the maps, and the colours come from one
product of matrices. The convolutions themselves are most of what is left, and both programs use the same ones.
"""


if __name__ == "__main__":
    main()
