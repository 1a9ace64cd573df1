"""What every engine must do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from visfeat.engine.network import Engine, Network, NetworkOptions
from visfeat.errors import UnknownLayer
from visfeat.models.source import LoadedModel
from visfeat.testing.expect import raised

BATCH_SIZE = 4


class EngineSuite:
    """Inherit, make the engine, and a model that it runs with at least two layers to tap."""

    layers: tuple[str, ...]
    """Two or more layers of the model."""
    device = "cpu"

    def engine(self) -> Engine:
        """The engine under test."""
        raise NotImplementedError

    def model(self) -> LoadedModel:
        """A model that it runs."""
        raise NotImplementedError

    def _network(self, layers: tuple[str, ...] | None = None) -> Network:
        model = self.model()
        options = NetworkOptions(
            layers=layers or self.layers, input=model.card.input, device=self.device, batch_size=BATCH_SIZE
        )
        return self.engine().compile(model, options)

    def _pixels(self, batches: int) -> NDArray[np.uint8]:
        spec = self.model().card.input
        shape = (batches, BATCH_SIZE, spec.clip_frames, *spec.size_px, spec.channels)
        return np.random.default_rng(1).integers(0, 256, shape, dtype=np.uint8)

    def test_every_layer_has_the_shape_of_the_card(self) -> None:
        """In float32, for a whole batch."""
        network = self._network()
        ((tag, outputs),) = network.stream([("tag", self._pixels(1)[0])])
        assert tag == "tag"
        assert set(outputs) == set(self.layers)
        for spec in network.layers:
            assert outputs[spec.name].shape == (BATCH_SIZE, *spec.shape)
            assert outputs[spec.name].dtype == np.float32

    def test_a_batch_holds_all_views_of_its_rows(self) -> None:
        """Its size is a multiple of ``batch_multiple``, whatever the engine would choose or was asked for."""
        model = self.model()
        for asked in (None, BATCH_SIZE):
            options = NetworkOptions(
                self.layers, model.card.input, device=self.device, batch_size=asked, batch_multiple=5
            )
            assert self.engine().compile(model, options).batch_size % 5 == 0

    def test_results_do_not_depend_on_order_or_neighbors(self) -> None:
        """Bit-equal when pictures change places within and between batches."""
        pixels = self._pixels(2)
        flat = pixels.reshape(-1, *pixels.shape[2:])
        order = np.random.default_rng(2).permutation(len(flat))
        straight = self._rows(pixels)
        shuffled = self._rows(flat[order].reshape(pixels.shape))
        for layer, values in straight.items():
            assert np.array_equal(values[order], shuffled[layer])

    def test_one_layer_alone_gives_the_same_as_several(self) -> None:
        """To rounding: fewer outputs may let an engine fuse more."""
        pixels = self._pixels(1)
        together = self._rows(pixels)
        for layer in self.layers:
            alone = self._rows(pixels, (layer,))[layer]
            scale = max(float(np.abs(alone).max()), 1e-6)
            assert float(np.abs(alone - together[layer]).max()) / scale < 1e-5

    def test_outputs_stay_when_more_batches_run(self) -> None:
        """They are copies, not the engine's buffers."""
        pixels = self._pixels(4)
        results = dict(self._network().stream(enumerate(pixels)))
        again = dict(self._network().stream(enumerate(pixels)))
        for number, outputs in results.items():
            for layer, values in outputs.items():
                assert np.array_equal(values, again[number][layer])

    def test_an_unknown_layer_is_said_so(self) -> None:
        """When compiling, not when running."""
        assert "no-such-layer" in raised(UnknownLayer, lambda: self._network(("no-such-layer",)))

    def test_facts_name_engine_and_precision(self) -> None:
        """What a reader needs to trust the numbers."""
        facts = self._network().facts
        assert facts["engine"] == self.engine().name
        assert facts["precision"] == "f32"
        assert facts["device"] == self.device

    def _rows(
        self, pixels: NDArray[np.uint8], layers: tuple[str, ...] | None = None
    ) -> dict[str, NDArray[np.floating]]:
        """All batches' outputs by layer, in the order of the batches."""
        network = self._network(layers)
        results = dict(network.stream(enumerate(pixels)))
        return {
            spec.name: np.concatenate([results[number][spec.name] for number in range(len(pixels))])
            for spec in network.layers
        }
