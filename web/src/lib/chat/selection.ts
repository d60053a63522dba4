/** What belongs to a message's text by its looks only, or is covered. */
const NOT_TEXT = '.visually-hidden, .spoiler, .copy, .language';

/**
 * The text of a selection over messages: each line as it was written, a line for each end of a message. The browser would put
 * empty lines between what are blocks on the screen. Nothing where no message's words are selected.
 */
export function selectedText(range: Range, list: ParentNode): string | undefined {
  const texts: string[] = [];
  for (const content of list.querySelectorAll('.message .content')) {
    if (!range.intersectsNode(content)) continue;
    const lines: string[] = [];
    for (const line of content.querySelectorAll('p, pre')) if (range.intersectsNode(line)) lines.push(within(range, line));
    const text = lines.join('\n');
    if (text !== '') texts.push(text);
  }
  return texts.length === 0 ? undefined : texts.join('\n');
}

/** Copies what is selected in a list of messages; anything else is left to the browser. */
export function copySelected(event: ClipboardEvent & { currentTarget: Element }): void {
  const selection = getSelection();
  if (!selection || selection.isCollapsed || !event.clipboardData) return;
  const text = selectedText(selection.getRangeAt(0), event.currentTarget);
  if (text === undefined) return;
  event.preventDefault();
  event.clipboardData.setData('text/plain', text);
}

/** What of a line is selected. */
function within(range: Range, line: Element): string {
  let text = '';
  const nodes = document.createTreeWalker(line, NodeFilter.SHOW_TEXT);
  for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
    if (!range.intersectsNode(node) || node.parentElement?.closest(NOT_TEXT)) continue;
    const from = node === range.startContainer ? range.startOffset : 0;
    const to = node === range.endContainer ? range.endOffset : undefined;
    text += (node.nodeValue ?? '').slice(from, to);
  }
  return text;
}
