"""Optical flow against motion that is known: its error, its bytes, what it says of the camera, its colors."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_made import pair, similarity, true_flow
from visfeat.flow.color_wheel import colored, legend, wheel
from visfeat.flow.dis import DisFlow
from visfeat.flow.field import BOUND_PX, MEAN, ROUNDING_PX, STD, STILL, from_bytes, to_bytes
from visfeat.flow.motion import camera_flow, camera_motion, motion_of

MOTIONS = {
    "half a pixel": similarity(0.5, 0),
    "subpixel": similarity(1.3, -2.7),
    "far": similarity(9, -6.25),
    "turn": similarity(rotation_deg=2),
    "zoom": similarity(zoom=1.03),
    "all": similarity(-2, 1, zoom=0.98, rotation_deg=-1.5),
}


@pytest.mark.parametrize("name", MOTIONS)
def test_dis_finds_a_known_motion(name):
    error = np.abs(DisFlow()(*pair(MOTIONS[name])) - true_flow(MOTIONS[name]))[16:-16, 16:-16]
    assert error.mean() < 0.06
    assert np.percentile(error, 99) < 0.3


def test_nothing_moves_in_the_same_picture():
    picture, _ = pair(similarity())
    assert np.array_equal(DisFlow()(picture, picture), np.zeros((180, 240, 2), np.float32))


def test_dis_gives_the_same_bits_in_every_thread():
    pictures = pair(MOTIONS["all"])
    once = DisFlow()(*pictures)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: DisFlow()(*pictures), range(8)))
    assert all(np.array_equal(flow, once) for flow in found)


@pytest.mark.parametrize("shape", [(1, 1), (15, 40), (16, 16), (17, 300), (33, 21)])
def test_small_pictures_have_a_flow_too(shape):
    picture = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    flow = DisFlow()(picture, picture[:, ::-1].copy())
    assert flow.shape == (*shape, 2)
    assert flow.dtype == np.float32
    assert np.isfinite(flow).all()


@given(st.floats(-BOUND_PX, BOUND_PX - 0.25, width=32))
def test_bytes_keep_flow_to_their_rounding(value):
    flow = np.full((1, 1, 2), value, np.float32)
    coded = to_bytes(flow)
    assert np.abs(from_bytes(coded) - flow).max() <= ROUNDING_PX + 1e-5
    # What the network's graph makes of the bytes is flow / 20.
    seen = (coded / 255 - np.array(MEAN)) / np.array(STD)
    assert np.allclose(seen * BOUND_PX, from_bytes(coded), atol=1e-5)


def test_bytes_cut_off_what_is_far_and_keep_what_stands_still():
    flow = np.array([[[-50, 50], [0, -0.0]]], np.float32)
    assert to_bytes(flow).tolist() == [[[0, 255], [STILL, STILL]]]
    assert from_bytes(to_bytes(flow))[0, 1].tolist() == [0, 0]


@pytest.mark.parametrize(("dx", "dy", "zoom", "turn"), [(3, -2, 1, 0), (0, 0, 1.05, 0), (0.5, 1, 0.97, 3)])
def test_camera_motion_is_that_which_was_made(dx, dy, zoom, turn):
    flow = true_flow(similarity(dx, dy, zoom=zoom, rotation_deg=turn))
    found = camera_motion(flow)
    assert np.allclose([found.dx_px, found.dy_px, found.zoom], [dx, dy, zoom], atol=1e-3)
    assert found.rotation_deg == pytest.approx(turn, abs=0.01)
    assert found.agreeing == 1
    assert np.abs(camera_flow(found.homography, flow.shape) - flow).max() < 0.01


def test_what_moves_by_itself_is_left_when_the_camera_is_taken_away():
    camera = similarity(4, 1, zoom=1.01)
    flow = true_flow(camera)
    flow[60:120, 60:130] += (6, -3)
    motion = motion_of(flow)
    assert motion.camera.dx_px == pytest.approx(4, abs=0.05)
    assert motion.camera.zoom == pytest.approx(1.01, abs=0.001)
    assert motion.own_px == pytest.approx(60 * 70 / (180 * 240) * np.hypot(6, 3), rel=0.02)
    assert motion.camera.agreeing == pytest.approx(1 - 60 * 70 / (180 * 240), abs=0.05)


def test_camera_motion_of_a_real_pair():
    found = camera_motion(DisFlow()(*pair(MOTIONS["all"])))
    assert np.allclose([found.dx_px, found.dy_px], [-2, 1], atol=0.05)
    assert found.zoom == pytest.approx(0.98, abs=0.001)
    assert found.rotation_deg == pytest.approx(-1.5, abs=0.05)


def test_a_pace_per_second():
    found = camera_motion(true_flow(similarity(2, 0, zoom=1.01, rotation_deg=1)))
    assert found.per_second(0.1) == pytest.approx((20, 0, 1.01**10, 10), abs=0.02)


def test_magnitudes_are_mean_and_percentile():
    flow = np.zeros((10, 100, 2), np.float32)
    flow[:, :20] = (3, 4)
    motion = motion_of(flow)
    assert (motion.mean_px, motion.p90_px) == (1, 5)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (8, 8)])
def test_tiny_fields_have_no_camera_that_fails(shape):
    assert camera_motion(np.zeros((*shape, 2), np.float32)).zoom == pytest.approx(1)


def test_the_wheel_has_the_colors_of_the_paper():
    assert wheel().shape == (55, 3)
    # Right is red, a quarter turn further (down, as y grows downward) is between yellow and green.
    flow = np.array([[[1, 0], [0, 1], [-1, 0], [0, -1], [0, 0]]], np.float32)
    right, down, left, up, still = colored(flow)[0].tolist()
    assert right == [255, 0, 0]
    assert down[0] == 255
    assert down[1] > 200
    assert left[2] == 255
    assert 80 < up[0] < 140
    assert up[2] == 255
    assert still == [255, 255, 255]


def test_colors_fade_to_white_and_darken_beyond_the_scale():
    flow = np.array([[[5, 0], [10, 0], [20, 0]]], np.float32)
    assert colored(flow, longest_px=10)[0].tolist() == [[255, 127, 127], [255, 0, 0], [191, 0, 0]]
    assert legend(21)[0, 0].tolist() == [255, 255, 255]
    assert legend(21)[10, 20].tolist() == [255, 0, 0]
