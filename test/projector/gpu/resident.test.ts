/** EM with everything on the graphics card: the same images as on the processor's cores, and nothing on the way between. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fill, type NdArray, type Volume } from '../../../src/core/array.js';
import { DeviceError, OptionError, ShapeError } from '../../../src/core/errors.js';
import { centredGrid, type Grid } from '../../../src/core/image.js';
import type { PoissonSubset, ResidentModel } from '../../../src/core/interfaces.js';
import { last } from '../../../src/core/iterate.js';
import { random } from '../../../src/core/random.js';
import { fieldOfViewMask } from '../../../src/geometry/grid.js';
import type { Scan } from '../../../src/geometry/scan.js';
import { type SinogramLayout, sinogramLayout, sinogramShape } from '../../../src/geometry/sinogram.js';
import { openCpuEngine } from '../../../src/node/kernel-pool.js';
import { reconstruct as reconstructScan } from '../../../src/node/reconstruct.js';
import type { ProjectorEngine } from '../../../src/projector/engine.js';
import type { GpuDevice } from '../../../src/projector/gpu/device.js';
import { gpuResidentModel } from '../../../src/projector/gpu/resident.js';
import { systemModel } from '../../../src/projector/system-model.js';
import { osem, uniformStart } from '../../../src/recon/osem.js';
import { poissonProx } from '../../../src/recon/poisson-prox.js';
import { residentOsem, residentProx, residentStart } from '../../../src/recon/resident.js';
import { gpu, noGpu } from '../../gpu.js';
import { expectAbort, maxDifference } from '../../laws.js';
import { oddScanner } from '../engines.js';
import { openTestGpu } from './device.js';

if (!gpu) it('needs a WebGPU adapter', (ctx) => ctx.skip(noGpu));

const grid = centredGrid([17, 15, 13], [3, 8, 9]);
const layout = sinogramLayout(oddScanner, { span: 3 });

/** Noisy prompts of a lumpy image, with factors, some of them 0, and a background. */
async function scanOf(engine: ProjectorEngine, layout: SinogramLayout, grid: Grid): Promise<Scan> {
  const { uniform, poisson } = random(5);
  const views = Array.from({ length: layout.views }, (_, view) => view);
  const truth = fill(grid.shape, () => 0.02 * uniform());
  const trues = await engine.sinogramProjector(layout, views, grid).forward(truth);
  const shape = sinogramShape(layout);
  const m = fill(shape, () => (uniform() < 0.03 ? 0 : 0.5 + uniform()));
  const a = fill(shape, () => 0.3 * uniform());
  const y = fill(shape, (i) => (uniform() < 0.001 ? 3 : poisson(m.data[i]! * (trues.data[i]! + a.data[i]!))));
  const term = (values: NdArray) => ({ layout, values });
  return { prompts: term(y), multiplicative: term(m), additive: term(a), position: 'HFS' };
}

