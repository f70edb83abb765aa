"""What all widgets are made of, without a browser: jobs, panels, what is sent, what a page holds."""

import base64
import json
import re
import threading

import ipywidgets as w
import numpy as np
import pytest
from matplotlib.figure import Figure

from namedtensor.widgets import Chart, Overlay, OverlayPanel, Panel, Slider, line
from namedtensor.widgets.packed import Packed

SOON = 20.0  # seconds after which a test that waits has failed


class Shown(Panel):
    title = "a <panel>"

    def figure(self):
        return Figure(figsize=(1, 1))


@pytest.fixture
def panel():
    made = Shown([w.Dropdown(description="what")], [Chart(label="a chart"), w.HTML("<p>facts</p>")])
    yield made
    made.cancel()
    made.wait(SOON)


def numbers_of(overlay: Overlay, plane: dict) -> np.ndarray:
    values = np.frombuffer(overlay.numbers, "<f4")
    shape = plane["height"], plane["width"], plane["channels"]
    return values[plane["offset"] : plane["offset"] + np.prod(shape)].reshape(shape)


# ---- what is sent


def test_numbers_arrive_as_they_are():
    rng = np.random.default_rng(0)
    image, first, second = rng.uniform(size=(4, 6, 3)), rng.normal(size=(4, 6)), rng.normal(size=(4, 6))
    overlay = Overlay()
    overlay.put([OverlayPanel(image, first), OverlayPanel(image, second, column=1)])
    for panel, sent in zip((first, second), overlay.panels, strict=True):
        np.testing.assert_array_equal(numbers_of(overlay, sent["map"])[..., 0], panel.astype(np.float32))
        np.testing.assert_array_equal(numbers_of(overlay, sent["image"]), image.astype(np.float32))


def test_an_image_under_several_maps_is_sent_once():
    image, maps = np.zeros((8, 8)), [np.full((8, 8), float(k)) for k in range(3)]
    overlay = Overlay()
    overlay.put([OverlayPanel(image, m, column=i) for i, m in enumerate(maps)])
    assert len(overlay.numbers) == 4 * 64 * 4


def test_arrays_made_on_the_way_are_not_taken_for_one_another():
    packed = Packed()
    assert [packed.add(np.full(2, float(k))) for k in range(3)] == [0, 2, 4]
    np.testing.assert_array_equal(np.frombuffer(packed.tobytes(), "<f4"), [0, 0, 1, 1, 2, 2])


def test_new_panels_are_one_message(monkeypatch):
    overlay = Overlay()
    sent = []
    monkeypatch.setattr(overlay, "send_state", lambda key=None: sent.append(set(key or ())))
    overlay.put([OverlayPanel(map=np.ones((2, 3)))], rows=["a"], hint="look")
    assert sent == [{"numbers", "panels", "rows", "hint"}]


@pytest.mark.parametrize(
    ("image", "drawn"),
    [
        (np.zeros((2, 3)), np.zeros((3, 2))),
        (None, None),
        (np.zeros((2, 3, 2)), None),
        (None, np.zeros((2, 3, 3))),
    ],
)
def test_a_panel_of_two_sizes_is_refused(image, drawn):
    with pytest.raises(ValueError, match=r"a panel has an image .* give \[height, width\]"):
        OverlayPanel(image, drawn)


def test_more_than_a_browser_takes_is_refused(monkeypatch):
    monkeypatch.setattr("namedtensor.widgets.overlay.MOST_BYTES", 100)
    with pytest.raises(ValueError, match="show fewer of them, or smaller ones"):
        Overlay().put([OverlayPanel(map=np.zeros((8, 8)))])


def test_what_was_painted():
    overlay = Overlay()
    overlay.put([OverlayPanel(map=np.zeros((2, 3)))])
    assert not overlay.painted().any()
    overlay.mask = bytes([0, 1, 0, 0, 0, 1])
    np.testing.assert_array_equal(overlay.painted(), [[False, True, False], [False, False, True]])


def test_a_line_leaves_out_what_is_not_finite():
    assert line("a", [1, 2, 3], [0.5, np.nan, np.inf]) == {"name": "a", "x": [1.0], "y": [0.5]}
    with pytest.raises(ValueError, match="'a' has 2 places and 1 values"):
        line("a", [1, 2], [0.5])


def test_a_slider_stays_in_its_range():
    slider = Slider(min=0, max=5, step=1, value=9)
    assert slider.value == 5


# ---- work


