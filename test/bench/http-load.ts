import { ADMIN_TOKEN } from "../harness/server-process.js";
import type { HttpInput, HttpOutput } from "./http.load.js";
import { runLoad } from "./load-process.js";

/** Requests of as many connections at once, one after the other on each, from a process of their own. */
export const httpLoad = (input: Omit<HttpInput, "warmUpMs"> & { warmUpMs?: number }): Promise<HttpOutput> =>
  runLoad<HttpInput, HttpOutput>(new URL("./http.load.js", import.meta.url), { warmUpMs: 1000, ...input });

export const asAdmin = { authorization: `Bearer ${ADMIN_TOKEN}` };

/** The body of a GraphQL request. */
export const graphqlBody = (query: string, variables: object): string => JSON.stringify({ query, variables });
