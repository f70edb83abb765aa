// A line of code that was chosen by pointing, ready to be copied.

function quoted(text) {
  return text.includes("'") ? `"${text}"` : `'${text}'`;
}

// To the clipboard, or where the browser does not allow that, marked for the user's own copying.
async function copied(code, said) {
  try {
    await navigator.clipboard.writeText(code.textContent);
    said.textContent = 'copied';
  } catch {
    window.getSelection().selectAllChildren(code);
    said.textContent = 'marked: press Ctrl+C';
  }
}
