/** Fenced blocks of Markdown and what is to be done with them. The first word of the fence is the language; a word after it is its mark:
 *
 *    run          run in the folder of the pages, as the reader would, one block after the other
 *    slow         the same, where COINCIDE_DOCS=slow asks for it: more than about 20 s
 *    check        TypeScript for a place that is not here (a page in a browser): its types are checked
 *    needs=WHAT   a command for what is not here (a clone, a network, Slurm, a card): its verbs, options and scripts are checked
 *    file=NAME    a file that later blocks use: it is written
 *
 *  ```text is output, or a formula. Anything else is an error: nothing stands in the docs that nobody tried. */
export interface Block {
  readonly page: string;
  readonly line: number;
  readonly language: string;
  readonly mark: string;
  readonly text: string;
}

export function blocksOf(page: string, markdown: string): Block[] {
  const lines = markdown.split('\n');
  const blocks: Block[] = [];
  for (let i = 0; i < lines.length; i++) {
    const [, indent, fence, info] = /^( *)(`{3,})(.*)$/.exec(lines[i]!) ?? [];
    if (fence === undefined) continue;
    const [language = '', ...marks] = info!.trim().split(/\s+/);
    const line = i + 1;
    const text: string[] = [];
    while (++i < lines.length && lines[i]!.trim() !== fence) text.push(lines[i]!.slice(indent!.length));
    blocks.push({ page, line, language, mark: marks.join(' '), text: text.join('\n') });
  }
  return blocks;
}

/** A block that says neither what it is nor what is to be done with it. */
export function unmarked({ language, mark }: Block): boolean {
  if (language === 'text') return mark !== '';
  if (language === 'sh') return !/^(run|slow|needs=\w+)$/.test(mark);
  if (language === 'ts') return !/^(run|slow|check)$/.test(mark);
  return !/^file=\S+$/.test(mark);
}

/** The command lines of a shell block, comments and continuations resolved. */
export const commandsOf = (text: string): string[] =>
  text
    .replace(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .filter((line) => line !== '');

/** Every [text](target) and ![text](target) outside of fenced blocks. */
export function linksOf(markdown: string): string[] {
  const prose = markdown.replace(/^( *)(`{3,})[\s\S]*?^\1\2 *$/gm, '').replace(/`[^`\n]*`/g, '');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
}

/** The anchor that a heading gets, as VitePress and GitHub write it for plain headings. */
export const anchorOf = (heading: string): string =>
  heading
    .trim()
    .toLowerCase()
    .replace(/[`*_]/g, '')
    .replace(/[^\p{L}\p{N}\s-]/gu, '')
    .replace(/\s/g, '-');
