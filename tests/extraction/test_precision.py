"""Float32 stays float32 while features are computed, and the user's own setting comes back."""

import pytest
import torch

from ghbench.extraction.precision import full_float32


def test_short_float32_is_off_inside_and_restored_after_an_error():
    convolutions = torch.backends.cudnn.conv
    before = convolutions.fp32_precision
    convolutions.fp32_precision = "tf32"
    try:
        with pytest.raises(RuntimeError, match="ieee"), full_float32():
            raise RuntimeError(convolutions.fp32_precision)
        assert convolutions.fp32_precision == "tf32"
    finally:
        convolutions.fp32_precision = before
