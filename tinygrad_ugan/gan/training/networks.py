"""The two networks of the settings, by the names of their layers."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinygrad_ugan.checked_dataclass import (
    WIDEST,
    Settings,
    choice,
    fraction,
    group,
    number,
    positive,
    switch,
    whole,
    widths,
)
from tinygrad_ugan.errors import ArgumentError
from tinygrad_ugan.gan.training.image_networks import ImageNetworks
from tinygrad_ugan.nn import (
    ACTIVATIONS,
    MLP,
    BatchNorm,
    Dropout,
    GaussianNoise,
    MinibatchDiscrimination,
    Orthogonal,
    Residual,
    Sequential,
    SpectralNorm,
    WeightNorm,
)

_COORDINATES = 5  # of each kernel of minibatch discrimination, as in Salimans et al.'s code
_NORMALIZED: dict[str, Any] = {"weight": WeightNorm, "spectral": SpectralNorm}


@dataclass(frozen=True)
class Layers(Settings):
    """The layers of one player; with none of these, it is a plain multilayer perceptron."""

    activation: str | None = choice(None, ACTIVATIONS)
    """Activation of its hidden layers; networks.activation if none."""
    normalization: str = choice("none", ("none", "batch", "weight", "spectral"))
    """none, batch (of what the hidden layers compute, before the activation), or weight or spectral
    (of all weights)."""
    residual: bool = switch(False)
    """Add its input to each hidden layer that is as wide as its input."""
    noise: float = number(0.0, least=0.0, most=1e9)
    """Standard deviation of the Gaussian noise on the output of each hidden layer in training."""
    dropout: float = fraction(0.0)
    """Probability of dropping an output of a hidden layer in training."""
    minibatch_kernels: int = whole(0, least=0, most=WIDEST)
    """Features of minibatch discrimination beside the last layer's input; without it if 0."""

    @property
    def are_plain(self) -> bool:
        """Whether there is nothing but a perceptron."""
        return self == Layers(self.activation)

    def check_for_images(self, name: str) -> None:
        """Raise `ArgumentError` for layers that convolutions do not have."""
        if self.normalization not in ("none", "batch"):
            given, expected = self.normalization, "none or batch with convolutions"
            raise ArgumentError(f"{name}.normalization", given, expected)
        for field in ("residual", "noise", "dropout"):
            if given := getattr(self, field):
                raise ArgumentError(f"{name}.{field}", given, "none with convolutions")

    def build(self, mlp: MLP) -> Any:
        """Return the network that a perceptron becomes with these layers.

        Examples
        --------
        >>> Layers(activation="tanh").build(MLP((2, 8, 1)))
        MLP(sizes=(2, 8, 1), activation='tanh', input_scale=1.0, initializer=Orthogonal(gain=1.0))
        >>> [type(layer).__name__ for layer in Layers(dropout=0.5).build(MLP((2, 8, 1))).layers]
        ['MLP', 'ufunc', 'Dropout', 'MLP']
        """
        mlp = dataclasses.replace(mlp, activation=self.activation or mlp.activation)
        if self.are_plain:
            return mlp
        return Sequential(*self._hidden(mlp), *self._last(mlp))

    def _hidden(self, mlp: MLP) -> Iterator[Any]:
        """The hidden layers, each with what follows it."""
        for i, (n_in, n_out) in enumerate(itertools.pairwise(mlp.sizes[:-1])):
            layers = tuple(self._layer(mlp, i, n_in, n_out))
            if self.residual and n_in == n_out:
                layers = (Residual(Sequential(*layers)),)
            yield from layers

    def _layer(self, mlp: MLP, i: int, n_in: int, n_out: int) -> Iterator[Any]:
        yield self._linear(mlp, i, n_in, n_out)
        if self.normalization == "batch":
            yield BatchNorm(n_out)
        yield ACTIVATIONS[mlp.activation]
        if self.noise:
            yield GaussianNoise(n_out, self.noise)
        if self.dropout:
            yield Dropout(n_out, self.dropout)

    def _last(self, mlp: MLP) -> Iterator[Any]:
        *_, width, outputs = mlp.sizes
        if self.minibatch_kernels:
            yield MinibatchDiscrimination(width, self.minibatch_kernels, _COORDINATES)
        yield self._linear(mlp, len(mlp.sizes) - 2, width + self.minibatch_kernels, outputs)

    def _linear(self, mlp: MLP, i: int, n_in: int, n_out: int) -> Any:
        """The i-th linear layer; the first scales the input."""
        scale = mlp.input_scale if i == 0 else 1.0
        linear = dataclasses.replace(mlp, sizes=(n_in, n_out), input_scale=scale)
        return _NORMALIZED.get(self.normalization, lambda mlp: mlp)(linear)


