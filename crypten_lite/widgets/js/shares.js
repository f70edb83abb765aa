// The shares themselves, 64 bits a number: they are put together here, modulo 2^64, as parties would do it.

const GROUPS = 16; // of the 256 values of a byte
const TALLEST = 2 / GROUPS; // where a histogram is cut off: twice what is even

// Sums of the first 1, 2, ... shares; an array of 64 bits wraps around by itself.
function runningSums(shares) {
  const sums = [];
  for (const share of shares) {
    const before = sums[sums.length - 1];
    sums.push(before ? before.map((v, i) => v + share[i]) : share);
  }
  return sums;
}

function asNumbers(elements, fraction) {
  const signed = new BigInt64Array(elements.buffer, elements.byteOffset, elements.length);
  const numbers = new Float64Array(signed.length);
  for (let i = 0; i < signed.length; i++) numbers[i] = Number(signed[i]) / 2 ** fraction;
  return numbers;
}

// How often the bytes of the numbers fall into each group of values.
function histogramOf(elements) {
  const bytes = new Uint8Array(elements.buffer, elements.byteOffset, elements.byteLength);
  const counts = new Float64Array(GROUPS);
  for (const byte of bytes) counts[byte >> 4] += 1 / bytes.length;
  return counts;
}

// Two digits say enough of a range: −1.4e14 to 1.4e14.
function rangeOf(low, high) {
  return [low, high].map(v => written(Number(v.toPrecision(2))).replace('0e+', 'e').replace('e+', 'e')).join(' to ');
}

function percents(...fractions) {
  return `${fractions.map(f => Number((100 * f).toPrecision(2))).join('–')} %`;
}

class ShareBoard {
  constructor(model, el) {
    this.model = model;
    this.root = rootOf(el, model, 'shares');
    this.bar = element('div', { class: 'nt-toolbar' });
    this.row = element('div', { class: 'nt-share-row' });
    this.readout = element('output', { class: 'nt-readout', 'aria-live': 'polite' });
    this.root.append(this.bar, this.row, this.readout);
    this.redraw = redrawer(this.root, () => this.draw());
    this.take();
    this.stop = [
      listen(model, ['shares', 'image', 'names'], () => { this.take(); this.redraw(); }),
      listen(model, ['together'], () => { this.together = model.get('together'); this.slider?.put(this.together); this.redraw(); }),
    ];
    this.redraw.now();
  }

  take() {
    const { model } = this;
    const view = model.get('shares'), names = model.get('names');
    const buffer = view?.byteLength ? view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength) : new ArrayBuffer(0);
    const size = buffer.byteLength / 8 / Math.max(1, names.length);
    this.root.hidden = !size;
    this.shares = names.map((_, i) => new BigUint64Array(buffer, 8 * i * size, size));
    this.sums = runningSums(this.shares);
    this.image = floats(model.get('image'));
    this.together = Math.min(model.get('together'), names.length);
    this.cursor = null;
    this.readout.style.minHeight = `${1.4 * (names.length + 2)}em`; // what stands below does not jump
    this.makeBar();
    this.makeCells();
  }

  makeBar() {
    const n = this.shares.length;
    this.slider = slider('shares put together', {
      min: 1, max: n, step: 1, value: this.together, shown: k => `${k} of ${n}`,
      onmove: k => { this.together = k; this.redraw(); },
      onrest: k => tell(this.model, { together: k }),
    });
    this.bar.replaceChildren(this.slider);
  }

  makeCells() {
    this.cells = [new ShareCell(this, 'the image')];
    this.model.get('names').forEach(name => this.cells.push(new ShareCell(this, name)));
    this.sum = new ShareCell(this, '');
    this.sum.root.classList.add('nt-share-sum');
    this.row.replaceChildren(...[...this.cells, this.sum].map(cell => cell.root));
    this.fresh = true;
  }

  draw() {
    const n = this.shares.length;
    if (!n || this.root.hidden) return;
    const decoded = elements => asNumbers(elements, this.model.get('fraction'));
    if (this.fresh) {
      // the image's bytes are those of its elements: all shares together
      this.cells[0].show(this.image, this.sums[n - 1]);
      this.shares.forEach((share, i) => this.cells[i + 1].show(decoded(share), share));
      this.fresh = false;
    }
    const all = this.together === n;
    this.sum.show(decoded(this.sums[this.together - 1]), this.sums[this.together - 1]);
    this.sum.title.textContent = `${this.together} of ${n} together: ${all ? 'the image' : 'still noise'}`;
    this.say();
  }

  moveTo(row, column) {
    const { width, height } = this.size;
    this.cursor = [Math.min(height - 1, Math.max(0, row)), Math.min(width - 1, Math.max(0, column))];
    this.say();
  }

  get size() {
    return { height: this.model.get('height'), width: this.model.get('width'), channels: this.model.get('channels') };
  }

  // The values at a pixel: of a share both its 64 bits and the number that they would stand for.
  say() {
    for (const cell of [...this.cells, this.sum]) cell.mark(this.cursor);
    if (!this.cursor) {
      this.readout.textContent = 'Point at a pixel, or press an arrow key on a picture.';
      return;
    }
    const [row, column] = this.cursor;
    const at = (row * this.size.width + column) * this.size.channels;
    const said = elements => `0x${elements[at].toString(16).padStart(16, '0')} (${written(asNumbers(elements.slice(at, at + 1), this.model.get('fraction'))[0])})`;
    const lines = this.model.get('names').map((name, i) => `${name}  ${said(this.shares[i])}`);
    const channel = this.size.channels > 1 ? ' channel=0' : '';
    this.readout.textContent = [
      `height=${row} width=${column}${channel}  image=${written(this.image[at])}`, ...lines,
      `${this.together} together, modulo 2^64  ${said(this.sums[this.together - 1])}`].join('\n');
  }
}

