/** The adapter that tests of the graphics card run on: SwiftShader, a program, unless COINCIDE_TEST_GPU=hardware asks for a real one
 *  (vitest.config.ts). Where there is none they are skipped and say why; with COINCIDE_TEST_GPU set, as CI does, that is a failure. */
import { type FoundGpu, findGpu } from '../src/node/gpu-device.js';

const wanted = process.env.COINCIDE_TEST_GPU;
if (wanted !== undefined && wanted !== 'software' && wanted !== 'hardware') {
  throw new Error(`COINCIDE_TEST_GPU is software or hardware, found "${wanted}".`);
}

async function look(): Promise<FoundGpu | string> {
  try {
    const found = await findGpu();
    if (wanted === 'hardware' && found.software) return `COINCIDE_TEST_GPU=hardware, but there is only ${found.name}`;
    return found;
  } catch (error) {
    return (error as Error).message;
  }
}

const found: FoundGpu | string = await look();
if (typeof found === 'string' && wanted !== undefined) throw new Error(found);

if (typeof found === 'string') console.warn(`The tests of the graphics card are skipped: ${found}`);

/** Undefined where there is none. */
export const gpu: FoundGpu | undefined = typeof found === 'string' ? undefined : found;
/** Why there is none: `if (!gpu) return ctx.skip(noGpu)`. */
export const noGpu: string = typeof found === 'string' ? found : '';
