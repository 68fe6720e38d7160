// Models on benchmarks: a score against the models' sizes, and all scores of a few models.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { runColour } from "./colour";
import type { Overview, OverviewBenchmark, OverviewModel } from "./data";
import { placeLabels, type Label } from "./labels";

interface Dot extends OverviewModel {
  colour: string | null; // null: one of the many in the background
}

const kFont = 12;

function scoreText(benchmark: OverviewBenchmark, score: number): string {
  return benchmark.full === 100 ? `${score.toFixed(1)} %` : `${score.toFixed(0)} of ${benchmark.full}`;
}

function sizeText(billions: number): string {
  return billions >= 0.1 ? `${Number(billions.toPrecision(2))}B` : `${Number((1000 * billions).toPrecision(2))}M`;
}

/// The width of the element, followed.
function useWidth(): [preact.RefObject<HTMLDivElement | null>, number] {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(640);
  useEffect(() => {
    const measure = () => setWidth(Math.max(280, box.current!.clientWidth));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  return [box, width];
}

/// A model's mark: ours are discs, the paper's squares, those in the background small discs.
function Mark({ dot, x, y, title }: { dot: Dot; x: number; y: number; title: string }) {
  if (dot.colour === null) {
    return (
      <circle class="behind" cx={x} cy={y} r={3.5}>
        <title>{title}</title>
      </circle>
    );
  }
  const shared = { fill: dot.paper ? "var(--surface)" : dot.colour, stroke: dot.colour, "stroke-width": 2.5 };
  return dot.paper ? (
    <rect x={x - 5} y={y - 5} width={10} height={10} {...shared}>
      <title>{title}</title>
    </rect>
  ) : (
    <circle cx={x} cy={y} r={6} {...shared}>
      <title>{title}</title>
    </circle>
  );
}

/// Round numbers from `low` to `high`, about `count` of them.
function ticksOf(low: number, high: number, count: number): number[] {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= rough)!;
  const ticks = [];
  for (let tick = Math.ceil(low / step) * step; tick <= high + 1e-9; tick += step) ticks.push(Number(tick.toPrecision(6)));
  return ticks;
}

/// Powers of ten, with 2 and 5 between them where there is room.
function sizeTicks(low: number, high: number): number[] {
  const factors = Math.log10(high / low) < 3 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = -6; power < 6; ++power) {
    for (const factor of factors) {
      const tick = factor * 10 ** power;
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

function Sizes({ benchmark, dots }: { benchmark: OverviewBenchmark; dots: Dot[] }) {
  const [box, width] = useWidth();
  const height = 380;
  const shown = dots.filter((dot) => dot.scores[benchmark.name] !== undefined);
  const sized = shown.filter((dot) => dot.billions !== null).map((dot) => dot.billions!);
  const someUnsized = sized.length < shown.length;
  const left = 46;
  const bottom = height - 42;
  const unsizedWidth = someUnsized ? Math.min(150, width / 4) : 0;
  const right = width - 12 - unsizedWidth;
  const [smallest, largest] = sized.length > 0 ? [Math.min(...sized), Math.max(...sized)] : [1, 1];
  const around = largest > 4 * smallest ? 1.6 : 4;
  const [low, high] = [smallest / around, largest * around];
  const scores = shown.map((dot) => dot.scores[benchmark.name]!);
  const lowest = Math.min(...scores);
  const highest = Math.max(...scores);
  const margin = Math.max(0.08 * (highest - lowest), 0.01 * benchmark.full);
  const [bottomScore, topScore] = [Math.max(0, lowest - margin), Math.min(benchmark.full, highest + margin)];
  const xOf = (dot: Dot) =>
    dot.billions === null ? right + 26 : left + ((right - left) * Math.log(dot.billions / low)) / Math.log(high / low);
  const yOf = (score: number) => bottom - ((bottom - 14) * (score - bottomScore)) / (topScore - bottomScore);
  const names = useMemo(() => {
    const anchors: Label[] = shown
      .filter((dot) => dot.colour !== null || width >= 500)
      .map((dot) => ({ text: dot.name, x: xOf(dot), y: yOf(dot.scores[benchmark.name]!), first: dot.colour !== null, bold: !dot.paper }))
      .sort((a, b) => Number(b.bold) - Number(a.bold) || Number(b.first) - Number(a.first));
    return placeLabels(anchors, { left, right: width, top: 4, bottom }, kFont);
  }, [shown, width]);
  const title = (dot: Dot) =>
    `${dot.name}: ${scoreText(benchmark, dot.scores[benchmark.name]!)}, ${dot.billions === null ? "size not stated" : sizeText(dot.billions)}`;
  return (
    <div ref={box} class="picture">
      <svg width={width} height={height} role="img" data-picture="sizes" aria-label={`${benchmark.name} against the number of parameters. ${shown.map(title).join("; ")}`}>
        {someUnsized && (
          <>
            <rect class="unsized" x={right + 6} y={8} width={unsizedWidth} height={bottom - 8} />
            <text x={right + 6 + unsizedWidth / 2} y={bottom + 19} text-anchor="middle">
              size not stated
            </text>
          </>
        )}
        {ticksOf(bottomScore, topScore, 6).map((tick) => (
          <g key={tick}>
            <line class="rule" x1={left} x2={width - 8} y1={yOf(tick)} y2={yOf(tick)} />
            <text x={left - 8} y={yOf(tick) + 4} text-anchor="end">
              {tick}
            </text>
          </g>
        ))}
        {sizeTicks(low, high).map((tick) => {
          const x = left + ((right - left) * Math.log(tick / low)) / Math.log(high / low);
          return (
            <g key={tick}>
              <line class="rule" x1={x} x2={x} y1={bottom} y2={bottom + 5} />
              <text x={x} y={bottom + 19} text-anchor="middle">
                {sizeText(tick)}
              </text>
            </g>
          );
        })}
        {sized.length > 0 && (
          <text x={(left + right) / 2} y={height - 6} text-anchor="middle">
            parameters
          </text>
        )}
        {[...shown].reverse().map((dot) => (
          <Mark key={dot.name} dot={dot} x={xOf(dot)} y={yOf(dot.scores[benchmark.name]!)} title={title(dot)} />
        ))}
        {names.map((label) => (
          <text key={label.text} class={label.bold ? "name own" : label.first ? "name" : "name soft"} x={label.at} y={label.base} text-anchor={label.anchor}>
            {label.text}
          </text>
        ))}
      </svg>
    </div>
  );
}

function Scores({ benchmarks, dots }: { benchmarks: OverviewBenchmark[]; dots: Dot[] }) {
  const [box, width] = useWidth();
  const left = Math.min(150, width * 0.36);
  const right = width - 18;
  const rowHeight = 32;
  const bottom = 10 + rowHeight * benchmarks.length;
  const xOf = (score: number, benchmark: OverviewBenchmark) => left + ((right - left) * score) / benchmark.full;
  const front = dots.filter((dot) => dot.colour !== null);
  const hasPoints = benchmarks.some((benchmark) => benchmark.full !== 100);
  const described = benchmarks
    .map((benchmark) =>
      `${benchmark.name}: ${front
        .filter((dot) => dot.scores[benchmark.name] !== undefined)
        .map((dot) => `${dot.name} ${scoreText(benchmark, dot.scores[benchmark.name]!)}`)
        .join(", ")}`,
    )
    .join("; ");
  return (
    <div ref={box} class="picture">
      <svg width={width} height={bottom + 42} role="img" data-picture="scores" aria-label={`Scores. ${described}`}>
        {[0, 25, 50, 75, 100].map((tick) => {
          const x = left + ((right - left) * tick) / 100;
          return (
            <g key={tick}>
              <line class="rule" x1={x} x2={x} y1={6} y2={bottom} />
              <text x={x} y={bottom + 17} text-anchor="middle">
                {tick}
              </text>
            </g>
          );
        })}
        <text x={(left + right) / 2} y={bottom + 36} text-anchor="middle">
          per cent{hasPoints ? " (mme: of its points)" : ""}
        </text>
        {benchmarks.map((benchmark, row) => {
          const y = 10 + rowHeight * (row + 0.5);
          const scored = dots.filter((dot) => dot.scores[benchmark.name] !== undefined);
          const values = scored.filter((dot) => dot.colour !== null).map((dot) => xOf(dot.scores[benchmark.name]!, benchmark));
          return (
            <g key={benchmark.name}>
              <text class="name" x={left - 12} y={y + 4} text-anchor="end">
                {benchmark.name}
              </text>
              {values.length > 1 && <line class="span" x1={Math.min(...values)} x2={Math.max(...values)} y1={y} y2={y} />}
              {[...scored]
                .sort((a, b) => Number(a.colour !== null) - Number(b.colour !== null) || Number(b.paper) - Number(a.paper))
                .map((dot) => {
                  const score = dot.scores[benchmark.name]!;
                  const profile = dot.profiles[benchmark.name];
                  const title = `${dot.name}, ${benchmark.name}: ${scoreText(benchmark, score)}${profile ? ` (${profile})` : ""}`;
                  return <Mark key={dot.name} dot={dot} x={xOf(score, benchmark)} y={y} title={title} />;
                })}
            </g>
          );
        })}
      </svg>
    </div>
  );
}

function Legend({ dots }: { dots: Dot[] }) {
  return (
    <ul class="marks">
      {dots
        .filter((dot) => dot.colour !== null)
        .map((dot) => (
          <li key={dot.name}>
            <svg width={16} height={16} aria-hidden="true">
              <Mark dot={dot} x={8} y={8} title={dot.name} />
            </svg>{" "}
            <bdi>{dot.name}</bdi>
            {dot.paper ? " (paper)" : ""}
          </li>
        ))}
      {dots.some((dot) => dot.colour === null) && (
        <li>
          <svg width={16} height={16} aria-hidden="true">
            <circle class="behind" cx={8} cy={8} r={3.5} />
          </svg>{" "}
          other models of the paper
        </li>
      )}
    </ul>
  );
}

export function OverviewOfBenchmarks({ overview }: { overview: Overview }) {
  const { benchmarks, models } = overview;
  const dots = useMemo<Dot[]>(() => {
    let next = 0;
    return models.map((model) => ({ ...model, colour: model.shown ? runColour(next++) : null }));
  }, [models]);
  // The one that most of the readers' own models have; of equals the first.
  const [chosen, setChosen] = useState(() => {
    const counts = benchmarks.map(({ name }) => models.filter((model) => !model.paper && model.scores[name] !== undefined).length);
    return Math.max(0, counts.indexOf(Math.max(...counts)));
  });
  const benchmark = benchmarks[chosen];
  if (!benchmark) return null;
  return (
    <section id="benchmarks" aria-labelledby="benchmarks-title">
      <h2 id="benchmarks-title">Benchmarks</h2>
      <Legend dots={dots} />
      <div class="pictures">
        <figure>
          <figcaption>
            <label class="field">
              Score against size:
              <select value={chosen} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
                {benchmarks.map(({ name }, i) => (
                  <option key={name} value={i}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
          </figcaption>
          <Sizes benchmark={benchmark} dots={dots} />
        </figure>
        <figure>
          <figcaption>All benchmarks</figcaption>
          <Scores benchmarks={benchmarks} dots={dots} />
        </figure>
      </div>
    </section>
  );
}
