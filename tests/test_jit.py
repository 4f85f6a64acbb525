"""The Numba backend: the reference's bytes on every row of the registry, its threads, its cache, what it refuses.

Teams are tried on work that would not be worth one, since only the time tells.
"""

import ctypes
import os
import queue
import shutil
import subprocess
import sys
import textwrap
import types
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import test_parity as parity
from conftest import for_each, needs_page_protection, read_to_the_end, run_program
from registry import Tiles, rows_for

import fastmlp
from fastmlp import MLP, reference
from fastmlp.architecture import n_parameters
from fastmlp.reference import Dropout, Samples, Steps, Update
from fastmlp.update_rules import LINES, RULES

numba = pytest.importorskip("numba")

from fastmlp import jit  # noqa: E402
from fastmlp.jit import autotune, compiling, dropout, engine, products, target, team, tile  # noqa: E402
from fastmlp.jit.barrier import ABORTED, wait  # noqa: E402
from fastmlp.jit.intrinsics import data  # noqa: E402

if not jit.HAS_FMA:
    pytest.skip("this processor has no fused multiply-add", allow_module_level=True)


@pytest.fixture
def eager_teams(monkeypatch):
    """Any call is worth a team."""
    monkeypatch.setattr(engine, "SHARE_PAYS", 1)
    monkeypatch.setattr(engine, "CALL_PAYS", 1)
    monkeypatch.setattr(engine, "UPDATING", 0)
    monkeypatch.setattr(engine, "UPDATE_PAYS", 1)
    monkeypatch.setattr(engine, "MANY_VECTORS", 0)


def rows(dtype):
    shapes = [(n_rows, vecs) for vecs in tile.VECS for n_rows in range(1, tile.most_rows(vecs) + 1)]
    lanes = tile.VECTOR_BYTES // np.dtype(dtype).itemsize
    return dict.fromkeys(rows_for(Tiles(lanes, sorted(shapes), sorted(shapes), [])))


def check(row, dtype, threads, layout, kind):
    arguments = parity.laid_out(parity.inputs(row, dtype, kind), layout, row.kernel.startswith("Engine"))
    context = f"{row} {dict(row.shape)} {dtype} {threads} threads, {layout}, {kind} values"
    parity.assert_same_bits(parity.run(row.kernel, jit, arguments, threads), parity.expected(row, dtype, kind), context)


def by_kernel():
    for dtype in parity.DTYPES:
        of_dtype = rows(dtype)
        for kernel in dict.fromkeys(row.kernel for row in of_dtype):
            some = [row for row in of_dtype if row.kernel == kernel]
            yield pytest.param(dtype, some, id=f"{dtype}-{kernel}")


BY_KERNEL = list(by_kernel())


@pytest.mark.parametrize("dtype, rows", BY_KERNEL)
def test_sample(dtype, rows, eager_teams):
    def sample(row):
        draw = parity.rng_of(row, dtype, "numba")
        is_engine = row.kernel.startswith("Engine")
        layouts = list(parity.ROW_LAYOUTS if is_engine else parity.LAYOUTS)
        for threads in parity.THREADS if is_engine else (1,):
            check(row, dtype, threads, layouts[draw.randint(len(layouts))], parity.kind_of(row, dtype))

    for_each(rows[::-1], sample)  # from the other end than test_parity, so that both are not at the same row at once


@pytest.mark.slow
@pytest.mark.parametrize("dtype, rows", BY_KERNEL)
def test_product(dtype, rows, eager_teams):
    def whole(row):
        is_engine = row.kernel.startswith("Engine")
        for kind, threads, layout in product(parity.kinds_of(row, dtype), parity.THREADS if is_engine else (1,),
                                             parity.ROW_LAYOUTS if is_engine else parity.LAYOUTS):  # fmt: skip
            check(row, dtype, threads, layout, kind)

    for_each(rows, whole)


@pytest.mark.parametrize("dtype", parity.DTYPES)
@pytest.mark.parametrize("columns", [300, 530])
def test_wide_products_gather_their_lines(dtype, columns):
    """Wider than the registry's rows: also over several blocks of rows and chunks of terms."""
    rng, (rows, distinct) = np.random.RandomState(columns), parity.distinct(400, 300, columns)
    a, b = (parity.values(rng, shape, dtype, "ordinary") for shape in ((rows, 300), (300, distinct)))
    i, j = np.arange(400) % rows, np.arange(columns) % distinct
    expected = parity.sum_of_products(a, b, 0)[np.ix_(i, j)]
    a, b = a[i], np.take(b, j, axis=1)
    for x, y in product((a, np.asfortranarray(a)), (b, np.asfortranarray(b))):
        parity.assert_same_bits([jit.sum_of_products(x, y, 0)], [expected], "sum_of_products")


@pytest.mark.parametrize("dtype", parity.DTYPES)
def test_nothing_is_written_beyond_the_result(dtype):
    for n in range(1, 35):
        around = np.full(3 * n + 64, 7, dtype)
        out = around[32 : 32 + 3 * n].reshape(3, n)
        assert jit.sum_of_products(np.ones((3, 2), dtype), np.ones((2, n), dtype), 1, out=out) is out
        assert (out == 3).all() and (around[:32] == 7).all() and (around[32 + 3 * n :] == 7).all()


@pytest.mark.parametrize("dtype", parity.DTYPES)
@pytest.mark.parametrize("rule", RULES)
def test_updates_keep_to_their_arrays(rule, dtype):
    """Half of the numbers are so small that means of them are subnormal, which are settled."""
    rng = np.random.RandomState(4)
    for n in (*range(1, 35), 100):
        numbers = parity.numbers_of(rng, RULES[rule], 1, dtype)[0]
        sizes = np.where(rng.randint(2, size=n + 64), np.finfo(dtype).tiny / 4, 1).astype(dtype)
        around = [np.abs(parity.values(rng, n + 64, dtype, "ordinary")) * sizes for _ in range(2 + len(RULES[rule].state))]
        results = []
        for backend in (reference, jit):
            parameters, gradients, *state = arrays = [array.copy() for array in around]
            backend.update(rule, *(array[32 : 32 + n] for array in (parameters, gradients)),
                           [array[32 : 32 + n] for array in state], numbers)  # fmt: skip
            results.append(arrays)
        parity.assert_same_bits(*reversed(results), f"{rule} of {n}")


WIDE_LAYERS = (400, 2 * products.PACKING_A_COLUMNS + 3, 5)


@cache
def wide_layers():
    """(Samples, parameters, the reference's gradients) of a network wider and taller than the registry's."""
    rng, T = np.random.RandomState(6), np.dtype(np.float32)
    samples = Samples(rng.standard_normal((300, 400)).astype(T), rng.randint(0, 5, 300))
    parameters = rng.standard_normal(n_parameters(WIDE_LAYERS)).astype(T)
    gradients = np.empty_like(parameters)
    net = reference.Engine(WIDE_LAYERS, ("relu", "softmax"), "cross_entropy", parameters)
    net.gradients(samples, gradients, np.empty(300))
    return samples, parameters, gradients


@pytest.mark.parametrize("rule", RULES)
def test_wide_layers_are_updated_by_strips(rule, eager_teams):
    """Of lines that are gathered, over several blocks of rows, and of terms: a step is the rule on the gradients."""
    samples, parameters, gradients = wide_layers()
    rng = np.random.RandomState(9)
    numbers, state = (
        parity.numbers_of(rng, RULES[rule], 1, "float32"),
        parity.states_of(rng, RULES[rule], (), parameters.size, "float32"),
    )
    results = []
    for backend, n_threads in ((reference, 1), (jit, 1), (jit, 2)):
        w, of_rule = parameters.copy(), tuple(array.copy() for array in state)
        net, update = (
            backend.Engine(WIDE_LAYERS, ("relu", "softmax"), "cross_entropy", w, n_threads),
            Update(rule, numbers, of_rule),
        )
        if backend is reference:
            net.apply(gradients, update)
        else:
            net.train(samples, update)
        results.append([w, *of_rule])
    for result in results[1:]:
        parity.assert_same_bits(result, results[0], rule)


@needs_page_protection
def test_nothing_is_read_beyond_the_arguments():
    read_to_the_end("from fastmlp import jit", "{np.float32: jit, np.float64: jit}")


@pytest.mark.parametrize("dtype", parity.DTYPES)
@pytest.mark.parametrize("function", ["exp", "expm1", "log", "log1p", "sigmoid", "tanh", "fma"])
def test_functions_of_numbers(function, dtype):
    rng = np.random.RandomState(1)
    bits = rng.randint(0, 2**32, 20_000, dtype=np.uint32).view(np.float32)
    with np.errstate(invalid="ignore"):
        x = np.concatenate([*(parity.values(rng, 3000, dtype, kind) for kind in parity.KINDS), bits]).astype(dtype)
    arguments = [x[np.argsort(rng.random_sample(x.size))][:4000] for _ in range(3)] if function == "fma" else [x]
    parity.assert_same_bits([getattr(jit, function)(*arguments)], [getattr(reference, function)(*arguments)], function)


def test_all_finite():
    for dtype, bad in product(parity.DTYPES, (np.nan, np.inf, -np.inf)):
        x = np.full((5, 40), np.finfo(dtype).max, dtype)
        assert jit.all_finite(x) and jit.all_finite(x[:, 3:20])
        x[4, 19] = bad
        assert not jit.all_finite(x) and not jit.all_finite(x[:, 3:20]) and jit.all_finite(x[:, 3:19])


# Whole networks.


def trained(backend, n_threads=1, dtype="float32"):
    rng = np.random.RandomState(5)
    x, y = rng.randint(0, 256, (90, 30)).astype(np.uint8), rng.randint(0, 4, 90)
    net = MLP([30, 70, 9, 4], ["relu", "tanh"], loss="cross_entropy", dtype=dtype, seed=3, backend=backend,
              n_threads=n_threads, input_scale=255)  # fmt: skip
    history = net.fit(x, y, epochs=2, batch_size=40, learning_rate=0.3, validation_data=(x[:20], y[:20]), verbose=0)
    return net.hash(), history.loss, history.val_loss, history.accuracy, net.forward(x).tobytes()


@pytest.mark.parametrize("dtype", parity.DTYPES)
def test_a_training_run_has_the_references_hash(dtype, eager_teams):
    expected = trained("reference", dtype=dtype)
    for n_threads in (1, 2, 3):
        assert trained("numba", n_threads, dtype) == expected


@pytest.mark.parametrize(
    "dtype, penalise_biases, before",
    [("float32", False, 0), ("float32", True, 2**32 - 1), ("float64", True, 0), ("float64", False, 2**32 - 1)],
)
def test_wide_layers_with_all_that_may_stand_around_a_rule(dtype, penalise_biases, before, eager_teams):
    """Wider than the registry's: draws of dropout by blocks of units, penalties and norms by blocks of numbers, in teams
    whose threads own columns; and a step whose number does not fit in 32 bits. A narrow layer between the wide ones keeps the
    reference short."""
    rng, sizes, T = np.random.RandomState(7), (300, dropout.UNITS + 45, 7, 4300, 3), np.dtype(dtype)
    x, y = rng.standard_normal((21, 300)).astype(T), rng.randint(0, 3, 21)
    parameters, lines = rng.standard_normal(n_parameters(sizes)).astype(T), tuple(LINES)
    numbers, coefficients, results = parity.numbers_of(rng, RULES["adam"], 2, T, lines), rng.random_sample((2, 2)), []
    for backend, n_threads in ((reference, 1), (jit, 1), (jit, 3)):
        w, penalties = parameters.copy(), np.empty(2)
        state = parity.states_of(np.random.RandomState(8), RULES["adam"], lines, w.size, T)
        update = Update("adam", numbers, state, lines, penalise_biases, (0.5, 1e-6))
        net = backend.Engine(sizes, ("relu", "gelu", "tanh", "softmax"), "cross_entropy", w, n_threads)
        net.train(Samples(x, y), update, Steps(0, 21, 11, None, before), penalties=(coefficients, penalties),
                  dropout=Dropout((9_000, 30_000, 20_000, 40_000), 2**32 - 1))  # fmt: skip
        results.append([w, *state, penalties])
    for result in results[1:]:
        parity.assert_same_bits(result, results[0], dtype)


@pytest.mark.parametrize("biases", [False, True])
def test_an_update_that_is_made_at_once_and_then_applied(biases):
    """The engine keeps the description of its last update, of which tiles make a part only where train is asked."""
    w, expected, x, y = np.ones(26, np.float32), np.ones(26, np.float32), np.ones((5, 3), np.float32), np.zeros(5, np.int64)
    update = Update("sgd", np.full((1, 1), 0.5, np.float32), (), (), biases)
    for backend, parameters in ((jit, w), (reference, expected)):
        net = backend.Engine((3, 4, 2), ("relu", "identity"), "squared_error", parameters)
        for _ in range(2):
            net.train(Samples(x, y), update)
            net.apply(np.full(26, 0.25, np.float32), update)
    parity.assert_same_bits([w], [expected], "sgd")


def settled(by_team, alone):
    """An Autotune that has timed both ways, which take so many seconds a row."""
    tune = autotune.Autotune()
    while tune.tries:
        rows = tune.rows_at_once()
        tune.learn(rows, rows * (by_team if tune.by_team else alone))
    return tune


def test_the_faster_way_is_gone():
    assert settled(by_team=1e-5, alone=2e-5).by_team
    assert not settled(by_team=3e-5, alone=2e-5).by_team


def test_a_way_that_became_much_slower_is_left():
    tune = settled(by_team=1e-5, alone=2e-5)
    while not tune.tries:
        rows = tune.rows_at_once()
        tune.learn(rows, rows * 4e-5)
    assert not tune.by_team


def test_the_slower_way_is_tried_again_later_each_time(monkeypatch):
    clock, trials = [0.0], []
    monkeypatch.setattr(autotune.time, "perf_counter", lambda: clock[0])
    tune = settled(by_team=1e-5, alone=2e-5)
    while clock[0] < 10:
        if tune.tries and not tune.by_team and tune.rows == 0:
            trials.append(clock[0])
        rows = tune.rows_at_once()
        seconds = rows * (1e-5 if tune.by_team else 2e-5)
        clock[0] += seconds
        tune.learn(rows, seconds)
    waits = np.diff(trials)
    assert (waits[1:4] > 1.9 * waits[:3]).all() and autotune.LATEST <= waits[-1] < autotune.LATEST + 0.1


def test_ways_that_change_within_a_fit_change_no_bits(eager_teams, monkeypatch):
    monkeypatch.setattr(autotune, "TIMED", 0.0)  # after every run the other way is tried
    monkeypatch.setattr(autotune, "MUCH_SLOWER", 0.0)
    ways, learn = [], autotune.Autotune.learn

    def learning(tune, rows, seconds):
        ways.append(tune.by_team)
        learn(tune, rows, seconds)

    monkeypatch.setattr(autotune.Autotune, "learn", learning)
    assert trained("numba", 2) == trained("reference", 1)
    assert True in ways and False in ways


def test_several_python_threads_at_once(eager_teams):
    """Each trains a network of its own, and all read one; one of them has the team at a time."""
    expected, shared = trained("numba"), MLP([30, 70, 4], seed=1, backend="numba", n_threads=2)
    x = np.random.RandomState(0).random_sample((70, 30)).astype(np.float32)
    outputs = shared.forward(x).tobytes()
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda _: trained("numba", 2) == expected, range(12)))
        assert all(pool.map(lambda _: shared.forward(x).tobytes() == outputs, range(400)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_has_a_team_of_its_own(eager_teams):
    expected = trained("numba", 2)
    child = os.fork()
    if child == 0:
        os._exit(0 if trained("numba", 2) == expected and team._pool.size == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0


@numba.njit(nogil=True)
def wait_once(sync, count):
    return wait(data(sync), count)


def test_an_interrupt_before_the_caller_joins_lets_the_others_go():
    ended = queue.SimpleQueue()

    def part(count, sync, thread):
        if thread == 0:
            raise KeyboardInterrupt
        ended.put(wait_once(sync, count))

    wait_once(np.zeros(40, np.int64), 1)  # compiles
    with pytest.raises(KeyboardInterrupt):
        team.run_together(part, 3)
    assert [ended.get(timeout=60) for _ in range(2)] == [False, False]


def test_an_interrupt_leaves_the_others_no_rows(eager_teams, monkeypatch):
    net = MLP([4, 3], seed=0, backend="numba", n_threads=2)
    x, out = np.ones((100, 4), np.float32), np.zeros((100, 3), np.float32)
    begun = []

    class Interrupting(team._Pool):
        def start(self, *arguments, count):
            begun.append(arguments)
            raise KeyboardInterrupt

    monkeypatch.setattr(team, "_pool", Interrupting())
    with pytest.raises(KeyboardInterrupt):
        net.forward(x, out)
    ((function, *arguments),) = begun
    function(*arguments, 1)  # a thread that comes late
    assert not out.any()


def test_where_no_thread_can_be_started_the_call_runs_on_its_own(eager_teams, monkeypatch):
    def start(self):
        raise RuntimeError("can't start new thread")

    expected = trained("numba", 1)
    monkeypatch.setattr(team, "_pool", team._Pool())
    monkeypatch.setattr(team.threading.Thread, "start", start)
    assert trained("numba", 2) == expected


def test_an_aborted_call_changes_nothing(eager_teams, monkeypatch):
    """A thread of a team that starts after the abort leaves the parameters alone."""
    run, x = engine.network.run, np.ones((50, 30), np.float32)

    def interrupted(*arguments):
        *_, sync, _count, thread = arguments
        if thread:
            return run(*arguments)
        sync[ABORTED] = 1
        raise KeyboardInterrupt

    net = MLP([30, 70, 4], seed=1, backend="numba", n_threads=3)
    before = net.hash()
    with monkeypatch.context() as patch:
        patch.setattr(engine.network, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            net.train_step(x, x[:, :4], 0.5)
    assert net.hash() == before
    net.train_step(x, x[:, :4], 0.5)
    assert net.hash() != before


def test_a_taken_team_leaves_the_call_to_its_own_thread():
    counts = []
    with team._pool.taken:
        team.run_together(lambda count, sync, thread: counts.append((count, thread)), 3)
    assert counts == [(1, 0)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_activation_behind_a_pointer(dtype, eager_teams):
    """relu as a user's function comes to the engine: by the addresses of f and of its gradient."""
    number, pointer = numba.from_dtype(np.dtype(dtype)), numba.types.CPointer(numba.from_dtype(np.dtype(dtype)))

    def f(z, a, n):
        for i in range(n):
            a[i] = number(0) if z[i] <= 0 else z[i]

    def gradient(z, g, n):
        for i in range(n):
            g[i] = g[i] if z[i] > 0 else number(0)

    compiled = [numba.cfunc(numba.void(pointer, pointer, numba.int64))(function) for function in (f, gradient)]
    own = types.SimpleNamespace(addresses=lambda dtype: tuple(function.address for function in compiled))
    rng = np.random.RandomState(2)
    sizes, x, y = (30, 70, 20, 4), rng.standard_normal((50, 30)).astype(dtype), rng.standard_normal((50, 4)).astype(dtype)
    start = rng.standard_normal(n_parameters(sizes)).astype(dtype)
    results = []
    for relu, n_threads in product(("relu", own), (1, 2)):
        parameters, losses, out = start.copy(), np.empty(50), np.empty((50, 4), dtype)
        net = jit.Engine(sizes, (relu,) * 3, "squared_error", parameters, n_threads)
        net.train(Samples(x, y), Update("sgd", np.full((1, 1), 0.01, dtype)), Steps(0, 50, 20), losses)
        net.forward(x, out)
        results.append([parameters, losses, out, *net.activations(x)])
    for result in results:
        parity.assert_same_bits(result, results[0], "custom")


# What is refused, said and kept.


@pytest.mark.skipif(not sys.platform.startswith("linux") or not target.X86, reason="knows the C library's numbers here")
def test_another_rounding_mode_is_refused():
    net, x = MLP([3, 2], backend="numba"), np.ones((4, 3), np.float32)
    library = ctypes.CDLL(None)
    for method in (net.forward, net.activations):
        library.fesetround(0x800)  # upwards
        try:
            with pytest.raises(RuntimeError, match="does not round to nearest; the Numba backend"):
                method(x)
        finally:
            library.fesetround(0)


def test_without_numba():
    done = run_program("""
        import sys
        import fastmlp
        assert "numba" not in sys.modules
        sys.modules["numba"] = None  # importing it raises ModuleNotFoundError
        try:
            fastmlp.MLP([2, 2], backend="numba")
        except ImportError as error:
            print(error)
    """)
    assert done.stdout == "the backend 'numba' needs Numba; install it with: pip install \"fastmlp[numba]\"\n", done.stderr


def test_without_fused_multiply_add(monkeypatch):
    monkeypatch.setattr(jit, "HAS_FMA", False)
    with pytest.raises(ImportError, match="'numba' needs fused multiply-add"):
        MLP([2, 2], backend="numba")


def test_a_second_process_compiles_nothing(tmp_path):
    """Into a copy of what this process has compiled, the first puts what is missing."""
    if folder := compiling.cache_folder():
        shutil.copytree(folder, tmp_path / "fastmlp" / folder.name, ignore=shutil.ignore_patterns("*.tmp*"))
    program = """
        import numpy as np
        from numba.core import event
        from fastmlp import MLP, jit
        from fastmlp.activations import ACTIVATIONS
        from fastmlp.update_rules import RULES

        x = np.ones((2, 3), np.float32)
        with event.install_recorder("numba:compile") as compiled:
            MLP([3, 2], backend="numba").forward([[1, 2, 3]])
            for function in (jit.exp, jit.expm1, jit.log, jit.log1p):
                function(x)
            for name in ACTIVATIONS:
                jit.activate(name, x)
            for rule in RULES.values():
                jit.update(rule.name, x[0], x[1], [np.ones_like(x[0]) for _ in rule.state], np.ones(len(rule.numbers)))
            jit.update("sgd", x[0], x[1], [], np.ones(2), ("decay",), scale=0.5)
            jit.sum_of_squares(x[0])
        print(len(compiled.buffer))
    """

    def run():
        done = run_program(program, NUMBA_CACHE_DIR=str(tmp_path))
        return int(done.stdout), done.stderr, sorted(path.name for path in tmp_path.rglob("*") if path.is_file())

    _, _, kept = run()
    assert kept and run() == (0, "", kept)


def test_the_first_process_says_that_it_compiles(tmp_path):
    """And is ended once it has: what it would keep, the test before looks at."""
    program = """
        from fastmlp import MLP
        MLP([3, 2], backend="numba").forward([[1, 2, 3]])
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], text=True, stderr=subprocess.PIPE,
                               env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)})  # fmt: skip
    said = process.stderr.readline()
    process.kill()
    process.communicate()
    assert said.startswith("fastmlp: compiling the Numba kernels for float32")


def test_changed_sources_are_compiled_again(tmp_path):
    package = Path(fastmlp.__file__).parent
    shutil.copytree(package, tmp_path / "fastmlp", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    program = """
        from fastmlp.jit import environment
        environment.check_environment()
        print(sum(environment.probe.stats.cache_hits.values()))
    """
    folders = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cache"), "FASTMLP_BACKEND": "numba"}

    def hits(**environment):
        done = run_program(program, tmp_path, **{**folders, **environment})
        assert not done.stderr
        return done.stdout.strip()

    assert hits() == "0" and hits() == "1"
    with open(tmp_path / "fastmlp" / "jit" / "losses.py", "a") as file:
        file.write("# another file than the one that is compiled\n")
    assert hits() == "0"
    assert hits(NUMBA_CACHE_DIR=str(tmp_path / "fastmlp" / "config.py")) == "0"  # a file, in which nothing can be kept


def test_compiling_is_announced_once(capsys):
    with numba.core.event.install_listener("numba:compile", engine._Announcer("float32")):
        numba.njit(lambda: 1)()
        numba.njit(lambda: 2)()
    said = capsys.readouterr().err
    assert said.startswith("fastmlp: compiling the Numba kernels for float32, once (about ") and said.count("\n") == 1


def test_sources_hash(tmp_path):
    (tmp_path / "a.py").write_text("one")
    first = compiling.sources_hash(tmp_path)
    (tmp_path / "a.py").write_text("two")
    second = compiling.sources_hash(tmp_path)
    (tmp_path / "b.py").write_text("")
    assert len({first, second, compiling.sources_hash(tmp_path)}) == 3


def test_show_config_names_numba(monkeypatch, capsys):
    monkeypatch.setenv("FASTMLP_BACKEND", "numba")
    assert fastmlp.config()["numba"] == numba.__version__
    fastmlp.show_config()
    assert f"Numba             {numba.__version__}\n" in capsys.readouterr().out
    monkeypatch.setenv("FASTMLP_BACKEND", "reference")
    assert fastmlp.config()["numba"] is None
