// What all views share: numbers, colours, elements, redrawing. Nothing is imported.

// ---- numbers

// The float32 numbers of a Bytes trait, which need not begin at a multiple of four.
function floats(view) {
  if (!view?.byteLength) return new Float32Array(0);
  return new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));
}

function written(value, signed = false) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+∞' : '−∞';
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? size.toExponential(2) : String(Number(size.toPrecision(3)));
  return (value < 0 ? '−' : signed && value > 0 ? '+' : '') + text;
}

// ---- scales: how numbers become fractions of a colour map

const SIGNS = {
  all: value => value,
  positive: value => Math.max(value, 0),
  negative: value => Math.max(-value, 0),
  absolute_value: value => Math.abs(value),
};

// The magnitude at which colours end: the largest, or where the running sum of all reaches a share (`mass 98`,
// Captum's outlier_perc=2), or a percentile.
function limitOf(magnitudes, clip) {
  if (!magnitudes.length) return 0;
  const sorted = Float64Array.from(magnitudes).sort();
  const largest = sorted[sorted.length - 1];
  const [rule, amount] = clip.split(' ');
  let found = largest;
  if (rule === 'mass') {
    let total = 0, running = 0, i = 0;
    for (const size of sorted) total += size;
    const wanted = total * (Number(amount) / 100);
    while (i < sorted.length - 1 && (running += sorted[i]) < wanted) i++;
    found = sorted[i];
  } else if (rule === 'percentile') {
    const place = (sorted.length - 1) * (Number(amount) / 100);
    const low = Math.floor(place), rest = place - low;
    found = rest ? sorted[low] + rest * (sorted[low + 1] - sorted[low]) : sorted[low];
  }
  // in a sparse map a percentile may be 0: a scale that ends there would show nothing
  return found > 0 ? found : largest;
}

// One scale for several maps. `values: true` is for numbers that are no attributions: where all have one sign
// the colours begin at the smallest, not at 0.
function scaleOf(maps, { sign = 'all', clip = 'none', values = false } = {}) {
  const part = SIGNS[sign];
  const finite = [];
  let low = Infinity, high = -Infinity;
  for (const map of maps) {
    for (const value of map) {
      if (!Number.isFinite(value)) continue;
      const shown = part(value);
      finite.push(Math.abs(shown));
      if (shown < low) low = shown;
      if (shown > high) high = shown;
    }
  }
  const signed = sign === 'all' && low < 0;
  if (values && !(low < 0 && high > 0)) return { part, low, high, signed: false, empty: !(low <= high), flat: low === high };
  const limit = limitOf(finite, clip);
  const empty = !(limit > 0); // drawn flat, in the middle of the colours
  return { part, low: signed || (empty && sign === 'all') ? -(limit || 1) : 0, high: limit || 1, signed: signed || (empty && sign === 'all'), empty, clipped: limit < Math.max(high, -low) };
}

// ---- colours

const colourTables = {};
function coloursOf(name) {
  colourTables[name] ??= Uint8Array.from(atob(PALETTES[name]), letter => letter.charCodeAt(0));
  return colourTables[name];
}

// [red, green, blue] of a value on a scale.
function colourIndex(value, scale) {
  const fraction = (scale.part(value) - scale.low) / (scale.high - scale.low || 1);
  return 3 * Math.round(255 * Math.min(1, Math.max(0, fraction)));
}

// In no colour map: what is not a number, and what has no end.
const MISSING = [128, 128, 128];
const INFINITE = [255, 0, 255];

