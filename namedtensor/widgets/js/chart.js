// Lines or bars with axes, a value under the pointer, and a table for those who do not see them.

// Distinguishable with colour blindness (Okabe and Ito 2008), and each with a dash of its own as well.
const LINE_COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'];
const DASHES = ['', '6 3', '2 2', '8 3 2 3', '1 3', '10 4'];
const MARGIN = { top: 8, right: 14, bottom: 40, left: 62 };

function ticksOf(low, high, log) {
  if (log) {
    const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
    const every = Math.max(1, Math.ceil((last - first + 1) / 6));
    const decades = [];
    for (let e = first; e <= last; e += every) decades.push(10 ** e);
    return decades.length > 1 ? decades : [low, high];
  }
  const rough = (high - low) / 4 || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find(m => m * power >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) ticks.push(i * step);
  return ticks;
}

// Ticks are round numbers: 1e-4, not 1.00e-4.
function ticked(value) {
  return written(value).replace('.00e', 'e');
}

// From numbers to pixels. Zero and less have no logarithm: they are left out.
function axisOf(values, from, to, { log = false, zero = false } = {}) {
  const kept = values.filter(v => Number.isFinite(v) && (!log || v > 0));
  let low = Math.min(...kept, ...(zero && !log ? [0] : [])), high = Math.max(...kept, ...(zero && !log ? [0] : []));
  if (!kept.length) [low, high] = log ? [0.1, 1] : [0, 1];
  if (low === high) [low, high] = log ? [low / 2, high * 2] : [low - (zero ? 0 : 0.5), high + 0.5];
  const place = log ? Math.log : v => v;
  const axis = value => from + (to - from) * (place(value) - place(low)) / (place(high) - place(low));
  axis.shows = value => Number.isFinite(value) && (!log || value > 0);
  return Object.assign(axis, { low, high, ticks: ticksOf(low, high, log) });
}

function drawAxes(into, x, y, { width, height, xLabel, yLabel, xTicks }) {
  const bottom = height - MARGIN.bottom;
  for (const tick of y.ticks) {
    into.append(svg('line', { x1: MARGIN.left, x2: width - MARGIN.right, y1: y(tick), y2: y(tick), class: 'nt-gridline' }),
      svg('text', { x: MARGIN.left - 6, y: y(tick) + 4, 'text-anchor': 'end' }, ticked(tick)));
  }
  for (const [at, text] of xTicks) into.append(svg('text', { x: at, y: bottom + 16, 'text-anchor': 'middle' }, text));
  into.append(svg('line', { x1: MARGIN.left, x2: width - MARGIN.right, y1: bottom, y2: bottom, class: 'nt-axis' }),
    svg('text', { x: (MARGIN.left + width - MARGIN.right) / 2, y: height - 6, 'text-anchor': 'middle' }, xLabel),
    svg('text', { transform: `translate(14 ${(MARGIN.top + bottom) / 2}) rotate(-90)`, 'text-anchor': 'middle' }, yLabel));
}

function drawLines(into, size, { series, xLabel, yLabel, xLog, yLog, yZero }) {
  const x = axisOf(series.flatMap(s => s.x), MARGIN.left, size.width - MARGIN.right, { log: xLog });
  const y = axisOf(series.flatMap(s => s.y), size.height - MARGIN.bottom, MARGIN.top, { log: yLog, zero: yZero });
  drawAxes(into, x, y, { ...size, xLabel, yLabel, xTicks: x.ticks.map(tick => [x(tick), ticked(tick)]) });
  const points = [];
  series.forEach((line, i) => {
    const colour = LINE_COLOURS[i % LINE_COLOURS.length];
    const shown = line.x.map((v, k) => [v, line.y[k]]).filter(([a, b]) => x.shows(a) && y.shows(b));
    const path = shown.map(([a, b], k) => `${k ? 'L' : 'M'}${x(a).toFixed(1)} ${y(b).toFixed(1)}`).join('');
    into.append(svg('path', { d: path, fill: 'none', stroke: colour, 'stroke-width': 2, 'stroke-dasharray': DASHES[i % DASHES.length] || null }));
    const alone = shown.length < 40;
    for (const [a, b] of shown) {
      if (alone) into.append(svg('circle', { cx: x(a), cy: y(b), r: shown.length > 1 ? 2.5 : 5, fill: colour }));
      points.push({ x: x(a), y: y(b), text: `${line.name ? `${line.name}: ` : ''}${xLabel} ${written(a)}, ${yLabel} ${written(b)}` });
    }
  });
  return points;
}

