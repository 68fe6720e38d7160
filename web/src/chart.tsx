// A chart of curves over iterations: zoom, values under the pointer or the keyboard's cursor, gaps marked.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Points } from "./data";
import { number } from "./format";
import { useTheme } from "./theme";

export interface Series extends Points {
  label: string;
  colour: string;
  dash?: number[];
  band?: { low: (number | null)[]; high: (number | null)[] }; // a value for each x
}

interface Props {
  title: string;
  unit: string;
  series: Series[];
}

/// The point of the series that is nearest to x, if it has any.
function nearest(series: Points, x: number): number {
  let low = 0;
  let high = series.x.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (series.x[middle]! <= x) low = middle;
    else high = middle;
  }
  return high >= 0 && Math.abs(series.x[high]! - x) < Math.abs(series.x[low]! - x) ? high : low;
}

function valueText(series: Series, x: number | null): string {
  const last = series.x.length - 1;
  if (last < 0 || (x !== null && (x < series.x[0]! || x > series.x[last]!))) return "–";
  const place = x === null ? last : nearest(series, x);
  const value = series.y[place];
  return value === null ? "not a number" : number(value);
}

/// "layer 2: from 3.3 at iteration 1 to 2.9 at iteration 400": what the picture says, for those who do not see it.
function description(series: Series[]): string {
  return series
    .map((line) => {
      const values = line.x.map((x, i) => [x, line.y[i]] as const).filter(([, y]) => y !== null && y !== undefined);
      if (values.length === 0) return `${line.label}: no values`;
      const [firstX, first] = values[0]!;
      const [lastX, last] = values[values.length - 1]!;
      return `${line.label}: from ${number(first)} at iteration ${firstX} to ${number(last)} at iteration ${lastX}`;
    })
    .join("; ");
}

function gapsText(series: Series[]): string {
  const gaps = [...new Set(series.flatMap((line) => line.x.filter((_, i) => line.y[i] === null)))].sort((a, b) => a - b);
  if (gaps.length === 0) return "";
  const shown = gaps.slice(0, 5).join(", ");
  return `▲ not a number at iteration ${shown}${gaps.length > 5 ? ` and ${gaps.length - 5} more` : ""}`;
}

