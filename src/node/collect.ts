/** @file  Garbage collected when it is asked for. What arrays hold counts little in the heap that they belong to, so that where memory is short gigabytes
 *  of them would wait for long. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** What collects the garbage of the thread that asks. */
export function collector(): () => void {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc') as () => void;
}
