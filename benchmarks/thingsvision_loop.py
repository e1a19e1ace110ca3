"""Extraction by thingsvision, once for each line on stdin; runs in an environment of its own.

`python thingsvision_loop.py FOLDER MODEL BATCH`: all images of a folder through a network of torchvision with random
weights, the last level before the classes. thingsvision reads `FOLDER/*` itself, in its own order.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile

LEVELS = {"mobilenet_v2": "features", "resnet50": "avgpool"}


def main() -> None:
    """Make ready, then answer each line with the shape of the features."""
    folder, model, batch = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w")
    with contextlib.redirect_stdout(sys.stderr):  # it prints what it does
        import numpy as np
        from thingsvision import get_extractor
        from thingsvision.utils.data import DataLoader, ImageDataset

        extractor = get_extractor(model_name=model, source="torchvision", device="cpu", pretrained=False)
        with tempfile.TemporaryDirectory() as out:
            for _ in sys.stdin:
                images = ImageDataset(
                    root=folder, out_path=out, backend=extractor.get_backend(),
                    transforms=extractor.get_transformations(resize_dim=256, crop_dim=224),
                )  # fmt: skip
                loader = DataLoader(dataset=images, batch_size=int(batch), backend=extractor.get_backend())
                found = extractor.extract_features(
                    batches=loader, module_name=LEVELS[model], flatten_acts=False, output_type="ndarray"
                )
                pooled = np.asarray(found).reshape(len(found), found.shape[1], -1).mean(axis=2)
                answers.write(f"{pooled.shape}\n")
                answers.flush()


if __name__ == "__main__":
    main()
