import type { DiskConfig } from "./config.js";

export interface Mount {
  point: string;
  type: string;
  /** `major:minor`; the same for every place one file system is mounted at. */
  device: string;
  isReadOnly: boolean;
  /** Served by another machine or a program, and so able to hang. */
  isRemote: boolean;
}

const NOT_A_DISK = new Set(
  (
    "autofs bdev binfmt_misc bpf cgroup cgroup2 configfs cpuset debugfs devfs devpts devtmpfs efivarfs erofs fuse.gvfsd-fuse fuse.lxcfs " +
    "fuse.portal fuse.snapfuse fusectl hugetlbfs iso9660 mqueue nsfs overlay pipefs proc pstore ramfs rootfs rpc_pipefs securityfs " +
    "selinuxfs sockfs squashfs sysfs tmpfs tracefs udf"
  ).split(" "),
);
const REMOTE = /^(nfs4?|cifs|smb3|smbfs|ceph|9p|afs|glusterfs|lustre|virtiofs|fuse\..*)$/;

/** Reads `/proc/self/mountinfo` (proc_pid_mountinfo(5)). A later mount over the same point hides the earlier. */
export function parseMountinfo(text: string): Mount[] {
  const mounts = text.split("\n").flatMap((line): [string, Mount][] => {
    const [before, after] = line.split(" - ");
    const [, , device, , point, options] = before?.split(" ") ?? [];
    const [type, , superOptions] = after?.split(" ") ?? [];
    if (!device || !point || !options || !type) return [];
    const isReadOnly = [options, superOptions].some((list) => list?.split(",").includes("ro"));
    return [[decodeOctal(point), { point: decodeOctal(point), type, device, isReadOnly, isRemote: REMOTE.test(type) }]];
  });
  return [...new Map(mounts).values()];
}

/** The kernel writes space, tab, newline and backslash as three octal digits. */
const decodeOctal = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/**
 * The mounts to measure, the ones that may hang last. Of one file system mounted at several points the shortest stands
 * for all. The root counts whatever its type: in a container it is an overlay, and it still fills up.
 */
export function selectMounts(mounts: Mount[], config: Pick<DiskConfig, "exclude">): Mount[] {
  const byDevice = new Map<string, Mount>();
  for (const mount of mounts) {
    if (mount.isReadOnly || isExcluded(mount.point, config.exclude)) continue;
    if (NOT_A_DISK.has(mount.type) && mount.point !== "/") continue;
    const other = byDevice.get(mount.device);
    if (!other || mount.point.length < other.point.length) byDevice.set(mount.device, mount);
  }
  return [...byDevice.values()].sort((a, b) => Number(a.isRemote) - Number(b.isRemote));
}

const isExcluded = (point: string, exclude: readonly string[]) =>
  exclude.some((entry) => (entry.endsWith("/*") ? point.startsWith(entry.slice(0, -1)) : point === entry));
