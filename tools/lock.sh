#!/usr/bin/env bash
# Resolve requirements.lock anew: hashes, every platform, and no index addresses.
# Not wandb and mlflow: whoever wants them has them, and hundreds of megabytes come along.
# torch and torchvision are a matched pair; bpy is the LTS release that the renders were checked with.
set -euo pipefail
uv pip compile --quiet --universal --python-version "$(cat .python-version)" --generate-hashes \
    --no-emit-index-url --no-header --index-strategy unsafe-best-match \
    --constraint <(printf 'torch==2.12.1\ntorchvision==0.27.1\nbpy==5.2.3\n') \
    --extra export --extra s3 --group dev --output-file requirements.lock pyproject.toml
