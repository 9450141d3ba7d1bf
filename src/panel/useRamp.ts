import { useEffect, useMemo, useState } from 'react';
import { type Ramp, summarise } from '../renderer';
import type { Heat } from './heat';
import type { Options } from './options';
import { rampFrom, rampOf, valuesToSumUp } from './picture';

/**
 * The ramp of series. Of many cells a worker finds out what it has to know:
 * until then it is the one before, and undefined where there was none.
 */
export function useRamp(heats: Heat[], color: Options['color'], yAxis: Options['yAxis']): Ramp | undefined {
  const values = useMemo(() => valuesToSumUp(heats, color, yAxis), [heats, color, yAxis]);
  const here = useMemo(() => (values ? undefined : rampOf(heats, color, yAxis)), [values, heats, color, yAxis]);
  const [summed, setSummed] = useState<Ramp>();

  useEffect(() => {
    if (!values) {
      return undefined;
    }
    let isWanted = true;
    const settle = (ramp: Ramp) => isWanted && setSummed(ramp);
    summarise(values).then(
      (summary) => settle(rampFrom(summary, color)),
      // Who paints them says what is wrong with cells.
      () => settle({ ...rampFrom({ least: 1, lowest: 0, greatest: 1 }, color), scale: 'linear' })
    );
    return () => {
      isWanted = false;
    };
  }, [values, color]);

  return here ?? summed;
}
