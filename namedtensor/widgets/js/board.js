// Rows and columns of pictures with maps over them. The look of all of them is one state, kept here: moving a
// slider, the pointer or the zoom asks no kernel, and is written back once, when it is let go.

const LOOK = ['opacity', 'threshold', 'palette', 'unsigned_palette', 'sign', 'clip', 'scale', 'zoom', 'cursor', 'selection', 'tool', 'brush'];
const SIGN_NAMES = [['all', 'all'], ['positive', 'positive'], ['negative', 'negative'], ['absolute_value', 'magnitude']];
const CLIP_NAMES = [['none', 'nothing'], ['mass 98', '2 % of the mass'], ['mass 90', '10 % of the mass'], ['percentile 98', '2 % of the pixels']];
const SIGNED_NAMES = [['RdBu_r', 'blue to red'], ['PuOr_r', 'purple to orange'], ['PRGn', 'purple to green']];
const SCALE_NAMES = [['each', 'of each picture'], ['shared', 'shared']];
const TOOLS = { look: 'Look', select: 'Select', paint: 'Cover', erase: 'Uncover' };
const WHOLE = [0, 0, 1, 1]; // top, left, bottom, right, as fractions
const CLOSEST = 4; // pixels that the deepest zoom shows

class Board {
  constructor(model, el) {
    this.model = model;
    this.root = rootOf(el, model, 'overlay');
    this.bar = element('div', { class: 'nt-toolbar' });
    this.grid = element('div', { class: 'nt-grid' });
    this.readout = element('output', { class: 'nt-readout', 'aria-live': 'polite' }, ' ');
    this.root.append(this.bar, this.grid, this.readout);
    this.redraw = redrawer(this.root, () => this.draw());
    this.takeLook();
    this.takePanels();
    this.makeBar();
    this.stop = [
      listen(model, ['panels', 'numbers', 'rows', 'columns', 'remarks'], () => { this.takePanels(); this.makeBar(); this.redraw(); }),
      listen(model, LOOK, () => { this.takeLook(); this.putControls(); this.redraw(); }),
      listen(model, ['mask'], () => { this.takeMask(); this.redraw(); }),
    ];
    const sizes = new ResizeObserver(() => this.redraw());
    sizes.observe(this.grid);
    this.stop.push(() => sizes.disconnect());
    this.redraw.now();
  }

  // ---- state

  takeLook() {
    for (const name of LOOK) this[name] = this.model.get(name);
  }

  takePanels() {
    const numbers = floats(this.model.get('numbers'));
    const plane = where => where && {
      ...where,
      data: numbers.subarray(where.offset, where.offset + where.height * where.width * where.channels),
    };
    this.panels = this.model.get('panels').map(panel => ({ ...panel, image: plane(panel.image), map: plane(panel.map) }));
    for (const panel of this.panels) {
      panel.height = (panel.map ?? panel.image).height;
      panel.width = (panel.map ?? panel.image).width;
      panel.signed = panel.map ? panel.map.data.some(value => value < 0) : false;
      panel.missing = panel.map ? panel.map.data.reduce((n, value) => n + !Number.isFinite(value), 0) : 0;
    }
    this.takeMask();
    this.makeGrid();
  }

  takeMask() {
    const given = this.model.get('mask');
    const { height = 0, width = 0 } = this.panels[0] ?? {};
    this.covered = new Uint8Array(height * width);
    if (given?.byteLength === this.covered.length) {
      this.covered.set(new Uint8Array(given.buffer, given.byteOffset, given.byteLength));
    }
  }

  // Change the look here and now; the kernel hears of it from `rest`.
  look(changes) {
    Object.assign(this, changes);
    this.redraw();
  }

  rest(...names) {
    tell(this.model, Object.fromEntries(names.map(name => [name, this[name]])));
  }

  // ---- controls

