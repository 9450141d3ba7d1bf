// Bundles the workbench's page. The same source is bundled for each React that
// Grafana has had since the least version we run on; what differs is where
// imports of packages are looked up:
//
//   node workbench/page/build.mjs       workbench/dist19: Grafana 13.2, React 19, from the root's packages
//   node workbench/page/build.mjs 18    workbench/dist18: Grafana 12.4, React 18, from workbench/react18
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.dirname(path.dirname(here));

const packages = {
  19: root,
  18: path.join(root, 'workbench/react18'),
};

const [version = '19'] = process.argv.slice(2);
const from = packages[version];
if (!from) {
  throw new Error(`React version is ${version}, must be one of ${Object.keys(packages)}`);
}
if (!existsSync(path.join(from, 'node_modules/@grafana/ui'))) {
  throw new Error(`no packages in ${from}: run npm ci there`);
}
const out = path.join(root, `workbench/dist${version}`);
const reactVersion = createRequire(path.join(from, 'package.json'))('react/package.json').version;
if (!reactVersion.startsWith(`${version}.`)) {
  throw new Error(`react in ${from} is ${reactVersion}, must be ${version}`);
}

// Looks up what our own files import among the chosen packages. What packages
// import they find beside themselves.
const chosenPackages = {
  name: 'chosen packages',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^[^./]/ }, ({ path: name, importer, kind, pluginData }) => {
      if (pluginData === chosenPackages || importer.includes('/node_modules/') || kind === 'entry-point') {
        return undefined;
      }
      return resolve(name, { resolveDir: from, kind, pluginData: chosenPackages });
    });
  },
};

rmSync(out, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: [path.join(here, 'main.tsx')],
  bundle: true,
  // Editors that nobody opens here are large: they stay apart.
  splitting: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  outdir: path.join(out, 'page'),
  minify: true,
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
  absWorkingDir: root,
  loader: { '.svg': 'dataurl', '.ttf': 'file', '.woff2': 'file' },
  define: { 'process.env.NODE_ENV': '"production"' },
  plugins: [chosenPackages],
});

const reacts = Object.keys(metafile.inputs).filter((file) => /node_modules\/react\/index\.js$/.test(file));
if (reacts.length !== 1) {
  throw new Error(`the bundle must have one React, has ${reacts.join(', ') || 'none'}`);
}

cpSync(path.join(here, 'index.html'), path.join(out, 'index.html'));
// Where @grafana/ui looks for its icons.
mkdirSync(path.join(out, 'public/build'), { recursive: true });
cpSync(path.join(from, 'node_modules/@grafana/ui/dist/public/img'), path.join(out, 'public/build/img'), {
  recursive: true,
});
