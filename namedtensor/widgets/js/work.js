// How far a piece of work is, and the button that ends it. It keeps its room when nothing runs, so that what
// stands below does not jump.

function render({ model, el }) {
  const root = rootOf(el, model, 'work');
  const bar = element('progress', { max: 1, 'aria-label': 'progress' });
  const text = element('output', { class: 'nt-note' });
  const cancel = button('Cancel', 'cancel', () => model.send({ cancel: true }));
  root.append(bar, cancel, text);
  const update = () => {
    const running = model.get('running');
    root.style.visibility = running ? 'visible' : 'hidden';
    bar.value = model.get('fraction');
    text.textContent = model.get('text');
  };
  update();
  return listen(model, ['running', 'fraction', 'text'], update);
}

export default { render };