  makeBar() {
    const maps = this.panels.filter(panel => panel.map);
    const over = maps.some(panel => panel.image);
    this.controls = {};
    const settled = name => value => { this.look({ [name]: value }); this.rest(name); };
    const add = (name, control, needed = true) => { if (needed && this.offers(name)) this.controls[name] = control; };
    add('opacity', slider('opacity', { min: 0, max: 1, step: 0.01, value: this.opacity, onmove: opacity => this.look({ opacity }), onrest: settled('opacity') }), over);
    add('threshold', slider('threshold', { min: 0, max: 1, step: 0.01, value: this.threshold, onmove: threshold => this.look({ threshold }), onrest: settled('threshold'), shown: t => `${Math.round(100 * t)} %` }), maps.length);
    add('sign', choice('sign', { options: SIGN_NAMES, value: this.sign, onrest: settled('sign') }), maps.some(panel => panel.signed));
    add('palette', choice('colours', { options: SIGNED_NAMES, value: this.palette, onrest: settled('palette') }), maps.some(panel => panel.signed));
    add('unsigned_palette', choice('colours of magnitudes', { options: ['viridis', 'cividis', 'gray'], value: this.unsigned_palette, onrest: settled('unsigned_palette') }), maps.length && !maps.every(panel => panel.signed));
    add('clip', choice('clip', { options: CLIP_NAMES, value: this.clip, onrest: settled('clip') }), maps.length);
    add('scale', choice('scale', { options: SCALE_NAMES, value: this.scale, onrest: settled('scale') }), maps.length > 1);
    add('brush', slider('brush', { min: 1, max: this.widestBrush(), step: 1, value: this.brush ?? 1, onrest: settled('brush'), shown: r => `${2 * r - 1} px` }), this.model.get('tools').includes('paint'));
    this.bar.replaceChildren(...Object.values(this.controls), this.zoomButtons(), ...this.toolButtons());
  }

  widestBrush() {
    const { height = 0, width = 0 } = this.panels[0] ?? {};
    return Math.max(2, Math.round(Math.min(height, width) / 6), this.brush ?? 1);
  }

  offers(name) {
    const offered = this.model.get('controls');
    return !offered.length || offered.includes(name);
  }

  putControls() {
    for (const [name, control] of Object.entries(this.controls)) control.put(this[name]);
    for (const [tool, made] of Object.entries(this.toolButton)) made.setAttribute('aria-pressed', tool === this.tool);
  }

  zoomButtons() {
    return element('span', { class: 'nt-buttons', role: 'group', 'aria-label': 'zoom' },
      button('+', 'zoom in', () => { this.zoomBy(1 / 1.5); this.rest('zoom'); }),
      button('−', 'zoom out', () => { this.zoomBy(1.5); this.rest('zoom'); }),
      button('all', 'show the whole picture', () => { this.look({ zoom: WHOLE }); this.rest('zoom'); }));
  }

  toolButtons() {
    this.toolButton = {};
    const offered = this.model.get('tools');
    if (offered.length < 2) return [];
    for (const tool of offered) {
      this.toolButton[tool] = button(TOOLS[tool], `${TOOLS[tool]} with the pointer`, () => {
        this.tool = tool;
        this.putControls();
        this.rest('tool');
      }, { 'aria-pressed': String(tool === this.tool) });
    }
    return [element('span', { class: 'nt-buttons', role: 'group', 'aria-label': 'tool' }, ...Object.values(this.toolButton))];
  }

  // ---- pictures

  makeGrid() {
    const titles = { rows: this.model.get('rows'), columns: this.model.get('columns') };
    const columns = 1 + Math.max(0, ...this.panels.map(panel => panel.column));
    const heads = titles.rows.length > 0;
    this.grid.style.gridTemplateColumns = `${heads ? 'minmax(6em, max-content) ' : ''}repeat(${columns}, minmax(0, ${this.widest(columns)}px))`;
    const cells = [];
    const at = (made, row, column) => { made.style.gridArea = `${row} / ${column}`; cells.push(made); };
    titles.columns.forEach((title, i) => at(element('div', { class: 'nt-column-title' }, title), 1, i + 1 + heads));
    this.rowLegends = titles.rows.map(() => element('div', { class: 'nt-legend' }));
    titles.rows.forEach((title, i) => at(element('div', { class: 'nt-row-title' }, title, this.rowLegends[i]), i + 2, 1));
    Object.entries(this.model.get('remarks') ?? {}).forEach(([row, text]) => at(element('div', { class: 'nt-alert nt-remark', role: 'alert' }, text), Number(row) + 2, `${1 + heads} / auto / -1`));
    this.cells = this.panels.map((panel, i) => {
      const cell = this.cellOf(panel, i);
      at(cell.root, panel.row + 2, panel.column + 1 + heads);
      return cell;
    });
    this.grid.replaceChildren(...cells);
  }

