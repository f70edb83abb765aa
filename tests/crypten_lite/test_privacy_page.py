"""The privacy explorer's page in a real browser, without a network: it puts the shares together by itself."""

import numpy as np
import pytest

from crypten_lite.timeline import network_seconds
from tests.crypten_lite.test_privacy_explorer import IMAGES, WEIGHTS, made, model
from tests.widgets import IN_BROWSER, named_controls, opened, settled, unreadable

pytestmark = IN_BROWSER
SHARES, TIMELINE = ".nt-shares", ".nt-timeline"
PIXELS = """canvas => [...canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data]"""


@pytest.fixture(scope="module")
def explorer():
    explorer = made(model, IMAGES, weights=WEIGHTS, parties=3, fraction=20)
    explorer.samples.value = 1
    explorer.compare()
    explorer.wait(60)
    return explorer


@pytest.fixture(scope="module")
def path(explorer, tmp_path_factory):
    return explorer.to_html(tmp_path_factory.mktemp("page") / "private.html")


@pytest.fixture
def page(browser, path):
    with opened(browser, path) as page:
        yield page


def pixels(page, i):
    drawn = np.array(page.locator(f"{SHARES} canvas").nth(i).evaluate(PIXELS))
    return drawn.reshape(4, 6, 4)[..., 0]


def grey(numbers):
    """From black to white over the range of the numbers."""
    return 255 * (numbers - numbers.min()) / (numbers.max() - numbers.min())


def test_the_slider_puts_shares_together(page, explorer):
    image = grey(IMAGES[0])
    np.testing.assert_allclose(pixels(page, 0), image, atol=1)
    np.testing.assert_allclose(pixels(page, 4), image, atol=1)  # all three together
    slider = page.get_by_label("shares put together")
    assert slider.get_attribute("aria-valuetext") == "3 of 3"
    slider.focus()
    for k in (2, 1):
        page.keyboard.press("ArrowLeft")
        settled(page)
        together = explorer.result.shares[:k].sum(0, dtype=np.uint64).view(np.int64).astype(np.float64)
        np.testing.assert_allclose(pixels(page, 4), grey(together), atol=1)
        assert page.locator(f"{SHARES} figcaption").last.text_content() == f"{k} of 3 together: still noise"
    for i in range(3):
        share = explorer.result.shares[i].view(np.int64).astype(np.float64)
        np.testing.assert_allclose(pixels(page, 1 + i), grey(share), atol=1)
    page.keyboard.press("End")
    settled(page)
    np.testing.assert_allclose(pixels(page, 4), image, atol=1)


def test_a_pixel_shows_all_bits_of_each_share(page, explorer):
    page.locator(f"{SHARES} canvas").first.focus()
    page.keyboard.press("ArrowUp")  # from the middle, row 2 and column 3
    said = page.locator(f"{SHARES} output.nt-readout").text_content()
    assert "height=1 width=3" in said
    for share in explorer.result.shares:
        assert f"0x{int(share[1, 3]):016x}" in said
    whole = round(float(IMAGES[0, 1, 3]) * 2**20)
    assert f"3 together, modulo 2^64  0x{whole:016x}" in said


def test_the_timeline_follows_the_network_that_is_chosen(page, explorer):
    table = page.locator(f"{TIMELINE} table")
    rows = [row.split("\t") for row in table.inner_text().split("\n")]
    assert f"{explorer.cost.bytes_per_party:,}" in table.inner_text()
    assert [r[0] for r in rows if r[0] in explorer.cost.by_layer] == list(explorer.cost.by_layer)
    page.get_by_label("delay of the network").select_option("40")
    page.get_by_label("bandwidth").select_option("10")
    page.get_by_label("along").select_option("seconds")
    settled(page)
    milliseconds = 1000 * network_seconds(explorer.cost, delay=0.04, bandwidth=10e6)
    assert f"= {milliseconds:.3g} ms" in page.locator(".nt-timeline-total").text_content()
    bars = page.locator(".nt-timeline-visit")
    assert bars.count() == len(explorer.result.stretches)
    widths = [float(w.rstrip("%")) for w in bars.evaluate_all("bars => bars.map(bar => bar.style.width)")]
    seconds = [network_seconds(s, delay=0.04, bandwidth=10e6) for s in explorer.result.stretches]
    np.testing.assert_allclose(widths, 100 * np.array(seconds) / sum(seconds), rtol=1e-3, atol=1e-3)


def test_arrow_keys_go_from_visit_to_visit(page, explorer):
    page.locator(f"{TIMELINE} table").focus()
    for stretch in explorer.result.stretches[:2]:
        page.keyboard.press("ArrowRight")
        said = page.locator(f"{TIMELINE} output.nt-readout").text_content()
        assert said.startswith(f"{stretch.layer}  rounds {stretch.start} to {stretch.start + stretch.rounds}")
        assert f"{stretch.bytes_per_party:,} bytes a party" in said
    assert page.locator(".nt-timeline-marked").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_eye_and_by_ear(browser, explorer, path, scheme):
    with opened(browser, path, scheme=scheme) as page:
        assert "nothing in it is hidden" in page.locator(".nt-notice").text_content()
        assert unreadable(page) == []
        names = named_controls(page)  # the choices of a list are among them
        assert all(names)
        assert {"shares put together", "along", "delay of the network", "bandwidth"} <= set(names)
        assert page.locator("canvas:not([aria-label]), svg[role=img]:not([aria-label])").count() == 0
        drawn = [y > 0 for s in explorer.errors.series for y in s["y"]] + [True] * len(explorer.exactness)
        assert page.locator(".nt-chart-picture circle").count() == sum(drawn) > 13
