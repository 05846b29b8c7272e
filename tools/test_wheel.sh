#!/usr/bin/env bash
# Build the wheel, install it into an empty environment, and run the command and the tests from another folder,
# so that nothing can come from the source tree by accident.
set -euo pipefail
rm -rf dist
.venv/bin/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .
elsewhere=$(mktemp -d)
trap 'rm -rf "$elsewhere"' EXIT
.venv/bin/python -m venv "$elsewhere/venv"
"$elsewhere/venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$elsewhere/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps dist/meshcycle-*.whl
cp -r tests configs pyproject.toml README.md requirements.lock "$elsewhere"
cd "$elsewhere"
venv/bin/meshcycle --help
PYTHONPATH=$elsewhere venv/bin/python -P -m pytest -q -n auto -m "not blender and not gpu"