  cellOf(panel, i) {
    return new Cell(this, panel, i);
  }

  widest(columns) {
    return this.model.get('cell_width') || (columns === 1 ? 420 : columns <= 3 ? 300 : 150);
  }

  // The scales are found again only when what they depend on has changed: a drag of the opacity does not sort.
  scales() {
    const key = JSON.stringify([this.sign, this.clip, this.scale]);
    if (this.scaled?.key !== key || this.scaled.panels !== this.panels) {
      const groups = new Map();
      this.panels.forEach((panel, i) => {
        if (!panel.map) return;
        const name = this.scale === 'each' ? i : panel.group ?? '';
        groups.set(name, [...(groups.get(name) ?? []), i]);
      });
      const found = [];
      for (const members of groups.values()) {
        const scale = scaleOf(members.map(i => this.panels[i].map.data), { sign: this.sign, clip: this.clip, values: this.panels[members[0]].values });
        for (const i of members) found[i] = scale;
      }
      this.scaled = { key, panels: this.panels, found };
    }
    return this.scaled.found;
  }

  draw() {
    const scales = this.scales();
    this.cells.forEach((cell, i) => cell.draw(scales[i]));
    this.say();
  }

  // ---- zoom and cursor

  zoomBy(factor, [y, x] = this.middle()) {
    const [top, left, bottom, right] = this.zoom ?? WHOLE;
    const { height, width } = this.panels[0];
    const size = (length, all) => Math.min(1, Math.max(Math.min(1, CLOSEST / all), length * factor));
    const newHeight = size(bottom - top, height), newWidth = size(right - left, width);
    const start = (point, low, high, now) => Math.min(1 - now, Math.max(0, point - (point - low) / (high - low) * now));
    const newTop = start(y, top, bottom, newHeight), newLeft = start(x, left, right, newWidth);
    this.look({ zoom: [newTop, newLeft, newTop + newHeight, newLeft + newWidth] });
  }

  middle() {
    if (this.cursor) return [(this.cursor[1] + 0.5) / this.panels[this.cursor[0]].height, (this.cursor[2] + 0.5) / this.panels[this.cursor[0]].width];
    const [top, left, bottom, right] = this.zoom ?? WHOLE;
    return [(top + bottom) / 2, (left + right) / 2];
  }

  pan(dy, dx) {
    const [top, left, bottom, right] = this.zoom ?? WHOLE;
    const move = (low, high, by) => Math.min(1 - (high - low), Math.max(0, low - by));
    const newTop = move(top, bottom, dy), newLeft = move(left, right, dx);
    this.look({ zoom: [newTop, newLeft, newTop + bottom - top, newLeft + right - left] });
  }

  // The cursor, kept inside; what is not in sight is brought there.
  moveTo(panel, row, column) {
    const { height, width } = this.panels[panel];
    row = Math.min(height - 1, Math.max(0, row));
    column = Math.min(width - 1, Math.max(0, column));
    this.look({ cursor: [panel, row, column] });
    const [top, left, bottom, right] = this.zoom ?? WHOLE;
    const out = (low, high, at, all) => (at / all < low ? at / all - low : (at + 1) / all > high ? (at + 1) / all - high : 0);
    const dy = out(top, bottom, row, height), dx = out(left, right, column, width);
    if (dy || dx) this.pan(-dy, -dx);
  }

  say() {
    if (!this.cursor || !this.panels[this.cursor[0]]) {
      this.readout.textContent = this.panels.length ? this.model.get('hint') : '';
      return;
    }
    const [i, row, column] = this.cursor;
    const panel = this.panels[i];
    const [first, second] = this.model.get('dims');
    const place = [[first, row], [second, column]].map(([dim, at]) => `${dim}=${this.model.get('coords')[dim]?.[at] ?? at}`);
    const values = this.valuesAt(panel, row, column);
    this.readout.textContent = [...Object.entries(panel.index ?? {}).map(([dim, at]) => `${dim}=${at}`), ...place, ...values].join('  ');
  }

