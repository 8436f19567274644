/** The page's side of page.test.ts. */
import { localCpuEngine, openGpuEngine, type ProjectorEngine } from '../../src/index.js';
import { work } from './work.js';

export interface PageResult {
  readonly device: string;
  readonly forward: number[];
  readonly adjoint: number[];
  readonly osem: number[];
}
declare global {
  interface Window {
    onGpu(): Promise<PageResult>;
    onCpu(): Promise<PageResult>;
  }
}

async function result(engine: ProjectorEngine): Promise<PageResult> {
  try {
    const { forward, adjoint, osem } = await work(engine);
    return { device: engine.details ?? '', forward: [...forward], adjoint: [...adjoint], osem: [...osem] };
  } finally {
    await engine.dispose();
  }
}

window.onGpu = async () => result(await openGpuEngine(navigator.gpu));
window.onCpu = async () => result(await localCpuEngine(await (await fetch('/kernel.wasm')).arrayBuffer()));