@dataclass(frozen=True)
class Networks(Settings):
    """The two networks: multilayer perceptrons, with further layers by name."""

    noise: int = whole(256, least=1, most=WIDEST)
    """Width of the generator's input z ~ N(0, I)."""
    generator: tuple[int, ...] = widths((128, 128))
    """Hidden widths of the generator."""
    discriminator: tuple[int, ...] = widths((128,))
    """Hidden widths of the discriminator."""
    activation: str = choice("relu", ACTIVATIONS)
    """Activation of the hidden layers: tanh, relu, softplus, leaky_relu, elu, sigmoid, identity."""
    gain: float = positive(0.8, most=1e6)
    """Gain of the orthogonal initial weights."""
    input_scale: float = positive(0.25, most=1e6)
    """Factor of the discriminator's input."""
    generator_layers: Layers = group(Layers)
    discriminator_layers: Layers = group(Layers)
    conditional: bool = switch(False)
    """Give both networks the labels of the data beside their input, one-hot: a conditional GAN."""
    kernel: int = whole(0, least=0, most=99)
    """Height and width of the kernels of convolutions, for images: the hidden widths are channels
    of images that the generator doubles in height and width from layer to layer, and the
    discriminator halves. Perceptrons if 0."""

    @property
    def are_plain(self) -> bool:
        """Whether both are multilayer perceptrons."""
        return (
            not self.kernel
            and self.generator_layers.are_plain
            and self.discriminator_layers.are_plain
        )

    def sizes(self, dimension: int, classes: int = 0) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the widths of both networks, from input to output; labels are part of inputs.

        Those of convolutions do not say what they need.
        """
        if self.kernel:
            return (), ()
        generator = self.noise + classes, *self.generator, dimension
        return generator, (dimension + classes, *self.discriminator, 1)

    def build(
        self, dimension: int, classes: int = 0, image_shape: tuple[int, int, int] | None = None
    ) -> tuple[Any, Any]:
        """Return the generator and the discriminator for data of that many dimensions.

        Raises
        ------
        ArgumentError
            If there are convolutions, and the data are no images, or have labels that the networks
            are to take; or with layers that convolutions do not have.
        """
        if self.kernel:
            return self._of_images(image_shape, classes)
        initializer, (sizes_g, sizes_d) = Orthogonal(self.gain), self.sizes(dimension, classes)
        generator = MLP(sizes_g, self.activation, initializer=initializer)
        discriminator = MLP(sizes_d, self.activation, self.input_scale, initializer)
        layers = self.generator_layers, self.discriminator_layers
        return layers[0].build(generator), layers[1].build(discriminator)

    def _of_images(
        self, shape: tuple[int, int, int] | None, classes: int
    ) -> tuple[Sequential, Sequential]:
        if shape is None:
            hint = "images are a folder of them, or an array (n, height, width[, channels])"
            raise ArgumentError(
                "networks.kernel", self.kernel, "0 for data that are no images", hint
            )
        if classes:
            raise ArgumentError("networks.conditional", True, "False with convolutions")
        networks = ImageNetworks(shape, self.kernel, Orthogonal(self.gain))
        of_g, of_d = self.generator_layers, self.discriminator_layers
        for name, layers in (("generator", of_g), ("discriminator", of_d)):
            layers.check_for_images(f"networks.{name}_layers")
            if not getattr(self, name):
                expected = "one hidden layer or more with convolutions"
                raise ArgumentError(f"networks.{name}", (), expected)
        if of_g.minibatch_kernels:
            place = "networks.generator_layers.minibatch_kernels"
            raise ArgumentError(place, of_g.minibatch_kernels, "0 with convolutions")
        generator = networks.generator(
            *(self.noise, self.generator, ACTIVATIONS[of_g.activation or self.activation]),
            normalized=of_g.normalization == "batch",
        )
        discriminator = networks.discriminator(
            *(self.discriminator, ACTIVATIONS[of_d.activation or self.activation]),
            scale=self.input_scale,
            normalized=of_d.normalization == "batch",
            closeness=(of_d.minibatch_kernels, _COORDINATES),
        )
        return generator, discriminator
