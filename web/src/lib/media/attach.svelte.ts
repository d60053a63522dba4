/** The files that somebody has chosen for a chat and not sent yet. The sheet that shows them is loaded when there are some. */
class Attaching {
  chosen = $state.raw<{ chatId: number; files: readonly File[] } | undefined>();

  add(chatId: number, files: Iterable<File>): void {
    const list = [...files];
    if (list.length === 0) return;
    const before = this.chosen?.chatId === chatId ? this.chosen.files : [];
    this.chosen = { chatId, files: [...before, ...list] };
  }
}

export const attaching = new Attaching();

/** Opens the browser's own choice of files. */
export function choose(then: (files: File[]) => void, accept = ''): void {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = true;
  input.accept = accept;
  input.addEventListener('change', () => then([...(input.files ?? [])]));
  input.click();
}

/** The files of what is pasted or dropped; none for words, whatever else is offered beside them. */
export function filesOf(data: DataTransfer | null): File[] {
  if (!data) return [];
  // What is copied out of a document comes as words and as a picture of them: the words were meant.
  if (data.types.includes('text/plain') && !data.types.includes('Files')) return [];
  const files = [...data.files].filter((it) => it.size > 0 || it.type !== '');
  return data.types.includes('text/html') && files.every((it) => it.type.startsWith('image/')) && data.types.includes('text/plain') ? [] : files;
}
