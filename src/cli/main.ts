#!/usr/bin/env node
/** @file  The command line: one file a verb. */
import { Command } from 'commander';
import { version } from '../node/version.js';
import { batch } from './batch.js';
import { demo } from './demo.js';
import { denoise } from './denoise.js';
import { doctor } from './doctor.js';
import { evaluate } from './evaluate.js';
import { examples } from './examples.js';
import { histogram } from './histogram.js';
import { importModel } from './import.js';
import { info } from './info.js';
import { phantom } from './phantom.js';
import { recon } from './recon.js';
import { report } from './report.js';
import { simulate } from './simulate.js';
import { train } from './train.js';
import { view } from './view.js';

const program = new Command('coincide')
  .description('PET image reconstruction and denoising with a 3D diffusion prior. Research use only; not a medical device.')
  .version(version())
  .showHelpAfterError('(see coincide <verb> --help)')
  .exitOverride();
for (const add of [
  phantom,
  simulate,
  histogram,
  recon,
  denoise,
  batch,
  evaluate,
  train,
  importModel,
  view,
  report,
  info,
  doctor,
  demo,
])
  add(program);
for (const command of program.commands) {
  const more =
    command.name() === 'batch' ? '; options for the studies stand after --: coincide batch studies.csv -- --mode samples' : '';
  command.exitOverride().showHelpAfterError(`(see coincide ${command.name()} --help${more})`);
  command.addHelpText('after', () => `\nExample:\n${(examples[command.name()] ?? []).map((line) => `  ${line}`).join('\n')}`);
}
program.addHelpText(
  'after',
  '\nFirst: coincide doctor checks this machine; coincide demo shows it all; coincide VERB --help ends with an example.',
);

program.parseAsync().catch((error: { code?: string; exitCode?: number; stack?: string }) => {
  // commander has printed its message already; a wrong call ends with 2, help and version with 0.
  if (error.code?.startsWith('commander.')) process.exitCode = error.exitCode === 0 ? 0 : 2;
  else {
    process.stderr.write(`coincide: internal error: ${error.stack ?? String(error)}\n`);
    process.exitCode = 1;
  }
});
