"""What every source of models must do."""

from __future__ import annotations

import numpy as np

from visfeat.card import ModelCard
from visfeat.engine.classic import ClassicEngine
from visfeat.engine.network import NetworkOptions
from visfeat.engine.openvino import OpenvinoEngine
from visfeat.errors import UnknownModel
from visfeat.models.packed import PackedModel
from visfeat.models.source import FunctionModel, LoadedModel, ModelRequest, ModelSource, ModuleModel
from visfeat.pool import default_pool, pooled_shape
from visfeat.testing.expect import raised

BATCH_SIZE = 2


class ModelSourceSuite:
    """Inherit, name one ``model`` of the source (without the prefix), and make the source."""

    model: str
    weights = "pretrained"

    def source(self) -> ModelSource:
        """The source under test."""
        raise NotImplementedError

    def _load(self) -> LoadedModel:
        return self.source().load(ModelRequest(self.model, weights=self.weights))

    def test_it_keeps_the_protocol(self) -> None:
        """Names and load, and whether it needs torch."""
        assert isinstance(self.source(), ModelSource)
        assert isinstance(self.source().needs_torch, bool)
        assert isinstance(self.source().names(), list)

    def test_an_unknown_name_is_said_so(self) -> None:
        """By UnknownModel with the name in it."""
        name = "no-such-model-anywhere"
        assert name in raised(UnknownModel, lambda: self.source().load(ModelRequest(name, weights=self.weights)))

    def test_the_card_is_complete(self) -> None:
        """Layers with shapes, a default layer among them, and it survives TOML."""
        card = self._load().card
        assert card.layers
        names = {spec.name for spec in card.layers}
        assert len(names) == len(card.layers)
        assert card.default_layer in names
        assert card.logits_layer is None or card.logits_layer in names
        assert ModelCard.from_toml(card.to_toml(), subject="card") == card

    def test_loading_twice_gives_the_same_weights(self) -> None:
        """By their digest."""
        digest = self._load().card.weights_digest
        assert digest
        assert self._load().card.weights_digest == digest

    def test_it_runs_and_gives_what_the_card_says(self) -> None:
        """The default layer, of a network through OpenVINO: the card's shape, finite, other for other pictures."""
        model = self._runnable()
        card = model.card
        options = NetworkOptions(layers=(card.default_layer,), input=card.input, batch_size=BATCH_SIZE)
        engine = ClassicEngine() if isinstance(model, FunctionModel) else OpenvinoEngine()
        network = engine.compile(model, options)
        rng = np.random.default_rng(0)
        shape = (BATCH_SIZE, card.input.clip_frames, *card.input.size_px, card.input.channels)
        pixels = rng.integers(0, 256, shape, dtype=np.uint8)
        ((_, outputs),) = network.stream([(None, pixels)])
        values = outputs[card.default_layer]
        spec = card.layer(card.default_layer)
        assert values.shape == (BATCH_SIZE, *spec.shape)
        assert np.isfinite(values).all()
        assert not np.array_equal(values[0], values[1])
        assert pooled_shape(spec, default_pool(card, spec.name))

    def _runnable(self) -> PackedModel | FunctionModel:
        model = self._load()
        if not isinstance(model, ModuleModel):
            return model
        from visfeat.engine.pack import pack  # such a source has torch

        return pack(model)
