/** The value at `queue.depth` or `items.0.id`; undefined where the path ends early. Own properties only. */
export function valueAt(value: unknown, path: string): unknown {
  return path
    .split(".")
    .reduce<unknown>(
      (parent, key) =>
        typeof parent === "object" && parent !== null && Object.hasOwn(parent, key)
          ? (parent as Record<string, unknown>)[key]
          : undefined,
      value,
    );
}