def test_work_runs_beside_the_kernel_and_shows_its_result(panel):
    seen = []
    panel.start(lambda job: seen.append(threading.current_thread()), "working")
    panel.wait(SOON)
    assert seen != [threading.main_thread()]
    assert not panel.work.running
    assert panel.message.value == ""


def test_cancel_stops_the_work_and_keeps_what_it_showed(panel):
    started, shown = threading.Event(), []

    def work(job):
        job.show(lambda: shown.append("partial"))
        started.set()
        assert job.cancel.wait(SOON)

    panel.start(work)
    assert started.wait(SOON)
    assert panel.work.running
    panel.work._handle_custom_msg({"cancel": True}, [])  # what the button sends
    panel.wait(SOON)
    assert shown == ["partial"]
    assert not panel.work.running


def test_new_work_cancels_the_old_which_shows_nothing_any_more(panel):
    order, started = [], threading.Event()

    def old(job):
        started.set()
        assert job.cancel.wait(SOON)
        job.show(lambda: order.append("old"))
        raise RuntimeError("too late to matter")

    panel.start(old)
    assert started.wait(SOON)
    panel.start(lambda job: order.append("new"))
    panel.wait(SOON)
    assert order == ["new"]
    assert panel.message.value == ""
    assert not panel.work.running


def test_the_last_picture_is_drawn_however_fast_they_come(panel):
    shown = []

    def work(job):
        for k in range(1000):
            job.show(lambda k=k: shown.append(k))
            job.report(k / 999)

    panel.start(work)
    panel.wait(SOON)
    assert shown[-1] == 999
    assert len(shown) < 1000
    assert panel.work.fraction == 1.0


def test_an_error_is_one_message_and_the_next_work_mends_it(panel):
    def broken(job):
        raise RuntimeError("the model does not like this <image>")

    panel.start(broken)
    panel.wait(SOON)
    assert panel.message.value.count("role='alert'") == 1
    assert "the model does not like this &lt;image&gt;" in panel.message.value
    assert not panel.work.running
    panel.start(lambda job: None)
    panel.wait(SOON)
    assert panel.message.value == ""


def test_a_picture_that_cannot_be_drawn_is_a_message(panel):
    def draw():
        raise ValueError("too large to draw")

    def work(job):
        job.show(lambda: None)
        job.show(draw)  # too soon after the first one: it waits for the end

    panel.start(work)
    panel.wait(SOON)
    assert "too large to draw" in panel.message.value
    assert not panel.work.running


def test_what_was_shown_before_an_error_is_drawn(panel):
    shown = []

    def work(job):
        for k in range(3):
            job.show(lambda k=k: shown.append(k))
        raise RuntimeError("then it broke")

    panel.start(work)
    panel.wait(SOON)
    assert shown[-1] == 2
    assert "then it broke" in panel.message.value


def test_waiting_has_an_end(panel):
    panel.start(lambda job: job.cancel.wait(SOON))
    with pytest.raises(TimeoutError, match=r"the work of Shown has not ended after 0\.01 seconds"):
        panel.wait(0.01)


def test_answering_shows_an_error_and_clears_it(panel):
    with panel.answering():
        raise ValueError("a class that does not exist")
    assert "a class that does not exist" in panel.message.value
    with panel.answering():
        pass
    assert panel.message.value == ""


# ---- pages


def test_a_page_holds_all_that_it_shows(panel, tmp_path):
    page = panel.to_html(tmp_path / "panel.html").read_text(encoding="utf-8")
    assert "<title>a &lt;panel&gt;</title>" in page
    assert "<p>facts</p>" in page
    assert not re.findall(r"""(?:src|href|from|import)\s*[=(]?\s*["']https?:""", page)
    state = json.loads(re.search(r'id="state">(.*?)</script>', page, re.S)[1])
    assert [view["state"]["label"] for view in state] == ["a chart"]


def test_numbers_of_a_page_are_those_of_the_widget(tmp_path):
    overlay = Overlay(label="</script><b>{{state}}")
    values = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    overlay.put([OverlayPanel(map=values)])
    page = Shown([], [overlay]).to_html(tmp_path / "panel.html").read_text(encoding="utf-8")
    state = json.loads(re.search(r'id="state">(.*?)</script>', page, re.S)[1])[0]["state"]
    assert state["label"] == "</script><b>{{state}}"
    np.testing.assert_array_equal(
        np.frombuffer(base64.b64decode(state["numbers"]["base64"]), "<f4"), values.ravel()
    )


def test_where_widgets_do_not_run_there_is_a_picture(panel):
    shown = panel._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert base64.b64decode(shown["image/png"]).startswith(b"\x89PNG")
