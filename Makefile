# `make demo` and `make test` do all the set-up on a fresh machine; nothing else is needed first.
PYTHON ?= python3
# What pip is to install of PyTorch; a machine without a GPU may name an index of smaller builds here as well.
TORCH ?= torch torchvision

.PHONY: demo test check clean

demo: .venv/demo
	.venv/bin/lucida demo

test: .venv/test .venv-torch/test
	scripts/check

check: test

# One stamp file a set of packages, renewed when the project's requirements change.
.venv/pip:
	$(PYTHON) -m venv .venv
	.venv/bin/python -m pip install --quiet --upgrade pip
	touch $@

.venv/demo: .venv/pip pyproject.toml
	.venv/bin/python -m pip install --quiet --editable ".[demo]"
	touch $@

.venv/test: .venv/pip pyproject.toml
	.venv/bin/python -m pip install --quiet --editable ".[demo,test]"
	touch .venv/demo $@

# The base install and its tests must run without torch, so torch has an environment of its own.
.venv-torch/test: pyproject.toml
	$(PYTHON) -m venv .venv-torch
	.venv-torch/bin/python -m pip install --quiet --upgrade pip
	.venv-torch/bin/python -m pip install --quiet $(TORCH)
	.venv-torch/bin/python -m pip install --quiet --editable ".[clean,demo,generate,geo,medical,restore,test,train]" "transformers[serving]"
	touch $@

clean:
	rm -rf .venv .venv-torch build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
