// A tensor whose dims are dragged between roles. It is sliced here: moving a dim, a slider or the pointer asks no
// kernel, unless the tensor was too large to send. The pictures are those of a board.

const SCALES = [['each', 'of each picture'], ['shared', 'of what is shown'], ['whole', 'of the whole tensor']];
const COLOURS = ['palette', 'unsigned_palette', 'clip'];
const PAGE = 36; // pictures side by side; more are on a further slider

// What a board asks of its model, kept here: [look, and the pictures that are cut out of the tensor].
function localModel(state) {
  const heard = {};
  return {
    get: name => state[name],
    set(name, value) { state[name] = value; for (const call of heard[`change:${name}`] ?? []) call(); },
    on(name, call) { (heard[name] ??= []).push(call); },
    off(name, call) { heard[name] = (heard[name] ?? []).filter(other => other !== call); },
    save_changes() {},
  };
}

class TensorBoard extends Board {
  cellOf(panel, i) {
    return panel.height === 1 && panel.width > 1 ? new LineCell(this, panel, i) : super.cellOf(panel, i);
  }

  say() {
    this.model.get('explorer').say(this.cursor);
  }

  // One scale for all, where the colours are those of the whole tensor.
  scales() {
    const limits = this.model.get('explorer')?.wholeLimits();
    if (!limits) return super.scales();
    const key = JSON.stringify([limits, this.sign, this.clip]);
    if (this.whole?.key !== key) this.whole = { key, scale: scaleOf([Float32Array.from(limits)], { sign: this.sign, values: true }) };
    return this.panels.map(() => this.whole.scale);
  }
}

class TensorPanel {
  constructor(model, el) {
    this.model = model;
    this.root = rootOf(el, model, 'tensor');
    this.head = element('div', { class: 'nt-tensor-text' });
    this.zones = new Zones((dim, role) => this.move(dim, role));
    this.sliderRow = element('div', { class: 'nt-toolbar' });
    this.place = element('div');
    this.message = element('div', { class: 'nt-note', hidden: true });
    this.readout = element('output', { class: 'nt-readout', 'aria-live': 'polite' }, ' ');
    this.picked = element('div', { class: 'nt-picked' });
    this.said = element('div', { class: 'nt-hidden-text', 'aria-live': 'assertive' });
    this.root.append(this.head, this.zones.root, this.sliderRow, this.message, this.place, this.readout, this.picked, this.said);
    this.local = localModel({
      explorer: this, label: model.get('label'), panels: [], numbers: null, rows: [], columns: [], dims: ['', ''], coords: {}, opacity: 1,
      threshold: 0, sign: 'all', clip: 'none', scale: 'shared', palette: model.get('palette'), unsigned_palette: model.get('unsigned_palette'),
      zoom: WHOLE, cursor: null, selection: null, tool: 'look', tools: ['look'], brush: 1, mask: null, cell_width: 0,
      controls: COLOURS, hint: '',
    });
    this.first = 0;
    this.take();
    this.listenToBoard();
    this.stop = [
      listen(model, ['version'], () => this.take()),
      listen(model, ['roles', 'at'], () => this.takeRoles()),
      listen(model, ['selection'], () => { this.selection = this.model.get('selection'); this.showPicked(); }),
      listen(model, ['scale'], () => this.showLook()),
    ];
  }

  // What a board lets go of is told to the kernel; a click selects, the end of a drag over the picture does not.
  listenToBoard() {
    let zoom = JSON.stringify(WHOLE), dragged = false;
    this.local.on('change:zoom', () => {
      const now = JSON.stringify(this.local.get('zoom'));
      dragged = now !== zoom;
      zoom = now;
    });
    this.local.on('change:cursor', () => { if (!dragged) this.select(this.local.get('cursor')); });
    for (const name of ['palette', 'unsigned_palette']) this.local.on(`change:${name}`, () => tell(this.model, { [name]: this.local.get(name) }));
  }

  // ---- state

  take() {
    for (const name of ['dims', 'held', 'kind', 'named', 'labels', 'unit', 'name', 'selection', 'whole', 'limits', 'version']) this[name] = this.model.get(name);
    this.sizes = Object.fromEntries(this.dims.map((dim, i) => [dim, this.model.get('sizes')[i]]));
    this.data = floats(this.model.get('numbers'));
    this.head.textContent = this.dims.length || this.data.length ? `${this.name}: ${this.model.get('text')}` : '';
    this.takeRoles();
  }

