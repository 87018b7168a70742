/**
 * Small in `npm test`. `POPPO_SCALE=full` is 1,000 agents and 1,000 subscribers and takes minutes; a number is as many of each,
 * with everything else as in the full form.
 */
const scale = process.env.POPPO_SCALE;

export const atScale = <Size>(short: Size, full: Size): Size => (scale ? full : short);

/** How many agents, and how many subscribers. */
export const PEERS = scale === "full" ? 1000 : Number(scale ?? 30);
