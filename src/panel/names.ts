/** What is in braces after the name that series of one query have in common, and what follows it. */
const labelled = /^([^{]*)\{(.*)\}([^}]*)$/;

/** A label alone. */
const single = /^([\w.]+)="([^"]*)"$/;

/**
 * What to write over the plots of several series, where there is little room:
 * of `point{route="/a"}` and `point{route="/b"}` only what tells them apart, the
 * routes. Names of other forms are left as they are.
 */
export function shortNames(names: string[]): string[] {
  const parts = names.map((name) => labelled.exec(name));
  const isAlike = parts.every((part) => part && part[1] === parts[0]?.[1] && part[3] === parts[0][3]);
  if (names.length < 2 || !isAlike) {
    return names;
  }
  const labels = parts.map((part) => part![2]);
  const values = labels.map((label) => single.exec(label));
  const isOneLabel = values.every((value) => value && value[1] === values[0]?.[1] && value[2] !== '');
  return isOneLabel ? values.map((value) => value![2]) : labels;
}
