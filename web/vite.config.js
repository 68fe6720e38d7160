import { defineConfig } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

export default defineConfig({
  plugins: [viteSingleFile()],
  build: { target: "es2022", cssTarget: ["chrome125", "firefox128", "safari18"], modulePreload: false },
});
