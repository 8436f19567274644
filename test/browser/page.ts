/** The page's side of engine.test.ts. */
import { openGpuEngine } from '../../src/index.js';
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
  }
}

window.onGpu = async (): Promise<PageResult> => {
  const engine = await openGpuEngine(navigator.gpu);
  try {
    const { forward, adjoint, osem } = await work(engine);
    return { device: engine.details ?? '', forward: [...forward], adjoint: [...adjoint], osem: [...osem] };
  } finally {
    await engine.dispose();
  }
};