describe.skipIf(!gpu)('EM on the graphics card', () => {
  let engine: ProjectorEngine;
  let device: GpuDevice;
  let cpu: ProjectorEngine;
  let scan: Scan;
  let subsets: PoissonSubset[];
  let model: ResidentModel;
  const options = { psf: [4, 9, 7], mask: fieldOfViewMask(layout, grid) } as const;
  beforeAll(async () => {
    ({ engine, device } = await openTestGpu());
    cpu = await openCpuEngine({ threads: 1 });
    scan = await scanOf(cpu, layout, grid);
    subsets = await systemModel(scan, cpu, grid, { ...options, subsets: 7 });
    model = await engine.residentModel!(scan, grid, subsets, options);
  });
  afterAll(async () => {
    model?.dispose();
    await engine?.dispose();
    await cpu?.dispose();
  });
  const reconstruct = async (on: ResidentModel, epochs: number, initial?: Volume, start = 0): Promise<Volume> =>
    (await last(residentOsem(on, { epochs, initial, start }))).image();

  it('is the OSEM of the cpu engine, after two passes over seven subsets', async () => {
    const initial = uniformStart(subsets);
    expect(
      residentStart(
        model,
        subsets.map(({ sensitivity }) => sensitivity),
      ).data,
    ).toEqual(initial.data);
    const { image } = await last(osem(subsets, { epochs: 2, initial }));
    expect(maxDifference(await reconstruct(model, 2, initial), image)).toBeLessThan(1e-5);
    const own = await systemModel(scan, engine, grid, { ...options, subsets: 7 });
    expect(maxDifference((await last(osem(own, { epochs: 2, initial }))).image, image)).toBeLessThan(1e-5);
  });

  it.each([
    ['neither factors nor background, from ones', { multiplicative: undefined, additive: undefined }, {}],
    ['no background, resolution', { additive: undefined }, { psf: 6 }],
    ['a narrow field of view', {}, { mask: fieldOfViewMask({ ...layout, tangential: 15 }, grid) }],
  ])('is that of the cpu engine also with %s', async (_, terms, some) => {
    const part = { ...scan, ...terms };
    const few = await systemModel(part, cpu, grid, { ...some, subsets: 3 });
    const on = await engine.residentModel!(part, grid, few, some);
    expect(maxDifference(await reconstruct(on, 1), (await last(osem(few, { epochs: 1 }))).image)).toBeLessThan(1e-5);
    on.dispose();
  });

  it('is that of the cpu engine also with time of flight and planes a ring apart', async () => {
    const timed = { ...oddScanner, tof: { bins: 5, binWidth: 390, resolution: 424 } };
    const layout = sinogramLayout(timed, { span: 1, maxRingDifference: 2, tofMash: 1, tangential: 21, viewMash: 2 });
    const scan = await scanOf(cpu, layout, grid);
    const few = await systemModel(scan, cpu, grid, { subsets: 3 });
    const on = await engine.residentModel!(scan, grid, few);
    expect(maxDifference(await reconstruct(on, 1), (await last(osem(few, { epochs: 1 }))).image)).toBeLessThan(1e-4);
    on.dispose();
  });

  it('is what `reconstruct` runs on this engine', async () => {
    const { image: expected } = await reconstructScan(scan, grid, cpu, { subsets: 4, psf: 5, iterations: 1 });
    const { image, parameters } = await reconstructScan(scan, grid, engine, { subsets: 4, psf: 5, iterations: 1 });
    expect(maxDifference(image.values, expected.values)).toBeLessThan(1e-5);
    expect(parameters.engine).toBe('gpu');
  });

  it('moves nothing between sub-iterations: no image or data up, nothing down', async () => {
    const { queue } = device.device;
    const { writeBuffer } = queue;
    const buffers = Object.getPrototypeOf(device.device.createBuffer({ size: 4, usage: 8 })) as GPUBuffer;
    const { mapAsync } = buffers;
    let [bytes, largest, mapped] = [0, 0, 0];
    buffers.mapAsync = function (this: GPUBuffer, ...args) {
      mapped++;
      return mapAsync.apply(this, args);
    };
    queue.writeBuffer = ((...args: Parameters<GPUQueue['writeBuffer']>) => {
      bytes += args[2].byteLength;
      largest = Math.max(largest, args[2].byteLength);
      return writeBuffer.apply(queue, args);
    }) as GPUQueue['writeBuffer'];
    const steps = residentOsem(model, { epochs: 1 });
    await steps.next();
    // The first image went up.
    expect(largest).toBe(4 * 17 * 15 * 13);
    [bytes, largest, mapped] = [0, 0, 0];
    let done = 1;
    let image: () => Promise<Volume> = () => Promise.reject(new Error('no step'));
    for await (const step of steps) {
      done++;
      image = step.image;
    }
    expect(done).toBe(7);
    expect(mapped).toBe(0);
    // Sizes of arrays for some twelve kernels.
    expect(largest).toBeLessThan(256);
    expect(bytes / 6).toBeLessThan(4096);
    await image();
    expect(mapped).toBe(1);
    queue.writeBuffer = writeBuffer;
    buffers.mapAsync = mapAsync;
  });

  it('is the same, bit for bit, with the data on the host where the card has no room', async () => {
    const small = await gpuResidentModel(device, scan, grid, subsets, options, { memory: 1, samplesPerDispatch: 1e9 });
    expect([model.details, small.details]).toEqual([
      'data on the card',
      'data with the host, larger than the memory allowed on the card',
    ]);
    expect((await reconstruct(small, 1)).data).toEqual((await reconstruct(model, 1)).data);
    small.dispose();
    const pieces = await gpuResidentModel(device, scan, grid, subsets, options, { samplesPerDispatch: 1 });
    expect(maxDifference(await reconstruct(pieces, 1), await reconstruct(model, 1))).toBeLessThan(2e-6);
    pieces.dispose();
  });

  it('resumes: two passes are one and then one, bit for bit', async () => {
    const half = await reconstruct(model, 1);
    expect((await reconstruct(model, 2, half, 7)).data).toEqual((await reconstruct(model, 2)).data);
  });

  it('makes the data steps of poissonProx, with few subsets and with all', async () => {
    const [on, off] = [
      residentProx(model, { firstSubset: 6, exactIterations: 1 }),
      poissonProx(subsets, { firstSubset: 6, exactIterations: 1 }),
    ];
    const { normal } = random(3);
    const v = fill(grid.shape, () => 0.01 + 0.02 * normal());
    for (const [rho, exact] of [
      [1e5, false],
      [0, false],
      [3e7, true],
    ] as const) {
      expect(maxDifference(await on(v, rho, { exact }), await off(v, rho, { exact }))).toBeLessThan(1e-5);
      expect(on.nextSubset()).toBe(off.nextSubset());
    }
    await expect(on(v, -1)).rejects.toThrow(OptionError);
    await expect(
      on(
        fill([2, 2, 2], () => 1),
        1,
      ),
    ).rejects.toThrow(ShapeError);
  });

  it('stops when told to, and says what does not fit', async () => {
    await expectAbort((signal) => last(residentOsem(model, { epochs: 1e6, signal })));
    const steps = residentOsem(model, { epochs: 1 });
    const first = (await steps.next()).value!;
    await steps.next();
    await expect(first.image()).rejects.toThrow(ShapeError);
    await expect(engine.residentModel!(scan, grid, subsets.slice(1))).rejects.toThrow(ShapeError);
    await expect(residentOsem(model, { initial: fill(grid.shape, () => -1) }).next()).rejects.toThrow(OptionError);
  });
});

