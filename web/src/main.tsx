// The page: summary, matching, layers, curves; and word of changes while a run goes on.
import { render } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Curves } from "./curves";
import { readData, runNames, type Report, type Run } from "./data";
import { SampleCard } from "./layers";
import { MatchingOfRun } from "./matching";
import { OverviewOfBenchmarks } from "./overview";
import { StudyPage, studyLinks } from "./study";
import "./style.css";
import { Summary } from "./summary";
import { chooseTheme, type Choice } from "./theme";

type Connection = "none" | "live" | "lost";

/// The data in the page, and the server's newest while there is one.
function useReport(): [Report, Connection] {
  const [report, setReport] = useState<Report>(readData);
  const [connection, setConnection] = useState<Connection>("none");
  useEffect(() => {
    if (!report.live) return;
    const query = location.search;
    let events: EventSource;
    let waiting: ReturnType<typeof setTimeout> | undefined;
    let busy = false;
    let again = false;
    const tryLater = (what: () => void) => {
      setConnection("lost");
      clearTimeout(waiting);
      waiting = setTimeout(what, 2000);
    };
    const load = async () => {
      if (busy) {
        again = true;
        return;
      }
      busy = true;
      try {
        const answer = await fetch(`data.json${query}`);
        if (!answer.ok) throw new Error(answer.statusText);
        setReport((await answer.json()) as Report);
        if (events.readyState === EventSource.OPEN) setConnection("live");
      } catch {
        tryLater(() => void load());
      }
      busy = false;
      if (again) {
        again = false;
        await load();
      }
    };
    const listen = () => {
      events = new EventSource(`events${query}`);
      events.onopen = () => {
        setConnection("live");
        void load();
      };
      // A browser itself tries again where a connection breaks, and not where it is refused.
      events.onerror = () => (events.readyState === EventSource.CLOSED ? tryLater(listen) : setConnection("lost"));
      events.onmessage = () => void load();
    };
    listen();
    return () => {
      clearTimeout(waiting);
      events.close();
    };
  }, []);
  return [report, connection];
}

function Matchings({ runs }: { runs: Run[] }) {
  const [chosen, setChosen] = useState(0);
  const names = runNames(runs);
  const matched = runs.map((run, i) => ({ run, name: names[i]! })).filter(({ run }) => run.matching);
  if (matched.length === 0) return null;
  const shown = matched[Math.min(chosen, matched.length - 1)]!;
  return (
    <section id="matching" aria-labelledby="matching-title">
      <h2 id="matching-title">Matching</h2>
      <p class="hint">Which teacher layer each student layer was matched with. The slider goes from the whole run through its stretches, early to late.</p>
      {matched.length > 1 && (
        <label class="field">
          Run
          <select value={chosen} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
            {matched.map(({ name }, i) => (
              <option key={i} value={i}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      <MatchingOfRun key={shown.run.path} run={shown.run} name={shown.name} />
    </section>
  );
}

function Layers({ runs }: { runs: Run[] }) {
  const [chosen, setChosen] = useState(() => Math.max(0, runs.findIndex((run) => run.samples.length > 0 && run.matching)));
  const names = runNames(runs);
  const run = runs[Math.min(chosen, runs.length - 1)]!;
  return (
    <section id="layers" aria-labelledby="layers-title">
      <h2 id="layers-title">What layers say</h2>
      <p class="hint">
        Each row is a layer, deep on top; each column a position of the answer that the model gave. A cell holds the layer’s most
        probable token there, the stronger the colour the more probable; pointing at it shows the next ones. Lines join a student
        layer with the teacher layer that it followed most in the last stretch of the run.
      </p>
      {runs.length > 1 && (
        <label class="field">
          Run
          <select value={chosen} onChange={(event) => setChosen(Number(event.currentTarget.value))}>
            {names.map((name, i) => (
              <option key={i} value={i}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {run.sample_notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
      {run.samples.map((sample, i) => (
        <SampleCard key={`${run.path} ${i}`} sample={sample} method={run.settings.method} matching={run.matching} />
      ))}
    </section>
  );
}

function Header({ title, links, connection }: { title: string; links: [string, string][]; connection: Connection }) {
  const [theme, setTheme] = useState<Choice>("auto");
  return (
    <header>
      <h1>{title}</h1>
      <nav aria-label="Sections">
        {links.map(([id, text]) => (
          <a key={id} href={`#${id}`}>
            {text}
          </a>
        ))}
      </nav>
      <span class={`badge ${connection}`} role="status">
        {connection === "live" ? "live" : connection === "lost" ? "connection lost" : ""}
      </span>
      <label class="field theme">
        Colours
        <select
          value={theme}
          onChange={(event) => {
            const choice = event.currentTarget.value as Choice;
            setTheme(choice);
            chooseTheme(choice);
          }}
        >
          <option value="auto">as the system</option>
          <option value="light">light</option>
          <option value="dark">dark</option>
        </select>
      </label>
    </header>
  );
}

function App() {
  const [report, connection] = useReport();
  const { runs, lens, overview, study } = report;
  const links: [string, string][] = study ? studyLinks(study) : [];
  if (runs.length > 0) links.push(["summary", "Summary"]);
  if (overview) links.push(["benchmarks", "Benchmarks"]);
  if (runs.length > 0) {
    if (runs.some((run) => run.matching)) links.push(["matching", "Matching"]);
    links.push(["layers", "What layers say"]);
    if (runs.some((run) => run.steps.length > 0)) links.push(["curves", "Curves"]);
  }
  return (
    <>
      <Header title={lens ? "What every layer says" : study ? `Study ${study.name}` : "vlsi report"} links={links} connection={connection} />
      <main>
        {lens && <SampleCard sample={lens} method="" matching={null} />}
        {study && <StudyPage study={study} />}
        {runs.length > 0 && <Summary runs={runs} comparison={report.comparison} />}
        {overview && <OverviewOfBenchmarks overview={overview} />}
        {runs.length > 0 && (
          <>
            <Matchings runs={runs} />
            <Layers runs={runs} />
            <Curves runs={runs} />
          </>
        )}
      </main>
    </>
  );
}

render(<App />, document.getElementById("app")!);
