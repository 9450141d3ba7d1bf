// Bundles the workbench's page. The same source is bundled for each React that
// Grafana has had since the least version we run on; what differs is where
// imports of packages are looked up:
//
//   node workbench/page/build.mjs       workbench/dist19: Grafana 13.2, React 19, from the root's packages
//   node workbench/page/build.mjs 18    workbench/dist18: Grafana 12.4, React 18, from workbench/react18
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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

// The folder itself stays: a workbench that runs has it open.
for (const part of ['page', 'public']) {
  rmSync(path.join(out, part), { recursive: true, force: true });
}
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
  // Grafana 12.4 and 13.2 do not have all the same names; what is missing is asked for first.
  logOverride: { 'import-is-undefined': 'silent' },
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
// Where @grafana/ui looks for its icons, of which its package lacks two that it uses.
const icons = path.join(out, 'public/build/img/icons');
cpSync(path.join(from, 'node_modules/@grafana/ui/dist/public/img'), path.join(out, 'public/build/img'), {
  recursive: true,
});
const right = readFileSync(path.join(icons, 'unicons/angle-double-right.svg'), 'utf8');
const left = right.replace('<svg ', '<svg transform="scale(-1 1)" ');
writeFileSync(path.join(icons, 'unicons/angle-double-left.svg'), left);
const disc = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24"><circle cx="12" cy="12" r="10"/></svg>';
writeFileSync(path.join(icons, 'mono/circle-mono.svg'), disc);

// Where it looks for its fonts, which its package lacks.
const fonts = {
  'inter/Inter-Regular': 'inter/files/inter-latin-400-normal',
  'inter/Inter-Italic': 'inter/files/inter-latin-400-italic',
  'inter/Inter-Medium': 'inter/files/inter-latin-500-normal',
  'inter/Inter-MediumItalic': 'inter/files/inter-latin-500-italic',
  'roboto/L0xTDF4xlVMF-BfR8bXMIhJHg45mwgGEFl0_3vrtSM1J-gEPT5Ese6hmHSh0mQ':
    'roboto-mono/files/roboto-mono-latin-400-normal',
};
for (const [wanted, file] of Object.entries(fonts)) {
  cpSync(path.join(root, `node_modules/@fontsource/${file}.woff2`), path.join(out, `public/fonts/${wanted}.woff2`));
}
