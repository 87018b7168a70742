import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";

/** The operating-system user PostgreSQL runs as. Ourselves, unless we are root: PostgreSQL refuses root. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
}

/** Who this process is. */
export function ourselves(): { uid: number; gid: number } {
  return { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };
}

const UNPRIVILEGED = ["postgres", "_postgres", "nobody", "daemon", "www-data"];

/**
 * Who runs PostgreSQL: we ourselves; or, when we are root, the owner of the data that already exists; or the first
 * unprivileged system user there is. `initdb` looks its user up by name, so a bare number does not do.
 */
export function chooseAccount(self: { uid: number; gid: number }, dataOwnerUid?: number): Account {
  if (self.uid !== 0) return { name: `uid ${self.uid}`, ...self };
  const accounts = readAccounts();
  if (dataOwnerUid) {
    const owner = accounts.find((account) => account.uid === dataOwnerUid);
    if (owner) return owner;
    throw new Error(
      `The database belongs to uid ${dataOwnerUid}, which /etc/passwd does not name. Start as that user, or chown the database to one of: ${UNPRIVILEGED.join(", ")}.`,
    );
  }
  for (const name of UNPRIVILEGED) {
    const account = accounts.find((candidate) => candidate.name === name);
    if (account) return account;
  }
  throw new Error(
    `PostgreSQL does not run as root, and /etc/passwd has none of the users ${UNPRIVILEGED.join(", ")}. Start as another user, or set DATABASE_URL.`,
  );
}

function readAccounts(): Account[] {
  return readFileSync("/etc/passwd", "utf8")
    .split("\n")
    .map((line) => line.split(":"))
    .filter((fields) => fields.length >= 4)
    .map(([name, , uid, gid]) => ({ name: name!, uid: Number(uid) >>> 0, gid: Number(gid) >>> 0 }));
}

/** Whether the account can enter the directory. Asks the kernel, since mode bits alone know nothing of ACLs. */
export function canEnter({ uid, gid }: Account, directory: string): boolean {
  return (
    spawnSync("/bin/sh", ["-c", 'cd -- "$1"', "sh", directory], { uid, gid, cwd: "/", stdio: "ignore" }).status === 0
  );
}

/** The outermost directory on the way to `directory` that stops the account. */
export function barrier(account: Account, directory: string): string {
  const parent = dirname(directory);
  return parent === directory || canEnter(account, parent) ? directory : barrier(account, parent);
}
