import { describe, expect, it } from 'vitest';
import type { GraphRunner } from '../../src/network/runner.js';
import { chooseProvider, compareProviders, type Probe, probeProvider } from '../../src/node/ort-probe.js';
import { openSession, type Provider } from '../../src/node/ort-session.js';

describe('probeProvider', () => {
  it('finds the CPU equal to itself', async () => {
    const probe = await probeProvider('cpu');
    expect(probe).toMatchObject({ provider: 'cpu', usable: true, error: 0 });
    expect(probe.speedUp).toBeGreaterThan(0.1);
  });

  it('finds a provider that this runtime does not have unusable, and says so', async () => {
    const probe = await probeProvider('nonsense' as Provider);
    expect(probe).toMatchObject({ usable: false });
    expect(probe.why).toMatch(/no such provider.*cpu.*nonsense/);
  });

  it.each(['webgpu', 'cuda'] as const)('%s is usable, with the CPU’s gradient, or says why not', async (provider) => {
    const { usable, why, error } = await probeProvider(provider);
    if (usable) expect(error).toBeLessThan(1e-4);
    else expect(why).toMatch(/.{10}/);
  });
});

it('a probe stops when it is told to', async () => {
  const control = new AbortController();
  const running = probeProvider('cpu', { signal: control.signal });
  control.abort(new Error('enough'));
  await expect(running).rejects.toThrow('enough');
});

describe('compareProviders', () => {
  /** A provider that is the CPU but for what `change` does to its results. */
  const altered =
    (change: (gradient: Float32Array) => Float32Array | Promise<Float32Array>) =>
    async (...[program, provider]: Parameters<Parameters<typeof compareProviders>[1]>): Promise<GraphRunner> => {
      const session = await openSession(program);
      if (provider === 'cpu') return session;
      return {
        run: async (feeds) => {
          const outputs = await session.run(feeds);
          return { ...outputs, gradient: await change(outputs.gradient) };
        },
        dispose: () => session.dispose(),
      };
    };

  it('refuses a gradient that is wrong in few places, or not a number', async () => {
    const few = await compareProviders(
      'webgpu',
      altered((g) => g.map((value, i) => (i % 500 === 0 ? 0 : value))),
    );
    expect(few).toMatchObject({ usable: false });
    expect(few.why).toMatch(/differs/);
    const none = await compareProviders(
      'cuda',
      altered((g) => g.map(() => Number.NaN)),
    );
    expect(none.why).toMatch(/differs.*NaN/);
  });

  it('refuses what is slower than the CPU', async () => {
    const slow = await compareProviders(
      'webgpu',
      altered(async (gradient) => {
        await new Promise((done) => setTimeout(done, 2000));
        return gradient;
      }),
    );
    expect(slow).toMatchObject({ usable: false, error: 0 });
    expect(slow.why).toMatch(/times as long/);
  }, 60_000);
});

describe('chooseProvider', () => {
  const probing = (good?: Provider) => {
    const asked: Provider[] = [];
    const probe = async (provider: Provider): Promise<Probe> => {
      asked.push(provider);
      return { provider, usable: provider === good, why: 'no driver' };
    };
    return { asked, probe };
  };
  const card = async (): Promise<boolean> => true;
  it('takes the first that is usable, the CPU for auto without one, and never another for cpu', async () => {
    const some = probing('webgpu');
    expect(await chooseProvider('auto', { ...some, card })).toBe('webgpu');
    expect(some.asked).toEqual(['cuda', 'coreml', 'dml', 'webgpu']);
    expect(await chooseProvider('auto', { ...probing(), card })).toBe('cpu');
    const none = probing('cuda');
    expect(await chooseProvider('cpu', { ...none, card })).toBe('cpu');
    expect(await chooseProvider('auto', { ...none, card: async () => false })).toBe('cpu');
    expect(none.asked).toEqual([]);
  });
  it('refuses gpu without one, with every reason', async () => {
    await expect(chooseProvider('gpu', probing())).rejects.toThrow(/cuda: no driver; coreml.*webgpu: no driver/);
  });
});
