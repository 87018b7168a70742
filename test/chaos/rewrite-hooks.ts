import type { LoadFnOutput, LoadHook } from "node:module";
import { type Edit, rewrite } from "./rewrite.js";

let edits: readonly Edit[] = [];

/** Called by `register` with what `preload.ts` decided. */
export function initialize(given: readonly Edit[]): void {
  edits = given;
}

export const load: LoadHook = async (url, context, nextLoad): Promise<LoadFnOutput> => {
  const loaded = await nextLoad(url, context);
  const concerned = edits.filter(({ module }) => url.endsWith(`/dist/${module}`));
  return concerned.length === 0 ? loaded : { ...loaded, source: rewrite(String(loaded.source), concerned) };
};