  valuesAt(panel, row, column) {
    const i = row * panel.width + column;
    const found = [];
    if (panel.map) found.push(`${panel.map.name}=${written(panel.map.data[i], true)}${panel.unit ? ` ${panel.unit}` : ''}`);
    if (panel.image) {
      const { data, channels, name } = panel.image;
      const all = Array.from({ length: channels }, (_, c) => written(data[channels * i + c]));
      found.push(`${name}=${channels > 1 ? `(${all.join(', ')})` : all[0]}`);
    }
    return found;
  }

  // ---- brush

  paint(row, column) {
    const { height, width } = this.panels[0];
    const radius = this.brush - 1;
    const value = this.tool === 'paint' ? 1 : 0;
    for (let y = Math.max(0, row - radius); y <= Math.min(height - 1, row + radius); y++) {
      for (let x = Math.max(0, column - radius); x <= Math.min(width - 1, column + radius); x++) {
        if ((y - row) ** 2 + (x - column) ** 2 <= radius ** 2 + 0.5) this.covered[y * width + x] = value;
      }
    }
    this.redraw();
  }

  // A fast pointer is heard of at a few places of its way only.
  stroke([row, column], [row2, column2]) {
    const steps = Math.max(1, Math.abs(row2 - row), Math.abs(column2 - column));
    for (let k = 1; k <= steps; k++) this.paint(Math.round(row + (row2 - row) * k / steps), Math.round(column + (column2 - column) * k / steps));
  }

  restPainting() {
    tell(this.model, { mask: new DataView(this.covered.slice().buffer) });
  }
}

// One picture: its canvas, title, scale and note.
class Cell {
  constructor(board, panel, i) {
    Object.assign(this, { board, panel, i });
    this.canvas = element('canvas', { class: 'nt-canvas', tabindex: 0, role: 'img' });
    this.canvas.style.aspectRatio = `${panel.width} / ${panel.height}`;
    this.legend = element('div', { class: 'nt-legend', hidden: !panel.map });
    this.value = element('output', { class: 'nt-value' });
    this.root = element('figure', { class: 'nt-cell' },
      panel.title ? element('figcaption', {}, panel.title) : null, this.canvas, this.legend,
      panel.note ? element('div', { class: 'nt-note' }, panel.note) : null);
    this.listenToPointer();
    this.listenToKeys();
  }

  // ---- drawing

