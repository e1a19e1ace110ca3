"""Plugins are found by entry point, loaded only when used, and one bad plugin harms no other."""

import inspect
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from ghbench import plugin_summary, registry
from ghbench.errors import MissingError, PluginError, UsageError
from ghbench.spec_string import parse

EXAMPLE = Path(__file__).parent / "plugin_example"


def run_python(code, *folders):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(str(folder) for folder in folders)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def installed(folder, package, *, entries, modules, kind="extractors"):
    """Fake an installed distribution: its metadata folder and its modules."""
    metadata = folder / f"{package.replace('-', '_')}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
    lines = [f"{name} = {target}" for name, target in entries.items()]
    (metadata / "entry_points.txt").write_text("\n".join([f"[ghbench.{kind}]", *lines, ""]))
    for name, source in modules.items():
        (folder / f"{name}.py").write_text(source)
    return folder


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder on the import path that looks like a site-packages of its own."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


CLASS = '''
class Net:
    """A net of {0}."""

    owner = "{0}"

    def __init__(self, size: int = 3):
        self.size = size
'''


def test_two_packages_with_one_name_are_told_apart_by_package(site):
    installed(site, "first-pack", entries={"twin": "twin_a:Net"}, modules={"twin_a": CLASS.format("first")})
    installed(site, "second-pack", entries={"twin": "twin_b:Net"}, modules={"twin_b": CLASS.format("second")})
    with pytest.raises(UsageError, match="first-pack/twin and second-pack/twin"):
        registry.build("extractor", "twin")
    assert registry.build("extractor", "second-pack/twin").owner == "second"


def test_a_broken_plugin_is_listed_and_fails_only_when_used(site):
    modules = {"broken_import": CLASS.format("x") + "import no_such_module_anywhere\n", "broken_syntax": "class (:\n"}
    entries = {"cannot-import": "broken_import:Net", "cannot-parse": "broken_syntax:Net", "gone": "nowhere_at_all:Net"}
    installed(site, "broken-pack", entries=entries, modules=modules)
    listed = {plugin.name: plugin_summary.summary(plugin) for plugin in registry.plugins("extractor")}
    assert listed["cannot-import"] == plugin_summary.Summary("A net of x.")
    assert "SyntaxError" in listed["cannot-parse"].error
    assert "not found" in listed["gone"].error
    assert registry.build("extractor", "pixels").spec().name == "pixels"
    for name in entries:
        with pytest.raises(PluginError, match=f"'{name}' of package 'broken-pack' cannot be imported"):
            registry.build("extractor", name)


def test_a_plugin_that_fails_to_start_is_named(site):
    source = "class Net:\n    def __init__(self): raise ZeroDivisionError('no')\n"
    leaving = "class Net:\n    def __init__(self): raise SystemExit(0)\n"
    modules = {"stumble": source, "leave": leaving, "left": "raise SystemExit(0)\n"}
    entries = {"stumbles": "stumble:Net", "leaves": "leave:Net", "has-left": "left:Net"}
    installed(site, "lazy-pack", entries=entries, modules=modules)
    with pytest.raises(PluginError, match="'stumbles' failed to start: ZeroDivisionError: no"):
        registry.build("extractor", "stumbles")
    with pytest.raises(PluginError, match="'leaves' failed to start: SystemExit: 0"):
        registry.build("extractor", "leaves")
    with pytest.raises(PluginError, match="cannot be imported: SystemExit: 0"):
        registry.build("extractor", "has-left")
    with pytest.raises(PluginError, match="cannot be loaded: SystemExit: 0"):
        registry.build("extractor", "left:Net")


def test_a_package_that_is_installed_meanwhile_is_found(site):
    with pytest.raises(UsageError, match="no extractor is called 'latecomer'"):
        registry.build("extractor", "latecomer")
    installed(site, "late-pack", entries={"latecomer": "late:Net"}, modules={"late": CLASS.format("late")})
    assert registry.build("extractor", "latecomer").owner == "late"


def test_an_unknown_name_suggests_the_nearest_one():
    with pytest.raises(UsageError, match="did you mean mobilenet-v2") as caught:
        registry.build("extractor", "mobilnet-v2")
    assert caught.value.fix == "ghbench list extractors"
    with pytest.raises(UsageError, match="in package 'nobody'"):
        registry.build("extractor", "nobody/pixels")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pixels:sise=3", "no option 'sise'; did you mean 'size'. Allowed: size"),
        ("pixels:size=big", "option 'size' of 'pixels': .*got 'big'"),
        ("pixels:size=8,size.inner=2", "option 'size' of 'pixels' takes no nested options"),
        ("dlib-face:x=1", "no option 'x'. Allowed: none"),
        ("timm", "'timm' needs model=..."),
    ],
)
def test_wrong_options_are_named_with_the_allowed_ones(spec, message):
    with pytest.raises(UsageError, match=message):
        registry.build("extractor", spec)


def test_options_reach_the_plugin_with_their_declared_types():
    extractor = registry.build("extractor", "random-projection:dim=7,seed=2,size=4")
    assert (extractor.dim, extractor.seed, extractor.size) == (7, 2, 4)


