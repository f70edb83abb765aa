// The overlay is a board whose pictures the kernel gives.

function render({ model, el }) {
  const board = new Board(model, el);
  return () => { for (const stop of board.stop) stop(); };
}

export default { render };
