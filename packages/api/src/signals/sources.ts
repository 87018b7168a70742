/** The `source` of incidents that probes raise. */
export const PROBE_SOURCE = "probe";
/** Of those about the agents themselves: down, or not reporting. */
export const AGENTS_SOURCE = "agents";
/** How the `source` of incidents begins that Alertmanager raises; the name of the integration follows. */
export const ALERTMANAGER_SOURCE = "alertmanager:";
