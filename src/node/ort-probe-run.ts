/** @file  The process of a probe: `node ort-probe-run.js PROVIDER` prints what it found as one line of JSON. */
import { compareProviders } from './ort-probe.js';
import { openSession, type Provider } from './ort-session.js';

const provider = process.argv[2] as Provider;
compareProviders(provider, (program, on) => openSession(program, { provider: on })).then((probe) => {
  // Some drivers crash as they are unloaded: what was found is written first.
  process.stdout.write(`${JSON.stringify(probe)}\n`, () => process.exit(0));
});
