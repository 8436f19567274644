/** @file  Another projector to compare with: an executable that reads one command a line and answers each with one line. Files hold float32
 *  in the machine's byte order; lengths are mm, axes in the order z, y, x.
 *    grid NZ NY NX DZ DY DX OZ OY OX   image grid, pitch, centre of voxel 0; answer `ok`, as to the next five
 *    lines FILE                        rows of six: start and end of each line
 *    tof BINS WIDTH SIGMA              TOF bins along each line, symmetrical to its middle; 1 bin: none
 *    events FILE                       list mode: the TOF bin of each line, 0 at its start; forward and back then have one value a line
 *    image FILE                        for forward, [z][y][x]
 *    data FILE                         for back, [line][tof]; [line] after `events`, which `lines` forgets
 *    forward [FILE] · back [FILE]      projects, writes the result if a file is named; answer `seconds S`, process CPU time of the
 *                                      projection alone */
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Grid } from 'coincide';

export interface Peer {
  forward(): Promise<number>;
  back(): Promise<number>;
  close(): void;
}

/** @param lines rows of six. @param folder for the files. */
export async function openPeer(
  path: string,
  folder: string,
  { shape, voxelSize, origin }: Grid,
  lines: Float32Array,
  tof: { readonly bins: number; readonly width: number; readonly sigma: number },
  image: Float32Array,
  data: Float32Array,
  /** List mode with time of flight. */
  events?: Float32Array,
): Promise<Peer> {
  const driver = spawn(path, { stdio: ['pipe', 'pipe', 'inherit'], env: { ...process.env, OMP_NUM_THREADS: '1' } });
  const answers = createInterface({ input: driver.stdout })[Symbol.asyncIterator]();
  const ask = async (command: string): Promise<string> => {
    driver.stdin.write(`${command}\n`);
    const { value } = await answers.next();
    if (typeof value !== 'string' || !/^(ok|seconds )/.test(value)) throw new Error(`${path}: ${command}: ${value}`);
    return value;
  };
  const send = (key: string, values: Float32Array): Promise<string> => {
    const file = join(folder, key);
    writeFileSync(file, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return ask(`${key} ${file}`);
  };
  await ask(['grid', ...shape, ...voxelSize, ...origin].join(' '));
  await send('lines', lines);
  await ask(`tof ${tof.bins} ${tof.width} ${tof.sigma}`);
  if (events) await send('events', events);
  await send('image', image);
  await send('data', data);
  const seconds = async (command: string): Promise<number> => Number((await ask(command)).split(' ')[1]);
  return { forward: () => seconds('forward'), back: () => seconds('back'), close: () => driver.stdin.end() };
}