  draw(scale) {
    const { canvas, board } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * ratio), height = Math.round(canvas.clientHeight * ratio);
    // for a moment without layout, as when JupyterLab changes its theme: what is drawn stays
    if (!width || !height) return;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext('2d');
    context.clearRect(0, 0, width, height);
    this.drawValues(context, scale);
    this.drawCovered(context);
    this.drawMarks(context, ratio);
    this.describe(scale);
    canvas.style.cursor = board.tool === 'look' ? 'crosshair' : 'cell';
  }

  drawValues(context, scale) {
    context.imageSmoothingEnabled = false;
    context.drawImage(this.raster(scale), ...this.shownPixels(), 0, 0, this.canvas.width, this.canvas.height);
  }

  // The pixels as a canvas of their own size, made again only when their look has changed.
  raster(scale) {
    const { board, panel } = this;
    const palette = scale?.signed ? board.palette : board.unsigned_palette;
    const key = [palette, board.opacity, board.threshold, board.sign].join();
    if (this.drawn?.key !== key || this.drawn.scale !== scale) {
      const canvas = this.drawn?.canvas ?? element('canvas');
      Object.assign(canvas, { width: panel.width, height: panel.height });
      canvas.getContext('2d').putImageData(rasterOf(panel.image, panel.map, scale, palette, board), 0, 0);
      this.drawn = { key, scale, canvas };
    }
    return this.drawn.canvas;
  }

  shownPixels() {
    const [top, left, bottom, right] = this.board.zoom ?? WHOLE;
    const { height, width } = this.panel;
    return [left * width, top * height, (right - left) * width, (bottom - top) * height];
  }

  // From rows and columns to pixels of the canvas.
  box([top, left, bottom, right]) {
    const [x, y, width, height] = this.shownPixels();
    const sx = this.canvas.width / width, sy = this.canvas.height / height;
    return [(left - x) * sx, (top - y) * sy, (right - left) * sx, (bottom - top) * sy];
  }

  drawCovered(context) {
    const { board, panel } = this;
    if (board.covered.length !== panel.width * panel.height || !board.covered.includes(1)) return;
    context.fillStyle = 'rgba(255, 140, 0, 0.75)';
    board.covered.forEach((covered, i) => {
      if (!covered) return;
      const row = Math.floor(i / panel.width), column = i % panel.width;
      context.fillRect(...this.box([row, column, row + 1, column + 1]));
    });
  }

  drawMarks(context, ratio) {
    const { cursor, selection } = this.board;
    const outline = (box, dashed) => { // black and white, to be seen on any colour
      for (const [colour, line] of [['#000', 3], ['#fff', 1]]) {
        context.setLineDash(dashed ? [6 * ratio, 3 * ratio] : []);
        context.strokeStyle = colour;
        context.lineWidth = line * ratio;
        context.strokeRect(...box);
      }
    };
    if (selection) outline(this.box(selection), true);
    if (cursor) outline(this.box([cursor[1], cursor[2], cursor[1] + 1, cursor[2] + 1]), false);
  }

  describe(scale) {
    const { board, panel } = this;
    const around = [board.model.get('rows')[panel.row], board.model.get('columns')[panel.column]];
    const said = [...around, panel.title, panel.note].filter(Boolean).join(', ') || board.model.get('label');
    this.canvas.setAttribute('aria-label', `${said}. Arrow keys move over the pixels, + and − zoom.`);
    if (!scale) return;
    const place = this.legendPlace();
    const key = [scale.low, scale.high, board.palette, board.unsigned_palette].join();
    if (this.legended === key && this.legendIn === place) return;
    this.legendIn?.replaceChildren();
    Object.assign(this, { legended: key, legendIn: place });
    place?.replaceChildren(...legendOf(scale, scale.signed ? board.palette : board.unsigned_palette, panel, board));
  }

  // Below the picture; of a row that has one scale, below the row's title, or only below its first picture.
  legendPlace() {
    const { board, panel } = this;
    if (board.scale === 'each') return this.legend;
    const row = board.panels.filter(other => other.map && other.row === panel.row);
    const alike = row.filter(other => (other.group ?? '') === (panel.group ?? ''));
    if (alike[0] !== panel) return null;
    return (alike.length === row.length && board.rowLegends[panel.row]) || this.legend;
  }

  // ---- pointer

  pixelAt(event) {
    const bounds = this.canvas.getBoundingClientRect();
    const [x, y, width, height] = this.shownPixels();
    const row = Math.floor(y + height * (event.clientY - bounds.top) / bounds.height);
    const column = Math.floor(x + width * (event.clientX - bounds.left) / bounds.width);
    return [Math.min(this.panel.height - 1, Math.max(0, row)), Math.min(this.panel.width - 1, Math.max(0, column))];
  }

  listenToPointer() {
    const { canvas, board } = this;
    let held = null;
    canvas.addEventListener('pointerdown', event => {
      if (event.button) return;
      held = { pixel: this.pixelAt(event), x: event.clientX, y: event.clientY, zoom: board.zoom };
      canvas.setPointerCapture(event.pointerId);
      if (this.paints()) board.paint(...held.pixel);
    });
    canvas.addEventListener('pointermove', event => {
      const pixel = this.pixelAt(event);
      if (held) this.drag(event, held, pixel);
      if (!held || board.tool !== 'look') board.look({ cursor: [this.i, ...pixel] });
    });
    const end = () => {
      if (!held) return;
      if (board.tool === 'select') board.rest('selection', 'cursor');
      else if (this.paints()) board.restPainting();
      else board.rest('zoom', 'cursor');
      held = null;
    };
    canvas.addEventListener('pointerup', end);
    canvas.addEventListener('pointercancel', end);
    canvas.addEventListener('pointerleave', () => { if (!held && !canvas.matches(':focus-visible')) board.look({ cursor: null }); });
    canvas.addEventListener('dblclick', event => {
      const bounds = canvas.getBoundingClientRect();
      const [top, left, bottom, right] = board.zoom ?? WHOLE;
      board.zoomBy(0.5, [top + (bottom - top) * (event.clientY - bounds.top) / bounds.height, left + (right - left) * (event.clientX - bounds.left) / bounds.width]);
      board.rest('zoom');
    });
  }

  paints() {
    return this.board.tool === 'paint' || this.board.tool === 'erase';
  }

  drag(event, held, pixel) {
    const { board, canvas } = this;
    if (board.tool === 'select') board.look({ selection: rectangle(held.pixel, pixel) });
    else if (this.paints()) {
      board.stroke(held.last ?? held.pixel, pixel);
      held.last = pixel;
    } else {
      const [top, left, bottom, right] = held.zoom ?? WHOLE;
      board.zoom = held.zoom;
      board.pan((bottom - top) * (event.clientY - held.y) / canvas.clientHeight, (right - left) * (event.clientX - held.x) / canvas.clientWidth);
    }
  }

  // ---- keys

  listenToKeys() {
    const { board } = this;
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
    this.canvas.addEventListener('keydown', event => {
      const [, row, column] = board.cursor ?? [0, Math.floor(this.panel.height / 2), Math.floor(this.panel.width / 2)];
      const move = moves[event.key];
      if (move) {
        const next = [row + move[0], column + move[1]];
        board.moveTo(this.i, ...next);
        if (event.shiftKey && board.model.get('tools').includes('select')) this.extend([row, column]);
      } else if (event.key === '+' || event.key === '=') board.zoomBy(1 / 1.5);
      else if (event.key === '-') board.zoomBy(1.5);
      else if (event.key === '0') board.look({ zoom: WHOLE });
      else if (event.key === ' ' && this.paints()) board.paint(row, column);
      else if (event.key === 'Escape') board.look({ selection: null });
      else return;
      event.preventDefault();
    });
    this.canvas.addEventListener('keyup', event => {
      if (event.key === ' ' && this.paints()) board.restPainting();
      else if (event.key in moves || '+=-0'.includes(event.key) || event.key === 'Escape') board.rest('cursor', 'zoom', 'selection');
    });
    this.canvas.addEventListener('focus', () => { if (!board.cursor) board.moveTo(this.i, Math.floor(this.panel.height / 2), Math.floor(this.panel.width / 2)); });
  }

  extend(from) {
    this.from = this.board.selection && this.from ? this.from : from;
    this.board.look({ selection: rectangle(this.from, this.board.cursor.slice(1)) });
  }
}

