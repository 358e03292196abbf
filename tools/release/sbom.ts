/** The bill of materials of a release: CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json/ */
import { type Package, RUNTIME_VERSION } from "./packages.ts";

/** What a bill is made from. */
export interface Bill {
  readonly version: string;
  /** `owner/name` on GitHub. */
  readonly repository: string;
  /** SHA-256 of the bundle, in hexadecimal digits. */
  readonly bundleSha256: string;
  /** The release's time, in seconds since 1970. */
  readonly seconds: number;
  readonly packages: readonly Package[];
}

/** The bill as JSON: the same for the same parts. */
export function sbom({ version, repository, bundleSha256, seconds, packages }: Bill): string {
  const self = `pkg:npm/k8s-lock@${version}`;
  const runtime = `pkg:github/denoland/deno@v${RUNTIME_VERSION}`;
  const reference = new Map(packages.map((one) => [one.name, packageUrl(one)]));
  const asked = new Set(packages.flatMap(({ dependencies }) => dependencies));
  const roots = packages.filter(({ name }) => !asked.has(name)).map(packageUrl);
  const bill = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    serialNumber: `urn:uuid:${uuid(bundleSha256)}`,
    version: 1,
    metadata: {
      timestamp: new Date(seconds * 1000).toISOString(),
      component: {
        "bom-ref": self,
        type: "application",
        name: "k8s-lock",
        version,
        description: "Makes CI jobs take turns, by a lock kept in a Kubernetes cluster",
        hashes: [{ alg: "SHA-256", content: bundleSha256 }],
        licenses: [{ license: { id: "MIT" } }],
        purl: self,
        externalReferences: [{ type: "vcs", url: `https://github.com/${repository}` }],
      },
    },
    components: [
      ...packages.map((one) => component(one)),
      {
        "bom-ref": runtime,
        type: "platform",
        name: "deno",
        version: RUNTIME_VERSION,
        description:
          "The runtime around the bundle, in the binaries only. Its own parts are not listed here.",
        licenses: [{ license: { id: "MIT" } }],
        purl: runtime,
      },
    ],
    dependencies: [
      { ref: self, dependsOn: [...roots, runtime] },
      ...packages.map((one) => ({
        ref: packageUrl(one),
        dependsOn: one.dependencies.map((name) => reference.get(name) ?? name),
      })),
      { ref: runtime, dependsOn: [] },
    ],
  };
  return JSON.stringify(bill, null, 2) + "\n";
}

function component(one: Package): Record<string, unknown> {
  const [group, name] = one.name.startsWith("@") ? one.name.split("/") : [undefined, one.name];
  return {
    "bom-ref": packageUrl(one),
    type: "library",
    ...(group === undefined ? {} : { group }),
    name,
    version: one.version,
    hashes: [{ alg: "SHA-512", content: one.sha512 }],
    licenses: [{ license: { id: one.license } }],
    purl: packageUrl(one),
  };
}

/** https://github.com/package-url/purl-spec: the @ of a scope is encoded. */
function packageUrl({ name, version }: Pick<Package, "name" | "version">): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** A UUID of version 8 (RFC 9562: of one's own making) from a hash, so that a second build of the same has the same. */
function uuid(hash: string): string {
  const digits = [...hash.slice(0, 32)];
  digits[12] = "8";
  digits[16] = "89ab".charAt(parseInt(digits[16] ?? "0", 16) % 4);
  return digits.join("").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
