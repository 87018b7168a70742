import { type GraphQLResolveInfo, Kind, type SelectionSetNode } from "graphql";

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
