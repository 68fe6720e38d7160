// Colours of lines: one ramp for layers by depth, one set for runs. Each is readable on white and on near-black.

const kRuns = ["#3b82c4", "#d9730d", "#2f9e5b", "#c2418f", "#8a6fd1", "#a17c1a", "#0f9aa8", "#d64545"];
export const runColour = (index: number): string => kRuns[index % kRuns.length]!;

/// From blue (shallow) over green to orange (deep).
export function depthColour(index: number, count: number): string {
  const share = count > 1 ? index / (count - 1) : 0.5;
  return `hsl(${Math.round(225 - 200 * share)} 62% 50%)`;
}

const kDashes: number[][] = [[], [8, 4], [2, 3], [10, 3, 2, 3]];
export const dash = (index: number): number[] => kDashes[index % kDashes.length]!;

/// The class that gives text on a heat cell its contrast; `share` is 0 to 1.
export function heatText(share: number): string {
  return share > 0.62 ? "heat heat-high" : share > 0.48 ? "heat heat-middle" : "heat heat-low";
}
