// The page of a served model: a conversation with pictures, and what the layers say along each answer.
import { render } from "preact";
import { type Dispatch, type StateUpdater, useEffect, useRef, useState } from "preact/hooks";
import { ask, readLayers, readPage, type Settings, type Turn } from "./client";
import type { Panel } from "./data";
import { Grid } from "./layers";
import "./style.css";
import "./chat.css";

const page = readPage();
const kKey = "vlsi-key";

interface Entry extends Turn {
  id: number;
  note: string; // how the answer ended, where it is not whole
  panel: Panel | null;
}

let numEntries = 0;
const entryOf = (role: Turn["role"], text: string, pictures: string[] = []): Entry => ({ id: numEntries++, role, text, pictures, note: "", panel: null });

function readFile(file: File): Promise<string> {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.onload = () => done(reader.result as string);
    reader.onerror = () => failed(reader.error);
    reader.readAsDataURL(file);
  });
}

const picturesIn = (files: FileList | undefined | null): File[] => [...(files ?? [])].filter((file) => file.type.startsWith("image/"));

function Said({ entry }: { entry: Entry }) {
  return (
    <article class={`turn ${entry.role}`} data-role={entry.role}>
      <h2>{entry.role === "user" ? "You" : page.model}</h2>
      <div class="shown">
        {entry.pictures.map((url, i) => (
          <img key={i} src={url} alt={`picture ${i + 1}`} />
        ))}
      </div>
      <p class="pre">
        <bdi>{entry.text}</bdi>
      </p>
      {entry.note && <p class="note">{entry.note}</p>}
      {entry.panel && (
        <details open>
          <summary>What the layers say</summary>
          <Grid panel={entry.panel} reading={entry.panel} title="Layers along the answer" links={[]} blank={false} />
        </details>
      )}
    </article>
  );
}

function SettingsForm({ settings, change, system, setSystem }: {
  settings: Settings;
  change: (settings: Settings) => void;
  system: string;
  setSystem: (text: string) => void;
}) {
  const field = (name: keyof Settings, label: string, type: "number" | "password") => (
    <label class="field">
      {label}
      <input type={type} min="0" step="any" value={settings[name]} onInput={(event) => change({ ...settings, [name]: event.currentTarget.value })} />
    </label>
  );
  return (
    <details open={page.needs_key}>
      <summary>Settings</summary>
      <div class="settings">
        {page.needs_key && field("key", "Key", "password")}
        {field("temperature", "Temperature (0: greedy)", "number")}
        {field("max_tokens", "Longest answer, tokens", "number")}
        <label class="field grow">
          System
          <input type="text" value={system} onInput={(event) => setSystem(event.currentTarget.value)} />
        </label>
      </div>
    </details>
  );
}

function Pictures({ pictures, remove }: { pictures: string[]; remove: (index: number) => void }) {
  return (
    <div class="shown" aria-label="pictures to send" role="group">
      {pictures.map((url, i) => (
        <button key={i} type="button" class="thumbnail" title="take the picture away" onClick={() => remove(i)}>
          <img src={url} alt={`picture ${i + 1} to send; press to take it away`} />
        </button>
      ))}
    </div>
  );
}

/// The pictures of the next question: chosen, dropped anywhere or pasted.
function usePictures(): [string[], Dispatch<StateUpdater<string[]>>, (files: File[]) => Promise<void>, boolean] {
  const [pictures, setPictures] = useState<string[]>([]);
  const [isOver, setIsOver] = useState(false);
  const add = async (files: File[]) => {
    const urls = await Promise.all(files.map(readFile));
    setPictures((before) => [...before, ...urls]);
  };
  useEffect(() => {
    const over = (event: DragEvent) => {
      event.preventDefault();
      setIsOver(event.type === "dragover");
    };
    const drop = (event: DragEvent) => {
      over(event);
      void add(picturesIn(event.dataTransfer?.files));
    };
    const paste = (event: ClipboardEvent) => void add(picturesIn(event.clipboardData?.files));
    window.addEventListener("dragover", over);
    window.addEventListener("dragleave", over);
    window.addEventListener("drop", drop);
    window.addEventListener("paste", paste);
    return () => {
      window.removeEventListener("dragover", over);
      window.removeEventListener("dragleave", over);
      window.removeEventListener("drop", drop);
      window.removeEventListener("paste", paste);
    };
  }, []);
  return [pictures, setPictures, add, isOver];
}

