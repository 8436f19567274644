/** @file  A scanner by name, or from the user's own JSON file. */
import { parseScanner, type Scanner } from '../geometry/scanner.js';
import { scannerByName } from '../geometry/scanners.js';
import { readJson } from './files.js';

/** @throws GeometryError for an unknown name or an impossible description; FormatError for a file that is no JSON. */
export async function readScanner(nameOrFile: string): Promise<Scanner> {
  return nameOrFile.endsWith('.json') ? parseScanner(await readJson(nameOrFile), nameOrFile) : scannerByName(nameOrFile);
}
