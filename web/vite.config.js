import { defineConfig } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

// One page a build: index.html is the report's, VLSI_PAGE=chat.html that of a served model.
export default defineConfig({
  plugins: [viteSingleFile()],
  build: {
    target: "es2022",
    cssTarget: ["chrome125", "firefox128", "safari18"],
    modulePreload: false,
    rollupOptions: { input: process.env.VLSI_PAGE ?? "index.html" },
  },
});