  takeRoles() {
    if (this.model.get('version') !== this.version) return; // another tensor has come: `take` is called for it
    this.roles = { ...this.model.get('roles') };
    this.at = { ...this.model.get('at') };
    this.show();
  }

  dimIn(role) {
    return this.dims.find(dim => this.roles[dim] === role);
  }

  in(role) {
    return this.dims.filter(dim => this.roles[dim] === role);
  }

  position(dim) {
    return Math.min(this.at[dim] ?? 0, this.sizes[dim] - 1);
  }

  label(dim, at) {
    return this.labels[dim]?.[at] ?? String(at);
  }

  // A dim goes to a role; the one that it displaces takes the role that it had.
  move(dim, role) {
    const from = this.roles[dim];
    if (from === role) return;
    const other = ALONE.has(role) ? this.dimIn(role) : undefined;
    this.roles = { ...this.roles, [dim]: role, ...(other ? { [other]: from } : {}) };
    this.first = 0;
    tell(this.model, { roles: this.roles });
    this.show();
    this.said.textContent = `${dim} is in ${role}${other ? `, ${other} in ${from}` : ''}`;
    this.zones.chips[dim]?.focus();
  }

  // ---- drawing

  show() {
    this.zones.show(this.sizes, this.roles);
    this.showSliders();
    this.showPictures();
    this.showPicked();
  }

  // Sliders are made anew only for other dims: one that is held, or has the focus, stays what it is.
  showSliders() {
    const dims = this.in('slider').filter(dim => this.sizes[dim] > 1);
    const facets = this.dimIn('facets');
    const key = JSON.stringify([dims, dims.map(dim => this.sizes[dim]), facets, facets && this.lengthOf(facets)]);
    if (this.slid?.key !== key || this.slid.labels !== this.labels) {
      const pager = this.pagerOf(facets);
      this.slid = { key, labels: this.labels, pager, of: Object.fromEntries(dims.map(dim => [dim, this.sliderOf(dim)])) };
      this.sliderRow.replaceChildren(...Object.values(this.slid.of), ...(pager ? [pager] : []));
    }
    for (const dim of dims) this.slid.of[dim].put(this.position(dim));
    this.slid.pager?.put(this.first);
  }

  sliderOf(dim) {
    const moved = at => { this.at = { ...this.at, [dim]: at }; };
    return slider(dim, {
      min: 0, max: this.sizes[dim] - 1, step: 1, value: this.position(dim), shown: at => this.label(dim, at),
      onmove: at => { moved(at); if (this.whole) this.showPictures(); },
      onrest: at => { moved(at); tell(this.model, { at: this.at }); },
    });
  }

  pagerOf(dim) {
    const size = dim ? this.lengthOf(dim) : 0;
    if (size <= PAGE) return null;
    return slider(`${dim} side by side`, {
      min: 0, max: Math.floor((size - 1) / PAGE) * PAGE, step: PAGE, value: this.first, shown: at => `${at} to ${Math.min(size, at + PAGE) - 1}`,
      onmove: at => { this.first = at; this.showPictures(); },
    });
  }

  // How long a dim is in the numbers that are here, which may be the first part of it.
  lengthOf(dim) {
    const i = this.held.dims?.indexOf(dim) ?? -1;
    return i < 0 ? this.sizes[dim] : this.held.sizes[i];
  }

  // ---- pictures

  showPictures() {
    this.message.hidden = true;
    if (!this.data.length) return this.showNothing();
    if (!this.fits()) {
      this.remark(this.model.standalone ? 'This page holds one slice of a tensor that is too large: in a notebook the kernel sends the others.' : 'waiting for the kernel …');
      return undefined;
    }
    const facets = this.dimIn('facets');
    if (facets && this.first >= this.lengthOf(facets)) this.first = 0;
    const note = this.model.get('note');
    if (note) this.remark(note);
    const cut = this.cut();
    if (this.board && this.layout === cut.layout) this.refill(cut);
    else this.rebuild(cut);
    return undefined;
  }

  remark(text) {
    this.message.textContent = text;
    this.message.hidden = false;
  }

