// Names beside points, so that they do not cover each other.

export interface Label {
  text: string;
  x: number;
  y: number;
  first: boolean; // is named even where there is no room
  bold: boolean;
}
export interface Placed extends Label {
  at: number; // x of the start, the middle or the end of the name
  anchor: "start" | "middle" | "end";
  base: number;
}
interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const kGap = 9; // from a point to its name

function meet(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/// Each name at the first place beside its point, right, left, above or below, where it covers no point and no name that was
/// placed before it. One without room is left out, or put to the right if it is among the first.
export function placeLabels(labels: Label[], area: Box, fontSize: number): Placed[] {
  const points = labels.map(({ x, y }) => ({ left: x - 4, right: x + 4, top: y - 4, bottom: y + 4 }));
  const taken: Box[] = [];
  const placed: Placed[] = [];
  labels.forEach((label, own) => {
    const width = label.text.length * fontSize * (label.bold ? 0.6 : 0.56);
    const half = fontSize / 2;
    const places: ["start" | "middle" | "end", number, number][] = [
      ["start", label.x + kGap, label.y],
      ["end", label.x - kGap, label.y],
      ["middle", label.x, label.y - kGap - half],
      ["middle", label.x, label.y + kGap + half],
      ["start", label.x + kGap, label.y - fontSize],
      ["start", label.x + kGap, label.y + fontSize],
      ["end", label.x - kGap, label.y - fontSize],
      ["end", label.x - kGap, label.y + fontSize],
    ];
    const shares = { start: 0, middle: 0.5, end: 1 };
    const boxes = places.map(([anchor, at, y]) => {
      const left = at - shares[anchor] * width;
      return { anchor, at, left, right: left + width, top: y - half, bottom: y + half };
    });
    const fits = (box: Box) =>
      box.left >= area.left && box.right <= area.right && box.top >= area.top && box.bottom <= area.bottom &&
      !taken.some((other) => meet(box, other)) && !points.some((point, i) => i !== own && meet(box, point));
    const box = boxes.find(fits) ?? (label.first ? boxes.find((one) => one.left >= area.left && one.right <= area.right && !taken.some((other) => meet(one, other))) : undefined);
    if (!box) return;
    taken.push(box);
    placed.push({ ...label, at: box.at, anchor: box.anchor, base: box.bottom - 0.15 * fontSize });
  });
  return placed;
}
