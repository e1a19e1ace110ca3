"""How long a command takes whose work is done already: help, a list of plugins, an evaluation of cached features.

`python benchmarks/startup.py [LM_EVAL]`; the argument is the path of lm_eval's command, whose help stands beside ours.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path

from record import interleaved_seconds, write

EXTRACTOR, TASK, REPEATS = "mobilenet-v2", "orl", 7
SCRIPT = textwrap.dedent("""
    import sys
    import numpy as np
    from sklearn.metrics import roc_auc_score
    from sklearn.preprocessing import normalize

    features = normalize(next(iter(np.load(sys.argv[1]).values())))
    left, right = np.triu_indices(len(features), 1)
    person = np.arange(len(features)) // 10
    similarity = (features @ features.T)[left, right]
    print(f"auc {roc_auc_score(person[left] == person[right], similarity):.4f}")
""")
"""What a script needs at least: it loads the features, compares all pairs of ORL, and has no interval."""


def main() -> None:
    """Evaluate once into a folder of its own, time the commands in turn, and write the table."""
    ghbench = str(Path(sys.executable).with_name("ghbench"))
    with tempfile.TemporaryDirectory(prefix="ghbench-startup-") as folder:
        home = {**os.environ, "GHBENCH_HOME": f"{folder}/home"}
        features, script = f"{folder}/features.npz", Path(folder) / "script.py"
        run = [ghbench, "run", "--extractor", EXTRACTOR, "--task", TASK]
        silent(run, home)
        silent([ghbench, "extract", "--extractor", EXTRACTOR, "--data", "orl", "--out", features], home)
        script.write_text(SCRIPT)
        commands = {
            "`ghbench --help`": [ghbench, "--help"],
            "`ghbench list tasks`": [ghbench, "list", "tasks"],
            "`ghbench run`, result and features there": run,
            "`ghbench run --overwrite`, features there": [*run, "--overwrite"],
            "a script with scikit-learn, features there": [sys.executable, str(script), features],
            **{f"`{Path(path).name} --help`": [path, "--help"] for path in sys.argv[1:2]},
        }
        seconds = interleaved_seconds(
            {name: lambda command=command: silent(command, home) for name, command in commands.items()}, REPEATS
        )
    text = f"""
From the start of the process to its end, medians of {REPEATS} turns, files in the page cache. The evaluation is
`{EXTRACTOR}` on `{TASK}`: with `--overwrite` its accuracy, AUC and their intervals over people are computed anew
from cached features. The script computes the AUC of all pairs and no interval.
"""
    write(
        "startup", "From the start of a command to its end", text, ["command", "seconds"],
        [[name, f"{taken:.2f}"] for name, taken in seconds.items()],
        command="python benchmarks/startup.py LM_EVAL" if sys.argv[1:] else "", seconds=seconds,
    )  # fmt: skip


def silent(command: list[str], environment: dict[str, str]) -> None:
    """Run a command, which must succeed."""
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
