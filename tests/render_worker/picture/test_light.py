"""Plain light."""

import numpy as np

from render_worker.picture.light import choose_light, choose_plain_light


def test_light_comes_from_the_side_of_the_camera_and_varies() -> None:
    lights = [choose_light(np.random.default_rng(seed)) for seed in range(200)]
    directions = np.array([light.direction for light in lights])
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    assert directions[:, 2].max() < 0
    assert np.mean(directions[:, 1] < 0) > 0.7
    for name in ("angle_deg", "key", "fill"):
        values = [getattr(light, name) for light in lights]
        assert min(values) > 0
        assert np.std(values) > 0.1 * np.mean(values)


def test_plain_light_is_a_lamp_and_an_even_sky() -> None:
    light = choose_plain_light(np.random.default_rng(3))
    assert light.lamp == choose_light(np.random.default_rng(3))
    np.testing.assert_array_equal(light.lamp_rgb, 1)
    np.testing.assert_allclose(light.around(np.eye(3, dtype=np.float32)), light.lamp.fill)
