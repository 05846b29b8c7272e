"""Light split into a lamp and the rest."""

import numpy as np
import pytest

from render_worker.dataset.room_light import RoomLight, choose_room_light

ROWS, COLUMNS = 32, 64


def panorama(*, lamp: float = 0.0, column: int = 20, row: int = 10) -> np.ndarray:
    """Grey all around, and a lamp of 2 x 2 pixels."""
    pixels = np.ones((ROWS, COLUMNS, 3), np.float32)
    pixels[row : row + 2, column : column + 2] += lamp
    return pixels


def normals(count: int = 50) -> np.ndarray:
    rendered = np.random.default_rng(0).normal(size=(count, 3))
    return (rendered / np.linalg.norm(rendered, axis=1, keepdims=True)).astype(np.float32)


def test_light_from_everywhere_lights_every_side_alike() -> None:
    around = RoomLight.of(panorama(lamp=1e-3)).around(normals())
    assert around.std() < 0.05 * around.mean()


@pytest.mark.parametrize("azimuth_rad", [-1.5, 0.0, 0.7, 1.5])
def test_the_lamp_stands_where_it_was_turned_to(azimuth_rad: float) -> None:
    """0 is behind the camera, positive to its right; row 10 of 32 is above the horizon."""
    room = RoomLight.of(panorama(lamp=500.0)).turned(azimuth_rad)
    x, y, z = room.lamp.direction
    assert np.arctan2(x, -z) == pytest.approx(azimuth_rad, abs=0.05)
    assert y < -0.3
    assert np.linalg.norm(room.lamp.direction) == pytest.approx(1)


def test_a_bright_lamp_outshines_the_rest_but_not_without_limit() -> None:
    faint, bright, sun = (RoomLight.of(panorama(lamp=value)) for value in (30, 300, 3e6))
    shares = [float(room.lamp_rgb.mean() / room.around(normals()).mean()) for room in (faint, bright, sun)]
    assert shares[0] < shares[1] <= shares[2]
    assert shares[2] == pytest.approx(2.5, rel=0.1)


def test_the_rest_is_brightest_where_most_light_comes_from() -> None:
    """A bright upper half: normals that look up (negative y) receive most."""
    pixels = panorama(lamp=1.0)
    pixels[: ROWS // 2] *= 3
    around = RoomLight.of(pixels).around(np.array([[0, -1, 0], [0, 1, 0]], np.float32))
    assert around[0].mean() > 1.8 * around[1].mean()


def test_places_differ_and_repeat_with_their_seed() -> None:
    pytest.importorskip("bpy")
    rooms = [choose_room_light(np.random.default_rng(seed)) for seed in range(12)]
    assert len({room.lamp.direction for room in rooms}) == 12
    assert choose_room_light(np.random.default_rng(3)).lamp == rooms[3].lamp
    for room in rooms:
        assert room.lamp.direction[2] < 0.75  # never straight from behind the hand
        assert (room.lamp_rgb > 0).all()
        white = room.lamp_rgb + room.around(normals(400)).mean(axis=0)
        assert white.max() / white.min() < 1.25  # the camera's white balance


def test_all_light_turns_with_the_lamp() -> None:
    """A quarter of a turn takes what was seen behind the camera to its right: z to the front becomes x."""
    pixels = panorama(lamp=300.0)
    pixels[:, : COLUMNS // 2] *= 4
    room = RoomLight.of(pixels)
    looks = normals()
    quarter = np.stack([-looks[:, 2], looks[:, 1], looks[:, 0]], axis=1)
    np.testing.assert_allclose(
        room.turned(np.pi / 2).around(quarter), room.around(looks), rtol=1e-4, atol=1e-6
    )
    assert np.abs(room.around(quarter) - room.around(looks)).max() > 0.05
