/** A change to one compiled module as it is loaded: the text `find`, which is in it exactly once, becomes `replace`. */
export interface Edit {
  module: string;
  find: string;
  replace: string;
}

/** @throws when the text is missing or ambiguous: the module was changed and the list has to follow */
export function rewrite(source: string, edits: readonly Edit[]): string {
  return edits.reduce((text, { module, find, replace }) => {
    const parts = text.split(find);
    if (parts.length !== 2)
      throw new Error(`${module} holds ${JSON.stringify(find)} ${parts.length - 1} times, not once`);
    return parts.join(replace);
  }, source);
}
