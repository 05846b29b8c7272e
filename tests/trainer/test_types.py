import torch

from tests.support.random_hands import moved, random_hand


def test_a_hand_seen_from_its_wrist_does_not_know_where_it_is() -> None:
    here = random_hand(0)
    there = moved(here, (0.3, -0.2, 1.0))
    torch.testing.assert_close(there.from_wrist(), here.from_wrist(), atol=1e-6, rtol=0)
    torch.testing.assert_close(here.from_wrist().verts_m[0, 4], here.verts_m[0, 4] - here.joints_m[0, 0])


def test_joint_tokens_are_seen_from_their_own_wrist() -> None:
    hand = random_hand(0)
    tokens_m = random_hand(1).joints_m
    seen = hand._replace(token_joints_m=tokens_m, coarse_verts_m=hand.verts_m[:, :3]).from_wrist()
    assert seen.token_joints_m is not None
    torch.testing.assert_close(seen.token_joints_m, tokens_m - tokens_m[:, :1])
    torch.testing.assert_close(seen.coarse_verts_m, seen.verts_m[:, :3])
    assert seen.camera is hand.camera
