#!/usr/bin/env bash
# Build both images with the commit baked in, and print it. Where the registry of the base image cannot be reached,
# the base is made from Debian's packages and this machine's Python 3.13; PYTHON_IMAGE names another one.
set -euo pipefail
cd "$(dirname "$0")/.."
commit=$(git describe --always --dirty --abbrev=40 --exclude='*')
base=${PYTHON_IMAGE:-$(sed -n 's/^ARG PYTHON_IMAGE=//p' docker/trainer.Dockerfile)}
if ! docker image inspect "$base" > /dev/null 2>&1 && ! docker pull --quiet "$base" >&2; then
    base=meshcycle-base:python3.13
    docker image inspect "$base" > /dev/null 2>&1 || tools/docker_test/base_image.sh "$base" "${PYTHON:-python3.13}" >&2
    echo "$base stands in for the base image, whose registry does not answer" >&2
fi
for image in trainer render-worker; do
    # The variable that the worker's file alone knows would be a warning in the trainer's.
    kernels=()
    [[ $image == render-worker && -n ${GPU_GENERATIONS+set} ]] && kernels=(--build-arg "GPU_GENERATIONS=$GPU_GENERATIONS")
    docker build --file "docker/$image.Dockerfile" --tag "meshcycle-$image:0.1.0" \
        --build-arg "COMMIT=$commit" --build-arg "PYTHON_IMAGE=$base" "${kernels[@]}" . >&2
done
echo "$commit"
