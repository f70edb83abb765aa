// Which layer runs when: a row for each layer, a bar for each visit, and what all visits of it send. It is a
// table, so that it can be read without seeing the bars.

const DELAYS = [[0.1, '0.1 ms'], [1, '1 ms'], [10, '10 ms'], [40, '40 ms'], [100, '100 ms']];
const BANDWIDTHS = [[10, '10 Mbit/s'], [100, '100 Mbit/s'], [1000, '1 Gbit/s'], [10000, '10 Gbit/s']];

function grouped(number) {
  return number.toLocaleString('en-US');
}

function timed(seconds) {
  if (seconds === 0) return '0 s';
  return seconds < 1 ? `${Number((1000 * seconds).toPrecision(3))} ms` : `${Number(seconds.toPrecision(3))} s`;
}

class Timeline {
  constructor(model, el) {
    this.model = model;
    this.root = rootOf(el, model, 'timeline');
    this.bar = element('div', { class: 'nt-toolbar' });
    this.table = element('table', { class: 'nt-timeline-table', tabindex: 0, 'aria-label': `${model.get('label')}. Arrow keys go from visit to visit.` });
    this.frame = element('div', { class: 'nt-timeline-frame' }, this.table);
    this.readout = element('output', { class: 'nt-readout', 'aria-live': 'polite' });
    this.total = element('div', { class: 'nt-timeline-total' });
    this.root.append(this.bar, this.frame, this.readout, this.total);
    this.at = -1;
    this.redraw = redrawer(this.root, () => this.draw());
    this.makeBar();
    this.listenToKeys();
    this.stop = listen(model, ['stretches', 'sharing', 'delay', 'bandwidth', 'along'], () => { this.putControls(); this.redraw(); });
    this.redraw.now();
  }

  makeBar() {
    const put = name => value => { tell(this.model, { [name]: name === 'along' ? value : Number(value) }); this.redraw(); };
    const given = name => String(this.model.get(name));
    this.controls = {
      along: choice('along', { options: [['rounds', 'rounds'], ['seconds', 'time of the network']], value: given('along'), onrest: put('along') }),
      delay: choice('delay of the network', { options: this.offered(DELAYS, 'delay', 'ms'), value: given('delay'), onrest: put('delay') }),
      bandwidth: choice('bandwidth', { options: this.offered(BANDWIDTHS, 'bandwidth', 'Mbit/s'), value: given('bandwidth'), onrest: put('bandwidth') }),
    };
    this.bar.replaceChildren(...Object.values(this.controls));
  }

  // The usual choices, and what was asked for in Python.
  offered(usual, name, unit) {
    const asked = this.model.get(name);
    const all = usual.some(([value]) => value === asked) ? usual : [...usual, [asked, `${asked} ${unit}`]];
    return [...all].sort((a, b) => a[0] - b[0]).map(([value, text]) => [String(value), text]);
  }

  putControls() {
    if ([...this.controls.delay.querySelectorAll('option'), ...this.controls.bandwidth.querySelectorAll('option')].length
      !== this.offered(DELAYS, 'delay', '').length + this.offered(BANDWIDTHS, 'bandwidth', '').length) this.makeBar();
    for (const [name, control] of Object.entries(this.controls)) control.put(String(this.model.get(name)));
  }

  // ---- numbers

  seconds({ rounds, bytes }) {
    return rounds * this.model.get('delay') / 1e3 + 8 * bytes / (1e6 * this.model.get('bandwidth'));
  }

  // Each visit with its place along the axis.
  visits() {
    const long = this.model.get('along') === 'rounds' ? visit => visit.rounds : visit => this.seconds(visit);
    let from = 0;
    return this.model.get('stretches').map(visit => {
      const placed = { ...visit, from, to: from + long(visit) };
      from = placed.to;
      return placed;
    });
  }

  // ---- drawing

