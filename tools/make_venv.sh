#!/usr/bin/env bash
# Make or refresh the virtual environment in $1 from the hashed lock.
# The Python of .python-version is taken from the PATH (pyenv's shims included), else from uv.
set -euo pipefail
venv=$1
want=$(cat .python-version)
is_wanted='import sys; sys.exit("%d.%d" % sys.version_info[:2] != sys.argv[1])'

find_python() {
    for candidate in "python$want" python3 python "$HOME"/.pyenv/versions/"$want".*/bin/python; do
        if "$candidate" -c "$is_wanted" "$want" 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    if command -v uv >/dev/null; then
        uv python find "$want" 2>/dev/null || { uv python install --quiet "$want" && uv python find "$want"; }
    fi
}

if ! "$venv/bin/python" -c "$is_wanted" "$want" 2>/dev/null; then
    python=$(find_python)
    if [ -z "$python" ]; then
        echo "make: expected a Python $want, found none on the PATH, in pyenv or through uv." >&2
        echo "Install one (pyenv install $want, or install uv) and run make again." >&2
        exit 1
    fi
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
echo "Installing the locked packages into $venv: PyTorch and Blender are large, the first time takes minutes."
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
