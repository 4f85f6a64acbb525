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


def networks():
    return {
        "classes": fastmlp.MLP([9, 4, 3], loss="cross_entropy", seed=0),
        "binary": fastmlp.MLP([9, 4, 1], loss="binary_cross_entropy", seed=0),
        "labels": fastmlp.MLP([9, 4, 3], loss="binary_cross_entropy", seed=0),
        "numbers": fastmlp.MLP([9, 4, 2], seed=0),
        "no square": fastmlp.MLP([6, 3], loss="cross_entropy", seed=0),
    }


X, Y = np.linspace(0, 1, 45).reshape(5, 9), np.array([0, 1, 1, 0, 1])


@pytest.mark.parametrize("function, kind, arguments, error, message", [
    ("confusion_matrix", "numbers", (X, Y), ValueError, "^net must tell classes apart, and this one's task is 'numbers'"),
    ("worst_mistakes", "labels", (X, Y), ValueError, "^net must tell classes apart, and this one's task is 'labels'"),
    ("confusion_matrix", "classes", (X, Y + 2), ValueError, "^y must be labels from 0 to 2, but row 1 is 3"),
    ("confusion_matrix", "classes", (X, Y - 1), ValueError, "^y must be labels from 0 to 2, but row 0 is -1"),
    ("confusion_matrix", "binary", (X, Y + 1), ValueError, "^y must be labels from 0 to 1, but row 1 is 2"),
    ("worst_mistakes", "classes", (X, Y[:3]), ValueError, "^y must have one entry for each of the 5 rows of x"),
    ("worst_mistakes", "classes", (X[:, :5], Y), ValueError, r"^x must have shape \(rows, 9\)"),
    ("worst_mistakes", "no square", (X[:, :6], Y), ValueError, "^x must hold square images, and 6 numbers make no square"),
    ("confusion_matrix", "classes", (X[:0], Y[:0]), ValueError, "^x must have shape .* with at least one row"),
    ("confusion_matrix", "classes", ("abc", Y), TypeError, "^x must hold real numbers"),
    ("confusion_matrix", "classes", (X, ["a"] * 5), TypeError, "^y must hold real numbers"),
    ("worst_mistakes", "classes", (X, Y, 0), ValueError, "^n must be an integer of at least 1, not 0"),
    ("worst_mistakes", "classes", (X, Y, 2.5), TypeError, "^n must be an integer of at least 1, not 2.5"),
    ("weights", "classes", (2,), ValueError, "^layer must be an integer of at least 0 and below 2, not 2"),
    ("weights", "classes", (-1,), ValueError, "^layer must be an integer of at least 0 and below 2, not -1"),
    ("weights", "classes", ("0",), TypeError, "^layer must be an integer of at least 0 and below 2, not '0'"),
    ("receptive_field", "classes", (4, X[0]), ValueError, "^neuron must be an integer of at least 0 and below 4, not 4"),
    ("receptive_field", "classes", (0, X[0, :8]), ValueError, "^image must be one sample of 9 numbers, not an array of shape"),
    ("receptive_field", "no square", (0, X[0, :6]), ValueError, "^image must hold square images, and 6 numbers make no square"),
    ("network", "classes", (X,), ValueError, r"^image must be one sample of 9 numbers, not an array of shape \(5, 9\)"),
    ("network", "classes", ("abc",), TypeError, "^image must hold real numbers"),
    ("save_network", "classes", (3,), TypeError, "^folder must be a string or a path, not 3"),
])  # fmt: skip
def test_wrong_arguments_are_named(function, kind, arguments, error, message):
    with pytest.raises(error, match=message):
        getattr(plots, function)(networks()[kind], *arguments)


def test_what_is_no_network_no_history_and_no_axes_is_refused(trained, digits):
    from matplotlib.figure import Figure

    net, history = trained
    for draw in list(every_picture(3, history, *digits).values())[1:]:
        with pytest.raises(TypeError, match="^net must be a fastmlp.MLP, not 3"):
            draw(None)
    with pytest.raises(TypeError, match="^history must be a History, such as MLP.fit returns, not MLP"):
        plots.learning_curves(net)
    with pytest.raises(ValueError, match="^history must have an entry for each of its 2 epochs, but val_loss has 1"):
        plots.learning_curves({"loss": [1.0, 2.0], "val_loss": [1.0]})
    for ax in (3, Figure(), Figure().subplots(2)):
        for draw in every_picture(net, history, *digits).values():
            with pytest.raises(TypeError, match="^ax must be matplotlib Axes, or None for new ones, not"):
                draw(ax)


def rings(ax):
    """Which of the circles have the ring of the answer."""
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Circle

    circles = [patch for patch in ax.patches if isinstance(patch, Circle)]
    return [k for k, circle in enumerate(circles) if circle.get_edgecolor() == to_rgba("#e8a90c")]


@pytest.mark.parametrize("kind, outputs, expected", [
    ("classes", [0, 5, 1], [9 + 4 + 1]), ("classes", [0, np.nan, 1], []), ("labels", [2, -2, 3], [9 + 4, 9 + 4 + 2]),
    ("numbers", [3, 5], []), ("binary", [2], [9 + 4]), ("binary", [-2], []),
])  # fmt: skip
def test_the_answer_has_a_ring_and_numbers_have_none(kind, outputs, expected):
    net = networks()[kind]
    net.weights[1][...] = 0
    net.biases[1][...] = outputs
    assert rings(plots.network(net, X[0])) == expected


def test_rows_without_an_answer_are_in_no_cell():
    net = networks()["classes"]
    net.biases[1][0] = np.nan
    assert not list(plots.confusion_matrix(net, X, Y).texts)
    words = [text.get_text() for text in plots.worst_mistakes(net, X, Y).texts]
    assert words[:2] == ["0 read as ", "none"]


def test_classes_may_be_one_hot_and_a_single_output_tells_two_apart():
    one_hot = plots.confusion_matrix(networks()["classes"], X, np.eye(3)[Y])
    assert one_hot.get_title() == plots.confusion_matrix(networks()["classes"], X, Y).get_title()
    assert plots.confusion_matrix(networks()["binary"], X, Y).get_xlim() == (-0.5, 1.5)
    assert plots.worst_mistakes(networks()["binary"], X, Y)._repr_png_().startswith(b"\x89PNG")


def test_an_answer_among_many_outputs_is_drawn():
    net = fastmlp.MLP([9, 4, 30], loss="cross_entropy", seed=0)
    net.biases[1][11] = 50
    ax = plots.network(net, X[0])
    words = [text.get_text() for text in ax.texts]
    assert "11   1.00" in words and words.count("⋮") == 2 and "30 outputs" in words
    assert rings(ax) == [9 + 4 + 7] and len(ax.patches) == 9 + 4 + 15


def test_a_single_output_has_no_number_and_a_single_epoch_has_a_whole_one():
    words = [text.get_text() for text in plots.network(networks()["binary"], X[0]).texts]
    assert "1 output" in words and not any(word.startswith("0 ") for word in words)
    assert [tick for tick in plots.learning_curves({"loss": [1.0]}).get_xticks() if tick % 1] == []


def test_captions_of_small_images_are_apart():
    net = networks()["classes"]
    ax = plots.worst_mistakes(net, X, (net.predict(X) + 1) % 3)
    ax._repr_png_()  # which lays them out
    boxes = [text.get_window_extent() for text in (*ax.texts, ax.title)]
    assert not any(one.overlaps(other) for k, one in enumerate(boxes) for other in boxes[:k])
