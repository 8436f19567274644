/** Every verb's help ends with an example whose options the verb has. */
import { expect, it } from 'vitest';
import { examples } from '../../src/cli/examples.js';
import { coincide, scratch } from './run.js';

it('there is one for every verb, and the program prints it', async () => {
  const { stdout } = await coincide(['--help'], scratch());
  const verbs = [...stdout.slice(stdout.indexOf('Commands:')).matchAll(/^ {2}([a-z]+) /gm)].map(([, verb]) => verb!);
  expect(Object.keys(examples).sort()).toEqual(verbs.filter((verb) => verb !== 'help').sort());
});

it.each(Object.keys(examples))(
  '%s',
  async (verb) => {
    const { stdout, code } = await coincide([verb, '--help'], scratch());
    expect(code).toBe(0);
    const [options, shown] = stdout.split('\nExample:\n');
    expect(shown!.trimEnd().split('\n')).toEqual(examples[verb]!.map((line) => `  ${line}`));
    for (const line of examples[verb]!.filter((text) => text.startsWith('coincide '))) {
      expect(line.split(' ')[1]).toBe(verb);
      for (const option of line.replace(/ -- .*/, '').match(/(?<=\s)--?[a-z][\w-]*/g) ?? [])
        expect(options).toMatch(new RegExp(`${option}[ ,]`));
    }
  },
  60_000,
);