function rectangle([row, column], [row2, column2]) {
  return [Math.min(row, row2), Math.min(column, column2), Math.max(row, row2) + 1, Math.max(column, column2) + 1];
}

// What is said where there is no range of colours.
function legendOfOne(scale, panel, board) {
  if (panel.missing === panel.width * panel.height) return 'no value is finite';
  if (scale.flat) return `all values are ${written(scale.low)}`;
  if (scale.empty) return board.sign === 'all' ? 'all values are 0' : `nothing ${board.sign}`;
  return null;
}

// A colour bar with its ends, the unit, and the rule by which values were cut off.
function legendOf(scale, palette, panel, board) {
  const all = legendOfOne(scale, panel, board);
  if (all) return [element('span', { class: 'nt-note' }, all)];
  const table = coloursOf(palette);
  const stops = Array.from({ length: 17 }, (_, i) => `rgb(${table.subarray(48 * i - 3 * (i === 16), 48 * i - 3 * (i === 16) + 3).join()})`);
  const strip = element('span', { class: 'nt-strip' });
  strip.style.background = `linear-gradient(to right, ${stops.join()})`;
  const rule = scale.clipped ? CLIP_NAMES.find(([key]) => key === board.clip)[1] : null;
  const text = [panel.unit, rule && `clipped: ${rule}`, panel.missing ? `${panel.missing} not finite` : null].filter(Boolean).join(' · ');
  return [
    element('span', { class: 'nt-bar' }, element('span', {}, written(scale.low)), strip, element('span', {}, written(scale.high))),
    ...(text ? [element('span', { class: 'nt-note' }, text)] : []),
  ];
}
