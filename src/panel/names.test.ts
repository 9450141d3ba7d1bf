import { expect, it } from 'vitest';
import { shortNames } from './names';

it.each([
  ['values of one label', ['p{route="GET /a"}', 'p{route="GET /b"}'], ['GET /a', 'GET /b']],
  [
    'labels, of several',
    ['p{node="0", route="/a"}', 'p{node="1", route="/a"}'],
    ['node="0", route="/a"', 'node="1", route="/a"'],
  ],
  ['labels, of different ones', ['p{node="0"}', 'p{route="/a"}'], ['node="0"', 'route="/a"']],
  ['what is before the side that they all are', ['p{node="0"} (candidate)', 'p{node="1"} (candidate)'], ['0', '1']],
  ['all, of two points', ['p{node="0"}', 'q{node="0"}'], ['p{node="0"}', 'q{node="0"}']],
  ['all, where a user has named them', ['first', 'second'], ['first', 'second']],
  ['all, of a single one', ['p{node="0"}'], ['p{node="0"}']],
  ['labels, where one has none', ['p{node=""}', 'p{node="1"}'], ['node=""', 'node="1"']],
])('names of series are %s', (_, names, short) => {
  expect(shortNames(names)).toEqual(short);
});
