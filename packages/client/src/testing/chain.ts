import { createHash } from "node:crypto";

/** Audit records as the server chains them. */
export function chain(count: number): { seq: string; body: string; hash: string }[] {
  let hash = "";
  return Array.from({ length: count }, (_, i) => {
    const body = JSON.stringify([i + 1, "é", { any: "thing" }]);
    hash = createHash("sha256")
      .update(hash + body)
      .digest("hex");
    return { seq: String(i + 1), body, hash };
  });
}