  showNothing() {
    this.board?.stop.forEach(stop => stop());
    this.board = null;
    this.layout = null;
    this.place.replaceChildren();
    this.readout.textContent = '';
  }

  // Whether the numbers that are here are those of the roles and positions.
  fits() {
    if (this.whole) return true;
    const { roles, at } = this.held;
    const asked = this.in('slider').every(dim => (at?.[dim] ?? 0) === this.position(dim));
    return asked && this.dims.every(dim => roles?.[dim] === this.roles[dim]);
  }

  // The pictures as numbers: [facet][row, column], with the layout that they have.
  cut() {
    const { dims, sizes } = this.held;
    const strides = {};
    for (let i = dims.length - 1, step = 1; i >= 0; step *= sizes[i], i--) strides[dims[i]] = step;
    const [facets, rows, columns] = ['facets', 'rows', 'columns'].map(role => this.dimIn(role));
    const length = dim => (dim ? this.lengthOf(dim) : 1);
    const step = dim => (dim ? strides[dim] ?? 0 : 0);
    let base = 0;
    for (const dim of this.in('slider')) base += (strides[dim] ?? 0) * this.position(dim);
    const means = offsets(this.in('mean').filter(dim => dim in strides).map(dim => [this.lengthOf(dim), strides[dim]]));
    const count = Math.min(PAGE, length(facets) - this.first), height = length(rows), width = length(columns);
    const numbers = new Float32Array(count * height * width);
    let next = 0;
    for (let f = 0; f < count; f++) {
      for (let r = 0; r < height; r++) {
        const row = base + (this.first + f) * step(facets) + r * step(rows);
        for (let c = 0; c < width; c++) numbers[next++] = this.meanAt(row + c * step(columns), means);
      }
    }
    const layout = JSON.stringify([this.roles, count, this.first, height, width, this.whole ? this.version : [this.name, this.unit]]);
    return { numbers, count, height, width, facets, layout };
  }

  meanAt(start, means) {
    if (means.length === 1) return this.data[start];
    let total = 0;
    for (const offset of means) total += this.data[start + offset];
    return total / means.length;
  }

  // The same pictures with other numbers: nothing is built anew, so a slider is followed as it moves.
  refill({ numbers, height, width }) {
    this.board.panels.forEach((panel, i) => {
      panel.map.data = numbers.subarray(i * height * width, (i + 1) * height * width);
      panel.signed = panel.map.data.some(value => value < 0);
      panel.missing = panel.map.data.reduce((n, value) => n + !Number.isFinite(value), 0);
      this.board.cells[i].drawn = null;
      this.board.cells[i].legended = null;
    });
    this.board.scaled = null;
    this.board.redraw();
  }

  rebuild({ numbers, count, height, width, facets, layout }) {
    this.layout = layout;
    const columns = count <= 1 ? 1 : Math.min(count, count <= 8 ? 4 : 6);
    const panels = Array.from({ length: count }, (_, i) => ({
      row: Math.floor(i / columns), column: i % columns, title: facets ? `${facets}=${this.label(facets, this.first + i)}` : '', note: '',
      unit: this.unit, group: '', values: true, image: null,
      map: { offset: i * height * width, height, width, channels: 1, name: this.name },
    }));
    const lines = height === 1 && width > 1; // which have no colours
    const state = { ...(lines ? { clip: 'none' } : {}), controls: lines ? ['none'] : COLOURS, cursor: null, zoom: WHOLE, cell_width: count === 1 ? Math.min(480, Math.max(lines ? 240 : 64, 40 * width)) : columns <= 4 ? 230 : 150, numbers: new DataView(numbers.buffer) };
    this.board?.stop.forEach(stop => stop());
    for (const [name, value] of Object.entries({ ...state, panels })) this.local.set(name, value);
    this.board = new TensorBoard(this.local, this.place);
    this.showLook();
  }

  // ---- look

  showLook() {
    if (!this.board) return;
    this.local.set('scale', this.model.get('scale') === 'each' ? 'each' : 'shared');
    this.scaleChoice?.remove();
    this.scaleChoice = choice('scale', {
      options: SCALES.filter(([key]) => (key !== 'each' || this.board.panels.length > 1) && (key !== 'whole' || this.limits.length)),
      value: this.model.get('scale'),
      onrest: scale => { tell(this.model, { scale }); this.showLook(); },
    });
    this.board.bar.prepend(this.scaleChoice);
    this.board.redraw();
  }

