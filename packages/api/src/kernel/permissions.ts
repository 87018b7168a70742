import { AppError } from "./app-error.js";

export const ROLES = ["VIEWER", "RESPONDER", "OPERATOR", "ADMIN", "AGENT", "INTEGRATION"] as const;
export type Role = (typeof ROLES)[number];

/** Who acts. `name` stands in events as the actor. */
export interface Principal {
  kind: "token" | "agent" | "system" | "anonymous";
  id: string;
  name: string;
  role: Role | null;
}

export const SYSTEM: Principal = { kind: "system", id: "system", name: "system", role: null };
export const ANONYMOUS: Principal = { kind: "anonymous", id: "anonymous", name: "anonymous", role: null };

/** Each permission names the roles that hold it. What is not here is denied. */
const GRANTS = {
  read: ["VIEWER", "RESPONDER", "OPERATOR", "ADMIN", "INTEGRATION"],
  "incident:raise": ["RESPONDER", "OPERATOR", "ADMIN", "INTEGRATION"],
  "incident:respond": ["RESPONDER", "OPERATOR", "ADMIN"],
  "service:write": ["OPERATOR", "ADMIN"],
  "probe:write": ["OPERATOR", "ADMIN"],
  "probe:run": ["RESPONDER", "OPERATOR", "ADMIN"],
  "remediation:request": ["RESPONDER", "OPERATOR", "ADMIN"],
  "remediation:decide": ["OPERATOR", "ADMIN"],
  "policy:write": ["OPERATOR", "ADMIN"],
  "processing:pause": ["OPERATOR", "ADMIN"],
  "integration:manage": ["OPERATOR", "ADMIN"],
  "agent:manage": ["ADMIN"],
  "token:manage": ["ADMIN"],
  "audit:read": ["OPERATOR", "ADMIN"],
  "agent:report": ["AGENT"],
} as const satisfies Record<string, readonly Role[]>;

export type Permission = keyof typeof GRANTS;

/** The roles that hold a permission. */
export const rolesWith = (permission: Permission): readonly Role[] => GRANTS[permission];

/** @throws {AppError} UNAUTHENTICATED without an identity, FORBIDDEN when the role lacks the permission */
export function authorise(principal: Principal, permission: Permission): void {
  if (principal.kind === "system") return;
  const granted = rolesWith(permission);
  if (principal.role && granted.includes(principal.role)) return;
  if (principal.kind === "anonymous")
    throw new AppError("UNAUTHENTICATED", "This needs a token: send `Authorization: Bearer <token>`.");
  throw new AppError(
    "FORBIDDEN",
    `${principal.name} has the role ${principal.role}; "${permission}" needs one of ${granted.join(", ")}.`,
    { permission },
  );
}