/// The bands of the curves that are shown, behind them.
function drawBands(plot: uPlot, series: Series[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  series.forEach((line, i) => {
    const { band } = line;
    if (!band || !plot.series[i + 1]!.show) return;
    const places = line.x.map((_, place) => place).filter((place) => band.low[place] != null && band.high[place] != null);
    if (places.length === 0) return;
    const point = (place: number, values: (number | null)[]) =>
      [plot.valToPos(line.x[place]!, "x", true), plot.valToPos(values[place]!, "y", true)] as const;
    ctx.beginPath();
    for (const place of places) ctx.lineTo(...point(place, band.high));
    for (const place of places.reverse()) ctx.lineTo(...point(place, band.low));
    ctx.closePath();
    ctx.globalAlpha = 0.18;
    ctx.fillStyle = line.colour;
    ctx.fill();
  });
  ctx.restore();
}

/// A triangle on the axis under every gap.
function drawGaps(plot: uPlot): void {
  const { ctx, bbox } = plot;
  const size = 5 * uPlot.pxRatio;
  ctx.save();
  ctx.fillStyle = "#d64545";
  const xs = plot.data[0];
  for (let s = 1; s < plot.data.length; s++) {
    const values = plot.data[s]!;
    for (let i = 0; i < xs.length; i++) {
      if (values[i] !== null) continue;
      const x = plot.valToPos(xs[i]!, "x", true);
      if (x < bbox.left || x > bbox.left + bbox.width) continue;
      const bottom = bbox.top + bbox.height;
      ctx.beginPath();
      ctx.moveTo(x - size, bottom);
      ctx.lineTo(x + size, bottom);
      ctx.lineTo(x, bottom - 1.6 * size);
      ctx.fill();
    }
  }
  ctx.restore();
}

function aligned(series: Series[]): uPlot.AlignedData {
  if (series.length === 0) return [[]];
  return uPlot.join(series.map((line) => [line.x, line.y] as unknown as uPlot.AlignedData));
}

export function Chart({ title, unit, series }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const shownSeries = useRef(series);
  shownSeries.current = series;
  const [cursor, setCursor] = useState<number | null>(null);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [zoomed, setZoomed] = useState(false);
  const theme = useTheme();
  const shape = series.map((line) => `${line.label} ${line.colour}`).join("|");
  const gaps = useMemo(() => gapsText(series), [series]);

  useEffect(() => {
    const element = box.current!;
    const style = getComputedStyle(element);
    const axis = { stroke: style.color, grid: { stroke: style.borderTopColor, width: 1 }, ticks: { stroke: style.borderTopColor, width: 1 } };
    const created = new uPlot(
      {
        width: element.clientWidth,
        height: 240,
        legend: { show: false },
        cursor: { drag: { x: true, y: false }, points: { size: 6 } },
        scales: { x: { time: false } },
        axes: [
          { ...axis, size: 32 },
          { ...axis, size: 62, values: (_, ticks) => ticks.map((tick) => number(tick, 5)) },
        ],
        series: [
          {},
          ...series.map((line) => ({
            label: line.label,
            stroke: line.colour,
            width: 1.5,
            dash: line.dash,
            points: { show: line.x.length < 40, size: 4 },
          })),
        ],
        hooks: {
          drawAxes: [(u) => drawBands(u, shownSeries.current)],
          draw: [drawGaps],
          setCursor: [(u) => setCursor(u.cursor.idx === null || u.cursor.idx === undefined ? null : (u.data[0][u.cursor.idx] ?? null))],
          setScale: [
            (u, key) => {
              const xs = u.data[0];
              if (key === "x" && xs.length > 0) setZoomed(u.scales.x!.min! > xs[0]! || u.scales.x!.max! < xs[xs.length - 1]!);
            },
          ],
        },
      },
      aligned(series),
      element,
    );
    created.root.setAttribute("aria-hidden", "true");
    plot.current = created;
    const observer = new ResizeObserver(() => created.setSize({ width: element.clientWidth, height: 240 }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      created.destroy();
      plot.current = null;
    };
  }, [shape, theme]);

  useEffect(() => {
    // A zoomed view stays where it is while the run goes on.
    plot.current?.setData(aligned(series), !zoomed);
    if (zoomed) plot.current?.redraw(); // setData itself draws only where it sets the scales
  }, [series]);

  useEffect(() => {
    series.forEach((line, i) => plot.current?.setSeries(i + 1, { show: !hidden.has(line.label) }));
  }, [hidden, shape, theme]);

  const toggle = (label: string) => {
    const next = new Set(hidden);
    if (!next.delete(label)) next.add(label);
    setHidden(next);
  };

  const show = (index: number) => {
    const u = plot.current!;
    const x = u.data[0][index];
    if (x === undefined) return;
    u.setCursor({ left: u.valToPos(x, "x"), top: u.over.clientHeight / 2 });
    setCursor(x);
  };

  const reset = () => {
    const xs = plot.current!.data[0];
    plot.current!.setScale("x", { min: xs[0]!, max: xs[xs.length - 1]! });
  };

  const zoom = (factor: number) => {
    const u = plot.current!;
    const xs = u.data[0];
    const { min, max } = u.scales.x!;
    if (min === undefined || max === undefined || min === null || max === null) return;
    const center = cursor ?? (min + max) / 2;
    const low = Math.max(xs[0]!, center - (center - min) * factor);
    const high = Math.min(xs[xs.length - 1]!, center + (max - center) * factor);
    if (high > low) u.setScale("x", { min: low, max: high });
  };

  const onKeyDown = (event: KeyboardEvent) => {
    const u = plot.current;
    if (!u || u.data[0].length === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = u.data[0].length - 1;
    const current = u.cursor.idx ?? last;
    const step = event.shiftKey ? Math.max(1, Math.round(last / 10)) : 1;
    if (event.key === "ArrowLeft") show(Math.max(0, current - step));
    else if (event.key === "ArrowRight") show(Math.min(last, current + step));
    else if (event.key === "Home") show(0);
    else if (event.key === "End") show(last);
    else if (event.key === "+" || event.key === "=") zoom(0.5);
    else if (event.key === "-") zoom(2);
    else if (event.key === "Escape" || event.key === "0") reset();
    else return;
    event.preventDefault();
  };

  return (
    <figure class="chart" data-chart={title}>
      <figcaption>
        {title}
        {unit && <span class="unit"> in {unit}</span>}
      </figcaption>
      <div
        class="plot"
        ref={box}
        role="img"
        tabIndex={0}
        aria-label={`${title}. ${description(series)}. Arrow keys move the cursor, plus and minus zoom, Escape shows all.`}
        onKeyDown={onKeyDown}
      />
      <div class="legend">
        <span class="at">{cursor === null ? "last value" : `iteration ${number(cursor, 9)}`}</span>
        {series.map((line) => (
          <button
            type="button"
            key={line.label}
            aria-pressed={!hidden.has(line.label)}
            title="show or hide this curve"
            onClick={() => toggle(line.label)}
          >
            <svg width="18" height="8" aria-hidden="true">
              <line x1="0" y1="4" x2="18" y2="4" stroke={line.colour} stroke-width="3" stroke-dasharray={line.dash?.join(" ")} />
            </svg>
            <bdi>{line.label}</bdi> <output>{valueText(line, cursor)}</output>
          </button>
        ))}
        {zoomed && (
          <button type="button" class="reset" onClick={reset}>
            show all iterations
          </button>
        )}
      </div>
      {gaps && <p class="gaps">{gaps}</p>}
    </figure>
  );
}
