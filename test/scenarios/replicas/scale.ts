/** Short in `npm test`; `POPPO_SCALE=full` takes minutes. */
export const isFull = process.env.POPPO_SCALE === "full";

export const atScale = <Size>(short: Size, full: Size): Size => (isFull ? full : short);
