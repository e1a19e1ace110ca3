"""How much memory this process holds at most: since it began, or since a moment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_CLEAR, _STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
_PEAK_ONLY = "5"  # what shall be cleared, see proc_pid_clear_refs(5)


class PeakMemory:
    """Largest resident memory of this process, in 2**20 bytes."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew, as a process that was forked does."""
        self._before = 0.0

    def whole(self) -> float:
        """Since the process began."""
        return max(self._before, _system_peak())

    def restart(self) -> None:
        """Look from here on; only Linux can. Whoever asks the system for the peak of the process gets this one, too."""
        before = self.whole()
        try:
            _CLEAR.write_text(_PEAK_ONLY)
        except OSError:
            return
        self._before = before

    def recent(self) -> float | None:
        """Since `restart`; None where the system cannot tell."""
        if not self._before:
            return None
        fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return float(fields["VmHWM"].split()[0]) / 2**10


PEAK = PeakMemory()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=PEAK.forget)


def _system_peak() -> float:
    if sys.platform == "win32":
        import psutil

        return float(psutil.Process().memory_info().peak_wset) / 2**20
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
