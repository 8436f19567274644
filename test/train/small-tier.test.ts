/** `coincide train bench/small/train.json` ends where the committed curve ends: bench/small/curve.jsonl is its log on another day. Rounding
 *  differs between processors, and five hundred steps carry it on; the seeds are the same. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { expect, it } from 'vitest';
import { coincide, scratch } from '../cli/run.js';

const small = resolve(import.meta.dirname, '../../bench/small');
const last = (log: string): { step: number; loss: number; lowCount: number; meanMode: number } =>
  JSON.parse(log.trim().split('\n').at(-1)!);

it('the small tier reproduces its committed end', async () => {
  const dir = scratch();
  const ran = await coincide(['train', join(small, 'train.json'), '-o', 'model', '--quiet'], dir);
  expect(ran.stderr + ran.code).toBe('0');
  const found = last(readFileSync(join(dir, 'model.training', 'log.jsonl'), 'utf8'));
  const committed = last(readFileSync(join(small, 'curve.jsonl'), 'utf8'));
  expect(found.step).toBe(committed.step);
  expect(found.lowCount).toBeCloseTo(committed.lowCount, 2);
  expect(Math.abs(found.loss / committed.loss - 1)).toBeLessThan(0.05);
  expect(Math.abs(found.meanMode - committed.meanMode)).toBeLessThan(0.15);
  expect(found.meanMode - found.lowCount).toBeGreaterThan(1.5);
}, 600_000);