  draw() {
    const visits = this.visits();
    this.root.hidden = !visits.length;
    if (!visits.length) return;
    const layers = [...new Set(visits.map(visit => visit.layer))];
    const sums = layers.map(layer => sumOf(visits.filter(visit => visit.layer === layer)));
    const all = sumOf(visits), end = visits[visits.length - 1].to;
    const largest = { bytes: Math.max(...sums.map(s => s.bytes)), dealt: Math.max(...sums.map(s => s.dealt)) };
    this.marks = [];
    const rows = layers.map((layer, i) => this.rowOf(layer, visits, sums[i], largest, end));
    this.table.replaceChildren(this.headOf(end), element('tbody', {}, ...rows), element('tfoot', {}, cells('in all', '', all)));
    this.total.textContent = this.estimateOf(all);
    this.mark(Math.min(this.at, visits.length - 1));
  }

  headOf(end) {
    const axis = this.model.get('along') === 'rounds' ? `round 0 to ${end}` : `0 s to ${timed(end)}, without computing`;
    const names = ['layer', `when: ${axis}`, 'rounds', 'bytes a party sends', 'bytes from the dealer'];
    return element('thead', {}, element('tr', {}, ...names.map(name => element('th', { scope: 'col' }, name))));
  }

  rowOf(layer, visits, sum, largest, end) {
    const track = element('div', { class: 'nt-timeline-track' });
    visits.forEach((visit, i) => {
      if (visit.layer !== layer) return;
      const mark = element('span', { class: visit.to > visit.from ? 'nt-timeline-visit' : 'nt-timeline-visit nt-timeline-free' });
      Object.assign(mark.style, { left: `${100 * visit.from / (end || 1)}%`, width: `${100 * (visit.to - visit.from) / (end || 1)}%` });
      mark.addEventListener('pointerenter', () => this.mark(i));
      mark.addEventListener('pointerleave', () => this.mark(-1));
      this.marks[i] = mark;
      track.append(mark);
    });
    return cells(layer, track, sum, largest);
  }

  estimateOf(all) {
    const { model } = this;
    const dealt = this.seconds({ rounds: 0, bytes: all.dealt });
    return `${grouped(all.rounds)} round${all.rounds === 1 ? '' : 's'} × ${model.get('delay')} ms + ${grouped(all.bytes)} bytes ÷ ${model.get('bandwidth')} Mbit/s = `
      + `${timed(this.seconds(all))}: an estimate of the time of the network, computing apart. `
      + `What the dealer sends takes ${timed(dealt)}, and may come before. Sharing the inputs sends ${grouped(model.get('sharing'))} bytes, once.`;
  }

  mark(i) {
    this.marks[this.at]?.classList.remove('nt-timeline-marked');
    this.at = i;
    this.marks[i]?.classList.add('nt-timeline-marked');
    const visit = this.model.get('stretches')[i];
    this.readout.textContent = visit
      ? `${visit.layer}  rounds ${visit.start} to ${visit.start + visit.rounds}  ${grouped(visit.bytes)} bytes a party  ${grouped(visit.dealt)} from the dealer  ${timed(this.seconds(visit))}`
      : 'Point at a bar, or press an arrow key on the table.';
  }

  listenToKeys() {
    this.table.addEventListener('keydown', event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      this.mark(Math.min(this.marks.length - 1, Math.max(0, this.at + step)));
      event.preventDefault();
    });
  }
}

function sumOf(visits) {
  const sum = { rounds: 0, bytes: 0, dealt: 0 };
  for (const visit of visits) for (const name in sum) sum[name] += visit[name];
  return sum;
}

function cells(name, track, sum, largest = null) {
  const barred = what => {
    const bar = element('span', { class: `nt-timeline-bytes nt-timeline-${what}` });
    bar.style.width = `${largest[what] ? 100 * sum[what] / largest[what] : 0}%`;
    return bar;
  };
  return element('tr', {}, element('th', { scope: 'row' }, name), element('td', { class: 'nt-timeline-when' }, track),
    element('td', {}, grouped(sum.rounds)),
    ...['bytes', 'dealt'].map(what => element('td', {}, grouped(sum[what]), largest ? barred(what) : null)));
}

function render({ model, el }) {
  return new Timeline(model, el).stop;
}

export default { render };
