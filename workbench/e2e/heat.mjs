// What a cell of a heatmap should read, by the data source and by the agent.

/** Asks the data source through the workbench as the panel does, and returns its frames. */
async function askFrames(workbench, query, { from, to }) {
  const response = await fetch(`${workbench}/api/query`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({
      from: String(from),
      to: String(to),
      queries: [{ refId: 'A', intervalMs: 1000, maxDataPoints: 1300, ...query }],
    }),
  });
  const { results, message } = await response.json();
  const { frames = [], error } = results?.A ?? { error: message };
  if (error) {
    throw new Error(`query: ${error}`);
  }
  return frames;
}

/** The same, as the fields of each frame, by name. */
async function ask(workbench, query, range) {
  const frames = await askFrames(workbench, query, range);
  return frames.map(({ schema, data }) =>
    Object.fromEntries(schema.fields.map(({ name }, i) => [name, data.values[i]]))
  );
}

/** What the data source says of a comparison. */
export async function queryComparison(workbench, query, range) {
  const frames = await askFrames(workbench, { kind: 'compare', ...query }, range);
  return frames.map(({ schema }) => schema.meta?.custom?.comparison).find(Boolean);
}

/** The cells of each series of a heatmap. */
export async function queryHeat(workbench, query, range) {
  const frames = await ask(workbench, query, range);
  return frames.map(({ xMax, yMin, yMax, count }) =>
    (xMax ?? [])
      .map((end, i) => ({ end, low: yMin[i], high: yMax[i], count: count[i] }))
      .filter((cell) => cell.count > 0)
  );
}

/** The cells of a spectrum: bins in seconds, and the number of the row. */
export async function querySpectrum(workbench, query, range) {
  const [{ xMin, xMax, yMin, count }] = await ask(workbench, { kind: 'spectrum', ...query }, range);
  return xMin.map((from, i) => ({ from, to: xMax[i], y: yMin[i] + 0.5, count: count[i] }));
}

/** The upper bound of a bucket in seconds: Prometheus schema 3, counted from 2^-23 s. */
export const upperBound = (bucket) => 2 ** ((bucket - 184) / 8);

const units = { ns: 1e-9, µs: 1e-6, μs: 1e-6, ms: 1e-3, s: 1, min: 60, mins: 60 };

/** Reads "1.23 ms" as seconds. */
export function seconds(text) {
  const [, number, unit] = /^([\d.]+) ?(\S+)$/.exec(text.trim()) ?? [];
  if (!(unit in units)) {
    throw new Error(`${JSON.stringify(text)} is no duration`);
  }
  return Number(number) * units[unit];
}

/** Reads what a tooltip, or the readout for the keyboard, says of a cell. */
export function readCell(text) {
  const [, day, end] = /(\d{4}-\d\d-\d\d) \d\d:\d\d:\d\d – (?:\d{4}-\d\d-\d\d )?(\d\d:\d\d:\d\d)/.exec(text) ?? [];
  const [, low, high] = /bucket\s*[([]([^,]+), ([^\]]+)\]/i.exec(text) ?? [];
  const [, count] = /count\s*(\d+)/i.exec(text) ?? [];
  const [, share] = /([\d.]+)%/.exec(text) ?? [];
  if (!day || !low || !count || !share) {
    throw new Error(`${JSON.stringify(text)} does not describe a cell`);
  }
  return {
    end: Date.parse(`${day}T${end}Z`),
    low: seconds(low),
    high: seconds(high),
    count: Number(count),
    share: Number(share) / 100,
  };
}

/** The cell of a query's answer that a text means: bounds are written rounded, buckets are 9 % apart. */
export function findCell(cells, { end, low, high }) {
  const near = (a, b) => Math.abs(a / b - 1) < 0.04;
  // Plain frames draw the lowest bucket, which begins at 0, half an octave high.
  return cells.find((cell) => cell.end === end && (low === 0 || near(cell.low, low)) && near(cell.high, high));
}

export const shareOf = (cells, { end, count }) =>
  count / cells.filter((cell) => cell.end === end).reduce((sum, cell) => sum + cell.count, 0);
