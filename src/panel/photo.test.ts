import { expect, it } from 'vitest';
import { fileName } from './photo';

it('a picture is named by the title of its panel, as far as files can be, and by when it was taken', () => {
  const at = new Date('2026-11-22T18:03:04.567Z');
  expect(fileName('GC pauses / "NUMA": Größe', at)).toBe('gc-pauses-numa-größe-2026-11-22-18-03-04.png');
  expect(fileName('…', at)).toBe('heat-2026-11-22-18-03-04.png');
});
