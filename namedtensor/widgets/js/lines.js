// A picture of one row is read better as bars, or where there are many values as a line.

const MOST_BARS = 48;

class LineCell extends Cell {
  constructor(board, panel, i) {
    super(board, panel, i);
    this.canvas.style.aspectRatio = '5 / 2';
  }

  drawValues(context, scale) {
    const { canvas, panel } = this;
    const [low, high] = this.ends(scale);
    const y = value => canvas.height * (0.96 - 0.92 * (value - low) / (high - low || 1));
    const theme = getComputedStyle(canvas);
    const colour = (name, fallback) => theme.getPropertyValue(name).trim() || fallback;
    context.fillStyle = context.strokeStyle = colour('--jp-brand-color1', '#1565c0');
    context.lineWidth = 1.5 * (window.devicePixelRatio || 1);
    context.setLineDash([]);
    if (panel.width <= MOST_BARS) this.drawBars(context, y);
    else this.drawLine(context, y);
    this.drawMissing(context);
    if (low > 0 || high < 0) return;
    context.strokeStyle = colour('--jp-ui-font-color2', '#5a5a5a');
    context.lineWidth /= 1.5;
    context.strokeRect(0, y(0), canvas.width, 0);
  }

  // Bars begin at 0, and so does the picture.
  ends({ low, high }) {
    if (!(low <= high)) return [0, 1];
    return this.panel.width <= MOST_BARS ? [Math.min(0, low), Math.max(0, high)] : [low, high];
  }

  drawBars(context, y) {
    this.panel.map.data.forEach((value, column) => {
      if (!Number.isFinite(value)) return;
      const [left, , width] = this.box([0, column, 1, column + 1]);
      context.fillRect(left + 0.1 * width, Math.min(y(value), y(0)), 0.8 * width, Math.max(1, Math.abs(y(value) - y(0))));
    });
  }

  drawLine(context, y) {
    let on = false; // a value that is missing is a gap
    context.beginPath();
    this.panel.map.data.forEach((value, column) => {
      const [left, , width] = this.box([0, column, 1, column + 1]);
      if (!Number.isFinite(value)) on = false;
      else if (on) context.lineTo(left + width / 2, y(value));
      else context.moveTo(left + width / 2, y(value));
      on = Number.isFinite(value);
    });
    context.stroke();
  }

  drawMissing(context) {
    this.panel.map.data.forEach((value, column) => {
      if (Number.isFinite(value)) return;
      const [left, top, width, height] = this.box([0, column, 1, column + 1]);
      context.fillStyle = `rgba(${(Number.isNaN(value) ? MISSING : INFINITE).join()}, 0.5)`;
      context.fillRect(left, top, Math.max(width, 1), height);
    });
  }

  describe(scale) {
    super.describe(scale);
    const all = legendOfOne(scale, this.panel, this.board);
    const [low, high] = this.ends(scale);
    const range = all ?? `from ${written(low)} to ${written(high)}`;
    const text = [range, this.panel.unit, !all && this.panel.missing ? `${this.panel.missing} not finite` : null].filter(Boolean).join(' · ');
    this.legend.replaceChildren(element('span', { class: 'nt-note' }, text));
    this.legended = null;
  }
}