// Horizontal bars, so that names have room.
function drawBars(into, size, { series, xLabel, xLog }) {
  const names = series[0]?.x ?? [];
  const left = Math.min(size.width / 2, 20 + 7 * Math.max(4, ...names.map(name => String(name).length)));
  const values = series.flatMap(s => s.y), beside = series.length === 1 ? 50 : 6; // room for the numbers, if there are any
  const below = values.some(v => v < 0) ? beside : 0;
  const x = axisOf(values, left + below, size.width - MARGIN.right - beside, { log: xLog, zero: true });
  const room = (size.height - MARGIN.top - MARGIN.bottom) / Math.max(1, names.length);
  const base = xLog ? left + below : x(0);
  const points = [];
  names.forEach((name, i) => {
    const top = MARGIN.top + i * room;
    into.append(svg('text', { x: left - 6, y: top + room / 2 + 4, 'text-anchor': 'end' }, String(name)));
    series.forEach((bars, k) => {
      const value = bars.y[i], thick = Math.min(22, 0.8 * room / series.length);
      const at = x.shows(value) ? x(value) : base;
      const middle = top + room / 2 + (k - (series.length - 1) / 2) * thick;
      into.append(svg('rect', { x: Math.min(base, at), width: Math.abs(at - base), y: middle - thick / 2, height: Math.max(1, thick - 1), fill: LINE_COLOURS[k % LINE_COLOURS.length], 'fill-opacity': k === 1 ? 0.45 : 1 }));
      if (series.length === 1) into.append(svg('text', { x: value < 0 ? at - 5 : at + 5, y: middle + 4, 'text-anchor': value < 0 ? 'end' : 'start' }, written(value)));
      points.push({ x: at, y: middle, text: `${name}${bars.name ? `, ${bars.name}` : ''}: ${written(value)}` });
    });
  });
  into.append(svg('line', { x1: base, x2: base, y1: MARGIN.top, y2: size.height - MARGIN.bottom, class: 'nt-axis' }),
    svg('text', { x: (left + size.width) / 2, y: size.height - 12, 'text-anchor': 'middle' }, xLabel));
  return points;
}

function legendOfSeries(series, bars) {
  const named = series.filter(s => s.name);
  if (named.length < 2) return [];
  return named.map((s, i) => {
    const line = svg('svg', { width: 26, height: 10, 'aria-hidden': 'true' });
    line.append(bars ? svg('rect', { x: 3, width: 20, height: 10, fill: LINE_COLOURS[i % LINE_COLOURS.length], 'fill-opacity': i === 1 ? 0.45 : 1 })
      : svg('line', { x1: 0, x2: 26, y1: 5, y2: 5, stroke: LINE_COLOURS[i % LINE_COLOURS.length], 'stroke-width': 2, 'stroke-dasharray': DASHES[i % DASHES.length] || null }));
    return element('span', {}, line, ` ${s.name}`);
  });
}

function tableOf(series, xLabel, label) {
  const names = [...new Set(series.flatMap(s => s.x))];
  const row = (tag, cells) => element('tr', {}, ...cells.map(cell => element(tag, {}, cell)));
  const table = element('table', {}, element('caption', {}, label),
    row('th', [xLabel, ...series.map(s => s.name)]),
    ...names.map(name => row('td', [String(name), ...series.map(s => (s.x.includes(name) ? written(s.y[s.x.indexOf(name)]) : ''))])));
  return element('div', { class: 'nt-hidden-text' }, table);
}

function render({ model, el }) {
  const root = rootOf(el, model, 'chart');
  const legend = element('div', { class: 'nt-toolbar' });
  const picture = svg('svg', { role: 'img', tabindex: 0, class: 'nt-chart-picture' });
  const readout = element('output', { class: 'nt-readout', 'aria-live': 'polite' });
  const table = element('div');
  root.append(legend, picture, readout, table);
  let points = [], at = -1;
  const redraw = redrawer(root, () => {
    // for a moment without layout, as when JupyterLab changes its theme: what is drawn stays
    if (picture.childElementCount && !root.hidden && !picture.clientWidth) return;
    const given = name => model.get(name);
    const size = { width: picture.clientWidth || 480, height: given('height') };
    const about = { series: given('series'), xLabel: given('x_label'), yLabel: given('y_label'), xLog: given('x_log'), yLog: given('y_log'), yZero: given('y_zero') };
    const bars = given('kind') === 'bars';
    root.hidden = !about.series.length;
    picture.style.height = `${size.height}px`;
    picture.setAttribute('aria-label', `${given('label')}. Arrow keys read the values.`);
    picture.replaceChildren();
    points = (bars ? drawBars : drawLines)(picture, size, about);
    legend.replaceChildren(...legendOfSeries(about.series, bars));
    table.replaceChildren(tableOf(about.series, about.xLabel, given('label')));
    if (at >= points.length) at = -1;
    mark();
  });
  const mark = () => {
    picture.querySelector('.nt-mark')?.remove();
    readout.textContent = points[at]?.text ?? ' ';
    if (points[at]) picture.append(svg('circle', { cx: points[at].x, cy: points[at].y, r: 5, class: 'nt-mark' }));
  };
  picture.addEventListener('pointermove', event => {
    const bounds = picture.getBoundingClientRect();
    const far = p => Math.hypot(p.x - (event.clientX - bounds.left), p.y - (event.clientY - bounds.top));
    at = points.reduce((best, p, i) => (best < 0 || far(p) < far(points[best]) ? i : best), -1);
    mark();
  });
  picture.addEventListener('pointerleave', () => { at = -1; mark(); });
  picture.addEventListener('keydown', event => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step || !points.length) return;
    at = Math.min(points.length - 1, Math.max(0, at + step));
    mark();
    event.preventDefault();
  });
  const sizes = new ResizeObserver(redraw);
  sizes.observe(picture);
  const stop = listen(model, ['series', 'kind', 'x_label', 'y_label', 'x_log', 'y_log', 'y_zero', 'height', 'label'], redraw);
  redraw.now();
  return () => { stop(); sizes.disconnect(); };
}

export default { render };
