// What the built plugin brings along.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe, test } from 'node:test';
import { needBuilt, root } from './street.mjs';

const dist = path.join(root, 'dist');
const read = (file) => readFileSync(path.join(dist, file), 'utf8');

describe('the plugin', () => {
  before(needBuilt);

  test('says whose all the code is that it is made of', () => {
    const notices = read('LICENSES.txt');
    for (const [of, whose] of [
      ['Go', 'Copyright 2009 The Go Authors'],
      ['d3-color', 'Mike Bostock'],
      ['d3-interpolate', 'Mike Bostock'],
      ['d3-scale-chromatic', 'Cynthia Brewer'],
    ]) {
      assert.ok(
        notices.split(/^-{80}$/m).some((text) => text.trim().startsWith(`${of}\n`) && text.includes(whose)),
        of
      );
    }
    const backend = read('LICENSES-backend.txt');
    for (const of of [
      'Go',
      'github.com/grafana/grafana-plugin-sdk-go',
      'github.com/google/pprof',
      'connectrpc.com/connect',
    ]) {
      assert.match(backend, new RegExp(`^${of}$`, 'm'));
    }
    // Each package that has code in it is among them.
    const maps = readdirSync(dist, { recursive: true }).filter((file) => file.endsWith('.js.map'));
    const packages = maps
      .flatMap((file) => JSON.parse(read(file)).sources)
      .flatMap((source) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(source)?.[1] ?? []);
    assert.ok(packages.length > 0);
    for (const name of new Set(packages)) {
      assert.match(notices, new RegExp(`^${name}$`, 'm'));
    }
  });

  test('keeps the notice of what runs Go in the browser, minified as it is', () => {
    const scripts = readdirSync(dist, { recursive: true }).filter((file) => file.endsWith('.js'));
    const runners = scripts.map(read).filter((code) => code.includes('_scheduledTimeouts'));
    assert.equal(runners.length, 1);
    assert.match(runners[0], /\/\*!\n\/\/ Copyright \d+ The Go Authors[^*]+BSD-style[^*]+LICENSE file\.\n\*\//);
  });
});
