import { expect, it } from 'vitest';
import { fileName } from './photo';

it('a file is named by the title of its panel, as far as files can be, and by when it was made', () => {
  const at = new Date('2026-11-22T18:03:04.567Z');
  expect(fileName('GC pauses / "NUMA": Größe', at, '.png')).toBe('gc-pauses-numa-größe-2026-11-22-18-03-04.png');
  expect(fileName('…', at, '.heat.json')).toBe('heat-2026-11-22-18-03-04.heat.json');
});
