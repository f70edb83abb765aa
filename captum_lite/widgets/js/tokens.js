// Outputs to choose from, and the tokens of the input on their colours: red is for, blue against, and the
// underline says the same to those who do not see the colours.

const LOOK = ['selection', 'threshold', 'sign', 'clip', 'scale'];
const SIGN_NAMES = [['all', 'all'], ['positive', 'positive'], ['negative', 'negative'], ['absolute_value', 'magnitude']];
const CLIP_NAMES = [['none', 'nothing'], ['mass 98', '2 % of the mass'], ['mass 90', '10 % of the mass'], ['percentile 98', '2 % of the tokens']];
const SCALE_NAMES = [['shared', 'of all outputs'], ['each', 'of each output']];
const QUANTITIES = { all: 'attribution', positive: 'positive attribution', negative: '|negative attribution|', absolute_value: '|attribution|' };

// A line of tokens of which one is reached by Tab, and the others from there by keys.
class TokenLine {
  constructor(tokens, { role, itemRole, label, runsLeft, onreach, onrest, onleave }) {
    Object.assign(this, { tokens, onreach, at: 0 });
    this.words = tokens.map(token => element('span', { class: `nt-token${token.special ? ' nt-special' : ''}`, role: itemRole, tabindex: -1 }, element('bdi', {}, token.text)));
    this.root = element('p', { class: 'nt-token-line', role, 'aria-label': label, dir: runsLeft ? 'rtl' : null });
    // the space is outside of the colour, so that it belongs to no token
    this.words.forEach((word, i) => this.root.append(tokens[i].space ? ' ' : '', word));
    this.root.addEventListener('keydown', event => this.press(event, runsLeft));
    this.root.addEventListener('keyup', event => { if (event.key !== 'Tab') onrest?.(); });
    this.root.addEventListener('focusin', event => this.reach(this.words.indexOf(event.target.closest('.nt-token'))));
    this.root.addEventListener('pointerover', event => onleave && this.reach(this.words.indexOf(event.target.closest('.nt-token'))));
    this.root.addEventListener('pointerleave', () => onleave?.());
    this.root.addEventListener('focusout', () => onleave?.());
    this.stop(0);
  }

  press(event, runsLeft) {
    const ahead = runsLeft ? 'ArrowLeft' : 'ArrowRight', back = runsLeft ? 'ArrowRight' : 'ArrowLeft';
    const last = this.words.length - 1;
    const to = { [ahead]: this.at + 1, ArrowDown: this.at + 1, [back]: this.at - 1, ArrowUp: this.at - 1, Home: 0, End: last, Enter: this.at, ' ': this.at }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = Math.min(last, Math.max(0, to));
    this.stop(next);
    this.words[next].focus(); // which reaches it, unless it is there already
    this.reach(next);
  }

  reach(i) {
    if (i < 0) return;
    this.stop(i);
    this.onreach(i);
  }

  // Where Tab enters the line.
  stop(i) {
    this.words[this.at]?.setAttribute('tabindex', -1);
    this.at = i;
    this.words[i]?.setAttribute('tabindex', 0);
  }
}

class Reader {
  constructor(model, el) {
    this.model = model;
    this.root = rootOf(el, model, 'tokens');
    this.bar = element('div', { class: 'nt-toolbar' });
    this.legend = element('div', { class: 'nt-legend' });
    this.lines = element('div');
    this.readout = element('output', { class: 'nt-readout', 'aria-live': 'polite' }, ' ');
    this.root.append(this.bar, this.lines, this.legend, this.readout);
    this.redraw = redrawer(this.root, () => this.draw());
    this.takeLook();
    this.takeTokens();
    this.stop = [
      listen(model, ['numbers', 'inputs', 'outputs'], () => { this.takeTokens(); this.redraw(); }),
      listen(model, LOOK, () => { this.takeLook(); this.putControls(); this.redraw(); }),
    ];
    this.redraw.now();
  }

  takeLook() {
    for (const name of LOOK) this[name] = this.model.get(name);
    this.told = this.selection;
  }

  takeTokens() {
    this.inputs = this.model.get('inputs');
    this.outputs = this.model.get('outputs');
    this.numbers = floats(this.model.get('numbers'));
    this.cursor = null;
    const [inputLeft, outputLeft] = this.model.get('runs_left');
    this.outputLine = this.outputs.length ? new TokenLine(this.outputs, {
      role: 'listbox', itemRole: 'option', label: 'outputs', runsLeft: outputLeft,
      onreach: i => this.choose(i), onrest: () => this.restSelection(),
    }) : null;
    this.outputLine?.root.classList.add('nt-outputs');
    this.outputLine?.words.forEach((word, i) => word.addEventListener('click', () => { word.focus(); this.outputLine.reach(i); this.restSelection(); }));
    this.inputLine = new TokenLine(this.inputs, {
      role: 'list', itemRole: 'listitem', label: 'inputs', runsLeft: inputLeft,
      onreach: i => this.point(i), onleave: () => this.point(null), onrest: () => tell(this.model, { cursor: this.cursor }),
    });
    const lines = this.outputLine ? [element('h4', {}, 'outputs: choose one'), this.outputLine.root] : [];
    this.lines.replaceChildren(...lines, element('h4', {}, 'inputs'), this.inputLine.root);
    this.makeBar();
  }

  // ---- state

  choose(i) {
    if (i === this.selection) return;
    this.selection = i;
    this.redraw();
  }

