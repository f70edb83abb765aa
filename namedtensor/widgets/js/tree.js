// The places of a function as a tree (WAI-ARIA's pattern): arrows move and open, Enter takes, letters search.

const ABOUT = { tap: 'named with nt.tap', module: 'the output of a module', scope: 'what leaves a named scope', parameter: 'a parameter' };

class PlaceTree {
  constructor(model, el) {
    this.model = model;
    this.root = rootOf(el, model, 'tree');
    this.rows = element('div', { class: 'nt-tree-rows', role: 'tree', 'aria-label': model.get('label') });
    this.rows.addEventListener('keydown', event => this.press(event));
    this.picked = element('div', { class: 'nt-picked' });
    this.notes = element('div', { class: 'nt-note' });
    this.head = element('div', { class: 'nt-tree-row nt-tree-head', 'aria-hidden': 'true' });
    this.table = element('div', { class: 'nt-tree-table' }, this.head, this.rows);
    this.root.append(this.table, this.picked, this.notes);
    this.typed = { text: '', at: 0 };
    this.take();
    this.stop = [
      listen(model, ['rows', 'notes'], () => this.take()),
      listen(model, ['expanded'], () => { this.open = new Set(model.get('expanded')); this.show(); }),
      listen(model, ['chosen'], () => { this.reveal(model.get('chosen')); this.show(); }),
    ];
  }

  take() {
    this.places = this.model.get('rows');
    this.open = new Set(this.model.get('expanded'));
    this.focused = this.places[0]?.path;
    const above = [];
    this.places.forEach(place => {
      above.length = place.level - 1;
      place.above = above[above.length - 1] ?? null;
      above.push(place);
    });
    const siblings = new Map();
    for (const place of this.places) siblings.set(place.above, [...(siblings.get(place.above) ?? []), place]);
    for (const group of siblings.values()) group.forEach((place, i) => Object.assign(place, { position: i + 1, siblings: group.length }));
    this.counts = this.places.some(place => place.parameters);
    this.table.hidden = !this.places.length;
    this.table.classList.toggle('nt-tree-counts', this.counts);
    this.head.replaceChildren(...['place', 'shape', 'size', 'FLOPs', ...(this.counts ? ['params'] : [])].map(text => element('span', {}, text)));
    this.notes.replaceChildren(...this.model.get('notes').map(text => element('div', {}, text)));
    this.show();
  }

  isOpen(place) {
    return !place.leaf && this.open.has(place.path);
  }

  shown() {
    const seen = new Set();
    return this.places.filter(place => {
      const there = !place.above || (seen.has(place.above) && this.isOpen(place.above));
      if (there) seen.add(place);
      return there;
    });
  }

  // ---- drawing

  show() {
    const had = this.rows.contains(document.activeElement);
    const shown = this.shown();
    if (!shown.some(place => place.path === this.focused)) this.focused = shown[0]?.path;
    this.items = new Map(shown.map(place => [place.path, this.item(place)]));
    this.rows.replaceChildren(...this.items.values());
    if (had) this.items.get(this.focused)?.focus();
    this.showPicked();
  }

  item(place) {
    const chosen = place.path === this.model.get('chosen');
    const cost = place.flops ? `, ${place.flops} operations` : '';
    const made = element('div', {
      class: `nt-tree-row nt-kind-${place.kind}`, role: 'treeitem', 'data-path': place.path, 'aria-level': place.level, 'aria-posinset': place.position,
      'aria-setsize': place.siblings, 'aria-selected': String(chosen), 'aria-expanded': place.leaf ? null : String(this.isOpen(place)),
      'aria-label': `${place.label}${ABOUT[place.kind] ? `, ${place.kind}` : ''}${place.shape ? `, ${place.shape}` : ''}${cost}`,
      tabindex: place.path === this.focused ? 0 : -1,
    });
    const sign = element('span', { class: 'nt-tree-sign' }, place.leaf ? '' : this.isOpen(place) ? '▾' : '▸');
    sign.addEventListener('click', event => { event.stopPropagation(); this.toggle(place); });
    const name = element('span', { class: 'nt-tree-name', title: ABOUT[place.kind] }, sign, place.label);
    name.style.paddingLeft = `${14 * (place.level - 1)}px`;
    made.append(name, element('span', { class: 'nt-tree-shape', title: place.shape }, ...breakable(place.shape)), element('span', {}, place.size), this.cost(place));
    if (this.counts) made.append(element('span', {}, place.parameters));
    made.addEventListener('click', () => this.choose(place));
    return made;
  }

