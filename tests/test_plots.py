"""Pictures: what they show is what the network and its history hold, on axes passed in or their own."""

import numpy as np
import pytest
from conftest import Later

import fastmlp
from fastmlp.cli.main import main

Later("matplotlib")
plots = Later("fastmlp.plots")


@pytest.fixture(scope="module")
def digits():
    return fastmlp.datasets.digits(120, seed=5)


@pytest.fixture(scope="module")
def trained(digits):
    net = fastmlp.MLP([784, 9, 10], output_activation="sigmoid", seed=1, input_scale=255)
    return net, net.fit(*digits, epochs=4, batch_size=10, learning_rate=1.0, validation_data=digits, verbose=0)


def own_axes():
    from matplotlib.figure import Figure

    return Figure().add_subplot()


def every_picture(net, history, x, y):
    return {
        "curves": lambda ax: plots.learning_curves(history, ax=ax),
        "weights": lambda ax: plots.weights(net, ax=ax),
        "network": lambda ax: plots.network(net, x[0], ax=ax),
        "receptive field": lambda ax: plots.receptive_field(net, 2, x[0], ax=ax),
        "confusion": lambda ax: plots.confusion_matrix(net, x, y, ax=ax),
        "mistakes": lambda ax: plots.worst_mistakes(net, x, y, ax=ax),
    }


@pytest.mark.parametrize("name", ["curves", "weights", "network", "receptive field", "confusion", "mistakes"])
def test_axes_passed_in_are_drawn_on_and_returned_and_own_axes_show_themselves(trained, digits, name):
    draw = every_picture(*trained, *digits)[name]
    ax = own_axes()
    assert draw(ax) is ax and ax.get_children()
    assert draw(None)._repr_png_().startswith(b"\x89PNG")


def test_curves_are_the_history(trained):
    _, history = trained
    ax = plots.learning_curves(history)
    (right,) = (other for other in ax.figure.axes if other is not ax)
    drawn = {line.get_label(): line.get_ydata() for axes in (ax, right) for line in axes.get_lines()}
    assert list(drawn["loss"]) == history.loss and list(drawn["validation loss"]) == history.val_loss
    assert list(drawn["accuracy"]) == [100 * value for value in history.accuracy]
    with pytest.raises(ValueError, match="no completed epoch"):
        plots.learning_curves(fastmlp.History())


def test_weights_are_tiles_of_the_matrix_in_its_order(trained):
    net, _ = trained
    (image,) = plots.weights(net).get_images()
    sheet = np.asarray(image.get_array())
    assert np.array_equal(sheet[:28, :28], net.weights[0][:, 0].reshape(28, 28))
    assert np.array_equal(sheet[-28:, 96:124], net.weights[0][:, 8].reshape(28, 28))
    (matrix,) = plots.weights(fastmlp.MLP([6, 3, 2], seed=0), 0).get_images()
    assert matrix.get_array().shape == (6, 3)


def test_at_most_sixteen_neurons_a_layer_are_drawn_with_the_true_count(digits):
    from matplotlib.patches import Circle

    net = fastmlp.MLP([784, 17, 16, 10], seed=0, input_scale=255)
    ax = plots.network(net, digits[0][0])
    circles = [patch for patch in ax.patches if isinstance(patch, Circle)]
    words = [text.get_text() for text in ax.texts]
    assert len(circles) == 16 + 16 + 10 and words.count("⋮") == 1 and "17 hidden" in words


def test_circles_are_as_bright_as_activations(digits):
    net = fastmlp.MLP([784, 5, 10], output_activation="sigmoid", seed=0, input_scale=255)
    net.biases[0][:3] = 100, -100, np.nan
    ax = plots.network(net, digits[0][0])
    faces = [patch.get_facecolor()[:3] for patch in ax.patches]
    assert faces[0] == (1, 1, 1) and max(faces[1]) < 1e-6
    assert faces[3] == pytest.approx([float(net.activations(digits[0][0])[1][3])] * 3)


def test_a_receptive_field_is_weights_times_pixels_and_says_the_sum(trained, digits):
    net, _ = trained
    x = digits[0][0]
    ax = plots.receptive_field(net, 2, x)
    products = net.weights[0][:, 2] * net.activations(x)[0]
    assert np.allclose(ax.get_images()[0].get_array().reshape(-1), products)
    assert f"a = {net.activations(x)[1][2]:.4f}" in ax.get_title()
    with pytest.raises(ValueError, match="no square"):
        plots.receptive_field(fastmlp.MLP([6, 3, 2]), 0, np.zeros(6))


def test_confusion_counts_every_row(trained, digits):
    net, _ = trained
    x, y = digits
    ax = plots.confusion_matrix(net, x, y)
    drawn = {(int(t.get_position()[1]), int(t.get_position()[0])): int(t.get_text()) for t in ax.texts}
    assert sum(drawn.values()) == len(y)
    for (label, answer), count in drawn.items():
        assert count == np.sum((y == label) & (net.predict(x) == answer))
    assert f"{net.evaluate(x, y).n_correct} of {len(y)} right" in ax.get_title()


def test_the_worst_mistakes_come_first_and_none_is_said(trained, digits):
    net, _ = trained
    x, y = digits
    ax = plots.worst_mistakes(net, x, y, n=3)
    wrong = np.flatnonzero(net.predict(x) != y)
    outputs = net.forward(x).astype(float)
    margin = outputs[wrong, y[wrong]] - outputs[wrong, net.predict(x)[wrong]]
    first = wrong[np.argmin(margin)]
    assert np.array_equal(np.asarray(ax.get_images()[0].get_array())[:28, :28], x[first].reshape(28, 28))
    assert plots.worst_mistakes(net, x, net.predict(x)).texts[0].get_text() == "no mistakes"


def test_the_command_line_writes_pictures(tmp_path, monkeypatch, capsys):
    from fastmlp.cli import commands

    monkeypatch.setattr(commands, "TRAINING_DIGITS", 60)
    monkeypatch.setattr(commands, "HELD_OUT_DIGITS", 40)
    monkeypatch.chdir(tmp_path)
    assert main(["train", "--layers", "784-4-10", "--epochs", "1", "--plot", "training"]) == 0
    names = {path.name for path in (tmp_path / "training").iterdir()}
    assert names == {
        "confusion-matrix.png", "learning-curves.png", "network.png", "receptive-field.png", "weights-1.png",
        "weights-2.png", "worst-mistakes.png",
    }  # fmt: skip
    assert main(["show", "fastmlp-model.npz", "--plot", "shown"]) == 0
    assert {path.name for path in (tmp_path / "shown").iterdir()} == {
        "network.png", "receptive-field.png", "weights-1.png", "weights-2.png",
    }  # fmt: skip
    assert "wrote 4 pictures to shown" in capsys.readouterr().err


def test_networks_and_histories_show_themselves_in_notebooks(trained):
    net, history = trained
    assert net.hash() in net._repr_html_() and "784 → 9" in net._repr_html_()
    shown = history._repr_html_()
    assert shown.count("<polyline") == 4 and f"val_accuracy {history.val_accuracy[-1]:.4f}" in shown
    assert "no epoch" in fastmlp.History()._repr_html_()
    assert "<circle" in fastmlp.History({"loss": [1.0], "seconds": [0.1]})._repr_html_()
    assert "nan" not in fastmlp.History({"loss": [1.0, float("nan"), 0.5], "seconds": [0.1] * 3})._repr_html_()
