/** @file  Weights of time of flight as the kernels of single lines read them. */
import { type TofResponse, tofReach, tofTable } from '../tof-weight.js';
import type { Pieces, Workspace } from './pool.js';

/** Takes room for the weights and writes them; address 0 stands for none. */
export interface TofWeights {
  take(take: Pieces['take']): TofPlace;
  write(space: Workspace, place: TofPlace): void;
}
export interface TofPlace {
  readonly row: number;
  readonly table: number;
}

export function tofWeights(tof: TofResponse | undefined): TofWeights {
  if (!tof) return { take: () => ({ row: 0, table: 0 }), write: () => {} };
  const { values, bits, zero, near } = tofTable(tof);
  return {
    take: (take) => ({ row: take(56), table: take(values.byteLength) }),
    write: ({ buffer }, { row, table }) => {
      new Float64Array(buffer, row, 7).set([table, 2 * values.length, bits, zero, near, tof.width, tofReach(tof)]);
      new Float32Array(buffer, table, values.length).set(values);
    },
  };
}
