import pytest
import torch

from provrunner.zoo import MLP, ConvNet, Transformer


@pytest.mark.parametrize("shape", [(5,), (3, 4), (1, 8, 8)])
@pytest.mark.parametrize("model", [MLP, Transformer])
def test_a_sample_of_any_shape_gives_the_wanted_numbers(model, shape):
    assert model(shape, 3, width=8)(torch.zeros(2, *shape)).shape == (2, 3)


@pytest.mark.parametrize(("shape", "depth"), [((1, 8, 8), 2), ((3, 5, 7), 4), ((1, 1, 1), 2)])
def test_a_convnet_takes_images_of_any_size(shape, depth):
    assert ConvNet(shape, 4, width=2, depth=depth)(torch.zeros(2, *shape)).shape == (2, 4)


def test_width_and_depth_make_the_layers_of_an_mlp():
    linear = [
        layer for layer in MLP((4,), 2, width=3, depth=2).modules() if hasattr(layer, "weight")
    ]
    assert [tuple(layer.weight.shape) for layer in linear] == [(3, 4), (3, 3), (2, 3)]


def test_no_hidden_layer_makes_a_linear_model():
    assert sum(weight.numel() for weight in MLP((4,), 2, depth=0).parameters()) == 4 * 2 + 2


def test_dropout_is_a_layer_only_where_asked_for():
    assert "Dropout" not in repr(MLP((4,), 2))
    assert "Dropout(p=0.5" in repr(MLP((4,), 2, dropout=0.5))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConvNet((5,), 2), "takes images"),
        (lambda: ConvNet((1, 8, 8), 2, kernel_size=2), "kernel_size: 2 is even"),
        (lambda: Transformer((5,), 2, width=10, heads=4), "10 is no multiple of model.heads, 4"),
        (lambda: Transformer((1, 2, 3, 4), 2), "cannot read samples"),
        (lambda: MLP((5,), 2, activation="rleu"), "'rleu' is none of"),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
