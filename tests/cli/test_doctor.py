"""`ghbench doctor` lists what killed processes left, and not the user's own files."""

from __future__ import annotations

from ghbench.cli import doctor


def test_leftovers_of_killed_processes_are_listed(tmp_path, monkeypatch, capsys):
    for name in ("home", "cache"):
        monkeypatch.setenv(f"GHBENCH_{name.upper()}", str(tmp_path / name))
    monkeypatch.delenv("GHBENCH_DATA", raising=False)
    left = [
        tmp_path / "home/results/orl/.pixels-32b827f9.json.77-0123abcd.tmp",
        tmp_path / "home/imported/.mine.making/a.npy",
        tmp_path / "cache/features/.pixels-orl.ab12.removed/a/shard-00000.npy",
        tmp_path / "cache/assets/.making/orl-faces/container/x.zip",
    ]
    others = [tmp_path / "home/datasets/.a.jpg.77-0123abcd.tmp", tmp_path / "home/results/orl/pixels-32b827f9.json"]
    for path in (*left, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    doctor._leftovers()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(left)
    for path in left:
        assert any(str(path).startswith(line.split()[1].rstrip(":")) for line in lines)
