# make run     evaluate three extractors on real faces and print the table
# make test    install everything the tests need and run them all
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --constraint constraints.txt

.PHONY: run test fuzz lint types audit bench bench-probes bench-controls bench-peers bench-discovery bench-disentanglement bench-representation bench-generators bench-ghfeat figures edits rooms docs leaderboards release clean \
	train-fashion train-digits train-sprites train-codes train-heads train-ghfeat train-discovery
.DEFAULT_GOAL := run

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(BIN)/python pyproject.toml constraints.txt
	$(PIP) --editable '.[cpu,faces,backbones]'
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) --editable '.[test,dev,docs,report,train]'
	@touch $@

run: $(VENV)/.run
	$(BIN)/ghbench run --extractor pixels --extractor mobilenet-v2 --extractor dlib-face --task orl

test: $(VENV)/.test
	$(BIN)/python -m pytest -n auto

# Damaged files of every kind, 400 of each; minutes. FUZZ=4000 for an hour.
FUZZ ?= 400
fuzz: $(VENV)/.test
	GHBENCH_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/fuzz -s

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(VENV)/.test
	$(BIN)/mypy

# Known vulnerabilities of all that the tests install; needs PyPI itself, since mirrors lack its advisories.
audit: $(VENV)/.test
	$(PIP) pip-audit
	$(BIN)/python -m pip_audit --strict --skip-editable

# Speed and uncertainty against the usual ways, as ratios, into benchmarks/results.
bench: $(VENV)/.test
	$(BIN)/python benchmarks/verification.py
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/feature_store.py
	$(BIN)/python benchmarks/extraction.py
	$(BIN)/python benchmarks/neighbours.py
	$(BIN)/python benchmarks/people_bootstrap.py
	$(BIN)/python benchmarks/inversion.py
	$(BIN)/python benchmarks/distances.py
	$(BIN)/python benchmarks/coverage.py
	$(BIN)/python benchmarks/allocation.py

# Probes against scikit-learn; OpenBLAS chooses its kernels itself.
bench-probes: $(VENV)/.test
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python benchmarks/probes.py

# Disentanglement metrics against plain loops, and how few images bias them.
bench-disentanglement: $(VENV)/.test
	$(BIN)/python benchmarks/disentanglement.py
	$(BIN)/python benchmarks/sample_size.py

# Arms of the claim on disentangled codes: small trainings, kept one at a time; a day or two; resumes.
bench-representation: $(VENV)/.test
	$(BIN)/python benchmarks/representation_arms.py

# What GH-Feat's generator teaches: trains four encoders of faces, then seven at three rates; hours; resumes.
bench-controls: $(VENV)/.test
	$(BIN)/python benchmarks/ghfeat_controls.py
	$(BIN)/python benchmarks/ghfeat_rates.py

# What a frozen generator adds on clothes and digits: trains 100 small encoders, hours; resumes.
bench-peers: $(VENV)/.test
	$(BIN)/python benchmarks/peers.py

# How much training a navigator again changes: 40 trainings of half an hour, kept one at a time.
bench-discovery: $(VENV)/.test
	$(BIN)/python benchmarks/discovery_seeds.py

# What GH-Feat's parts are worth: trains 18 small encoders, hours; resumes.
bench-ghfeat: $(VENV)/.test
	$(BIN)/python benchmarks/ghfeat_ablation.py

# StyleGAN2 against a package from PyPI, which is fetched into a temporary folder; takes an hour or two.
bench-generators: $(VENV)/.test
	$(BIN)/python benchmarks/generators.py

figures: $(VENV)/.test edits
	$(BIN)/ghbench figures --task orl --published --out docs/figures --force
	$(BIN)/ghbench figures --task interventions --published --out docs/figures --force
	$(BIN)/python docs/draw_layouts.py docs/figures/layouts.jpg
	$(BIN)/ghbench levels ghfeat -t orl -t landmarks -t pose -t luminance --published -o docs/figures/levels-ghfeat.svg --force

# The edits on generated faces and on NASA's portrait of Eileen Collins, which is in the public domain.
PHOTO := $(VENV)/astronaut.png
EDIT  := $(BIN)/ghbench edit
edits: $(VENV)/.test
	$(BIN)/python -c "from PIL import Image; from skimage import data; Image.fromarray(data.astronaut()).save('$(PHOTO)')"
	$(EDIT) reconstruct $(PHOTO) seed:1,4 --both --size 512 --out docs/figures/edit-reconstruct.png --force
	$(EDIT) mix $(PHOTO) seed:1 --with seed:4 --out docs/figures/edit-mix.png --force
	$(EDIT) global $(PHOTO) seed:1 --with seed:0-5 --levels r16-r32 --out docs/figures/edit-global.png --force
	$(EDIT) local $(PHOTO) seed:1 --with seed:2-6 --mask 0.28,0.6,0.72,0.9 --out docs/figures/edit-local.png --force
	$(EDIT) traverse $(PHOTO) --navigator contrafeat-binary -d mouth-width -d fringe -d eyes-open --reach 0.7 --columns 5 --out docs/figures/edit-traverse.png --force
	$(EDIT) harmonize $(PHOTO) seed:1 --with seed:4 --mask 0.2,0.3,0.8,0.55 --out docs/figures/edit-harmonize.png --force

