import { describe, expect, test } from "vitest";
import { ANONYMOUS, authorise, type Permission, ROLES, type Role, rolesWith, SYSTEM } from "./permissions.js";
import { documentTable } from "./testing/document-table.js";

/** Written out a second time on purpose: a change of who may do what shows up here. */
const MAY: Record<Permission, string> = {
  read: "VIEWER RESPONDER OPERATOR ADMIN INTEGRATION",
  "incident:raise": "RESPONDER OPERATOR ADMIN INTEGRATION",
  "incident:respond": "RESPONDER OPERATOR ADMIN",
  "service:write": "OPERATOR ADMIN",
  "probe:write": "OPERATOR ADMIN",
  "probe:run": "RESPONDER OPERATOR ADMIN",
  "remediation:request": "RESPONDER OPERATOR ADMIN",
  "remediation:decide": "OPERATOR ADMIN",
  "policy:write": "OPERATOR ADMIN",
  "processing:pause": "OPERATOR ADMIN",
  "integration:manage": "OPERATOR ADMIN",
  "agent:manage": "ADMIN",
  "token:manage": "ADMIN",
  "audit:read": "OPERATOR ADMIN",
  "agent:report": "AGENT",
};
const permissions = Object.keys(MAY) as Permission[];
const person = (role: Role | null) => ({ kind: "token" as const, id: "1", name: "ana", role });

describe.each(permissions)("%s", (permission) => {
  test.each(ROLES)("%s", (role) => {
    const attempt = () => authorise(person(role), permission);
    if (MAY[permission].split(" ").includes(role)) expect(attempt).not.toThrow();
    else expect(attempt).toThrow(expect.objectContaining({ code: "FORBIDDEN", details: { permission } }));
  });

  test("nobody without an identity, and nobody without a role", () => {
    expect(() => authorise(ANONYMOUS, permission)).toThrow(expect.objectContaining({ code: "UNAUTHENTICATED" }));
    expect(() => authorise(person(null), permission)).toThrow(expect.objectContaining({ code: "FORBIDDEN" }));
  });

  test("the server itself", () => {
    expect(() => authorise(SYSTEM, permission)).not.toThrow();
  });
});

test("a refusal names who asked, the role, the permission and the roles that have it", () => {
  expect(() => authorise(person("VIEWER"), "service:write")).toThrow(
    'ana has the role VIEWER; "service:write" needs one of OPERATOR, ADMIN.',
  );
});

test("docs/operating.md has who may do what; agents may only report", async () => {
  const roles = ROLES.filter((role) => role !== "AGENT");
  const rows = await documentTable("operating.md", "roles");
  expect(rows.map(([permission, ...cells]) => [permission, ...cells.slice(0, roles.length)]).sort()).toEqual(
    permissions
      .filter((permission) => permission !== "agent:report")
      .map((permission) => [permission, ...roles.map((role) => (rolesWith(permission).includes(role) ? "yes" : "–"))])
      .sort(),
  );
  expect(permissions.filter((permission) => rolesWith(permission).includes("AGENT"))).toEqual(["agent:report"]);
});
