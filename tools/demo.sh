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

run make-photographs --out "$folder/panoramas_lmdb"
run filter-backgrounds "$folder/panoramas_lmdb" --out "$folder/backgrounds" --recorded-verdicts
run make-dataset --out "$folder/hands" --training 480 --evaluation 96 --backgrounds "$folder/backgrounds" --size 128
run train configs/demo.toml --fresh
run evaluate "$folder/run" --data "$folder/hands" --pred-json "$folder/pred.json"
run inspect "$folder/run" --out "$folder/contact-sheet.png"
printf '\nLook at %s/contact-sheet.png\n' "$folder"
