// Writes the licences of all that is bundled and is not ours into one file, which
// goes where the bundle goes. A loader that brings in something that is no npm
// package says whose it is:
//
//   this._module.buildInfo.licence = { of: 'Go', text: '...' }
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

const name = 'licences';

/** A webpack plugin; `file` is an asset's name. */
export const licences = (file) => ({
  apply(compiler) {
    const { Compilation, sources } = compiler.webpack;
    const found = new Map();
    const note = ({ resource, buildInfo }) => {
      const [folder, of] = /^.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(resource ?? '') ?? [];
      if (folder && !found.has(of)) {
        found.set(of, licenceIn(folder));
      }
      if (buildInfo?.licence) {
        found.set(buildInfo.licence.of, buildInfo.licence.text);
      }
    };
    // Of workers too, which are compilations of their own; before modules are joined and lose their names.
    compiler.hooks.compilation.tap(name, (compilation) =>
      compilation.hooks.finishModules.tap(name, (modules) => [...modules].forEach(note))
    );
    compiler.hooks.thisCompilation.tap(name, (compilation) =>
      compilation.hooks.processAssets.tap({ name, stage: Compilation.PROCESS_ASSETS_STAGE_ADDITIONAL }, () => {
        const texts = [...found]
          .toSorted(([a], [b]) => (a < b ? -1 : 1))
          .map(([of, text]) => `${of}\n\n${text.trim()}\n`);
        compilation.emitAsset(file, new sources.RawSource(texts.join(`\n${'-'.repeat(80)}\n\n`)));
      })
    );
  },
});

function licenceIn(folder) {
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file) {
    throw new Error(`${folder} is bundled and has no licence`);
  }
  return readFileSync(path.join(folder, file), 'utf8');
}
