"""Safe readers of other programs' checkpoints: arrays out, nothing executed."""

from ghbench.checkpoints.checkpoint import Checkpoint, match_keys
from ghbench.checkpoints.native import write
from ghbench.checkpoints.recognise import read

__all__ = ["Checkpoint", "match_keys", "read", "write"]