# The pages are plain Markdown: check their links, the commands and the code they show; then the same pages as a site.
docs: $(VENV)/.test
	$(BIN)/python -m pytest tests/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

# Evaluate what leaderboards/published.toml lists and write the tables; PAGES="orl harmonization" for some of them.
leaderboards: $(VENV)/.run
	$(BIN)/python leaderboards/publish.py $(PAGES)

# The rooms and their imports, drawn from the code; fails where a room imports a higher one.
rooms: $(VENV)/.test
	$(BIN)/python docs/draw_rooms.py

# How the shipped weights were made. Each resumes where it was interrupted; hours on two cores.
$(VENV)/.train: $(VENV)/.run
	$(PIP) --editable '.[train]'
	@touch $@

train-fashion: $(VENV)/.train
	$(BIN)/ghbench train stylegan2 --data fashion-mnist --size 32 --images 300000 --run fashion32
	$(BIN)/ghbench train stylegan1 --data fashion-mnist --size 32 --images 300000 --run fashion32-sg1

train-digits: $(VENV)/.train
	$(BIN)/ghbench train stylegan2 --data mnist-10k --size 32 --images 150000 --run mnist32 -o augment_target=0.6 -o mixing=0

train-sprites: $(VENV)/.train
	$(BIN)/ghbench train stylegan2 --data sprites --size 64 --images 150000 --run sprites64 --compile -o r1_gamma=10

# Autoencoders of sprites, a quarter of an hour each.
CODES := $(BIN)/ghbench train representation --precision 32-true -o codes=7
train-codes: $(VENV)/.train
	$(CODES) --data sprites --images 300000 --run beta-vae-sprites -o beta=2
	$(CODES) --data sprites --images 300000 --run factor-vae-sprites -o gamma=12
	$(CODES) --data sprite-pairs:count=5000 --images 150000 --run pair-vae-sprites -o batch=8

train-heads: $(VENV)/.train
	$(BIN)/ghbench train heads --generator mobile-stylegan-ffhq

FACES := $(BIN)/ghbench train ghfeat --generator mobile-stylegan-ffhq
SMALL := $(BIN)/ghbench train ghfeat --size 32 --images 80000 -o width=0.5 -o real=0.5 -o mirror=false -o changed=0 \
	-o grey=0 -o degraded=0 -o reflected=0

train-ghfeat: $(VENV)/.train
	$(FACES) --size 64 --images 240000 --run faces64 -o width=0.75
	$(SMALL) --generator stylegan1-fashion32 --data fashion-mnist --run ghfeat-fashion32
	$(SMALL) --generator stylegan2-mnist32 --data mnist-10k --run ghfeat-mnist32

# ContraFeat's navigators for faces, and the names of their directions; an hour on two cores.
train-discovery: $(VENV)/.train
	$(BIN)/ghbench train contrafeat --generator mobile-stylegan-ffhq --variant binary --directions 30 --run bin30
	$(BIN)/ghbench train contrafeat --generator mobile-stylegan-ffhq --variant prototype --directions 30 --run pt30
	$(BIN)/ghbench train contrafeat --generator mobile-stylegan-ffhq --variant binary --directions 30 --run pca30 -o source=pca
	$(BIN)/ghbench train contrafeat --generator mobile-stylegan-ffhq --variant binary --directions 30 --run sefa30 -o source=sefa
	$(BIN)/python benchmarks/direction_names.py bin30 pt30

# Wheels and source archives in dist/, each wheel below PyPI's limits; weights for research only are a package of their
# own. Then a fresh environment, with nothing but the wheel, runs a first evaluation.
FRESH := build/fresh
release: $(VENV)/.test
	rm -rf build dist
	$(PIP) build
	$(BIN)/python -m build --outdir dist .
	rm -rf build
	$(BIN)/python -m build --outdir dist ghbench/weights/noncommercial
	$(BIN)/python -m pytest tests/test_release.py
	$(PYTHON) -m venv $(FRESH)
	$(FRESH)/bin/python -m pip install --quiet --constraint constraints.txt dist/ghbench-*.whl
	cd build && GHBENCH_HOME=$(CURDIR)/build/home fresh/bin/ghbench run --extractor pixels --task orl
	ls -l dist

clean:
	rm -rf $(VENV) build dist *.egg-info ghbench/weights/noncommercial/build ghbench/weights/noncommercial/*.egg-info
