// Light or dark: the system's, unless the reader chooses.
import { useEffect, useState } from "preact/hooks";

export type Choice = "auto" | "light" | "dark";
const kChanged = "vlsi-theme";

export function chooseTheme(choice: Choice): void {
  document.documentElement.style.colorScheme = choice === "auto" ? "light dark" : choice;
  window.dispatchEvent(new Event(kChanged));
}

/// A number that grows whenever the colours change; what is painted on a canvas depends on it.
export function useTheme(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const changed = () => setVersion((v) => v + 1);
    const query = matchMedia("(prefers-color-scheme: dark)");
    query.addEventListener("change", changed);
    window.addEventListener(kChanged, changed);
    return () => {
      query.removeEventListener("change", changed);
      window.removeEventListener(kChanged, changed);
    };
  }, []);
  return version;
}
