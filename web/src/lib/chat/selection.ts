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

/** Where the words of a message, or of one of its lines, stand. */
function textNodes(root: Element): Text[] {
  const nodes: Text[] = [];
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) if (!node.parentElement?.closest(NOT_TEXT)) nodes.push(node as Text);
  return nodes;
}

/** What of a line is selected. */
function within(range: Range, line: Element): string {
  let text = '';
  for (const node of textNodes(line)) {
    if (!range.intersectsNode(node)) continue;
    const from = node === range.startContainer ? range.startOffset : 0;
    const to = node === range.endContainer ? range.endOffset : undefined;
    text += node.data.slice(from, to);
  }
  return text;
}

/** How long quoted words stay coloured, in milliseconds. */
const COLOURED = 4_000;

/** Colours words of a message, as near to their place as they stand there. */
export function colourPart(content: Element, { text, offset }: { text: string; offset: number }): void {
  if (!('highlights' in CSS)) return;
  const nodes = textNodes(content);
  // Lines stand in blocks of their own: without their ends the words follow each other, and stand not later than they did.
  const wanted = text.replace(/\n/g, '');
  const all = nodes.map((node) => node.data).join('');
  const at = Math.max(all.lastIndexOf(wanted, offset), all.indexOf(wanted));
  if (at === -1) return;
  const range = document.createRange();
  let passed = 0;
  for (const node of nodes) {
    const [from, to] = [at - passed, at + wanted.length - passed];
    if (from >= 0 && from < node.length) range.setStart(node, from);
    if (to > 0 && to <= node.length) range.setEnd(node, to);
    passed += node.length;
  }
  const colour = new Highlight(range);
  CSS.highlights.set('quoted', colour);
  setTimeout(() => CSS.highlights.get('quoted') === colour && CSS.highlights.delete('quoted'), COLOURED);
}