describe.skipIf(!gpu)('a graphics card that fails', () => {
  it('says that an array is too large, before it is allocated', async () => {
    const { device, engine } = await openTestGpu();
    expect(() => device.array([2 ** 10, 2 ** 10, 2 ** 12])).toThrow(DeviceError);
    await engine.dispose();
  });

  it('turns refused work into an error, instead of zeros', async () => {
    const { device, engine } = await openTestGpu();
    device.device.createBuffer({ size: 16, usage: 3 });
    await expect(device.settle()).rejects.toThrow(/refused work/);
    await expect(engine.gaussianPsf(grid, 5).forward(fill(grid.shape, () => 1))).rejects.toThrow(DeviceError);
    await engine.dispose();
  });

  it('says that it is lost or disposed, at the next call and in one that waits', async () => {
    const { device, engine } = await openTestGpu();
    const operator = engine.gaussianPsf(grid, 5);
    const waiting = operator.forward(fill(grid.shape, () => 1));
    device.device.destroy();
    await expect(waiting).rejects.toThrow(DeviceError);
    await expect(operator.forward(fill(grid.shape, () => 1))).rejects.toThrow(/lost/);
    await engine.dispose();
    await expect(operator.forward(fill(grid.shape, () => 1))).rejects.toThrow(/disposed/);
    const again = await openTestGpu();
    expect((await again.engine.gaussianPsf(grid, 5).forward(fill(grid.shape, () => 1))).data[0]).toBeGreaterThan(0);
    await again.engine.dispose();
  });
});
