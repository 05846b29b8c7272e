from types import SimpleNamespace

from trainer.data.held_out import hold_out


def split(num_poses: int, num_versions: int) -> object:
    """As much of a FreiHandSplit as dividing needs."""

    class Split(SimpleNamespace):
        def __len__(self) -> int:
            return num_poses * num_versions

        def pose_of(self, index: int) -> int:
            return index % num_poses

    return Split(num_poses=num_poses, num_versions=num_versions)


def test_no_pose_is_on_both_sides() -> None:
    """FreiHAND shows every pose four times; files that differ may show the same hand."""
    parts = hold_out(split(50, 4), held_out_share=0.1)  # type: ignore[arg-type]
    held_out = {index % 50 for index in parts.held_out}
    assert len(parts.held_out) == len(held_out) == 5
    assert held_out.isdisjoint({index % 50 for index in parts.training})
    assert len(parts.training) == 4 * 45


def test_held_out_photographs_show_all_versions() -> None:
    parts = hold_out(split(50, 4), held_out_share=0.16)  # type: ignore[arg-type]
    assert sorted(index // 50 for index in parts.held_out) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_fewer_samples_leave_the_held_out_poses_as_they_are() -> None:
    whole = hold_out(split(50, 4), held_out_share=0.1)  # type: ignore[arg-type]
    part = hold_out(split(50, 4), held_out_share=0.1, max_samples=20)  # type: ignore[arg-type]
    assert part.held_out == whole.held_out
    assert len(set(part.training)) == 20
    assert set(part.training) <= set(whole.training)
