import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { coloursOf } from './colours';
import { schemes } from './schemes';

describe('the pictures of gotherm-agent render', () => {
  it('have the colours of the panel, in all schemes, on both backgrounds', () => {
    const drawn = JSON.parse(readFileSync('bpf-agent/render/schemes.gen.json', 'utf8'));
    expect(drawn).toEqual(
      schemes.map(({ name }) => ({ name, dark: coloursOf(name, 64, true), light: coloursOf(name, 64, false) }))
    );
  });
});