def test_a_module_or_a_file_can_be_tried_before_it_is_packaged(site):
    file = site / "unpackaged_net.py"
    file.write_text(CLASS.format("me"))
    assert registry.build("extractor", "unpackaged_net:Net,size=5").size == 5
    assert registry.build("extractor", f"{file}:Net").owner == "me"
    with pytest.raises(PluginError, match="Nett"):
        registry.build("extractor", "unpackaged_net:Nett")


def test_what_a_module_says_it_lacks_is_passed_on_unchanged(site):
    says = "from ghbench.errors import MissingError\nraise MissingError('no weights', fix='fetch them')\n"
    (site / "lacks_weights.py").write_text(says)
    for spec in ("lacks_weights:Net", f"{site / 'lacks_weights.py'}:Net"):
        with pytest.raises(MissingError, match=r"^no weights") as caught:
            registry.build("extractor", spec)
        assert (caught.value.exit_code, caught.value.fix) == (3, "fetch them")


@pytest.mark.parametrize(
    ("spec", "fix"),
    [
        ("nosuch:x", "install the package that holds nosuch, or name its file, for instance ./nosuch.py:x"),
        ("nosuch.deep:x", "install the package that holds nosuch.deep, .* ./nosuch/deep.py:x"),
        ("./nosuch.py:x", "the name of a file that exists: ls /"),
    ],
)
def test_a_module_that_is_not_there_comes_with_what_mends_it(spec, fix):
    with pytest.raises(PluginError, match=f"fix: {fix}"):
        registry.build("extractor", spec)


def test_what_a_module_fails_to_import_itself_is_not_blamed_on_the_user(site):
    (site / "lacks_other.py").write_text("import nosuch_other\n")
    with pytest.raises(PluginError, match="No module named 'nosuch_other'") as caught:
        registry.build("extractor", "lacks_other:Net")
    assert caught.value.fix is None


def test_two_files_of_one_stem_are_two_modules_with_their_own_sources(tmp_path):
    nets = []
    for owner in ("first", "second"):
        file = tmp_path / owner / "net.py"
        file.parent.mkdir()
        file.write_text("# above the class\n" * (owner == "second") + CLASS.format(owner))
        nets.append(registry.build("extractor", f"{file}:Net"))
    first, second = map(type, nets)
    assert first.__module__ != second.__module__
    assert "A net of first." in inspect.getsource(first)
    assert "A net of second." in inspect.getsource(second)
    assert type(pickle.loads(pickle.dumps(nets[0]))) is first


def test_a_file_that_fails_leaves_no_half_module_behind(tmp_path):
    (tmp_path / "half.py").write_text("class Net: pass\n1 / 0\n")
    before = set(sys.modules)
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        registry.build("extractor", f"{tmp_path / 'half.py'}:Net")
    assert set(sys.modules) == before


def test_every_first_party_plugin_has_a_summary_that_is_read_without_importing_it():
    plugins = [plugin for kind in registry.KINDS for plugin in registry.plugins(kind) if plugin.package == "ghbench"]
    assert len(plugins) > 12
    found = {plugin.name: plugin_summary.summary(plugin) for plugin in plugins}
    assert {name: about for name, about in found.items() if not about.text} == {}


def test_neither_torch_nor_a_plugin_is_imported_by_listing():
    code = """
import sys
import ghbench
from ghbench import plugin_summary, registry
for kind in registry.KINDS:
    for plugin in registry.plugins(kind):
        plugin_summary.summary(plugin)
plugins = ("ghbench_tasks", "ghbench_baselines", "ghbench.data.")
print(sorted(name for name in sys.modules if name == "torch" or name.startswith(plugins)))
"""
    assert run_python(code) == "[]"


def test_an_installed_package_is_found_through_its_entry_point_and_keeps_the_contract(tmp_path):
    # A copy, because the build backend leaves its work beside the sources.
    copy, target = tmp_path / "source", tmp_path / "site"
    for file in EXAMPLE.rglob("*"):
        if file.suffix in {".py", ".toml", ".md"}:
            destination = copy / file.relative_to(EXAMPLE)
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_bytes(file.read_bytes())
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(copy)], check=True, capture_output=True)
    code = """
from ghbench import plugin_summary, registry
from ghbench.spec_string import parse
from ghbench.testing import check_extractor
plugin = registry.find("extractor", parse("example-colour-histogram"))
print(plugin.qualified_name, "|", plugin_summary.summary(plugin).text)
print(check_extractor(registry.build("extractor", "example-colour-histogram:bins=4")).levels[0].dim)
"""
    first, second = run_python(code, target).splitlines()
    assert first == "ghbench-plugin-example/example-colour-histogram | How often each channel takes each value."
    assert second == "12"


def test_the_canonical_spec_string_builds_the_same_extractor():
    spec = parse("random-projection:size=4,dim=7")
    assert str(spec) == "random-projection:dim=7,size=4"
    assert registry.build("extractor", spec).spec() == registry.build("extractor", str(spec)).spec()
