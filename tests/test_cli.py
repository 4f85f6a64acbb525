"""The command line: what it prints where, its exit statuses, and its errors of one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastmlp
from fastmlp.backends import kernels
from fastmlp.cli import commands, terminal
from fastmlp.cli.main import main

TINY = ["--layers", "784-4-10", "--epochs", "2", "--learning-rate", "1"]


@pytest.fixture(autouse=True)
def tiny(monkeypatch, tmp_path):
    monkeypatch.setattr(commands, "TRAINING_DIGITS", 60)
    monkeypatch.setattr(commands, "HELD_OUT_DIGITS", 40)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(capsys):
    """Runs main: (status, standard output, standard error)."""

    def run(*argv):
        status = main([str(argument) for argument in argv])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def model(tmp_path):
    net = fastmlp.MLP([784, 5, 10], output_activation="sigmoid", seed=3, input_scale=255)
    net.save(tmp_path / "model.npz")
    return net


def draw(path, inverted=False):
    from PIL import Image, ImageDraw

    paper, ink = (0, 255) if inverted else (255, 0)
    image = Image.new("L", (70, 90), paper)
    ImageDraw.Draw(image).line([(15, 15), (50, 15), (30, 80)], fill=ink, width=8)
    image.save(path)


def python_m_fastmlp(*argv, **options):
    # The tests may run from anywhere, so the subprocess is told where this fastmlp lies.
    root = os.path.dirname(os.path.dirname(fastmlp.__file__))
    environment = {**os.environ, "PYTHONPATH": root, "PYTHONWARNINGS": "ignore"}
    return subprocess.run(
        [sys.executable, "-m", "fastmlp", *argv], env=environment, text=True, encoding="utf-8", timeout=120, **options
    )


def assert_fails(outcome, status, *words):
    found, out, err = outcome
    assert found == status and out == ""
    assert err.startswith("fastmlp: error: ") and err.count("\n") == 1 and err.endswith("\n")
    for word in words:
        assert word in err


def test_reproduce(run, monkeypatch):
    run("train", *TINY)
    status, out, _ = run("reproduce", "fastmlp-model.npz")
    assert (status, out) == (0, "yes: the same bits after each of 2 epochs\n")
    status, out, _ = run("reproduce", "fastmlp-model.npz", "--backend", "reference", "--threads", "1", "--json")
    document = json.loads(out)
    assert status == 0 and document["same"] and document["epochs"] == 2 and len(document["recipe"][0]["epochs"]) == 2
    monkeypatch.setattr(commands, "TRAINING_SEED", 5)
    status, out, _ = run("reproduce", "fastmlp-model.npz")
    assert status == 1 and out.startswith("NO: it parted in epoch 1: the training data differ: SHA-256")
    fastmlp.MLP([784, 10]).save("fresh.npz")
    status, out, err = run("reproduce", "fresh.npz")
    assert status == 1 and out == "" and "fastmlp: error: this network has no recipe" in err


def test_train_saves_the_network_whose_hash_it_prints(run):
    status, out, err = run("train", *TINY)
    net = fastmlp.MLP.load("fastmlp-model.npz")
    assert status == 0 and f"hash      {net.hash()}\n" in out
    assert net.layer_sizes == (784, 4, 10) and net.layer_activations == ("sigmoid", "sigmoid")
    result = net.evaluate(*fastmlp.datasets.digits(40, commands.HELD_OUT_SEED))
    assert f"{result.n_correct} / 40 held-out digits = {100 * result.accuracy:.2f}%" in out
    assert "epoch 1/2" in err and "epoch 2/2" in err and "epoch" not in out


def test_training_goes_on_from_its_checkpoint(run):
    _, whole, _ = run("train", *TINY, "--epochs", "3")
    status, _, _ = run("train", *TINY, "--epochs", "1", "--checkpoint", "c.npz", "--resume")
    assert status == 0 and fastmlp.MLP.load("c.npz").epochs_trained == 1
    _, resumed, err = run("train", *TINY, "--epochs", "3", "--checkpoint", "c.npz", "--resume")
    assert resumed.splitlines()[1:] == whole.splitlines()[1:] and "epoch 3/3" in err and "epoch 1/3" not in err
    assert_fails(run("train", "--resume"), 1, "--resume needs --checkpoint")
    status, _, err = run("train", *TINY, "--batch-size", "7", "--checkpoint", "c.npz", "--resume")
    assert status == 1 and "batch_size 10, which is 7" in err
    for option, words in (("--seed", "seed 0, which is 5"), ("--learning-rate", "learning_rate 1.0, which is 5")):
        status, _, err = run("train", *TINY, option, "5", "--checkpoint", "c.npz", "--resume")
        assert status == 1 and words in err


def test_json_holds_the_numbers_of_the_text(run):
    _, text, _ = run("train", *TINY)
    status, out, _ = run("train", *TINY, "--json", "--out", "other.npz")
    document = json.loads(out)
    assert status == 0 and document["model"] == "other.npz" and os.path.exists("other.npz")
    for expected in (document["hash"], f"{document['n_correct']} / {document['n']}", f"{document['loss']:.6f}"):
        assert expected in text
    assert len(document["history"]["val_loss"]) == document["epochs"] == 2


def test_the_seed_decides_the_hash(run):
    hashes = [json.loads(run("train", *TINY, "--json", "--seed", seed)[1])["hash"] for seed in (5, 5, 6)]
    assert hashes[0] == hashes[1] != hashes[2]


def test_every_option_of_train_reaches_the_network(run):
    options = "--activation relu --loss cross_entropy --dtype float64 --seed 9 --epochs 1 --batch-size 7 --threads 1"
    status, out, _ = run(
        "train", *options.split(), "--backend", "reference", "--layers", "784-3-10", "--learning-rate", "0.25", "--json"
    )
    net = fastmlp.MLP([784, 3, 10], "relu", loss="cross_entropy", dtype="float64", seed=9, input_scale=255)  # the same bits
    net.fit(*fastmlp.datasets.digits(60, commands.TRAINING_SEED), 1, 7, 0.25, verbose=0)
    document = json.loads(out)
    assert status == 0 and document["hash"] == net.hash()
    assert document["backend"] == "reference" and document["activations"] == ["relu", "softmax"]


@pytest.mark.parametrize(
    "options, rate",
    [
        ("", 3.0), ("--layers 784-10", 1.0), ("--layers 784-64-64-10", 3.0), ("--layers 784-200-10", 0.5),
        ("--layers 784-500-10", 0.5), ("--activation relu", 0.3), ("--layers 784-20-10 --activation tanh", 0.3),
        ("--loss cross_entropy", 0.1),
    ],
)  # fmt: skip
def test_the_default_learning_rate_follows_the_network(run, options, rate):
    document = json.loads(run("train", "--epochs", "0", "--json", *options.split())[1])
    assert document["learning_rate"] == rate


@pytest.mark.skipif(kernels() is None, reason="the reference would take too long")
@pytest.mark.parametrize("options", ["--layers 784-200-10", "--layers 784-500-10", "--activation relu", "--layers 784-10"])
def test_networks_learn_at_their_default_rate(run, monkeypatch, options):
    monkeypatch.setattr(commands, "TRAINING_DIGITS", 3000)
    document = json.loads(run("train", "--epochs", "3", "--json", *options.split())[1])
    assert document["accuracy"] > 0.4


def test_a_model_that_is_there_is_told_before_it_is_replaced(run, model):
    assert "model.npz is there, and will be replaced" in run("train", *TINY, "--out", "model.npz")[2]
    assert "is there" not in run("train", *TINY, "--out", "other.npz")[2]


def test_networks_that_do_not_read_digits_are_not_tested_with_them(run, tmp_path):
    for sizes, options in (([784, 3, 1], {}), ([784, 3, 5], dict(loss="cross_entropy")), ([50, 10], dict(loss="cross_entropy")),
                           ([784, 3, 10], {})):  # fmt: skip
        fastmlp.MLP(sizes, seed=0, **options).save("other.npz")
        for flags in ([], ["--json"]):
            assert_fails(run("evaluate", "other.npz", *flags), 1, "other.npz", "784 inputs and 10 classes")


def test_a_download_that_fails_names_the_other_ways(run, monkeypatch):
    def fail():
        raise OSError("no network")

    monkeypatch.setattr(fastmlp.datasets, "fetch_mnist", fail)
    assert_fails(run("evaluate", "model.npz", "--data", "mnist"), 1, "model.npz")
    fastmlp.MLP([784, 10], loss="cross_entropy").save("model.npz")
    assert_fails(run("evaluate", "model.npz", "--data", "mnist"), 1, "--data DIRECTORY", "no network")


def test_show_draws_the_first_of_many_neurons(run, tmp_path):
    fastmlp.MLP([784, 40, 10], seed=0).save("wide.npz")
    _, text, _ = run("show", "wide.npz")
    assert "neuron 15" in text and "neuron 16" not in text and text.endswith("and 24 more: --all shows them\n")
    _, text, _ = run("show", "wide.npz", "--all")
    assert "neuron 39" in text and "--all" not in text


@pytest.mark.filterwarnings("default:training broke down:RuntimeWarning")
def test_training_that_breaks_down_is_told(run):
    status, out, err = run("train", "--layers", "784-5-10", "--loss", "cross_entropy", "--learning-rate", "1e38")
    assert status == 0 and "ended     training broke down in epoch 1, with learning rate 1e+38" in out
    assert "\nfastmlp: warning: training broke down in epoch 1" in err and "Traceback" not in err


def test_a_network_of_nan_has_no_answers(run, model):
    model.parameters[:] = np.nan
    model.save("model.npz")
    document = json.loads(run("evaluate", "model.npz", "--json")[1])
    assert document["n_correct"] == 0 and not np.any(document["confusion"])
    pytest.importorskip("PIL.Image", reason="needs the extra fastmlp[image]")
    draw("light.png")
    assert "no answer: an output is not a number" in run("predict", "model.npz", "light.png")[1]


def test_the_slow_reference_is_announced(run):
    _, out, err = run("train", "--layers", "784-10", "--epochs", "0", "--backend", "reference")
    assert "slow reference" in err and "slow" not in out


def test_train_and_evaluate_on_a_directory_of_idx_files(run, tmp_path):
    for part, n, seed in (("train", 30, 4), ("t10k", 20, 5)):
        images, labels = fastmlp.datasets.digits(n, seed)
        for name, array in (("images-idx3", images.reshape(n, 28, 28)), ("labels-idx1", labels.astype(np.uint8))):
            header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
            (tmp_path / f"{part}-{name}-ubyte").write_bytes(header + array.tobytes())
    status, out, _ = run("train", *TINY, "--data", tmp_path, "--json")
    trained = json.loads(out)
    assert status == 0 and trained["n"] == 20
    status, out, _ = run("evaluate", "fastmlp-model.npz", "--data", tmp_path, "--json")
    evaluated = json.loads(out)
    assert status == 0 and [evaluated[key] for key in ("loss", "n_correct", "n")] == [
        trained[key] for key in ("loss", "n_correct", "n")
    ]


def test_data_mnist_is_fetched(run, monkeypatch):
    four = (*fastmlp.datasets.digits(30, 1), *fastmlp.datasets.digits(10, 2))
    monkeypatch.setattr(fastmlp.datasets, "fetch_mnist", lambda: four)
    status, out, _ = run("train", *TINY, "--data", "mnist", "--json")
    assert status == 0 and json.loads(out)["n"] == 10


def test_verify_recomputes_the_public_hash(run, monkeypatch):
    monkeypatch.setattr(commands, "TRAINING_DIGITS", 30_000)
    status, text, _ = run("verify")
    assert status == 0 and text.endswith("yes: this machine computes the same bits\n") and commands.PUBLIC_HASH in text


def test_verify_says_no(run, monkeypatch):
    monkeypatch.setattr(commands, "PUBLIC_HASH", "0" * 64)
    monkeypatch.setattr(commands.MLP, "fit", lambda *args, **kwargs: None)
    status, text, _ = run("verify", "--json")
    assert status == 1 and json.loads(text)["same"] is False


def test_the_readme_s_hash_is_the_public_one():
    assert commands.PUBLIC_HASH in (Path(__file__).parent.parent / "README.md").read_text()


def test_evaluate_counts_every_digit_in_the_confusion_table(run, model):
    x, y = fastmlp.datasets.digits(40, commands.HELD_OUT_SEED)
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (y, model.forward(x).argmax(axis=1)), 1)
    status, out, err = run("evaluate", "model.npz", "--json")
    document = json.loads(out)
    assert status == 0 and err == "" and document["confusion"] == expected.tolist()
    assert document["n_correct"] == np.trace(expected) and document["hash"] == model.hash()

    status, text, _ = run("evaluate", "model.npz")
    assert status == 0 and f"{document['n_correct']} / 40" in text and f"{document['loss']:.6f}" in text
    table = [line.replace(".", "0").split()[1:] for line in text.splitlines()[-10:]]
    assert np.array(table, int).tolist() == expected.tolist()


def test_predict_reads_a_picture_and_its_negative_alike(run, model):
    pytest.importorskip("PIL.Image", reason="needs the extra fastmlp[image]")
    from fastmlp.datasets.pictures import read_digit

    draw("light.png")
    draw("dark.png", inverted=True)
    status, out, err = run("predict", "model.npz", "light.png", "dark.png", "--json")
    light, dark = json.loads(out)["images"]
    assert status == 0 and err == ""
    assert (light["image"], dark["image"]) == ("light.png", "dark.png")
    assert light["outputs"] == dark["outputs"] == model.forward(read_digit("light.png")).tolist()
    assert light["answer"] == int(np.argmax(light["outputs"]))

    status, text, _ = run("predict", "model.npz", "light.png")
    assert status == 0 and f"answer: {light['answer']}\n" in text
    bars = text.splitlines()[1:11]
    for value, line in zip(light["outputs"], bars):
        assert line.endswith(f"  {value:.4f}") and line.count("█") == round(value * commands.BAR_WIDTH)


def test_predict_without_pillow_names_the_extra(run, model, monkeypatch):
    for package in ("PIL", "skimage"):
        with monkeypatch.context() as without:
            without.setitem(sys.modules, package, None)
            assert_fails(run("predict", "model.npz", "digit.png"), 1, "pip install 'fastmlp[image]'")


def test_show_draws_every_neuron_of_the_first_layer(run, model, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, text, err = run("show", "model.npz")
    assert status == 0 and err == "" and "\x1b" not in text
    assert model.hash() in text and "3985 parameters" in text and "3920 weights + 5 biases" in text
    assert [f"neuron {i}" in text for i in range(6)] == [True] * 5 + [False]
    status, out, _ = run("show", "model.npz", "--json")
    document = json.loads(out)
    assert status == 0 and document["layer_sizes"] == [784, 5, 10] and document["n_parameters"] == 3985


def test_pictures_tell_positive_from_negative_weights():
    values = [[1.0, -1.0, 0.0], [1.0, -1.0, 0.0]]
    assert terminal.picture(values, colour=False) == [terminal.POSITIVE[-1] + terminal.NEGATIVE[-1] + " "]
    (line,) = terminal.picture(values, colour=True)
    strongest = [f"38;5;{n};48;5;{n}m" in line for n in (terminal.BLUES[-1], terminal.REDS[-1], terminal.BLUES[0])]
    assert line.count("▀") == 3 and line.endswith("\x1b[0m") and all(strongest[:2])
    assert terminal.picture([[float("nan"), float("inf")]], colour=False)[0][0] == " "


@pytest.mark.parametrize("terminal_there, no_color, expected", [(True, "", True), (True, "1", False), (False, "", False)])
def test_colour_only_on_a_terminal_whose_user_wants_it(monkeypatch, terminal_there, no_color, expected):
    class Stream:
        encoding = "utf-8"

        def isatty(self):
            return terminal_there

    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    assert terminal.has_colour(Stream()) is expected


def test_info_is_the_configuration(run, capsys):
    fastmlp.show_config()
    expected = capsys.readouterr().out
    assert run("info") == (0, expected, "")
    assert json.loads(run("info", "--json")[1]) == fastmlp.config()


@pytest.mark.parametrize(
    "argv, word",
    [
        ([], "COMMAND"),
        (["dream"], "dream"),
        (["train", "--layers", "784"], "784-16-16-10"),
        (["train", "--layers", "784-0-10"], "784-0-10"),
        (["train", "--epochs", "-1"], "--epochs"),
        (["train", "--batch-size", "0"], "--batch-size"),
        (["train", "--learning-rate", "nan"], "--learning-rate"),
        (["train", "--learning-rate", "-1"], "--learning-rate"),
        (["train", "--activation", "step"], "--activation"),
        (["train", "--seed", "4294967296"], "--seed"),
        (["evaluate"], "MODEL"),
        (["predict", "model.npz"], "IMAGE"),
    ],
)
def test_usage_errors(run, argv, word):
    assert_fails(run(*argv), 2, word, "--help")


def test_failures(run, model, tmp_path):
    (tmp_path / "damaged.npz").write_bytes((tmp_path / "model.npz").read_bytes()[:-100])
    assert_fails(run("evaluate", "absent.npz"), 1, "absent.npz")
    assert_fails(run("show", "damaged.npz"), 1, "damaged.npz")
    assert_fails(run("evaluate", "model.npz", "--data", "absent"), 1, "absent")
    for sizes in ("783-10", "784-16-5"):
        assert_fails(run("train", "--layers", sizes), 1, "--layers", "784", sizes)  # before any digit is drawn
    assert_fails(run("train", "--out", "absent/model.npz"), 1, "absent")


def test_a_file_that_is_no_picture(run, model, tmp_path):
    pytest.importorskip("PIL.Image", reason="needs the extra fastmlp[image]")
    assert_fails(run("predict", "model.npz", "model.npz"), 1, "model.npz")
    assert_fails(run("predict", "model.npz", "absent.png"), 1, "absent.png")


def test_an_error_of_several_lines_is_told_in_one(run, monkeypatch):
    def fail(arguments):
        raise ValueError("one\n  two")

    monkeypatch.setattr(commands, "info", fail)
    assert run("info") == (1, "", "fastmlp: error: one two\n")


def test_ctrl_c(run, monkeypatch):
    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "info", interrupt)
    assert run("info") == (130, "", "fastmlp: interrupted\n")


def test_numbers_that_json_does_not_know_become_null():
    document = {"loss": float("nan"), "history": [1.0, float("inf")]}
    assert commands._without_nan(document) == {"loss": None, "history": [1.0, None]}


def test_version_and_help(run):
    assert run("--version") == (0, f"fastmlp {fastmlp.__version__}\n", "")
    status, out, _ = run("train", "--help")
    options = "data layers activation loss epochs batch-size learning-rate seed dtype threads backend out json"
    assert status == 0 and all(f"--{option}" in out for option in options.split())


def test_as_a_process(model):
    done = python_m_fastmlp("info", "--json", capture_output=True)
    assert done.returncode == 0 and done.stderr == "" and json.loads(done.stdout)["version"] == fastmlp.__version__
    failed = python_m_fastmlp("show", "absent.npz", capture_output=True)
    assert failed.returncode == 1 and failed.stdout == "" and failed.stderr.count("\n") == 1


@pytest.mark.skipif(os.name != "posix", reason="pipes break otherwise elsewhere")
def test_a_reader_that_leaves_is_no_traceback(model):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = python_m_fastmlp("show", "model.npz", stdout=writer, stderr=subprocess.PIPE)
    finally:
        os.close(writer)
    assert done.returncode == 1 and done.stderr == ""


@pytest.mark.parametrize("language, file", [("onnx", "net.onnx"), ("c", "net.h"), ("javascript", "net.mjs")])
def test_export_writes_what_the_network_does(run, model, language, file):
    if language == "onnx":
        pytest.importorskip("onnx")
    status, out, err = run("export", "model.npz", "--to", language, "--out", file)
    assert status == 0 and err == "" and out.endswith(f"written to {file}\n")
    getattr(model, f"to_{language}")("wanted")
    assert Path(file).read_bytes() == Path("wanted").read_bytes()
    status, out, _ = run("export", "model.npz", "--to", language, "--out", file, "--json")
    assert status == 0 and json.loads(out)["format"] == language


def test_export_says_what_it_lacks(run, model):
    assert_fails(run("export", "model.npz", "--to", "verse", "--out", "net"), 2, "verse")
    assert_fails(run("export", "model.npz", "--to", "c"), 2, "--out")
    assert_fails(run("export", "model.npz", "--to", "c", "--out", "nowhere/net.h"), 1, "nowhere")
