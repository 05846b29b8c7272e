#!/usr/bin/env bash
# The open model from nothing: every stage goes on where an interruption left it, and says its time.
# usage: tools/open_model.sh MESHCYCLE PYTHON CLONE HAND_PHOTOS [FOLDER_OF_YOUR_PHOTOGRAPHS ...]
# HAND_PHOTOS holds photographs with landmarks, as docs/model.md says; without it, "", the first training is packed.
set -euo pipefail
meshcycle=$1
python=$2
clone=${3:-}
if [ -z "$clone" ]; then
    echo "open-model: expected CLONE=the folder that 'git clone https://github.com/ardamavi/Sign-Language-Digits-Dataset'" \
        "makes. See docs/realhands.md." >&2
    exit 2
fi
hand_photos=${4:-}
photographs=("${@:5}")

stage() {
    printf '\n$ %s\n' "$*"
    local began=$SECONDS
    "$@"
    printf 'took %d s\n' $((SECONDS - began))
}

[ -d data/panoramas_lmdb ] || stage "$meshcycle" make-photographs --out data
stage "$meshcycle" filter-backgrounds data/panoramas_lmdb "${photographs[@]}" --out data/backgrounds
[ -d data/realhands/training ] || stage "$python" -m tools.realhands "$clone" --out data/realhands
stage "$meshcycle" make-dataset --out data/made --training 30000 --evaluation 400 --backgrounds data/backgrounds
stage "$meshcycle" make-versions --data data/realhands --out data/versions --backgrounds data/backgrounds
stage "$meshcycle" train configs/open_model.toml
if [ -n "$hand_photos" ]; then
    stage "$python" -m tools.open_model weak-labels "$hand_photos" --out data/strangers
    stage "$meshcycle" train configs/open_model_strangers.toml
    stage "$python" -m tools.open_model pack runs/open_model_strangers/checkpoints/round-0003
else
    stage "$python" -m tools.open_model pack runs/open_model
fi
