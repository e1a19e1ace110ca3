"""MobileStyleGAN at 128 px, forward and backward to its codes: eager, bfloat16, compiled, and the machine's limit."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from record import interleaved_seconds, write

from ghbench.generators.mobile_stylegan import MobileStyleGAN, SeparableConv
from ghbench.generators.native import build, freeze

SIZE, BATCH, REPEATS = 128, 16, 7
SIDE = 4096
WAYS = {"eager, float32": (False, False), "eager, bfloat16": (False, True),
        "compiled, float32": (True, False), "compiled, bfloat16": (True, True)}  # fmt: skip


def main() -> None:
    """Time all ways in turns and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    generator = build(MobileStyleGAN, {"size": SIZE})
    freeze(generator)
    torch.manual_seed(0)
    codes = {name: code.requires_grad_() for name, code in generator.style_codes(torch.randn(BATCH, 512)).items()}

    def gradient(synthesis: Callable, half: bool) -> Callable[[], list[torch.Tensor]]:
        def call() -> list[torch.Tensor]:
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                pictures = synthesis(codes)
            return list(torch.autograd.grad(pictures.square().mean(), list(codes.values())))

        return call

    calls = {
        name: gradient(
            torch.compile(generator.synthesis_from_styles, fullgraph=True, dynamic=False)
            if compiled
            else generator.synthesis_from_styles,
            half,
        )
        for name, (compiled, half) in WAYS.items()
    }
    expected = torch.cat(calls["eager, float32"](), dim=1)
    errors = {
        name: float((torch.cat(call(), dim=1) - expected).norm() / expected.norm()) for name, call in calls.items()
    }
    assert errors["compiled, float32"] < 1e-4, errors
    assert max(errors.values()) < 0.1, errors

    matrices = {kind: torch.randn(SIDE, SIDE).to(kind) for kind in (torch.float32, torch.bfloat16)}
    products = {f"product {kind}": lambda m=matrix: m @ m for kind, matrix in matrices.items()}
    seconds = interleaved_seconds({**calls, **products}, given.repeats)
    limits = {kind: 2 * SIDE**3 / seconds[f"product {kind}"] for kind in matrices}
    work = operations(generator)
    speeds = {name: BATCH / seconds[name] for name in WAYS}
    rows = []
    for name, (_, half) in WAYS.items():
        limit = limits[torch.bfloat16 if half else torch.float32]
        rows.append([
            name, f"{speeds[name]:.1f}", f"{speeds[name] / speeds['eager, float32']:.1f}",
            f"{speeds[name] * work / limit:.0%}", f"{errors[name]:.1e}",
        ])  # fmt: skip
    text = f"""
{BATCH} pictures of {SIZE} px at once, {given.threads} threads, median of {given.repeats} repeats, the ways taking
turns. Forward, and backward to all canonical style codes with the weights frozen: what training an encoder through the
generator costs. The weights are random, which changes no time.

Share of the limit: of what a product of two {SIDE} x {SIDE} matrices of the same precision reaches on the same threads
({limits[torch.float32] / 1e9:.0f} GFLOP/s in float32, {limits[torch.bfloat16] / 1e9:.0f} in bfloat16), counting only
the convolutions' own multiplications, {work / 1e9:.1f} GFLOP a picture. Error: relative, of the gradient of the mean
square of the pictures with respect to the codes, against eager float32. Features are channels_last in every way.
"""
    write(
        "mobile_stylegan", f"MobileStyleGAN at {SIZE} px, forward and backward", text,
        ["way", "images/s", "times as fast", "share of the limit", "error of gradient"], rows,
        images_per_second=speeds, gradient_errors=errors, gflops_per_picture=work / 1e9, threads=given.threads,
        limit_gflops={str(kind): limit / 1e9 for kind, limit in limits.items()},
    )  # fmt: skip


def operations(generator: MobileStyleGAN) -> float:
    """Floating-point operations of the convolutions of a picture, forward and back to the features."""
    total = 9 * generator.first.weight.shape[0] * generator.first.weight.shape[1] * 16
    for module in generator.modules():
        if isinstance(module, SeparableConv):
            total += (module.pointwise.numel() + module.depthwise.numel()) * module.noise.resolution**2
    total += generator.rgb.weight.numel() * (SIZE // 2) ** 2
    return 2.0 * 2 * total


if __name__ == "__main__":
    main()
