/** @file  npm run bench -- NAME [options]: runs bench/NAME.ts. */
const [name = ''] = process.argv.slice(2);
if (/^[a-z-]+$/.test(name)) await import(`./${name}.js`);
else {
  console.error(
    'usage: npm run bench -- projector|list-mode|model|sampling|tiles|guided|training|robustness|reconstruction|cohort [options]',
  );
  process.exitCode = 2;
}
