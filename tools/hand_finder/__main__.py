"""``python -m tools.hand_finder data|train|score|export``: how the shipped hand finder was made."""

import argparse
import os
from pathlib import Path


def main() -> None:
    """Run a step. What a step needs is imported by it: training has neither Blender nor the trainer."""
    asked = _options().parse_args()
    asked.run(asked)


def _data(asked: argparse.Namespace) -> None:
    from tools.hand_finder.cutouts import render_cutouts
    from tools.hand_finder.gather import gather

    render_cutouts(asked.out / "rendered", count=asked.cutouts, seed=0, jobs=asked.jobs)
    found = gather(
        asked.out / "ingredients",
        cutouts=asked.out / "rendered",
        hand_photos=asked.assets / "hand_photos",
        scenes=asked.assets / "scenes",
    )
    print(", ".join(f"{count} {kind}" for kind, count in found.items()))


def _train(asked: argparse.Namespace) -> None:
    from tools.hand_finder.train import train

    best = train(
        asked.ingredients,
        asked.out,
        asked.weights,
        minutes=asked.minutes,
        num_pictures=asked.pictures,
        jobs=asked.jobs,
        batch=asked.batch,
        picture_px=asked.size,
    )
    print(best)


def _score(asked: argparse.Namespace) -> None:
    from bg_filter.detectors.own_hands import WEIGHTS
    from tools.hand_finder.score import score

    print(score(asked.assets, weights=asked.weights or WEIGHTS, on_training_data=asked.trained_on))


def _sides(asked: argparse.Namespace) -> None:
    from tools.hand_finder.sides import score_sides
    from trainer.run.trained import load_trained

    trained = load_trained(Path("open"), device="cpu")
    print(score_sides(asked.assets, trained, on_training_data=asked.trained_on))


def _export(asked: argparse.Namespace) -> None:
    from tools.hand_finder.export import export

    print(export(asked.weights, asked.out))


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.hand_finder", description=__doc__)
    steps = parser.add_subparsers(required=True)
    assets = argparse.ArgumentParser(add_help=False)
    assets.add_argument("--assets", type=Path, required=True, help="folder of hand_photos and scenes")
    jobs = argparse.ArgumentParser(add_help=False)
    jobs.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes (one a core)")

    data = steps.add_parser("data", parents=[assets, jobs], help="render cut-outs and gather ingredients")
    data.add_argument("--out", type=Path, required=True, help="new folder; what it holds is continued")
    data.add_argument("--cutouts", type=int, default=3000, help="hands to render (3000)")
    data.set_defaults(run=_data)

    train = steps.add_parser("train", parents=[jobs], help="put pictures together and train on them")
    train.add_argument("ingredients", type=Path, help="folder that data wrote")
    train.add_argument("--out", type=Path, required=True, help="folder for best.pt")
    train.add_argument("--weights", type=Path, default=Path("yolov8n.pt"), help="to start from (yolov8n.pt)")
    train.add_argument("--minutes", type=float, default=240.0, help="until it ends (240)")
    train.add_argument("--pictures", type=int, default=12000, help="to train on (12000)")
    train.add_argument("--batch", type=int, default=128, help="pictures a step (128)")
    train.add_argument("--size", type=int, default=320, help="side of what the network sees (320)")
    train.set_defaults(run=_train)

    score = steps.add_parser("score", parents=[assets], help="recall, sides, false alarms, time")
    score.add_argument("--weights", type=Path, help="an exported file, instead of the shipped one")
    score.add_argument(
        "--trained-on", action="store_true", help="what was trained on, at many confidences, to choose one"
    )
    score.set_defaults(run=_score)

    sides = steps.add_parser("sides", parents=[assets], help="sides, with the open model's opinion of them")
    sides.add_argument("--trained-on", action="store_true", help="what the finder was trained on")
    sides.set_defaults(run=_sides)

    export = steps.add_parser("export", help="write the file that the package ships")
    export.add_argument("weights", type=Path, help="best.pt")
    export.add_argument("--out", type=Path, required=True, help="a .safetensors file")
    export.set_defaults(run=_export)
    return parser


if __name__ == "__main__":
    main()