  wholeLimits() {
    return this.model.get('scale') === 'whole' && this.limits.length ? this.limits : null;
  }

  // ---- the value that is pointed at, and the one that was clicked on

  indexAt([panel, row, column]) {
    const index = {};
    for (const dim of this.dims) {
      const role = this.roles[dim];
      if (role !== 'mean') index[dim] = { slider: this.position(dim), facets: this.first + panel, rows: row, columns: column }[role];
    }
    return index;
  }

  say(cursor) {
    if (!this.board) return;
    const panel = cursor && this.board.panels[cursor[0]];
    if (!panel) {
      this.readout.textContent = this.data.length ? 'Point at a value, or press an arrow key on a picture; a click selects it.' : '';
      return;
    }
    const index = this.indexAt(cursor);
    const value = this.shownValue(panel.map.data[cursor[1] * panel.width + cursor[2]]);
    const named = Object.entries(index).map(([dim, at]) => `${dim}=${this.label(dim, at)}`);
    this.readout.textContent = [...named, `${this.name}=${value}`].join('  ');
  }

  shownValue(value) {
    const averaged = this.in('mean').length > 0;
    if (!Number.isFinite(value)) return written(value);
    if (this.kind === 'bool' && !averaged) return value ? 'True' : 'False';
    const text = this.kind === 'int' && !averaged ? String(value) : String(Number(value.toPrecision(6)));
    return this.unit ? `${text} ${this.unit}` : text;
  }

  select(cursor) {
    if (!cursor || !this.board?.panels[cursor[0]]) return;
    const panel = this.board.panels[cursor[0]];
    this.selection = this.indexAt(cursor);
    this.value = { of: JSON.stringify(this.selection), text: this.shownValue(panel.map.data[cursor[1] * panel.width + cursor[2]]) };
    tell(this.model, { selection: this.selection });
    this.showPicked();
  }

  showPicked() {
    if (!Object.keys(this.selection ?? {}).length) {
      this.picked.replaceChildren();
      return;
    }
    const code = element('code', { tabindex: 0 }, this.code(this.selection));
    const said = element('span', { class: 'nt-note', role: 'status' });
    const copy = button('Copy', 'copy the line that selects this value', () => copied(code, said));
    const known = this.value?.of === JSON.stringify(this.selection) ? ` = ${this.value.text}` : '';
    this.picked.replaceChildren(element('span', { class: 'nt-note' }, 'selected'), code, element('span', {}, known), copy, said);
  }

  // The line that selects this value: x.isel(height=3, batch=2).
  code(selection) {
    const means = this.dims.filter(dim => !(dim in selection));
    const at = this.dims.filter(dim => dim in selection);
    if (!this.named) {
      const axes = means.map(dim => this.dims.indexOf(dim));
      const mean = axes.length ? `.mean((${axes.join(', ')},))` : '';
      return `${this.name}${mean}${at.length ? `[${at.map(dim => selection[dim]).join(', ')}]` : ''}`;
    }
    const mean = means.length ? `.mean(${quoted(means.join(' '))})` : '';
    if (!at.length) return `${this.name}${mean}`;
    const words = at.every(dim => /^\w+$/.test(dim)); // a dim like seq' is no keyword
    const inside = at.map(dim => (words ? `${dim}=${selection[dim]}` : `${quoted(dim)}: ${selection[dim]}`)).join(', ');
    return `${this.name}${mean}${words ? `.isel(${inside})` : `[{${inside}}]`}`;
  }
}

// All sums of one multiple of each stride: where the values lie that a mean is taken of.
function offsets(axes) {
  let found = [0];
  for (const [size, stride] of axes) {
    const more = new Array(found.length * size);
    for (let k = 0, n = 0; k < size; k++) for (const offset of found) more[n++] = offset + k * stride;
    found = more;
  }
  return found;
}

function render({ model, el }) {
  const panel = new TensorPanel(model, el);
  return () => { for (const stop of [...panel.stop, ...(panel.board?.stop ?? [])]) stop(); };
}

export default { render };
