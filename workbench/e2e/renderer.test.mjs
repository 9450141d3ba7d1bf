// The renderer in a real browser, by itself: no agent, no back end.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import webpack from 'webpack';
import { resolve, rules } from '../../.config/rules.mjs';
import { openBrowser } from './browser.mjs';
import { root, until } from './street.mjs';

const bundle = mkdtempSync(path.join(tmpdir(), 'gotherm-e2e-'));

before(async () => {
  const stats = await promisify(webpack)({
    context: root,
    mode: 'development',
    devtool: false,
    entry: './workbench/e2e/renderer.page.mjs',
    module: { rules },
    resolve,
    output: { path: bundle, filename: 'page.js', publicPath: '', library: { type: 'var', name: 'renderer' } },
  });
  assert.ok(!stats.hasErrors(), stats.toString({ all: false, errors: true }));
});

after(() => rmSync(bundle, { recursive: true }));

/** Opens a browser for the tests of a group, and gives each a page of its own that has the renderer. */
function useBrowser(options) {
  let browser;
  before(async () => (browser = await openBrowser(options)));
  after(() => browser.close());
  return async () => {
    const page = await browser.blank();
    await page.addScriptTag({ path: path.join(bundle, 'page.js') });
    return { page, run: (name, ...args) => page.evaluate(([n, a]) => window.renderer[n](...a), [name, args]) };
  };
}

describe('on a machine without a graphics processor', () => {
  const open = useBrowser();

  test('pictures are painted by Canvas2D', async () => {
    const { run } = await open();
    assert.equal(await run('chosen'), 'canvas2d');
  });

  test('a copy has every pixel that was shown last, whatever was on its way', async () => {
    const { run } = await open();
    assert.deepEqual(await run('copyOfLast'), {
      painted: 'blob worker',
      by: 'canvas2d',
      drawn: '4',
      paintings: '1',
      levels: [7, 7, 16, 16, 7, 7, 16, 16],
    });
  });

  test('a copy of nothing is refused', async () => {
    const { run } = await open();
    const [flat, closing, closed] = await run('copiesOfNothing');
    assert.match(flat, /0 x 2 pixels/);
    assert.match(closing, /closed/);
    assert.match(closed, /closed/);
  });

  test('a live picture draws only its new columns', async () => {
    const { run } = await open();
    for (const size of [
      { columns: 100, width: 600 },
      { columns: 600, width: 600 },
      { columns: 1200, width: 600 },
    ]) {
      const columnsPerPainting = size.columns / 50;
      const paintings = await run('live', {
        seed: 1,
        paintings: 8,
        rows: 20,
        height: 60,
        calm: true,
        columnsPerPainting,
        ...size,
      });
      for (const { drawn, wrong } of paintings.slice(1)) {
        // A fiftieth is new, and the two newest columns were still growing.
        const newest = Math.ceil((size.width * (columnsPerPainting + 2)) / size.columns);
        assert.ok(drawn <= newest + 1, `${drawn} of ${size.width} columns of pixels were drawn, ${newest} are new`);
        assert.ok(drawn >= 600 / 50, `only ${drawn} columns of pixels were drawn`);
        assert.equal(wrong, 0);
      }
    }
  });

  test('a live picture is the same as one that is drawn anew, whatever changes meanwhile', async () => {
    const { run } = await open();
    for (const [seed, columns, columnsPerPainting] of [
      [1, 37, 1],
      [2, 150, 7],
      [3, 301, 1],
      [4, 650, 10],
    ]) {
      const size = { columns, rows: 23, width: 211, height: 67, columnsPerPainting };
      const paintings = await run('live', { seed, paintings: 60, ...size });
      assert.deepEqual(
        paintings.filter(({ wrong }) => wrong > 0),
        [],
        `${columns} columns, seed ${seed}`
      );
      const whole = paintings.filter(({ drawn, width }) => drawn === width).length;
      assert.ok(whole < 50 && whole > 3, `${whole} of 60 paintings drew everything`);
    }
  });

  test('a canvas that was lost and restored has its picture again', async () => {
    const { run } = await open();
    assert.equal(await run('restoreCanvas'), 0);
  });
});

describe('points', () => {
  const open = useBrowser({ webgl: true });

  test('are the same by SIMD and in typed arrays, by Canvas2D and WebGL2, within a colour step', async () => {
    const { run } = await open();
    for (const scene of [
      { n: 40, scale: 'log' },
      { n: 40, scale: 'linear', halfLife: 30 },
      { n: 400, scale: 'rank' },
      // So many that they are counted and blurred.
      { n: 5000, scale: 'log', halfLife: 50 },
    ]) {
      const shown = await run('comparePoints', scene);
      assert.deepEqual(
        shown.map(({ by, ink }) => `${by} ${ink}`),
        ['canvas2d script', 'canvas2d simd', 'webgl2 simd']
      );
      for (const { levels, strange, off, ramp } of shown) {
        assert.deepEqual({ strange, off }, { strange: 0, off: 0 }, `${scene.n} points, ${scene.scale}`);
        assert.ok(levels > 10, `${scene.n} points, ${scene.scale}: only ${levels} colours`);
        assert.ok(ramp.max > ramp.min, `${scene.scale} from ${ramp.min} to ${ramp.max}`);
      }
    }
  });

  test('that come live are added to a picture that moves on and fades, in the worker', async () => {
    const { run } = await open();
    for (const halfLife of [undefined, 20]) {
      const { painted, ink, levels, off } = await run('livePoints', { pictures: 60, halfLife });
      assert.deepEqual({ painted, ink, off }, { painted: 'blob worker', ink: 'simd', off: 0 });
      assert.ok(levels > 10, `only ${levels} colours`);
    }
  });

  test('are drawn in typed arrays where the content security policy forbids WebAssembly', async () => {
    const { page, run } = await open();
    await page.setContent(
      `<meta http-equiv="Content-Security-Policy" content="script-src 'unsafe-inline' blob:"><body></body>`
    );
    await page.addScriptTag({ path: path.join(bundle, 'page.js') });
    assert.equal(await run('hasSimd'), false);
    const { painted, ink, off } = await run('livePoints', { pictures: 20 });
    assert.deepEqual({ painted, ink, off }, { painted: 'blob worker', ink: 'script', off: 0 });
  });
});

