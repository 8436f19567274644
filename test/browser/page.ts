/** The page's side of page.test.ts. */
import { localCpuEngine, openGpuEngine, type ProjectorEngine } from '../../src/index.js';
import { type Work, work } from './work.js';

export interface PageResult {
  readonly device: string;
  /** Plain arrays: they leave the page as JSON. */
  readonly work: Readonly<Record<keyof Work, readonly number[]>>;
}
declare global {
  interface Window {
    onGpu(): Promise<PageResult>;
    onCpu(): Promise<PageResult>;
  }
}

async function result(engine: ProjectorEngine): Promise<PageResult> {
  try {
    const { forward, adjoint, osem, resident } = await work(engine);
    return {
      device: engine.details ?? '',
      work: { forward: [...forward], adjoint: [...adjoint], osem: [...osem], resident: [...resident] },
    };
  } finally {
    await engine.dispose();
  }
}

window.onGpu = async () => result(await openGpuEngine(navigator.gpu));
window.onCpu = async () => result(await localCpuEngine(await (await fetch('/kernel.wasm')).arrayBuffer()));
