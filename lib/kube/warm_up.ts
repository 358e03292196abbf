/** What the first connection would otherwise have to wait for. */
import process from "node:process";

/**
 * Seeds the random numbers of Deno's TLS (2.9) on another thread, while the kubeconfig is read: at its first use that takes 18 ms of
 * computing. Of all that uses them, making such a key is the cheapest that is done on a thread of its own.
 */
export function warmUpTls(): void {
  if (!("deno" in process.versions)) return;
  crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]).catch(() => {
    // Then the first connection makes them.
  });
}