  cost(place) {
    const bar = element('span', { class: 'nt-tree-bar' });
    bar.style.width = `${100 * Math.min(1, place.share)}%`;
    const percent = place.flops ? `${(100 * place.share).toFixed(place.share >= 0.1 ? 0 : 1)} % of all` : null;
    return element('span', { class: 'nt-tree-cost', title: percent }, bar, element('span', {}, place.flops));
  }

  showPicked() {
    const place = this.places.find(other => other.path === this.model.get('chosen'));
    if (!place?.layer) {
      this.picked.replaceChildren(element('span', { class: 'nt-note' }, this.places.length ? 'Choose a place to see what passes there.' : ''));
      return;
    }
    const code = element('code', { tabindex: 0 }, `layer=${quoted(place.layer)}`);
    const said = element('span', { class: 'nt-note', role: 'status' });
    const passing = this.model.standalone ? element('span', { class: 'nt-note' }, 'What passes at another place is computed in a notebook.') : null;
    this.picked.replaceChildren(code, button('Copy', 'copy the layer argument', () => copied(code, said)), said, ...(passing ? [passing] : []));
  }

  // ---- what is done

  focusOn(place) {
    if (!place) return;
    this.items.get(this.focused)?.setAttribute('tabindex', -1);
    this.focused = place.path;
    const made = this.items.get(place.path);
    made?.setAttribute('tabindex', 0);
    made?.focus();
  }

  toggle(place, open = !this.isOpen(place)) {
    if (place.leaf) return;
    this.focused = place.path;
    if (open) this.open.add(place.path);
    else this.open.delete(place.path);
    tell(this.model, { expanded: [...this.open] });
    this.show();
    this.items.get(place.path)?.focus();
  }

  // A place where something passes is chosen; of a group there is nothing to see, it opens.
  choose(place) {
    this.focused = place.path;
    if (!place.layer && place.kind !== 'parameter') return this.toggle(place);
    tell(this.model, { chosen: place.path });
    this.show();
    this.items.get(place.path)?.focus();
    return undefined;
  }

  // What the kernel has chosen must be in sight.
  reveal(path) {
    let place = this.places.find(other => other.path === path)?.above;
    for (; place; place = place.above) this.open.add(place.path);
  }

  press(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = this.shown();
    const i = shown.findIndex(place => place.path === this.focused);
    const place = shown[i];
    if (!place) return;
    const keys = {
      ArrowDown: () => this.focusOn(shown[i + 1]),
      ArrowUp: () => this.focusOn(shown[i - 1]),
      Home: () => this.focusOn(shown[0]),
      End: () => this.focusOn(shown[shown.length - 1]),
      ArrowRight: () => (this.isOpen(place) ? this.focusOn(shown[i + 1]) : this.toggle(place, true)),
      ArrowLeft: () => (this.isOpen(place) ? this.toggle(place, false) : this.focusOn(place.above)),
      Enter: () => this.choose(place),
      ' ': () => this.choose(place),
    };
    if (keys[event.key]) keys[event.key]();
    else if (event.key.length === 1) this.search(event, shown, i);
    else return;
    event.preventDefault();
  }

  // The next place that begins with the letters typed within a second.
  search(event, shown, i) {
    const again = event.timeStamp - this.typed.at < 1000;
    this.typed = { text: (again ? this.typed.text : '') + event.key.toLowerCase(), at: event.timeStamp };
    const order = [...shown.slice(i + (this.typed.text.length === 1)), ...shown.slice(0, i + 1)];
    this.focusOn(order.find(place => place.label.toLowerCase().startsWith(this.typed.text)));
  }
}

// Long shapes break between dims.
function breakable(shape) {
  return shape.split(' ').flatMap((part, i) => (i ? [' ', element('wbr'), part] : [part]));
}

function render({ model, el }) {
  const tree = new PlaceTree(model, el);
  return () => { for (const stop of tree.stop) stop(); };
}

export default { render };
