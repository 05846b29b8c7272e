"""Where a module is tested: in the mirrored test module, or in the one that this table names."""

import ast
import re
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest

from tests.support.repository import ROOT

if not (ROOT / "cli.py").is_file():
    pytest.skip("an installed package has no tree beside the tests", allow_module_level=True)

PARTS = ("shared", "bg_filter", "render_worker", "trainer")
CLI = "project/test_cli.py"

COVERED_BY = {
    "bg_filter/apply_selection.py": "bg_filter/test_filter.py",
    "bg_filter/checks.py": "project/test_doctor.py",
    "bg_filter/cli/backgrounds.py": CLI,
    "bg_filter/cli/bench.py": CLI,
    "bg_filter/cli/filter.py": CLI,
    "bg_filter/cli/options.py": CLI,
    "bg_filter/committer.py": "bg_filter/test_filter.py",
    "bg_filter/detectors/base.py": "bg_filter/detectors/test_yolo.py",
    "bg_filter/detectors/finders.py": CLI,
    "bg_filter/listing.py": "bg_filter/test_sources.py",
    "bg_filter/report_pictures.py": "bg_filter/test_report.py",
    "render_worker/bench/memory.py": "render_worker/bench/test_frames.py",
    "render_worker/bench/quality.py": "render_worker/bench/test_frames.py",
    "render_worker/bench/report.py": "render_worker/bench/test_frames.py",
    "render_worker/blender/exr.py": "render_worker/twins/test_twin.py",
    "render_worker/blender/material.py": "render_worker/blender/test_scene.py",
    "render_worker/checks.py": "project/test_doctor.py",
    "render_worker/cli/bench.py": CLI,
    "render_worker/cli/dataset.py": CLI,
    "render_worker/cli/farm.py": CLI,
    "render_worker/cli/kernels.py": CLI,
    "render_worker/cli/options.py": CLI,
    "render_worker/cli/render.py": CLI,
    "render_worker/dataset/companion.py": "render_worker/dataset/test_render.py",
    "render_worker/dataset/film.py": CLI,
    "render_worker/dataset/forearm.py": "render_worker/dataset/test_body.py",
    "render_worker/dataset/occluder.py": "render_worker/dataset/test_body.py",
    "render_worker/dataset/panoramas/files.py": "render_worker/dataset/panoramas/test_photographs.py",
    "render_worker/dataset/portrait.py": "render_worker/dataset/test_render.py",
    "render_worker/dataset/realism.py": "render_worker/dataset/test_render.py",
    "render_worker/dataset/skin.py": "render_worker/dataset/test_render.py",
    "render_worker/dataset/skin_map.py": "render_worker/dataset/test_body.py",
    "render_worker/dataset/subdivision.py": "render_worker/dataset/test_body.py",
    "render_worker/dataset/things.py": "render_worker/dataset/test_held.py",
    "render_worker/one_hand.py": "project/test_python.py",
    "render_worker/picture/background.py": "render_worker/picture/test_composite.py",
    "render_worker/picture/exposure.py": "render_worker/twins/test_twin.py",
    "render_worker/picture/fill_light.py": "render_worker/picture/test_mesh.py",
    "render_worker/picture/request.py": "render_worker/blender/test_scene.py",
    "render_worker/picture/skin_tone.py": "render_worker/dataset/test_render.py",
    "render_worker/progress.py": "render_worker/ray_farm/test_pool.py",
    "render_worker/ray_farm/actor.py": "render_worker/ray_farm/test_pool.py",
    "render_worker/ray_farm/checks.py": "project/test_doctor.py",
    "render_worker/ray_farm/engine.py": "render_worker/ray_farm/test_faults.py",
    "render_worker/ray_farm/ray_start.py": "render_worker/ray_farm/test_node.py",
    "render_worker/ray_farm/ray_token.py": "render_worker/ray_farm/test_node.py",
    "render_worker/ray_farm/with_parent.py": "render_worker/ray_farm/test_head.py",
    "render_worker/requests.py": "render_worker/ray_farm/test_pool.py",
    "render_worker/picture/probe.py": "render_worker/ray_farm/test_workers.py",
    "render_worker/twins/fitting_shards.py": "render_worker/twins/test_round.py",
    "render_worker/twins/packed_twin.py": "render_worker/twins/test_round.py",
    "render_worker/twins/shard_files.py": "render_worker/ray_farm/test_faults.py",
    "shared/backgrounds/environment.py": "shared/backgrounds/test_database.py",
    "shared/backgrounds/verdict_reader.py": "bg_filter/test_report.py",
    "shared/backgrounds/verdicts.py": "shared/backgrounds/test_database.py",
    "shared/camera/lens.py": "render_worker/blender/test_scene.py",
    "shared/cli/doctor.py": "project/test_doctor.py",
    "shared/cli/doctor_command.py": "project/test_doctor.py",
    "shared/cli/log.py": "project/test_cli.py",
    "shared/cli/numbers.py": "project/test_numbers.py",
    "shared/cli/own_names.py": "project/test_own_names.py",
    "shared/cli/report.py": CLI,
    "shared/twins/manifest.py": "shared/twins/test_lookup.py",
    "shared/twins/round_folders.py": "shared/twins/test_rounds.py",
    "shared/twins/shard_index.py": "shared/twins/test_shards.py",
    "shared/twins/shard_writing.py": "shared/twins/test_shards.py",
    "shared/twins/versioned_json.py": "shared/twins/test_shards.py",
    "shared/errors.py": "project/test_architecture.py",
    "shared/freihand/journal.py": "shared/freihand/test_writer.py",
    "shared/hand_model/loading.py": "shared/hand_model/test_model.py",
    "shared/hand_model/restricted_pickle.py": "shared/hand_model/test_mano_pickle.py",
    "shared/json_text.py": "shared/test_archives.py",
    "shared/import_path.py": "project/test_own_parts.py",
    "shared/lmdb/pages.py": "shared/lmdb/test_intact.py",
    "shared/lmdb/sound.py": "shared/lmdb/test_damage.py",
    "shared/ranges.py": "project/test_numbers.py",
    "shared/records.py": "shared/twins/test_shards.py",
    "shared/storage/regular_file.py": "shared/storage/test_files.py",
    "shared/seams/check.py": "project/test_doctor.py",
    "shared/seams/farm_tls.py": "render_worker/ray_farm/test_tls.py",
    "shared/seams/hand_finder.py": "trainer/photographs/test_finders.py",
    "shared/seams/hands_to_draw.py": "trainer/hands/test_to_draw.py",
    "shared/seams/parts.py": "project/test_seams.py",
    "shared/seams/renderer.py": "render_worker/twins/test_round.py",
    "shared/skeleton.py": "shared/hand_model/test_model.py",
    "shared/storage/cache.py": "shared/freihand/test_annotations.py",
    "shared/storage/fingerprints.py": "shared/storage/test_local_copy.py",
    "shared/storage/location.py": "shared/storage/test_local_copy.py",
    "shared/types.py": "render_worker/picture/test_camera.py",
    "shared/twins/variation.py": "render_worker/twins/test_varied.py",
    "trainer/bench/naive.py": "trainer/bench/test_steps.py",
    "trainer/checks.py": "project/test_doctor.py",
    "trainer/cli/bench.py": CLI,
    "trainer/cli/config_options.py": "trainer/config/test_shipped.py",
    "trainer/cli/evaluate.py": CLI,
    "trainer/cli/export.py": CLI,
    "trainer/cli/inspect.py": CLI,
    "trainer/cli/options.py": "project/test_seams.py",
    "trainer/cli/paper.py": CLI,
    "trainer/cli/predict.py": "project/test_seams.py",
    "trainer/cli/train.py": CLI,
    "trainer/config/recycling.py": "trainer/config/test_run.py",
    "trainer/config/sections.py": "trainer/config/test_run.py",
    "trainer/config/toml.py": "trainer/config/test_run.py",
    "trainer/data/loader.py": "trainer/training/test_learner.py",
    "trainer/data/labels.py": "trainer/data/test_dataset.py",
    "trainer/data/source_datasets.py": "trainer/data/test_sources.py",
    "trainer/data/workers.py": "trainer/data/test_dataset.py",
    "trainer/drawing/figure_page.py": "trainer/paper/test_figures.py",
    "trainer/drawing/overlay.py": "trainer/drawing/test_contact_sheet.py",
    "trainer/drawing/page.py": "trainer/inspection/test_gallery.py",
    "trainer/evaluation/centre_crops.py": "trainer/evaluation/test_predict.py",
    "trainer/evaluation/held_out_scores.py": "trainer/training/test_loop.py",
    "trainer/evaluation/partial_scores.py": "trainer/data/test_partial_labels.py",
    "trainer/evaluation/report.py": "trainer/evaluation/test_evaluate.py",
    "trainer/evaluation/sheet.py": "trainer/evaluation/test_evaluate.py",
    "trainer/evaluation/source_reports.py": "trainer/data/test_sources.py",
    "trainer/hands/real_poses.py": "trainer/hands/test_gestures.py",
    "trainer/import_dataset/hand_models.py": "trainer/import_dataset/test_registry.py",
    "trainer/import_dataset/readers/coco_wholebody.py": "trainer/import_dataset/test_keypoints.py",
    "trainer/import_dataset/reader.py": "trainer/import_dataset/test_registry.py",
    "trainer/inspection/context.py": "trainer/inspection/test_shards.py",
    "trainer/inspection/gallery_twins.py": "trainer/inspection/test_shards.py",
    "trainer/inspection/named_photographs.py": "trainer/inspection/test_shards.py",
    "trainer/inspection/repredict.py": "trainer/inspection/test_shards.py",
    "trainer/inspection/round_pictures.py": "trainer/run/loggers/test_files.py",
    "trainer/inspection/twin_sheet.py": "trainer/inspection/test_shards.py",
    "trainer/inspection/twin_strips.py": "trainer/inspection/test_shards.py",
    "trainer/networks/attention.py": "trainer/networks/test_transformer.py",
    "trainer/networks/base.py": "trainer/networks/test_all_networks.py",
    "trainer/networks/coarse/section.py": "trainer/networks/test_build.py",
    "trainer/networks/config.py": "trainer/networks/test_build.py",
    "trainer/networks/imported.py": "project/test_own_parts.py",
    "trainer/networks/template_tokens.py": "trainer/networks/test_metro.py",
    "trainer/networks/token_encoder.py": "trainer/networks/test_metro.py",
    "trainer/paper/attention_figure.py": "trainer/paper/test_figures.py",
    "trainer/paper/published.py": "trainer/paper/test_table.py",
    "trainer/paper/recycle_figure.py": "trainer/paper/test_figures.py",
    "trainer/paper/scores.py": "trainer/paper/test_table.py",
    "trainer/paper/square_photographs.py": "trainer/paper/test_figures.py",
    "trainer/photographs/pictures.py": "project/test_own_camera.py",
    "trainer/photographs/options.py": "trainer/photographs/test_predict.py",
    "trainer/photographs/gallery/page.py": "trainer/photographs/test_gallery.py",
    "trainer/photographs/overlay.py": "trainer/photographs/test_output.py",
    "trainer/photographs/videos/predict_video.py": "trainer/photographs/test_predict.py",
    "trainer/photographs/sheet.py": "trainer/photographs/test_predict.py",
    "trainer/recycle/counts.py": "trainer/recycle/test_recycler.py",
    "trainer/recycle/plausibility.py": "trainer/training/test_announcement.py",
    "trainer/recycle/prediction_shards.py": "trainer/training/test_loop.py",
    "trainer/recycle/rendering.py": "trainer/recycle/test_recycler.py",
    "trainer/recycle/recycled_error.py": "trainer/recycle/test_recycler.py",
    "trainer/run/folder.py": "trainer/training/test_loop.py",
    "trainer/run/log.py": "trainer/training/test_loop.py",
    "trainer/run/loggers/ml_flow.py": "trainer/run/loggers/test_opening.py",
    "trainer/run/loggers/run_ids.py": "trainer/run/loggers/test_opening.py",
    "trainer/run/loggers/weights_and_biases.py": "trainer/run/loggers/test_opening.py",
    "trainer/run/progress.py": "trainer/training/test_loop.py",
    "trainer/run/provenance.py": "trainer/training/test_loop.py",
    "trainer/run/source_scores.py": "trainer/data/test_sources.py",
    "trainer/run/trained.py": "trainer/evaluation/test_evaluate.py",
    "trainer/training/commentary.py": "trainer/training/test_announcement.py",
    "trainer/training/interruption.py": "trainer/training/test_loop.py",
    "trainer/training/optimiser.py": "trainer/training/test_learner.py",
}
"""Module, and the test module that fails when it is broken."""


