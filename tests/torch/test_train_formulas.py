"""The models' own layers give what the formulas in their docstrings say, to 1e-5."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import layer_formulas as f
from visfeat.train.models.c3d import C3d
from visfeat.train.models.cnn import Cnn
from visfeat.train.models.cnn_lstm import Attention, CnnLstm, SequenceOptions
from visfeat.train.models.lstm_autoencoder import LstmAutoencoder

TOLERANCE = 1e-5


@pytest.fixture(params=[0, 1])
def seed(request):
    torch.manual_seed(request.param)
    return request.param


def near(found, expected):
    found = found.detach().numpy() if isinstance(found, torch.Tensor) else found
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=TOLERANCE, atol=TOLERANCE)


def trained(module, *shape, classes=3):
    """The module after a few steps on random data: weights that no initialization made."""
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    module.train()
    for _ in range(3):
        loss = nn.functional.cross_entropy(module(torch.randn(4, *shape)), torch.randint(classes, (4,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return module.eval()


def test_the_whole_digits_network_step_by_step(seed):
    network = trained(Cnn(3, size_px=(6, 8), width=4, features=5), 1, 6, 8)
    weights = {name: value.detach().numpy() for name, value in network.named_parameters()}
    picture = torch.randn(1, 1, 6, 8)
    maps = f.convolution_2d(picture[0].numpy(), weights["conv1.weight"], weights["conv1.bias"], padding=1)
    near(network.conv1(picture)[0], maps)
    maps = f.relu(maps)
    near(network.relu1(network.conv1(picture))[0], maps)
    maps = f.pool(maps, (2, 2), max)
    features = f.relu(f.linear(maps.ravel(), weights["fc1.weight"], weights["fc1.bias"]))
    near(network(picture)[0], f.linear(features, weights["fc2.weight"], weights["fc2.bias"]))


def test_the_textbook_sizes():
    network = Cnn(10)
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    assert shapes == {
        "conv1.weight": (32, 1, 3, 3),
        "conv1.bias": (32,),
        "fc1.weight": (128, 32 * 14 * 14),
        "fc1.bias": (128,),
        "fc2.weight": (10, 128),
        "fc2.bias": (10,),
    }
    assert network(torch.zeros(2, 3, 28, 28)).shape == (2, 10)


def test_a_convolution_does_not_mirror_its_kernel():
    layer = Cnn(2, size_px=(4, 4), width=1).conv1
    with torch.no_grad():
        layer.weight.zero_()
        layer.bias.zero_()
        layer.weight[0, 0, 0, 0] = 1  # looks up and to the left
    picture = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert layer(picture)[0, 0].tolist() == [[0, 0, 0, 0], [0, 0, 1, 2], [0, 4, 5, 6], [0, 8, 9, 10]]


def test_gray_pictures_of_three_equal_channels_are_those_of_one(seed):
    network = Cnn(4, size_px=(8, 8)).eval()
    picture = torch.randn(2, 1, 8, 8)
    near(network(picture.expand(2, 3, 8, 8)), network(picture).detach().numpy())


def test_convolution_over_time(seed):
    network = trained(C3d(3, clip_frames=4, size_px=(16, 16), width=2, batch_norm=True), 3, 4, 16, 16)
    layer = network.group1[0]
    clip = torch.randn(1, 3, 3, 4, 5)
    expected = f.convolution_3d(clip[0].numpy(), layer.weight.detach().numpy(), layer.bias.detach().numpy(), padding=1)
    near(layer(clip)[0], expected)


def test_pooling_over_time_and_space(seed):
    network = C3d(2, size_px=(32, 32), width=2)
    values = torch.randn(1, 2, 4, 4, 6)
    near(network.group1[-1](values)[0], f.pool(values[0].numpy(), (1, 2, 2), max))
    near(network.group2[-1](values)[0], f.pool(values[0].numpy(), (2, 2, 2), max))
    near(network.steps(values)[0, :, 0, 0, 0], f.pool(values[0].numpy(), (4, 4, 6), f.mean)[:, 0, 0, 0])


def test_average_pooling(seed):
    values = torch.randn(2, 4, 6)
    near(nn.AvgPool2d(2)(values), f.pool(values.numpy(), (2, 2), f.mean))


def test_activations(seed):
    values = torch.randn(50) * 4
    near(Cnn(2).relu1(values), f.relu(values.numpy()))
    near(torch.sigmoid(values), f.sigmoid(values.numpy()))
    near(torch.tanh(values), f.tanh(values.numpy()))


def small_backbone():
    return nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())


@pytest.mark.parametrize("pool", ["last", "attention"])
def test_the_lstm_cell(seed, pool):
    network = trained(CnnLstm(small_backbone(), 12, 3, SequenceOptions(hidden=5, pool=pool), frozen=True), 3, 4, 6, 6)
    sequence = torch.randn(1, 7, 12)
    states, _ = network.lstm(sequence)
    near(states[0], f.lstm(sequence[0].numpy(), f.lstm_gates(network.lstm), hidden=5))


def test_a_clip_through_backbone_lstm_and_head(seed):
    network = trained(CnnLstm(small_backbone(), 12, 3, SequenceOptions(hidden=5)), 3, 4, 6, 6)
    clip = torch.randn(1, 3, 4, 6, 6)
    vectors = [f.pool(frame, (3, 3), f.mean).ravel() for frame in clip[0].transpose(0, 1).numpy()]
    last = f.lstm(vectors, f.lstm_gates(network.lstm), hidden=5)[-1]
    near(network(clip)[0], f.linear(last, network.fc.weight.detach().numpy(), network.fc.bias.detach().numpy()))


def test_the_last_state_of_two_directions(seed):
    network = CnnLstm(small_backbone(), 12, 3, SequenceOptions(hidden=5, bidirectional=True))
    sequence = torch.randn(1, 6, 12)
    there = f.lstm(sequence[0].numpy(), f.lstm_gates(network.lstm), hidden=5)[-1]
    back = f.lstm(sequence[0].numpy()[::-1], f.lstm_gates(network.lstm, "l0_reverse"), hidden=5)[-1]
    near(network.pool(network.lstm(sequence)[0])[0], np.concatenate([there, back]))


def test_attention_is_a_weighted_sum_of_the_states(seed):
    attention = Attention(4)
    states = torch.randn(1, 3, 4)
    scores = [
        float(
            f.linear(
                f.tanh(f.linear(state, attention.project.weight.detach().numpy(), attention.project.bias.detach())),
                attention.score.weight.detach().numpy(),
                [0.0],
            )[0]
        )
        for state in states[0].numpy()
    ]
    weights = np.exp(scores) / np.exp(scores).sum()
    near(attention(states)[0], sum(weight * state for weight, state in zip(weights, states[0].numpy(), strict=True)))


def test_the_autoencoder_writes_backwards_from_the_encoders_state(seed):
    network = LstmAutoencoder(4, hidden=6).eval()
    sequence = torch.randn(1, 5, 4)
    near(network.encode(sequence)[0], f.lstm(sequence[0].numpy(), f.lstm_gates(network.lstm), hidden=6)[-1])
    _, state = network.lstm(sequence)
    outputs, _ = network.decoder(torch.zeros(1, 5, 4), state)
    first_written = network.fc(outputs[:, 0])
    near(network(sequence)[0, -1], first_written[0].detach().numpy())


def test_a_conditioned_decoder_reads_what_it_wrote(seed):
    network = LstmAutoencoder(4, hidden=6, conditioned=True).eval()
    sequence = torch.randn(1, 3, 4)
    _, state = network.lstm(sequence)
    one, state = network.decoder(torch.zeros(1, 1, 4), state)
    two, _ = network.decoder(network.fc(one), state)
    near(network(sequence)[0, 1], network.fc(two)[0, 0].detach().numpy())


def test_a_frozen_backbone_stays_as_it_is():
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    trained(CnnLstm(backbone, 4, 3, SequenceOptions(hidden=5), frozen=True), 3, 4, 6, 6)
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())


def test_an_unfrozen_backbone_learns():
    backbone = nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    before = backbone[0].weight.clone()
    trained(CnnLstm(backbone, 4, 3, SequenceOptions(hidden=5), frozen=False), 3, 4, 6, 6)
    assert not torch.equal(before, backbone[0].weight)


@pytest.mark.parametrize(("frames", "side"), [(16, 112), (8, 40), (20, 64), (2, 16)])
def test_c3d_takes_clips_of_any_length_and_size(frames, side):
    network = C3d(3, clip_frames=frames, size_px=(side, side), width=2)
    assert network(torch.zeros(1, 3, frames, side, side)).shape == (1, 3)


def test_c3d_of_full_width_has_the_papers_layers():
    with torch.device("meta"):
        network = C3d(487)
    count = sum(value.numel() for value in network.parameters())
    assert network.fc6.weight.shape == (4096, 8192)
    assert network.fc7.weight.shape == (4096, 4096)
    assert 79_000_000 < count < 81_000_000
