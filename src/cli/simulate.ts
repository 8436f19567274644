/** @file  coincide simulate: activity and μ map to a scan folder. */
import type { Command } from 'commander';
import { OptionError } from '../core/errors.js';
import type { PetImage, Unit } from '../core/image.js';
import { sinogramLayout } from '../geometry/sinogram.js';
import { openEngine } from '../node/devices.js';
import { mayReplace } from '../node/files.js';
import { readImage } from '../node/images.js';
import { scanOutput, writeScan } from '../node/scan-folder.js';
import { readScanner } from '../node/scanner-file.js';
import { acquire } from '../simulate/acquisition.js';
import { fraction, notNegative, positive, type Result, type Run, verb, whole } from './verb.js';

interface Options {
  readonly activity: string;
  readonly mu?: string;
  readonly scanner: string;
  readonly counts: number;
  readonly dose: number;
  readonly randomsFraction: number;
  readonly scatterFraction: number;
  readonly span: number;
  readonly maxRingDifference?: number;
  readonly viewMash: number;
  readonly tofMash?: number;
  readonly psf: number;
  readonly output: string;
}

export function simulate(program: Command): void {
  const command = program
    .command('simulate')
    .description('simulate a scan: attenuation, randoms, scatter and Poisson counts (simulation, not a measurement)')
    .requiredOption('--activity <file>', 'activity, SUV')
    .option('--mu <file>', 'attenuation map, 1/cm (default: none)')
    .option('--scanner <name>', 'name of a scanner, e.g. mMR (any other name lists all), or a JSON file', 'small')
    .requiredOption('--counts <n>', 'expected trues at full dose', positive)
    .option('--dose <f>', 'share of the full dose', positive, 1)
    .option('--randoms-fraction <r>', 'of the expected prompts', fraction, 0.2)
    .option('--scatter-fraction <s>', 'of the expected prompts', fraction, 0.2)
    .option('--span <n>', 'axial compression', whole, 3)
    .option('--max-ring-difference <n>', 'largest ring difference (default: 7 for "small", else all)', whole)
    .option('--view-mash <n>', 'views added into one', whole, 1)
    .option('--tof-mash <n>', 'with time of flight: unmashed bins added into one (default: no time of flight)', whole)
    .option('--psf <mm>', 'resolution of the scanner, mm FWHM', notNegative, 5)
    .requiredOption('-o, --output <dir>', 'scan folder to write');
  verb(command, async (run: Run, options: Options): Promise<Result> => {
    await mayReplace(options.output, scanOutput);
    const activity = await readIn('SUV', options.activity, '--activity');
    const mu = options.mu === undefined ? undefined : await readIn('1/cm', options.mu, '--mu');
    if (options.dose > 1) {
      const hint = '5 % is 0.05; for more counts than the full dose, raise --counts.';
      throw new OptionError('Share of the full dose', {
        key: '--dose',
        expected: 'above 0, at most 1',
        found: options.dose,
        hint,
      });
    }
    if (mu) expectMu(mu, options.mu!);
    const scanner = await readScanner(options.scanner);
    const { span, viewMash, tofMash, maxRingDifference = scanner.name === 'small' ? 7 : undefined } = options;
    const layout = sinogramLayout(scanner, { span, viewMash, tofMash, maxRingDifference });
    const engine = await openEngine(run.options);
    try {
      const { counts, dose, randomsFraction, scatterFraction, psf } = options;
      const { scan, expected } = await acquire({
        ...{ activity, mu, layout, engine, counts, dose, randomsFraction, scatterFraction, psf },
        seed: run.options.seed,
        signal: run.signal,
      });
      const made = {
        simulated: { ...options, seed: run.options.seed, engine: engine.name, device: engine.details },
        expected,
        unit: 'SUV' as const,
      };
      await writeScan(options.output, { scan, mu, meta: made });
      const prompts = scan.prompts.values.data.reduce((sum, n) => sum + n, 0);
      return {
        json: { output: options.output, scanner: scanner.name, prompts, expected, engine: engine.name, device: engine.details },
        text: `${prompts} prompts (expected trues ${Math.round(expected.trues)}, randoms ${Math.round(expected.randoms)}, scatter ${Math.round(expected.scatter)}) in ${options.output}`,
      };
    } finally {
      await engine.dispose();
    }
  });
}

/** 1/cm at 511 keV: above tungsten, and below lungs, nothing that is scanned has its highest value. */
const [densest, thinnest] = [3, 0.02];

/** An image in this unit, or in none that its file names. @throws OptionError for one in another. */
async function readIn(unit: Unit, file: string, key: string): Promise<PetImage> {
  const image = await readImage(file);
  if (image.unit !== unit && image.unit !== 'unknown')
    throw new OptionError('The image is in another unit', {
      file,
      key,
      expected: unit,
      found: image.unit,
      hint: 'Is it the right file?',
    });
  return { ...image, unit };
}

/** @throws OptionError for what cannot be an attenuation map in 1/cm. */
function expectMu({ values }: PetImage, file: string): void {
  const expected = 'an attenuation map, 1/cm: water has 0.096';
  const highest = values.data.reduce((high, value) => Math.max(high, value), 0);
  if (highest > 0 && (highest > densest || highest < thinnest)) {
    const hint = highest < thinnest ? 'Are the values in 1/mm? Multiply them by 10.' : 'Are these HU, labels, or SUV?';
    throw new OptionError('Values of the attenuation map', {
      ...{ file, key: '--mu', expected, found: `a highest of ${highest}`, hint },
    });
  }
}