describe('points by WebGPU', () => {
  const open = useBrowser({ webgpu: true });

  /** A page that has WebGPU, which only those of a secure origin have. Nothing is asked of the net. */
  async function openSecure(t) {
    const { page, run } = await open();
    await page.route('**/*', (route) => route.fulfill({ body: '<body></body>', contentType: 'text/html' }));
    await page.goto('http://localhost/');
    await page.addScriptTag({ path: path.join(bundle, 'page.js') });
    const compiled = await run('compileForGpu');
    if (!compiled) {
      t.skip('cannot run here: this Chromium has no software adapter for WebGPU');
    }
    return { run, compiled };
  }

  test('are made by a program that compiles without a complaint', async (t) => {
    const { compiled } = await openSecure(t);
    if (compiled) {
      assert.deepEqual(compiled, { adapter: 'swiftshader', messages: [] });
    }
  });

  test('are the same as in typed arrays, within a colour step', async (t) => {
    const { run, compiled } = await openSecure(t);
    for (const scene of compiled
      ? [
          { n: 40, scale: 'log' },
          { n: 3000, scale: 'log', halfLife: 50 },
        ]
      : []) {
      const [, { ink, levels, strange, off }] = await run('comparePoints', { ...scene, others: [['canvas2d', 'webgpu']] }); // prettier-ignore
      assert.deepEqual({ ink, strange, off }, { ink: 'webgpu', strange: 0, off: 0 }, `${scene.n} points`);
      assert.ok(levels > 10, `${scene.n} points: only ${levels} colours`);
    }
  });

  test('are not, where it computes on the processor', async (t) => {
    const { run, compiled } = await openSecure(t);
    if (compiled) {
      assert.equal(await run('inkOfMuch'), 'simd');
    }
  });

  test('that is lost are made by SIMD within the frame', async (t) => {
    const { run, compiled } = await openSecure(t);
    if (compiled) {
      assert.deepEqual(await run('loseGpu'), [
        { by: 'webgpu', off: 0 },
        { by: 'simd', off: 0 },
        { by: 'simd', off: 0 },
      ]);
    }
  });
});

describe('WebGL2', () => {
  const open = useBrowser({ webgl: true });

  test('is not chosen where it draws on the processor', async () => {
    const { run } = await open();
    assert.equal(await run('chosen'), 'canvas2d');
  });

  test('paints what Canvas2D paints, pixel by pixel', async () => {
    const { run } = await open();
    const pictures = await run('compareBoth');
    assert.equal(pictures.length, 35);
    for (const { what, by, cells, colours, differing } of pictures) {
      assert.equal(by, 'webgl2', what);
      assert.equal(differing, 0, what);
      assert.ok(colours > 2 || cells === 0, `${what}: only ${colours} colours`);
    }
  });

  test('that is lost is followed by Canvas2D, and the picture is there again', async () => {
    const { run } = await open();
    assert.deepEqual(await run('loseContext'), {
      repainted: 'canvas2d',
      wrongAfterLoss: 0,
      next: 'canvas2d',
      wrongNext: 0,
    });
  });

  test('that is lost before a frame does not cost that frame', async () => {
    const { run } = await open();
    assert.deepEqual(await run('paintLost'), { first: 'webgl2', next: 'canvas2d', wrong: 0 });
  });

  test('in the worker that is lost is followed by Canvas2D, and the page is told', async () => {
    const { page, run } = await open();
    const worker = page.waitForEvent('worker');
    await run('openByWebGL');
    const inWorker = await worker;
    await inWorker.evaluate(() => {
      const { getContext } = OffscreenCanvas.prototype;
      OffscreenCanvas.prototype.getContext = function (kind, ...more) {
        const context = getContext.call(this, kind, ...more);
        self.opened ??= kind === 'webgl2' ? context : undefined;
        return context;
      };
    });
    const { wrong, by } = await run('show');
    assert.deepEqual({ wrong, by }, { wrong: 0, by: 'webgl2' });
    await inWorker.evaluate(() => self.opened.getExtension('WEBGL_lose_context').loseContext());
    await until('the page to be told', async () => (await run('shownNow')).by === 'canvas2d', 10);
    assert.equal((await run('shownNow')).wrong, 0);
    assert.equal((await run('show')).wrong, 0);
  });
});
