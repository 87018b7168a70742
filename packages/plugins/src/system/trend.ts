/** When, in ms of the monotonic clock, and how many bytes were used. */
export type Point = readonly [at: number, used: number];

const POINTS_PER_WINDOW = 60;
/** Growth over less than this share of the window is a burst, not a trend. */
const MIN_SHARE = 1 / 6;

/** The points to remember: within the window, at most about 60. */
export function remember(points: readonly Point[], now: Point, windowMs: number): Point[] {
  const kept = points.filter(([at]) => at >= now[0] - windowMs);
  const last = kept.at(-1);
  return last && now[0] - last[0] < windowMs / POINTS_PER_WINDOW ? kept : [...kept, now];
}

/** Hours until `available` bytes are taken at the growth the points show; undefined when it does not grow or is not known yet. */
export function hoursToFull(
  points: readonly Point[],
  now: Point,
  available: number,
  windowMs: number,
): number | undefined {
  const first = points[0];
  if (!first || now[0] - first[0] < windowMs * MIN_SHARE) return undefined;
  const bytesPerMs = slope([...points, now]);
  return bytesPerMs > 0 ? available / bytesPerMs / 3_600_000 : undefined;
}

/** Least squares, around the mean so that no digits are lost. */
function slope(points: readonly Point[]): number {
  const mean = (axis: 0 | 1) => points.reduce((sum, point) => sum + point[axis], 0) / points.length;
  const [meanAt, meanUsed] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, [at, used]) => sum + (at - meanAt) * (used - meanUsed), 0);
  const variance = points.reduce((sum, [at]) => sum + (at - meanAt) ** 2, 0);
  return variance > 0 ? covariance / variance : 0;
}