// One picture with its range and the histogram of its bytes.
class ShareCell {
  constructor(board, title) {
    this.board = board;
    this.canvas = element('canvas', { class: 'nt-canvas', tabindex: 0, role: 'img' });
    this.pointer = element('span', { class: 'nt-share-pointer', hidden: true });
    this.title = element('figcaption', {}, title);
    this.range = element('div', { class: 'nt-note' });
    this.bars = svg('svg', { class: 'nt-share-bytes', viewBox: '0 0 160 40', preserveAspectRatio: 'none', role: 'img' });
    this.bytes = element('div', { class: 'nt-note' });
    this.root = element('figure', { class: 'nt-cell' }, this.title,
      element('div', { class: 'nt-share-frame' }, this.canvas, this.pointer), this.range, this.bars, this.bytes);
    this.listen();
  }

  // Black is the smallest number and white the largest, in each picture by itself.
  show(numbers, elements) {
    const { height, width, channels } = this.board.size;
    let low = Infinity, high = -Infinity;
    for (const v of numbers) { low = Math.min(low, v); high = Math.max(high, v); }
    const data = new Float32Array(numbers.length);
    for (let i = 0; i < data.length; i++) data[i] = (numbers[i] - low) / (high - low || 1);
    Object.assign(this.canvas, { width, height });
    this.canvas.getContext('2d').putImageData(rasterOf({ data, height, width, channels }, null, null, null), 0, 0);
    this.range.textContent = rangeOf(low, high);
    this.showBytes(histogramOf(elements));
    this.canvas.setAttribute('aria-label', `${this.title.textContent}: numbers from ${this.range.textContent}. Arrow keys move over the pixels.`);
  }

  showBytes(counts) {
    const step = 160 / GROUPS, high = share => 40 * Math.min(1, share / TALLEST);
    this.bars.replaceChildren(
      ...Array.from(counts, (share, i) => svg('rect', { x: i * step + 0.5, width: step - 1, y: 40 - high(share), height: high(share) })),
      svg('line', { x1: 0, x2: 160, y1: 40 - high(1 / GROUPS), y2: 40 - high(1 / GROUPS) }));
    const range = percents(Math.min(...counts), Math.max(...counts));
    this.bytes.textContent = `bytes: ${range}`;
    this.bars.setAttribute('aria-label', `its bytes in ${GROUPS} groups of values: each has ${range} of them; even would be ${percents(1 / GROUPS)}`);
  }

  mark(cursor) {
    this.pointer.hidden = !cursor;
    if (!cursor) return;
    const { height, width } = this.board.size;
    Object.assign(this.pointer.style, {
      top: `${100 * cursor[0] / height}%`, left: `${100 * cursor[1] / width}%`, height: `${100 / height}%`, width: `${100 / width}%`,
    });
  }

  listen() {
    const { canvas, board } = this;
    canvas.addEventListener('pointermove', event => {
      const bounds = canvas.getBoundingClientRect();
      board.moveTo(Math.floor(board.size.height * (event.clientY - bounds.top) / bounds.height),
        Math.floor(board.size.width * (event.clientX - bounds.left) / bounds.width));
    });
    canvas.addEventListener('pointerleave', () => { if (document.activeElement !== canvas) { board.cursor = null; board.say(); } });
    canvas.addEventListener('keydown', event => {
      const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
      if (!move) return;
      const [row, column] = board.cursor ?? [Math.floor(board.size.height / 2), Math.floor(board.size.width / 2)];
      board.moveTo(row + move[0], column + move[1]);
      event.preventDefault();
    });
  }
}

function render({ model, el }) {
  const board = new ShareBoard(model, el);
  return () => { for (const stop of board.stop) stop(); };
}

export default { render };
