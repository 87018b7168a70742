import { PoppoError } from "@poppo-ops/client";

const FINAL = new Set(["NOT_FOUND", "BAD_INPUT", "BAD_BATCH", "FORBIDDEN", "CONFLICT", "GRAPHQL_VALIDATION_FAILED"]);

/** The server has understood and does not want it: saying it again would change nothing. */
export const isRefusedForGood = (error: unknown): boolean => error instanceof PoppoError && FINAL.has(error.code);