def product_modules() -> list[str]:
    files = (path for part in PARTS for path in (ROOT / part).rglob("*.py"))
    return sorted(str(path.relative_to(ROOT)) for path in files if path.name != "__init__.py")


def mirrored(module: str) -> Path:
    path = Path(module)
    return path.with_name(f"test_{path.stem.strip('_')}.py")


@cache
def imports_of(path: Path) -> frozenset[Path]:
    """Return the modules of ours that a file imports, runs, or names in a string, as doctor's checks are."""
    names = names_in(path.read_text())
    stems = [ROOT / name.replace(".", "/") for name in names if name.replace(".", "").isidentifier()]
    candidates = [file for stem in stems for file in (stem.with_suffix(".py"), stem / "__init__.py")]
    candidates += [path.with_name(name) for name in names if re.fullmatch(r"\w+\.py", name)]  # a program
    return frozenset(file for file in candidates if file.is_file())


def names_in(code: str) -> set[str]:
    """Return what some code imports, and its strings; those of code in a string as well."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value.partition(":")[0])
            if "\nimport " in node.value:  # what a test gives to ``python -c``
                with suppress(SyntaxError):
                    names |= names_in(node.value)
    return names


def reached_from(path: Path) -> set[Path]:
    seen: set[Path] = set()
    left = [path]
    while left:
        each = left.pop()
        if each not in seen:
            seen.add(each)
            left.extend(imports_of(each))
    return seen


def test_every_module_has_a_test_module_of_its_name_or_is_listed() -> None:
    here = [module for module in product_modules() if (ROOT / "tests" / mirrored(module)).is_file()]
    missing = [module for module in product_modules() if module not in here and module not in COVERED_BY]
    assert missing == [], "add tests in the mirrored place, or a line to COVERED_BY"
    assert [module for module in COVERED_BY if module in here] == [], "these have test modules of their own"
    assert [module for module in COVERED_BY if not (ROOT / module).is_file()] == [], "these are gone"


def test_every_listed_test_module_leads_to_what_it_covers() -> None:
    wrong = [
        f"{test} does not import {module}, directly or by way of others"
        for module, test in COVERED_BY.items()
        if ROOT / module not in reached_from(ROOT / "tests" / test)
    ]
    assert wrong == []
