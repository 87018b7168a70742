import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { installed } from "./peer.js";
import { eventually, freePort, type Program, startProgram } from "./program.js";

/** Another monitoring agent, running on this host. */
export interface HostMonitor extends Program {
  /** What its server would do every ten seconds. */
  ask(): Promise<void>;
}

/** As many things as our agent probes. */
const ZABBIX_KEYS = [
  "system.cpu.util[,user]",
  "system.cpu.util[,system]",
  "system.cpu.util[,iowait]",
  "system.cpu.util[,idle]",
  "system.cpu.load[percpu,avg1]",
  "system.cpu.load[percpu,avg5]",
  "system.cpu.load[percpu,avg15]",
  "system.cpu.switches",
  "vm.memory.size[available]",
  "vm.memory.size[pavailable]",
  "system.swap.size[,free]",
  "vfs.fs.size[/,pused]",
  "vfs.fs.size[/,free]",
  "vfs.fs.inode[/,pused]",
  "vfs.fs.size[/tmp,pused]",
  "net.if.in[lo]",
  "net.if.out[lo]",
  "net.if.in[lo,errors]",
  "proc.num",
  "kernel.maxfiles",
];

export async function zabbixAgent(): Promise<HostMonitor> {
  const port = await freePort();
  const program = await startProgram(await installed("/usr/sbin/zabbix_agent2"), async (home) => {
    const config = join(home, "agent.conf");
    const settings = {
      PidFile: join(home, "agent.pid"),
      LogType: "console",
      Server: "127.0.0.1",
      ListenIP: "127.0.0.1",
      ListenPort: port,
      ControlSocket: join(home, "agent.sock"),
      Hostname: "bench",
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    await writeFile(config, lines.join(""));
    return ["-f", "-c", config];
  });
  const ask = async () => void (await Promise.all(ZABBIX_KEYS.map((key) => zabbixGet(port, key))));
  return ready({ ...program, ask });
}

/** https://www.zabbix.com/documentation/6.0/en/manual/appendix/protocols/header_datalen */
async function zabbixGet(port: number, key: string): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  const header = Buffer.from("ZBXD\x01\0\0\0\0\0\0\0\0", "latin1");
  header.writeUInt32LE(key.length, 5);
  socket.end(Buffer.concat([header, Buffer.from(key)]));
  const [answer] = await once(socket, "data");
  if (!String(answer).startsWith("ZBXD")) throw new Error(`zabbix_agent2 answered ${answer}`);
  socket.destroy();
}

export async function nodeExporter(): Promise<HostMonitor> {
  const port = await freePort();
  const command = await installed("/usr/bin/prometheus-node-exporter");
  const program = await startProgram(command, async () => [`--web.listen-address=127.0.0.1:${port}`]);
  return ready({ ...program, ask: () => get(`http://127.0.0.1:${port}/metrics`) });
}

/** Its own collectors of the host, no plugin processes, every ten seconds instead of every one. */
export async function netdata(): Promise<HostMonitor> {
  const port = await freePort();
  const program = await startProgram(await installed("/usr/sbin/netdata"), async (home) => {
    const config = join(home, "netdata.conf");
    await writeFile(
      config,
      `[global]\nrun as user = root\n[db]\nupdate every = 10\n[directories]\ncache = ${home}\nlib = ${home}\nlog = ${home}\n` +
        `[web]\nbind to = 127.0.0.1\ndefault port = ${port}\n[health]\nenabled = no\n[ml]\nenabled = no\n[statsd]\nenabled = no\n` +
        "[plugins]\nproc = yes\ndiskspace = yes\ncgroups = no\ntc = no\nidlejitter = no\napps = no\ncharts.d = no\nebpf = no\n" +
        "enable running new plugins = no\nfping = no\ngo.d = no\nioping = no\nperf = no\npython.d = no\nslabinfo = no\nloopsleepms = no\n",
    );
    return ["-D", "-c", config, "-P", join(home, "netdata.pid")];
  });
  return ready({ ...program, ask: () => get(`http://127.0.0.1:${port}/api/v1/allmetrics?format=prometheus`) });
}

async function get(url: string): Promise<void> {
  const response = await fetch(url);
  await response.text();
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
}

async function ready(monitor: HostMonitor): Promise<HostMonitor> {
  try {
    await eventually(monitor.ask);
    return monitor;
  } catch (error) {
    await monitor[Symbol.asyncDispose]();
    throw error;
  }
}
