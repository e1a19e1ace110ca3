"""Text from plugins and files can neither control the terminal nor imitate ghbench's own messages."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ghbench.cli import main
from ghbench.cli.terminal import complain, print_columns, print_json, say, visible

GHBENCH = Path(sys.executable).with_name("ghbench")

HOSTILE = "\x1b]0;owned\x07\x1b[2J\r\nghbench: all fine\n\x9b31m\u202e\u2028\x7f"

PLUGIN = '''
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord

HOSTILE = {hostile!r}

class Hostile:
    """Does not mean well."""

    def spec(self):
        levels = (Level("x", 2),)
        return ExtractorSpec(
            name="hostile", version="1", levels=levels, default_levels=("x",), preprocessing=Preprocessing((8, 8)),
            weights_digest="0", training=TrainingRecord(), licence=HOSTILE,
        )

    def extract(self, images):
        raise ValueError(HOSTILE)

class Bug:
    """Fails on being asked."""

    def extract(self, images): ...

    def spec(self):
        raise ValueError(HOSTILE)

class Start:
    """Fails at once."""

    def __init__(self):
        raise ValueError(HOSTILE)
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    file = tmp_path / "hostile.py"
    file.write_text(PLUGIN.format(hostile=HOSTILE))
    return str(file)


@pytest.fixture
def ghbench(monkeypatch, capfd):
    """The command line inside this process: exit code, stdout and stderr."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["ghbench", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        return (left.value.code or 0, *capfd.readouterr())

    return run


def assert_harmless(text):
    assert [letter for letter in text if not letter.isprintable() and letter != "\n"] == []
    assert not any(line.startswith("ghbench: all fine") for line in text.splitlines())


def test_control_characters_are_escaped_and_line_breaks_stay():
    assert visible("é 日\t\x1b[1m\x9b\n\u202e\udcff") == "é 日\\t\\x1b[1m\\x9b\n\\u202e\\udcff"


def test_later_lines_of_a_message_are_indented_by_two_spaces_or_more(capfd):
    say("one\ntwo\n  three\n    four\n", indent="--")
    complain("wrong\nghbench: all fine")
    assert capfd.readouterr() == (
        "--one\n--  two\n--  three\n--    four\n--\n",
        "ghbench: wrong\n  ghbench: all fine\n",
    )


def test_a_row_of_columns_is_one_line_whatever_it_contains(capfd):
    print_columns(["name", "summary"], [["a", "fine\nb  fine"], ["c", "\x1b[2J"]])
    assert capfd.readouterr().out == "NAME  SUMMARY\na     fine\\nb  fine\nc     \\x1b[2J\n"


def test_json_keeps_the_text_and_sends_terminals_no_control_characters(capfd):
    print_json([HOSTILE])
    printed = capfd.readouterr().out
    assert_harmless(printed)
    assert json.loads(printed) == [HOSTILE]


@pytest.mark.parametrize("name", ["Hostile", "Start"])
def test_a_failed_pair_cannot_forge_a_line(ghbench, plugin, lfw_tree, name):
    code, out, error = ghbench("run", "-e", f"{plugin}:{name}", "-t", f"lfw:root={lfw_tree}", "--workers", "0")
    assert code == 1
    assert "\\x1b]0;owned\\x07" in error
    assert "\n  ghbench: all fine\n" in error
    assert_harmless(out + error)


def test_neither_a_licence_nor_a_bug_forges_a_line(ghbench, plugin):
    code, out, error = ghbench("describe", "extractor", f"{plugin}:Hostile")
    assert (code, "licence: \\x1b]0;owned" in out, error) == (0, True, "")
    assert_harmless(out)
    code, out, error = ghbench("describe", "extractor", f"{plugin}:Bug")
    assert (code, out) == (1, "")
    assert error.startswith("Traceback")
    assert_harmless(error)


def test_broken_plugins_are_listed_on_one_line_each(ghbench, monkeypatch):
    from ghbench import registry

    plugins = [registry.Plugin("task", HOSTILE, "nowhere_at_all:x", HOSTILE)]
    monkeypatch.setattr(registry, "plugins", lambda kind: plugins)
    for ready in ([], ["--ready"]):
        code, out, error = ghbench("list", "tasks", *ready)
        assert (code, len(out.splitlines()), error) == (0, 2, "")
        assert_harmless(out)


def on_a_terminal(*arguments, both=False):
    """Run with stderr (or both streams) on a pseudo-terminal: exit code, stdout, what the terminal was sent."""
    ours, theirs = pty.openpty()
    out = theirs if both else subprocess.PIPE
    process = subprocess.Popen([GHBENCH, *arguments], stdout=out, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    sent = b""
    try:
        while part := os.read(ours, 65536):
            sent += part
    except OSError:  # how Linux tells that the other side is closed
        pass
    os.close(ours)
    printed = b"" if both else process.stdout.read()
    return process.wait(), printed.decode(), sent.decode()


@pytest.mark.skipif(not GHBENCH.is_file(), reason="the ghbench script is not installed")
def test_a_terminal_shows_the_current_pair_and_obeys_no_plugin(plugin, lfw_tree):
    arguments = ("run", "-e", f"{plugin}:Hostile", "-e", "thumbnail:size=4", "-t", f"lfw:root={lfw_tree}")
    code, out, sent = on_a_terminal(*arguments, "--workers", "0")
    assert code == 1
    assert "thumbnail:size=4 on lfw" in sent
    assert f"{lfw_tree}: sorted by" in "".join(out.split("\n"))
    for forbidden in ("\x1b]0;", "\x1b[2J", "\x07", "\x9b", "\u202e", "\nghbench: all fine"):
        assert forbidden not in sent


@pytest.mark.skipif(not GHBENCH.is_file(), reason="the ghbench script is not installed")
def test_data_stays_on_stdout_while_stderr_is_a_terminal(tmp_path, monkeypatch):
    from ghbench import assets

    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GHBENCH_OFFLINE", "1")
    name = assets.names()[0]
    code, out, sent = on_a_terminal("assets", "verify", name)
    assert (code, out.split()) == (0, [name, "absent"]), sent
