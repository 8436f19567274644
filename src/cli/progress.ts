/** @file  Progress on stderr: one line that is redrawn on a terminal, a line now and then elsewhere. */

/** Called with the share done, in [0, 1], and a word on what is going on. */
export type Report = (fraction: number, text?: string) => void;

/** A reporter for one piece of work. `quiet` makes it silent. @param from share that was done before, and took no time now. */
export function progress(title: string, quiet: boolean, from = 0): Report & { done(): void } {
  const started = performance.now();
  const live = process.stderr.isTTY === true;
  let shown = Number.NEGATIVE_INFINITY;
  const report = (fraction: number, text = ''): void => {
    const now = performance.now();
    if (quiet || now - shown < (live ? 100 : 5000)) return;
    shown = now;
    const elapsed = (now - started) / 1000;
    const done = fraction - from;
    const eta = done > 0.003 ? `, ${duration((elapsed * (1 - fraction)) / done)} left` : '';
    const line = `${title} ${String(Math.round(100 * fraction)).padStart(3)} %${eta}${text === '' ? '' : `  ${text}`}`;
    process.stderr.write(live ? `\r\x1b[2K${line.slice(0, (process.stderr.columns ?? 100) - 1)}` : `${line}\n`);
  };
  return Object.assign(report, {
    done: () => {
      if (!quiet && live) process.stderr.write('\r\x1b[2K');
    },
  });
}

/** 75 → '1 min 15 s'. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${Math.ceil(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}