  restSelection() {
    if (this.selection === this.told) return;
    this.told = this.selection;
    tell(this.model, { selection: this.selection });
  }

  point(i) {
    if (i === this.cursor) return;
    this.cursor = i;
    this.redraw();
  }

  makeBar() {
    this.controls = {};
    const settled = name => value => { this[name] = value; this.redraw(); tell(this.model, { [name]: value }); };
    const signed = this.numbers.some(value => value < 0);
    this.controls.threshold = slider('threshold', { min: 0, max: 1, step: 0.01, value: this.threshold, onmove: value => { this.threshold = value; this.redraw(); }, onrest: settled('threshold'), shown: t => `${Math.round(100 * t)} %` });
    if (signed) this.controls.sign = choice('sign', { options: SIGN_NAMES, value: this.sign, onrest: settled('sign') });
    this.controls.clip = choice('clip', { options: CLIP_NAMES, value: this.clip, onrest: settled('clip') });
    if (this.outputs.length > 1) this.controls.scale = choice('scale', { options: SCALE_NAMES, value: this.scale, onrest: settled('scale') });
    this.bar.replaceChildren(...Object.values(this.controls));
  }

  putControls() {
    for (const [name, control] of Object.entries(this.controls)) control.put(this[name]);
  }

  // ---- drawing

  values(i = this.selection) {
    return this.numbers.subarray(i * this.inputs.length, (i + 1) * this.inputs.length);
  }

  // The end of the colours, found again only when what it depends on has changed.
  limit() {
    const shared = this.scale === 'shared';
    const key = [this.sign, this.clip, shared || this.selection].join();
    if (this.limited?.key !== key || this.limited.numbers !== this.numbers) {
      const part = SIGNS[this.sign];
      const sizes = Array.from(shared ? this.numbers : this.values(), value => Math.abs(part(value)));
      const found = limitOf(sizes, this.clip);
      this.limited = { key, numbers: this.numbers, found, clipped: sizes.some(size => size > found) };
    }
    return this.limited;
  }

  tint(fraction) {
    const { positive, negative, neutral, opacity } = this.model.get('colours');
    const against = this.sign === 'negative' || (this.sign === 'all' && fraction < 0);
    const colour = this.sign === 'absolute_value' ? neutral : against ? negative : positive;
    return `rgba(${colour.join()}, ${(opacity * Math.min(1, Math.abs(fraction))).toFixed(3)})`;
  }

  draw() {
    const { found, clipped } = this.limit();
    const values = this.values(), part = SIGNS[this.sign], unit = this.model.get('unit');
    this.inputLine.words.forEach((word, i) => {
      const fraction = found ? part(values[i]) / found : 0;
      this.paint(word, Math.abs(fraction) < this.threshold ? 0 : fraction);
      word.setAttribute('aria-label', `${this.inputs[i].text} ${written(values[i], true)}${unit ? ` ${unit}` : ''}`);
      word.toggleAttribute('aria-current', false);
    });
    this.inputLine.words[this.cursor]?.setAttribute('aria-current', true);
    this.outputLine?.words.forEach((word, i) => word.setAttribute('aria-selected', i === this.selection));
    this.outputLine?.stop(this.selection);
    this.drawLegend(found, clipped, unit);
    this.say(values, unit);
  }

  paint(word, fraction) {
    word.style.background = this.tint(fraction);
    const thick = this.model.get('colours').strokes.filter(least => Math.abs(fraction) >= least).length;
    const dashes = fraction < 0 || this.sign === 'negative' ? 'dashed' : 'solid';
    word.firstChild.style.textDecoration = thick ? `underline ${dashes} ${thick}px` : 'none';
  }

  drawLegend(found, clipped, unit) {
    const strip = element('span', { class: 'nt-strip' });
    const low = this.sign === 'all' ? -1 : 0;
    strip.style.background = `linear-gradient(to right, ${[low, 0, 1].map(end => this.tint(end)).join()})`;
    const rule = CLIP_NAMES.find(([key]) => key === this.clip)[1];
    const said = [
      found ? (clipped ? `clipped: ${rule}` : 'not clipped') : 'all values are 0',
      this.threshold ? `no colour below ${Math.round(100 * this.threshold)} % of the end` : null,
      this.sign === 'all' ? 'thicker underline: larger, dashed: against' : 'thicker underline: larger',
    ].filter(Boolean).join(' · ');
    this.legend.replaceChildren(
      element('span', { class: 'nt-bar' }, element('span', {}, `${QUANTITIES[this.sign]}${unit ? ` (${unit})` : ''}`), element('span', {}, written(low * (found || 1))), strip, element('span', {}, written(found || 1))),
      element('span', { class: 'nt-note' }, said));
  }

  say(values, unit) {
    const output = this.outputs[this.selection];
    const quoted = text => `“\u2068${text}\u2069”`; // a word that runs leftwards must not turn the line
    const chosen = output ? `output=${this.selection} ${quoted(output.text)}  ` : '';
    const total = values.reduce((sum, value) => sum + value, 0);
    const i = this.cursor;
    const said = i === null ? `sum=${written(total, true)}` : `input=${i} ${quoted(this.inputs[i].text)}  attr=${written(values[i], true)}`;
    this.readout.textContent = `${chosen}${said}${unit ? ` ${unit}` : ''}`;
  }
}

function render({ model, el }) {
  const reader = new Reader(model, el);
  return () => { for (const stop of reader.stop) stop(); };
}

export default { render };
