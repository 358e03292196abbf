/**
 * What an idle watch costs in this runtime: one Secret, over node:https, with the kubeconfig loaded by @kubernetes/client-node (its
 * `dist/config.js` alone, which is a fifth of it). A waiter is compared to this.
 *
 *     deno run -A idle_watch.js KUBECONFIG NAMESPACE SECRET
 */
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import https from "node:https";
import type { RequestOptions } from "node:https";
import process from "node:process";

const [path = "", namespace = "", secret = ""] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(path);
const options: RequestOptions = {};
const server = config.getCurrentCluster()?.server;
const query = `watch=1&allowWatchBookmarks=true&fieldSelector=metadata.name=${secret}`;
config.applyToHTTPSOptions(options).then(() => {
  const url = `${server}/api/v1/namespaces/${namespace}/secrets?${query}`;
  https.get(url, options, (response) => {
    response.on("data", () => {});
    response.on("end", () => process.exit(1));
    if (response.statusCode === 200) console.log("watches");
  });
});
// A process whose only work is an idle socket may end early.
setInterval(() => {}, 60_000);
