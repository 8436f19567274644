/** @file  coincide histogram: list mode to a scan folder. */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { FormatError, OptionError } from '../core/errors.js';
import { filledBins } from '../geometry/bin-values.js';
import { scannerByName } from '../geometry/scanners.js';
import { sinogramLayout } from '../geometry/sinogram.js';
import { histogramMmr } from '../io/mmr-histogram.js';
import { estimateRandoms } from '../io/randoms.js';
import { mayReplace } from '../node/files.js';
import { readMmrWords } from '../node/list-mode-file.js';
import { detectionFactors, randomsTerm, scanOutput, writeScan } from '../node/scan-folder.js';
import { numbers, type Result, type Run, verb, whole } from './verb.js';

interface Options {
  readonly frame?: number[];
  readonly span: number;
  readonly maxRingDifference: number;
  readonly viewMash: number;
  readonly output: string;
}

export function histogram(program: Command): void {
  const command = program
    .command('histogram <listmode>')
    .description(
      'sort list mode (Siemens mMR, 32 bit; give its header) into a scan folder: prompts, randoms from the delayeds, detection factors',
    )
    .option('--frame <t0,t1>', 'time frame, s (default: all)', numbers)
    .option('--span <n>', 'axial compression', whole, 11)
    .option('--max-ring-difference <n>', 'largest ring difference', whole, 60)
    .option('--view-mash <n>', 'views added into one', whole, 1)
    .requiredOption('-o, --output <dir>', 'scan folder to write');
  verb(command, async (run: Run, listmode: string, options: Options): Promise<Result> => {
    const { frame, span, maxRingDifference, viewMash, output } = options;
    if (frame && !(frame.length === 2 && frame[0]! >= 0 && frame[1]! > frame[0]!)) {
      throw new OptionError('Time frame', { key: '--frame', expected: 'start,end in s, start < end', found: frame });
    }
    await mayReplace(output, scanOutput);
    if (statSync(listmode, { throwIfNoEntry: false })?.isDirectory()) {
      const hint = existsSync(join(listmode, 'prompts.hs'))
        ? 'It is a scan folder already: coincide recon.'
        : 'Name the header in it.';
      throw new FormatError('This is a folder, not the header of list mode', { file: listmode, hint });
    }
    const { header, words, file: data } = await readMmrWords(listmode);
    const layout = sinogramLayout(scannerByName('Siemens mMR'), { span, maxRingDifference, viewMash });
    const stage = run.stage('histogram');
    const events = await histogramMmr(words, layout, {
      ...(frame ? { frame: [frame[0]!, frame[1]!] } : {}),
      file: data,
      signal: run.signal,
      onProgress: stage,
    });
    stage.done();
    if (events.counts.prompts === 0) {
      throw new FormatError('There are no prompts in this time frame', {
        file: data,
        key: '--frame',
        found: frame ?? 'the whole file',
        hint: 'Times are seconds from the start of the file.',
      });
    }
    const multiplicative = await filledBins(detectionFactors(layout), { signal: run.signal });
    const additive = randomsTerm(await estimateRandoms(events.delayeds, { signal: run.signal }), multiplicative);
    const { counts, inLayout, duration, perSegment } = events;
    const segments = Object.fromEntries([...perSegment].sort(([a], [b]) => a - b));
    const made = {
      histogrammed: { listmode, frame: frame ?? null, span, maxRingDifference, viewMash },
      counts,
      inLayout,
      duration,
      unit: 'counts' as const,
    };
    await writeScan(output, {
      scan: { prompts: events.prompts, multiplicative, additive, position: header.exam.position ?? 'HFS' },
      meta: made,
    });
    return {
      json: {
        output,
        ...counts,
        inLayout,
        perSegment: segments,
        durationSeconds: duration,
        span,
        maxRingDifference,
        views: layout.views,
      },
      text: `${counts.prompts} prompts, ${counts.delayeds} delayeds in ${duration} s; ${inLayout.prompts} and ${inLayout.delayeds} within the ring differences, in ${output}`,
    };
  });
}
