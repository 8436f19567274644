/** @file  The library's typed errors. Each says what was wrong, what came, what was expected, where, and the likely slip. */

/** What an error knows beside its sentence; every field that is given becomes part of the message. */
export interface Fault {
  /** File, or other source, the fault is in. */
  readonly file?: string | undefined;
  /** Header key, option or parameter that is wrong. */
  readonly key?: string | undefined;
  readonly expected?: string | undefined;
  readonly found?: unknown;
  /** The likely slip, or what to do next. */
  readonly hint?: string | undefined;
  readonly cause?: unknown;
}

/** Base of all errors that the user of the library can mend. Never thrown itself. */
export class CoincideError extends Error {
  readonly fault: Fault;
  constructor(what: string, fault: Fault = {}) {
    super(sentence(what, fault), fault.cause === undefined ? undefined : { cause: fault.cause });
    this.name = new.target.name;
    this.fault = fault;
  }
}
/** An array does not fit another. */
export class ShapeError extends CoincideError {}
/** Bytes that are not what their format says. */
export class FormatError extends CoincideError {}
/** A scanner, sinogram layout or image grid that cannot be. */
export class GeometryError extends CoincideError {}
/** A device, engine or worker that is absent, lost or too small. */
export class DeviceError extends CoincideError {}
/** A model that is missing, damaged, or made for something else. */
export class ModelError extends CoincideError {}
/** An option outside its range. */
export class OptionError extends CoincideError {}

function sentence(what: string, { file, key, expected, found, hint }: Fault): string {
  let text = file === undefined ? what : `${file}: ${what}`;
  if (key !== undefined) text += ` (${key})`;
  if (expected !== undefined) text += `: expected ${expected}`;
  if (found !== undefined) text += `${expected === undefined ? ':' : ','} found ${show(found)}`;
  text += '.';
  return hint === undefined ? text : `${text} ${hint}`;
}

/** Control characters, and what is no UTF-8: bytes of another kind of file. */
const binary = /[^\P{Cc}\s]|\ufffd/u;

function show(value: unknown): string {
  if (typeof value === 'string' && binary.test(value)) return 'bytes that are no text';
  const text = typeof value === 'string' ? JSON.stringify(value) : Array.isArray(value) ? `[${value.join(', ')}]` : String(value);
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
