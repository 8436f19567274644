#!/usr/bin/env bash
# Packs the package, checks the tarball (publint, attw, size), installs it into an empty project, and uses it there as a user would: by import,
# by require, as a command. Other versions of Node beside the one on the path: NODES="/path/to/node22 /path/to/node24" scripts/check-package.sh
# The project stays in build/package; scripts/run-notebooks.sh runs the notebooks in it. Needs the built dist/.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
project=$root/build/package
rm -rf "$project" && mkdir -p "$project"
cd "$root"
tarball=$project/$(npm pack --ignore-scripts --silent --pack-destination "$project")

[ -d tools/node_modules ] || npm ci --no-audit --no-fund --prefix tools
size=$(wc -c < "$tarball")
echo "tarball: $size bytes"
[ "$size" -le 15000000 ] || { echo "The tarball is larger than 15 MB."; exit 1; }
tools/node_modules/.bin/publint --strict "$tarball"
# ESM alone: require takes it from Node 20.19 on. kernel.wasm is bytes, for pages.
tools/node_modules/.bin/attw "$tarball" --ignore-rules cjs-resolves-to-esm --exclude-entrypoints kernel.wasm --format ascii

cd "$project"
echo '{ "name": "empty", "private": true, "allowScripts": { "zeromq": false, "onnxruntime-node": false } }' > package.json
ONNXRUNTIME_NODE_INSTALL=skip npm install --no-audit --no-fund --save-exact "$tarball" onnxruntime-node@1.30.0 tslab@1.0.22
cat > by-import.mjs <<'JS'
import { phantom } from 'coincide';
import { openEngine } from 'coincide/node';
const engine = await openEngine({ device: 'cpu', threads: 1 });
await engine.dispose();
const { shape } = phantom('cylinder').activity.grid;
console.log(`import: engine ${engine.name}, phantom of ${shape.join(' × ')} voxels, Node ${process.version}`);
JS
cat > by-require.cjs <<'JS'
const { scannerByName, sinogramLayout } = require('coincide');
const { loadModel } = require('coincide/node');
const { views } = sinogramLayout(scannerByName('small'));
loadModel().then(async (model) => {
  console.log(`require: ${views} views; model ${model.card.name} ${model.card.version} runs`);
  await model.dispose();
});
JS
for node in node ${NODES:-}; do
  "$node" by-import.mjs
  "$node" --disable-warning=ExperimentalWarning by-require.cjs
  "$node" node_modules/.bin/coincide --version
  rm -rf phantom scan osem.* denoised.*
  "$node" node_modules/.bin/coincide phantom --kind thorax --voxel 8 --quiet -o phantom
  "$node" node_modules/.bin/coincide simulate --activity phantom/activity.nii.gz --counts 2e5 --quiet -o scan
  "$node" node_modules/.bin/coincide recon scan --device cpu --quiet -o osem.nii.gz
  "$node" node_modules/.bin/coincide denoise osem.nii.gz --quiet -o denoised.nii.gz
  "$node" node_modules/.bin/coincide info denoised.nii.gz
done
