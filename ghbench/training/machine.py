"""Device, precision, processes and compilation of a run, through Lightning Fabric."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ghbench.errors import UsageError
from ghbench.extras import require

if TYPE_CHECKING:
    from lightning_fabric import Fabric

Precision = Literal["auto", "32-true", "bf16-mixed"]
Function = TypeVar("Function", bound=Callable[..., Any])


class Machine:
    """A thin layer over Fabric.

    Gradients are averaged over processes explicitly, after the backward pass: adversarial losses involve several
    networks, which wrapped modules do not allow.

    Args:
        accelerator: `auto`, `cpu`, `cuda` or `mps`.
        devices: Number of processes, or `auto`; under torchrun those that it has started, on all machines.
        precision: `auto` is bf16 where the processor supports it natively, else float32.
        compiled: Whether recipes compile their losses.

    Raises:
        MissingError: The extra `train` is not installed.
        UsageError: This machine lacks the accelerator or has too few devices.
    """

    def __init__(
        self,
        *,
        accelerator: str = "auto",
        devices: int | str = "auto",
        precision: Precision = "auto",
        compiled: bool = True,
    ) -> None:
        fabric_module = require("lightning_fabric", "train")
        chosen = precision if precision != "auto" else ("bf16-mixed" if native_bf16(accelerator) else "32-true")
        if accelerator == "auto" and not torch.cuda.is_available():
            accelerator, devices = "cpu", 1 if devices == "auto" else devices
        nodes = 1
        if "TORCHELASTIC_RUN_ID" in os.environ:
            devices = int(os.environ["LOCAL_WORLD_SIZE"])
            nodes = int(os.environ["WORLD_SIZE"]) // devices
        try:
            self.fabric: Fabric = fabric_module.Fabric(
                accelerator=accelerator, devices=devices, num_nodes=nodes, precision=chosen
            )
        except Exception as error:
            raise UsageError(
                f"cannot train on accelerator={accelerator}, devices={devices}: {error}", fix="--accelerator cpu"
            ) from error
        self.precision, self.compiled = chosen, compiled and _has_compiler(accelerator)
        self._lost = 0

    def launch(self) -> None:
        """Start the other processes, if there are any."""
        self.fabric.launch()

    @property
    def device(self) -> torch.device:
        """The device of this process."""
        return self.fabric.device

    @property
    def rank(self) -> int:
        """Number of this process."""
        return int(self.fabric.global_rank)

    @property
    def world(self) -> int:
        """Number of processes."""
        return int(self.fabric.world_size)

    @property
    def main(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager[Any]:
        """Context in which forward passes use the run's precision."""
        return self.fabric.autocast()

    def compile(self, function: Function) -> Function:
        """Compile the function as one graph, unless compilation is off or there is no C++ compiler."""
        if not self.compiled:
            return function
        return torch.compile(function, fullgraph=True, dynamic=False)  # type: ignore[return-value]

    def share(self, networks: Iterable[nn.Module]) -> None:
        """Copy the weights of the first process to all others."""
        if self.world > 1:
            for network in networks:
                for tensor in (*network.parameters(), *network.buffers()):
                    tensor.data.copy_(self.fabric.broadcast(tensor.data, src=0))

    def update(self, optimiser: Optimizer, loss: Tensor) -> bool:
        """One optimiser step on the mean loss over all processes.

        Args:
            optimiser: Its parameters are updated; no other gradients are computed.
            loss: Scalar.

        Returns:
            False if a gradient was not finite and the step was skipped.
        """
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        gradients = torch.autograd.grad(loss, parameters, allow_unused=True)
        return self.apply(optimiser, gradients)

    def apply(self, optimiser: Optimizer, gradients: Iterable[Tensor | None]) -> bool:
        """One optimiser step with the given gradients, one a parameter, averaged over processes; see `update`."""
        parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
        used = [(p, g) for p, g in zip(parameters, gradients, strict=True) if g is not None]
        if self.world > 1 and used:
            flat = self.mean(torch.cat([gradient.float().flatten() for _, gradient in used]))
            parts = torch.split(flat, [gradient.numel() for _, gradient in used])
            used = [(p, part.view_as(p)) for (p, _), part in zip(used, parts, strict=True)]
        norms = torch._foreach_norm([gradient for _, gradient in used])
        finite = bool(torch.isfinite(torch.stack(norms)).all())
        if finite:
            for parameter, gradient in used:
                parameter.grad = gradient
            optimiser.step()
        else:
            self._lost += 1
        optimiser.zero_grad(set_to_none=True)
        return finite

    def updates_lost(self) -> int:
        """Updates skipped since the last call because a gradient was not finite."""
        lost, self._lost = self._lost, 0
        return lost

    def mean(self, values: Tensor) -> Tensor:
        """Mean of a tensor over all processes."""
        if self.world == 1:
            return values
        reduced = self.fabric.all_reduce(values, reduce_op="mean")
        assert isinstance(reduced, Tensor)
        return reduced

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in any process."""
        return bool(self.mean(torch.tensor(float(flag), device=self.device)) > 0) if self.world > 1 else flag

    def describe(self) -> dict[str, str]:
        """Facts about the machine for the log."""
        return {
            "device": str(self.device), "processes": str(self.world), "precision": self.precision,
            "compiled": str(self.compiled), "threads": str(torch.get_num_threads()), "torch": torch.__version__,
            "processor": platform.processor() or platform.machine(),
        }  # fmt: skip


def _has_compiler(accelerator: str) -> bool:
    """Whether functions can be compiled; on a CPU this needs a C++ compiler."""
    if accelerator != "cpu":
        return True
    return any(shutil.which(name) for name in (os.environ.get("CXX") or "g++", "c++", "clang++"))


def native_bf16(accelerator: str = "auto") -> bool:
    """Whether bf16 matrix products run natively; where emulated, they are far slower than float32."""
    if accelerator in {"auto", "cuda", "gpu"} and torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags
