"""The record of an explanation: kept in a file, cut to an example, summed, shown."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import matplotlib as mpl
import numpy as np
import pytest

import namedtensor as nt
from captum_lite import Attribution, IntegratedGradients, NoiseTunnel, Saliency

mpl.use("Agg")

RNG = np.random.default_rng(23)
X = RNG.normal(size=(3, 4)).astype("float32")
W = RNG.normal(size=(4, 5)).astype("float32")


def f(x):
    return jnp.tanh(x @ W.astype(x.dtype))


def named(x):
    return x.dot("feature", nt.tensor(W, "feature class")).tanh()


def explained() -> Attribution:
    return IntegratedGradients(f).explain(X, target=1)


def back(record: Attribution, path) -> Attribution:
    record.save(path)
    return Attribution.load(path)


# in files


TARGETS = {
    "integer": 1,
    "numpy integer": np.int64(1),
    "tuple": (1,),
    "list": [0, 1, 2],
    "list of tuples": [(0,), (1,), (2,)],
    "array": np.array([0, 1, 2]),
}
NAMED_TARGETS = {"dict": {"class": 1}, "dict of an array": {"class": np.array([0, 1, 2])}}


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_the_target_comes_back_as_it_was_given(target, tmp_path):
    same_target(back(Saliency(f).explain(X, target=target), tmp_path / "a.npz").target, target)


@pytest.mark.parametrize("target", NAMED_TARGETS.values(), ids=NAMED_TARGETS)
def test_the_named_target_comes_back_as_it_was_given(target, tmp_path):
    record = Saliency(named).explain(nt.tensor(X, "batch feature"), target=target)
    same_target(back(record, tmp_path / "a.npz").target, target)


def same_target(found, given) -> None:
    assert type(found) is type(given) or hasattr(given, "shape")
    assert jax.tree.structure(found) == jax.tree.structure(given)
    jax.tree.map(np.testing.assert_array_equal, found, given)


def test_a_target_function_is_kept_by_its_description(tmp_path):
    record = Saliency(f).explain(X, target=lambda out: out.max(1))
    assert "lambda" in back(record, tmp_path / "a.npz").target


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
def test_every_dtype_comes_back(dtype, tmp_path):
    record = Saliency(f).explain(jnp.asarray(X, dtype), target=1)
    loaded = back(record, tmp_path / "a.npz")
    assert loaded.attributions.dtype == dtype
    np.testing.assert_array_equal(loaded.attributions, record.attributions)


def test_a_random_key_comes_back(tmp_path):
    record = NoiseTunnel(Saliency(f)).explain(X, target=1, key=jax.random.key(3))
    again = back(record, tmp_path / "a.npz").arguments["key"]
    np.testing.assert_array_equal(jax.random.key_data(again), jax.random.key_data(jax.random.key(3)))


@pytest.mark.parametrize("name", ["record", "record.npz", "record.v2"])
def test_what_is_saved_under_a_name_is_loaded_under_it(name, tmp_path):
    assert back(explained(), tmp_path / name).method == "IntegratedGradients"
    assert back(explained(), str(tmp_path / name)).method == "IntegratedGradients"


def test_nothing_in_the_file_is_pickled(tmp_path):
    explained().save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
        assert json.loads(str(file["record"]))["status"]
        assert all(file[k].dtype.kind in "fiuU" for k in file.files)


# parts


def test_example_is_the_record_of_one():
    record = explained()
    for i in (0, 2, -1):
        one = record.example(i)
        for field in ("attributions", "inputs", "baselines", "prediction", "convergence_delta"):
            np.testing.assert_array_equal(getattr(one, field), getattr(record, field)[i % 3 : i % 3 + 1])
    with pytest.raises(IndexError, match="example 3 is out of range: there are 3, 0 to 2"):
        record.example(3)


def test_example_of_a_named_pair():
    x = nt.tensor(X, "batch feature")
    pair = IntegratedGradients(lambda x, y: named(x + y)).explain((x, x * 2), target={"class": 1})
    one = pair.example(1)
    for found, whole in zip(one.attributions, pair.attributions, strict=True):
        assert dict(found.shape) == {"batch": 1, "feature": 4}
        np.testing.assert_array_equal(found.to_array("batch feature")[0], whole.to_array("batch feature")[1])


def test_example_takes_the_targets_of_that_example():
    record = Saliency(f).explain(X, target=np.array([4, 0, 2]))
    assert int(np.asarray(record.example(1).target).squeeze()) == 0


def test_sum_over_a_dim_keeps_the_delta():
    record = IntegratedGradients(named).explain(
        nt.tensor(X, "batch feature"), target={"class": 1}, n_steps=50
    )
    total = record.sum("feature")
    assert dict(total.attributions.shape) == {"batch": 3}
    np.testing.assert_allclose(
        total.attributions.array, record.prediction - record.baseline_prediction, atol=1e-5
    )
    np.testing.assert_array_equal(total.convergence_delta, record.convergence_delta)


def test_sum_without_names_says_what_to_write():
    with pytest.raises(ValueError, match=r"no names.*attributions\.sum\(axis="):
        explained().sum("feature")


def test_sum_of_a_named_pair_sums_each():
    x = nt.tensor(X, "batch feature")
    pair = IntegratedGradients(lambda x, y: named(x + y)).explain((x, x), target={"class": 1})
    assert [dict(a.shape) for a in pair.sum("feature").attributions] == [{"batch": 3}] * 2


# shown


def test_gap_is_the_part_of_the_attributions_that_is_missing():
    record = dataclasses.replace(
        explained(),
        attributions=jnp.array([[1.0, -3.0], [0.0, 2.0]]),
        convergence_delta=jnp.array([-0.4, 0.5]),
        prediction=jnp.array([0.5, 1.5]),
        baseline_prediction=jnp.zeros(2),
    )
    np.testing.assert_allclose(record.gap, [0.1, 0.25], rtol=1e-6)


def test_a_record_of_images_shows_a_picture():
    images = nt.tensor(RNG.normal(size=(2, 5, 6)).astype("float32"), "batch height width")
    record = Saliency(lambda x: (x**2).sum(("height", "width"))).explain(images)
    shown = record._repr_html_()
    assert 'src="data:image/png;base64,' in shown
    assert "f32[batch:2 height:5 width:6]" in shown


def test_a_record_of_many_examples_and_their_noise_stays_short():
    x = np.ones((200, 4), "float32")
    tunnel = NoiseTunnel(Saliency(lambda x, y: f(x * y)))
    noise = (np.ones((2, *x.shape), "float32"),) * 2
    record = tunnel.explain((x, x), target=np.zeros(200, int), nt_samples=2, noise=noise)
    lines = repr(record).splitlines()
    assert len(lines) < 10
    assert max(map(len, lines)) < 300


def test_markup_in_an_argument_is_escaped():
    record = dataclasses.replace(explained(), target="<script>alert(1)</script>")
    assert "<script>" not in record._repr_html_()
    assert "&lt;script&gt;" in record._repr_html_()
