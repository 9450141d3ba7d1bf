import type { Grid } from './draw';

/**
 * What of a cell is shown:
 *
 *  - count: the number in it;
 *  - share: of the sum of its column, so that columns of few and of many hits
 *    compare;
 *  - density: per height of its row, so that a row is not hot merely because
 *    it is high. On a linear axis that is per unit of the axis; on a log axis
 *    per doubling, because that is what is drawn: equal areas of one colour
 *    hold equally many hits, however fine the buckets are. Per unit, the
 *    lowest buckets of a log axis would outshine all others only for being
 *    narrow.
 */
export type Measure = 'count' | 'share' | 'density';

/** How high rows are in what density is per: doublings where the axis is log, else its unit. */
export function heightsOf(from: ArrayLike<number>, to: ArrayLike<number>, log: boolean): Float64Array<ArrayBuffer> {
  return Float64Array.from({ length: from.length }, (_, row) =>
    log ? Math.log2(to[row] / from[row]) : to[row] - from[row]
  );
}

/**
 * The values of a grid by a measure, NaN where there is no cell. The grid is
 * not changed; for a count its own values come back. `heights` has the height
 * of each row, which density needs: see [heightsOf].
 */
export function measured<V extends Float32Array | Float64Array>(
  { columns, rows, values }: Omit<Grid, 'values'> & { values: V },
  measure: Measure,
  heights?: ArrayLike<number>
): V {
  if (measure === 'count') {
    return values;
  }
  const result = values.slice() as V;
  if (measure === 'density') {
    if (heights?.length !== rows) {
      throw new Error(`density: ${heights?.length ?? 0} heights for ${rows} rows`);
    }
    for (let cell = 0; cell < result.length; cell++) {
      result[cell] /= heights[cell % rows];
    }
    return result;
  }
  for (let column = 0; column < columns; column++) {
    const end = (column + 1) * rows;
    let sum = 0;
    for (let cell = end - rows; cell < end; cell++) {
      sum += values[cell] === values[cell] ? values[cell] : 0;
    }
    for (let cell = end - rows; cell < end; cell++) {
      result[cell] /= sum;
    }
  }
  return result;
}
