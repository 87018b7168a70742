import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { access, cp, mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import Docker from "dockerode";

const BUSYBOX = "/bin/busybox";
const IMAGE = { repo: "poppo-test/busybox", tag: "latest" };
const NAME = `${IMAGE.repo}:${IMAGE.tag}`;
export const TEST_LABEL = "poppo-ops.test";

/**
 * A client when a Docker engine answers and a static busybox is there, else the reason why not.
 * @throws the reason where `CI` is set: there the tests must run
 */
export async function engineOrReason(): Promise<Docker | string> {
  const docker = new Docker({ socketPath: "/var/run/docker.sock" });
  try {
    await docker.ping();
    await access(BUSYBOX);
    return docker;
  } catch (error) {
    const reason = `no Docker tests: they need an engine at /var/run/docker.sock and a static ${BUSYBOX} (${String(error)})`;
    if (process.env.CI) throw new Error(reason, { cause: error });
    console.warn(reason);
    return reason;
  }
}

/** Imports an image with nothing but busybox, unless it is there. Needs no registry. @returns its name */
export async function busyboxImage(docker: Docker): Promise<string> {
  const exists = await docker
    .getImage(NAME)
    .inspect()
    .then(
      () => true,
      () => false,
    );
  if (exists) return NAME;
  const folder = await mkdtemp(join(tmpdir(), "poppo-busybox-"));
  try {
    const root = join(folder, "root");
    await mkdir(join(root, "bin"), { recursive: true });
    await mkdir(join(root, "tmp"));
    await cp(BUSYBOX, join(root, "bin/busybox"));
    for (const applet of ["sh", "sleep", "echo", "cat", "kill", "true", "false", "dd", "seq", "httpd", "touch", "test"])
      await symlink("busybox", join(root, "bin", applet));
    const tar = join(folder, "busybox.tar");
    await promisify(execFile)("tar", ["-C", root, "-cf", tar, "."]);
    const stream = await docker.importImage(tar, IMAGE);
    await new Promise<void>((resolve, reject) =>
      docker.modem.followProgress(stream, (error) => (error ? reject(error) : resolve())),
    );
    return NAME;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export interface TestContainer {
  name: string;
  container: Docker.Container;
}

/** Creates and starts a container that runs a shell script. Remove it with `removeContainer`. */
export async function startContainer(
  docker: Docker,
  script: string,
  options: Docker.ContainerCreateOptions = {},
): Promise<TestContainer> {
  const name = `poppo-test-${randomBytes(5).toString("hex")}`;
  const container = await docker.createContainer({
    name,
    Image: await busyboxImage(docker),
    Cmd: ["/bin/sh", "-c", script],
    ...options,
    Labels: { [TEST_LABEL]: "1", ...options.Labels },
  });
  await container.start();
  return { name, container };
}

export const removeContainer = ({ container }: TestContainer): Promise<void> =>
  container.remove({ force: true }).catch(() => undefined);
