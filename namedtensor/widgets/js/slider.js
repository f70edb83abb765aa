// A slider with a name. (That of ipywidgets has none for a screen reader, and its arrow keys go to JupyterLab.)

function render({ model, el }) {
  const root = rootOf(el, model, 'slider');
  const made = slider(model.get('label'), {
    min: model.get('min'), max: model.get('max'), step: model.get('step'), value: model.get('value'),
    onrest: value => tell(model, { value }),
  });
  const input = made.querySelector('input');
  root.append(made);
  const update = () => {
    for (const name of ['min', 'max', 'step']) input[name] = model.get(name);
    input.disabled = model.get('disabled');
    made.put(model.get('value'));
  };
  update();
  return listen(model, ['value', 'min', 'max', 'step', 'disabled'], update);
}

export default { render };
