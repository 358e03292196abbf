import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assertEquals } from "@std/assert";

Deno.test("a state folder that several make at once, with all above it, is there for each of them", async () => {
  const workers = 2;
  const base = await mkdtemp(join(tmpdir(), "k8s-lock-folder-"));
  const folders = Array.from({ length: 300 }, (_, round) => join(base, `${round}/a/b/c/d`));
  const arrived = new Int32Array(new SharedArrayBuffer(4 * folders.length));
  const makers = Array.from(
    { length: workers },
    () => new Worker(new URL("fixtures/folder_worker.ts", import.meta.url), { type: "module" }),
  );
  try {
    const failures = makers.map((maker) =>
      new Promise<string[]>((resolve, reject) => {
        maker.onmessage = ({ data }) => resolve(data);
        maker.onerror = ({ message }) => reject(new Error(message));
        maker.postMessage({ folders, arrived, workers });
      })
    );
    assertEquals((await Promise.all(failures)).flat(), []);
  } finally {
    for (const maker of makers) maker.terminate();
    await rm(base, { recursive: true });
  }
});
