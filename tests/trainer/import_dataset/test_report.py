"""The table that an import ends with."""

from collections import Counter
from pathlib import Path

from trainer.import_dataset.report import ImportReport


def test_the_table_names_the_most_frequent_reason_first() -> None:
    report = ImportReport(
        title="DexYCB",
        out=Path("data/dexycb"),
        images={"training": 1200, "evaluation": 80},
        kept=300,
        left_out=Counter({"the photograph is missing": 2, "no hand is annotated in the photograph": 40}),
    )
    assert report.to_text().splitlines() == [
        "DexYCB: data/dexycb",
        "training images                           1,200",
        "evaluation images                            80",
        "  of them from before                       300",
        "left out                                     42",
        "  no hand is annotated in the photograph     40",
        "  the photograph is missing                   2",
    ]