// Pixels of a map over an image. `image`: {data, height, width, channels} or null, values 0 to 1; `map`: the same
// with one channel, or null.
function rasterOf(image, map, scale, palette, { opacity = 1, threshold = 0 } = {}) {
  const { height, width } = map ?? image;
  const pixels = new Uint8ClampedArray(4 * height * width);
  const table = map && coloursOf(palette);
  const least = threshold * Math.max(Math.abs(scale?.low ?? 0), Math.abs(scale?.high ?? 0));
  for (let i = 0, p = 0; p < pixels.length; i++, p += 4) {
    let red = 0, green = 0, blue = 0, under = 0;
    if (image) {
      const colour = image.channels === 3;
      red = 255 * image.data[colour ? 3 * i : i];
      green = colour ? 255 * image.data[3 * i + 1] : red;
      blue = colour ? 255 * image.data[3 * i + 2] : red;
      // under a map only brightness is left, else two colours would mix into a third that means nothing
      if (map && colour && opacity > 0) red = green = blue = 0.299 * red + 0.587 * green + 0.114 * blue;
      under = 1;
    }
    let over = 0;
    if (map) {
      const value = map.data[i];
      const missing = !Number.isFinite(value);
      const seen = missing || threshold === 0 || Math.abs(scale.part(value)) >= least;
      over = seen ? (image ? opacity : 1) : 0;
      if (over) {
        const at = missing ? 0 : colourIndex(value, scale);
        const [r, g, b] = missing ? (Number.isNaN(value) ? MISSING : INFINITE) : [table[at], table[at + 1], table[at + 2]];
        red += over * (r - red);
        green += over * (g - green);
        blue += over * (b - blue);
      }
    }
    pixels[p] = red;
    pixels[p + 1] = green;
    pixels[p + 2] = blue;
    pixels[p + 3] = 255 * Math.max(under, over);
  }
  return new ImageData(pixels, width, height);
}

// ---- elements

// element('button', {class: 'x', onclick: f, 'aria-label': 'y'}, child, 'text')
function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? '' : value);
  }
  made.append(...children.filter(child => child !== null && child !== undefined));
  return made;
}

function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) if (value !== null) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

// A control with its label; `onmove` while it moves, `onrest` when it is let go.
function slider(label, { min, max, step, value, onmove, onrest, shown = written }) {
  const output = element('output', { class: 'nt-number' }, shown(value));
  const input = element('input', { type: 'range', min, max, step, 'aria-label': label });
  input.value = value;
  const say = () => {
    output.textContent = shown(Number(input.value));
    input.setAttribute('aria-valuetext', output.textContent);
  };
  input.addEventListener('input', () => { say(); onmove?.(Number(input.value)); });
  input.addEventListener('change', () => onrest?.(Number(input.value)));
  say();
  const made = element('label', { class: 'nt-control' }, element('span', {}, label), input, output);
  made.put = next => { input.value = next; say(); };
  return made;
}

function choice(label, { options, value, onrest }) {
  const pairs = options.map(option => (Array.isArray(option) ? option : [option, option]));
  const select = element('select', { 'aria-label': label }, ...pairs.map(([key, text]) => element('option', { value: key }, text)));
  select.value = value;
  select.addEventListener('change', () => onrest(select.value));
  const made = element('label', { class: 'nt-control' }, element('span', {}, label), select);
  made.put = next => { select.value = next; };
  return made;
}

function button(text, label, onclick, more = {}) {
  return element('button', { type: 'button', class: 'nt-button', 'aria-label': label, title: label, onclick, ...more }, text);
}

// ---- a view

// The root of a view. JupyterLab takes arrow keys for its cells, also from a slider: they stop here. Escape goes
// on, because it is the way out of a widget.
function rootOf(el, model, name) {
  const root = element('div', { class: `nt-view nt-${name}`, role: 'group', 'aria-label': model.get('label') || name });
  root.addEventListener('keydown', event => { if (event.key !== 'Escape') event.stopPropagation(); });
  el.replaceChildren(root);
  return root;
}

// `redraw()` as often as wanted, drawn once a frame. The count is what tests and benchmarks read.
function redrawer(root, draw) {
  let waits = false;
  root.dataset.redraws = 0;
  const now = () => {
    waits = false;
    draw();
    root.dataset.redraws = Number(root.dataset.redraws) + 1;
    root.dispatchEvent(new CustomEvent('nt-redraw'));
  };
  const redraw = () => {
    if (!waits) requestAnimationFrame(now);
    waits = true;
  };
  redraw.now = now;
  return redraw;
}

// Listen to changes of traits; returns what ends it, for a view's clean-up.
function listen(model, names, call) {
  const events = names.map(name => `change:${name}`);
  for (const event of events) model.on(event, call);
  return () => { for (const event of events) model.off(event, call); };
}

// Several traits in one message to the kernel.
function tell(model, values) {
  for (const [name, value] of Object.entries(values)) model.set(name, value);
  model.save_changes();
}
