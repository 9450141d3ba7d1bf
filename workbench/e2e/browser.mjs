// Debian's Chromium, and what the tests look at in it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { out } from './street.mjs';

/**
 * Opens a browser of its own, with nothing kept from one before and nothing
 * asked of the net. With `webgl` it has WebGL, and with `webgpu` WebGPU, both
 * computed on the processor.
 */
export async function openBrowser({ webgl = false, webgpu = false } = {}) {
  const profile = mkdtempSync(path.join(tmpdir(), 'gotherm-e2e-'));
  const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    headless: true,
    viewport: { width: 1400, height: 1000 },
    timezoneId: 'UTC',
    args: [
      '--no-sandbox',
      ...(webgpu ? ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'] : []),
      ...(webgl ? ['--use-angle=swiftshader', '--enable-unsafe-swiftshader'] : webgpu ? [] : ['--disable-gpu']),
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
  return {
    /** A page, what its console complained about, and what its data source was asked and answered. */
    async open(url) {
      const page = await browser.newPage();
      const complaints = [];
      const talk = [];
      page.on('response', async (response) => {
        if (/\/api\/(query|resources|health)/.test(response.url())) {
          const said = await response.text().catch((error) => `${error}`);
          talk.push(
            `${response.url()} ${response.request().postData() ?? ''}\n  ${response.status()} ${said.slice(0, 2000)}`
          );
        }
      });
      page.on('console', (message) => {
        if (['error', 'warning'].includes(message.type())) {
          complaints.push(`${message.type()}: ${message.text()} (${message.location().url})`);
        }
      });
      page.on('pageerror', (error) => complaints.push(`thrown: ${error.stack ?? error}`));
      await page.goto(url);
      return { page, complaints, talk };
    },
    blank: () => browser.newPage(),
    async close() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/** Keeps what a test has left on the screen and said over the wire, for who has to find out why it failed. */
export async function keep(name, page, talk = []) {
  await page.screenshot({ path: path.join(out, `${name}.png`) });
  writeFileSync(path.join(out, `${name}.log`), talk.join('\n'));
}

/** The panel with a title. */
export const panel = (page, title) => page.getByRole('region', { name: title, exact: true });

/** The heatmap in a panel. */
export const heatmap = (page, title) => panel(page, title).getByRole('application').first();

/**
 * What is painted in an element as the user sees it: how many colours there
 * are, and how many columns of pixels have another colour than their corner.
 */
export async function painted(page, locator) {
  const png = (await locator.screenshot()).toString('base64');
  return page.evaluate(async (encoded) => {
    const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
    const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
    const { width, height } = bitmap;
    const context = new OffscreenCanvas(width, height).getContext('2d');
    context.drawImage(bitmap, 0, 0);
    const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
    const colours = new Set(pixels);
    // Of the inside: the frame around the plot is no heat.
    const background = pixels[4 * width + 4];
    let columns = 0;
    for (let x = 4; x < width - 4; x++) {
      let heat = 0;
      for (let y = 4; y < height - 4; y++) {
        heat += pixels[y * width + x] === background ? 0 : 1;
      }
      // More than a line that crosses the plot.
      columns += heat > 2 ? 1 : 0;
    }
    return { colours: colours.size, columns, width };
  }, png);
}

/** The side, in pixels, of the largest square of a CSS colour in a PNG file: 0 where it has no such pixel. */
export async function largestSquare(page, file, colour) {
  return page.evaluate(
    async ([encoded, wanted]) => {
      const bytes = Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }));
      const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d', { willReadFrequently: true });
      context.fillStyle = wanted;
      context.fillRect(0, 0, 1, 1);
      const [pixel] = new Uint32Array(context.getImageData(0, 0, 1, 1).data.buffer);
      context.drawImage(bitmap, 0, 0);
      const { width, height } = bitmap;
      const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
      // The side of the largest square that ends at each pixel of the row above, and of this row.
      let above = new Uint16Array(width);
      let largest = 0;
      for (let y = 0; y < height; y++) {
        const row = new Uint16Array(width);
        for (let x = 0; x < width; x++) {
          if (pixels[y * width + x] === pixel) {
            row[x] = 1 + (x > 0 ? Math.min(above[x - 1], above[x], row[x - 1]) : 0);
            largest = Math.max(largest, row[x]);
          }
        }
        above = row;
      }
      return largest;
    },
    [readFileSync(file).toString('base64'), colour]
  );
}

/** Controls that a screen reader could not name, by the page's accessibility tree. */
export async function nameless(page) {
  const snapshot = await page.locator('body').ariaSnapshot();
  const control =
    /^\s*- (button|link|textbox|combobox|checkbox|switch|radio|slider|spinbutton|searchbox|tab|menuitem|option|application|img)\b(?! ")/;
  return snapshot.split('\n').filter((line) => control.test(line));
}
