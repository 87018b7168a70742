import { type FieldNode, type GraphQLResolveInfo, Kind, type SelectionSetNode } from "graphql";

/** Whether the operation asks for a field below the one being resolved: `isSelected(info, "incidents", "totalCount")`. */
export function isSelected({ fieldNodes, fragments }: GraphQLResolveInfo, ...path: string[]): boolean {
  const holds = (set: SelectionSetNode | undefined, [name, ...rest]: string[]): boolean =>
    name === undefined ||
    (set?.selections ?? []).some((node) => {
      if (node.kind === Kind.FIELD) return node.name.value === name && holds(node.selectionSet, rest);
      const inner = node.kind === Kind.INLINE_FRAGMENT ? node : fragments[node.name.value];
      return holds(inner?.selectionSet, [name, ...rest]);
    });
  return fieldNodes.some((node) => holds(node.selectionSet, path));
}

/** The names of the fields asked for at the end of a path below the one being resolved; null when the path is not asked for. */
export function selectedFields({ fieldNodes, fragments }: GraphQLResolveInfo, ...path: string[]): Set<string> | null {
  const fieldsOf = (set: SelectionSetNode | undefined): FieldNode[] =>
    (set?.selections ?? []).flatMap((node) => {
      if (node.kind === Kind.FIELD) return [node];
      return fieldsOf((node.kind === Kind.INLINE_FRAGMENT ? node : fragments[node.name.value])?.selectionSet);
    });
  let reached: readonly FieldNode[] = fieldNodes;
  for (const name of path)
    reached = reached.flatMap((node) => fieldsOf(node.selectionSet)).filter((node) => node.name.value === name);
  if (reached.length === 0) return null;
  return new Set(reached.flatMap((node) => fieldsOf(node.selectionSet)).map((node) => node.name.value));
}
