#!/usr/bin/env bash
# The whole loop on data that the product makes itself. Every line that starts with "$" is a command you can use.
set -euo pipefail
folder=$1
meshcycle=$2
rm -rf "$folder"

run() {
    printf '\n$ meshcycle %s\n' "$*"
    "$meshcycle" "$@"
}

run make-photographs --out "$folder"
run filter-backgrounds "$folder/panoramas_lmdb" --out "$folder/backgrounds"
run make-dataset --out "$folder/hands" --training 480 --evaluation 96 --view-sd-deg 20 \
    --backgrounds "$folder/backgrounds"
run train configs/demo.toml --fresh
run evaluate "$folder/run" --sheet "$folder/evaluation.png" --pred-json "$folder/pred.json"
run inspect "$folder/run" --sheet "$folder/twins.png" --curves "$folder/curves.png" --gallery "$folder/twins.html"
run predict docs/photographs --out "$folder/photographs" --sheet "$folder/photographs.png" \
    --gallery "$folder/photographs.html"

printf '\nLook at:\n'
ls -1 "$folder"/*.png "$folder"/*.html