function Chat() {
  const [entries, setEntries] = useState<Entry[]>([]);
  const [text, setText] = useState("");
  const [system, setSystem] = useState("");
  const [settings, setSettings] = useState<Settings>({ key: sessionStorage.getItem(kKey) ?? "", temperature: "", max_tokens: "" });
  const [pictures, setPictures, addPictures, isOver] = usePictures();
  const [problem, setProblem] = useState("");
  const stop = useRef<AbortController | null>(null);
  const [isBusy, setIsBusy] = useState(false);
  const readings = useRef<Promise<unknown>>(Promise.resolve()); // of layers, one at a time

  const change = (next: Settings) => {
    sessionStorage.setItem(kKey, next.key);
    setSettings(next);
  };

  const changeLast = (change: (entry: Entry) => Partial<Entry>) =>
    setEntries((all) => [...all.slice(0, -1), { ...all[all.length - 1]!, ...change(all[all.length - 1]!) }]);

  const send = async () => {
    const question = entryOf("user", text, pictures);
    const turns: Turn[] = [...(system ? [entryOf("system", system)] : []), ...entries, question];
    const reply = entryOf("assistant", "");
    setEntries([...entries, question, reply]);
    setText("");
    setPictures([]);
    setProblem("");
    setIsBusy(true);
    const controller = (stop.current = new AbortController());
    let answer = "";
    try {
      const reason = await ask(page.model, turns, settings, controller.signal, (piece) => {
        answer += piece;
        changeLast(() => ({ text: answer }));
      });
      if (reason === "length") changeLast(() => ({ note: "cut at its longest" }));
    } catch (error) {
      if (controller.signal.aborted) {
        changeLast(() => ({ note: "stopped" }));
      } else {
        setProblem(String((error as Error).message));
        if (!answer) {
          // the question goes back to where it can be changed
          setEntries((all) => all.slice(0, -2));
          setText((typed) => typed || question.text);
          setPictures((chosen) => (chosen.length > 0 ? chosen : question.pictures));
        }
      }
    }
    setIsBusy(false);
    if (!page.has_layers || !answer) return;
    try {
      const reading = readings.current.then(() => readLayers(turns, answer, settings.key));
      readings.current = reading.catch(() => undefined);
      const panel = await reading;
      setEntries((all) => all.map((entry) => (entry.id === reply.id ? { ...entry, panel } : entry)));
    } catch (error) {
      setProblem(`layers: ${(error as Error).message}`);
    }
  };

  const onSubmit = (event: Event) => {
    event.preventDefault();
    if (!isBusy && text.trim()) void send();
  };

  return (
    <>
      <header>
        <h1>{page.model}</h1>
        <button type="button" disabled={isBusy || entries.length === 0} onClick={() => setEntries([])}>
          new conversation
        </button>
      </header>
      <main class={`chat ${isOver ? "over" : ""}`}>
        <SettingsForm settings={settings} change={change} system={system} setSystem={setSystem} />
        <div aria-live="polite">
          {entries.map((entry, i) => (
            <Said key={i} entry={entry} />
          ))}
        </div>
        {problem && (
          <p class="note" role="alert">
            {problem}
          </p>
        )}
        <form onSubmit={onSubmit}>
          <Pictures pictures={pictures} remove={(index) => setPictures(pictures.filter((_, i) => i !== index))} />
          <label class="question-field">
            Question; drop or paste a picture, or
            <input
              type="file"
              accept="image/*"
              multiple
              aria-label="choose pictures"
              onChange={(event) => {
                void addPictures(picturesIn(event.currentTarget.files));
                event.currentTarget.value = "";
              }}
            />
          </label>
          <textarea
            aria-label="question"
            rows={3}
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === "Enter" && !event.shiftKey && !event.isComposing) onSubmit(event);
            }}
          />
          <div class="controls">
            <button type="submit" disabled={isBusy || !text.trim()}>
              send
            </button>
            <button type="button" disabled={!isBusy} onClick={() => stop.current?.abort()}>
              stop
            </button>
          </div>
        </form>
      </main>
    </>
  );
}

render(<Chat />, document.getElementById("app")!);
