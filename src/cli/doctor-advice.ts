/** @file  What doctor's findings mean for someone who asks "why is it slow?" and "why is my card not used?". */
import { readFileSync } from 'node:fs';

/** What was found on this machine, before doctor itself made work. */
export interface Situation {
  /** Processes that want a core, on average over the last minute; 0 where the system does not tell. */
  readonly load: number;
  readonly cores: number;
  /** Cores that this process may use. */
  readonly usable: number;
  readonly freeGiB: number;
  /** process.versions.node. */
  readonly node: string;
  /** Name of the card that answered, if one did, and why `auto` does not take it, if it does not. */
  readonly card?: string | undefined;
  readonly why?: string | undefined;
  /** Provider that trains networks on the card, or why none does; absent where no card is. */
  readonly networks?: { readonly provider?: string | undefined; readonly why?: string | undefined } | undefined;
}

/** Less than this, GiB, and a large scan swaps. */
const tightMemory = 2;

/** Answers to "why is it slow?": what slows this machine, and what to do; at least one line. */
export function slowness({ load, cores, usable, freeGiB, node }: Situation): string[] {
  const lines: string[] = [];
  if (load > usable + 0.5) {
    const times = (load + usable) / usable;
    lines.push(
      `Other programs keep the cores busy (load ${load.toFixed(1)} on ${usable}): all takes about ${times.toFixed(0)} times as long, the speeds above included. Wait for them, or end them.`,
    );
  }
  if (usable < cores) {
    lines.push(
      `Only ${usable} of the ${cores} cores may be used here: raise the limit of the container or of the scheduler’s job.`,
    );
  }
  if (freeGiB < tightMemory) {
    lines.push(
      `Only ${freeGiB.toFixed(1)} GiB of memory are free: what does not fit goes to disk. Ask coincide info SCAN --plan for what a scan needs, and take more --subsets.`,
    );
  }
  if (Number.parseInt(node, 10) < 22)
    lines.push('Node 22 or later has relaxed SIMD: projections with time of flight take up to a third less time.');
  if (lines.length === 0) lines.push('Nothing here slows it.');
  lines.push(
    'coincide info SCAN --plan tells the time of an iteration; --view-mash, --max-ring-difference and --voxel make it shorter.',
  );
  return lines;
}

/** Answers to "why is my graphics card not used?": one line on projectors, and where there is a card one on networks. */
export function cardUse({ card, why, networks }: Situation): string[] {
  const projectors =
    card === undefined
      ? `Projectors: no card answers. ${why ?? ''}`.trim()
      : why === undefined
        ? `Projectors use it: --device auto takes ${card}.`
        : `Projectors: ${why}`;
  if (networks === undefined) return [projectors];
  const { provider, why: whyNot } = networks;
  return [
    projectors,
    provider === undefined
      ? `Networks stay on the processor: ${whyNot}`
      : `Networks: training uses ${provider}; single volumes are denoised on the processor.`,
  ];
}

/** Cores that a container's limit leaves (cgroup v2), or all. */
export function coresAllowed(cores: number, limit: string = cgroupLimit()): number {
  const [quota, period] = limit.trim().split(/\s+/).map(Number);
  return quota! > 0 && period! > 0 ? Math.max(1, Math.min(cores, Math.floor(quota! / period!))) : cores;
}

function cgroupLimit(): string {
  try {
    return readFileSync('/sys/fs/cgroup/cpu.max', 'utf8');
  } catch {
    return 'max';
  }
}
