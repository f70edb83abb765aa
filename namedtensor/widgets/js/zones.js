// Dims as chips in a row of places, one for each role. A chip is dragged, or moved with the arrow keys.

const ROLES = ['rows', 'columns', 'facets', 'slider', 'mean'];
const ROLE_TEXT = { rows: 'rows ↓', columns: 'columns →', facets: 'side by side', slider: 'slider', mean: 'mean over' };
const ALONE = new Set(['rows', 'columns', 'facets']); // each holds one dim
const NEAR = 4; // CSS pixels that a pointer may tremble before it drags

class Zones {
  constructor(move) {
    this.move = move;
    this.chips = {};
    this.root = element('div', { class: 'nt-zones', role: 'group', 'aria-label': 'dims' });
  }

  show(sizes, roles) {
    const dims = Object.keys(roles);
    const focused = dims.find(dim => this.chips[dim] === document.activeElement);
    this.chips = Object.fromEntries(dims.map(dim => [dim, this.chip(dim, sizes[dim], roles[dim])]));
    this.zones = dims.length ? ROLES.map(role => {
      const held = dims.filter(dim => roles[dim] === role).map(dim => this.chips[dim]);
      return element('div', { class: 'nt-zone', 'data-role': role, role: 'group', 'aria-label': ROLE_TEXT[role] },
        element('span', { class: 'nt-zone-name' }, ROLE_TEXT[role]), ...held);
    }) : [];
    this.root.replaceChildren(...this.zones);
    if (focused) this.chips[focused].focus();
  }

  chip(dim, size, role) {
    const made = element('button', {
      type: 'button', class: 'nt-chip', 'data-dim': dim, title: 'Drag it to another role, or press ← or →',
      'aria-label': `${dim}, ${size} positions, in ${role}. Left and right arrows move it to another role.`,
    }, dim, element('span', { class: 'nt-chip-size' }, String(size)));
    made.addEventListener('keydown', event => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      const next = event.key === 'Home' ? 0 : event.key === 'End' ? ROLES.length - 1 : ROLES.indexOf(role) + (step ?? NaN);
      if (Number.isNaN(next)) return;
      event.preventDefault();
      if (ROLES[next]) this.move(dim, ROLES[next]);
    });
    this.listenToDrag(made, dim);
    return made;
  }

  listenToDrag(made, dim) {
    let start = null;
    const under = event => this.zones.find(zone => {
      const { left, right, top, bottom } = zone.getBoundingClientRect();
      return event.clientX >= left && event.clientX <= right && event.clientY >= top && event.clientY <= bottom;
    });
    const end = () => {
      start = null;
      made.style.transform = '';
      made.classList.remove('nt-dragged');
      for (const zone of this.zones) zone.classList.remove('nt-target');
    };
    made.addEventListener('pointerdown', event => {
      if (event.button) return;
      start = [event.clientX, event.clientY];
      made.setPointerCapture(event.pointerId);
    });
    made.addEventListener('pointermove', event => {
      if (!start) return;
      const dx = event.clientX - start[0], dy = event.clientY - start[1];
      if (Math.hypot(dx, dy) < NEAR) return;
      made.classList.add('nt-dragged');
      made.style.transform = `translate(${dx}px, ${dy}px)`;
      const target = under(event);
      for (const zone of this.zones) zone.classList.toggle('nt-target', zone === target);
    });
    made.addEventListener('pointerup', event => {
      const target = made.classList.contains('nt-dragged') ? under(event) : null;
      end();
      if (target) this.move(dim, target.dataset.role);
    });
    made.addEventListener('pointercancel', end);
  }
}
