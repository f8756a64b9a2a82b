// A client from the .proto files alone: node translate.mjs HOST:PORT TEXT...
import { fileURLToPath } from "node:url";

import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";

const SECONDS = 30; // a call without a deadline waits as long as it takes

const definition = loadSync("seq2serve/v1/translation.proto", {
  includeDirs: [fileURLToPath(new URL("../../proto", import.meta.url))],
  keepCase: true, // names as in the .proto files
  enums: String,
});
const { TranslationService } = grpc.loadPackageDefinition(definition).seq2serve.v1;

// Sends one request; an error has `code`, `details` and, as `metadata`, the trailers.
function call(stub, method, request) {
  const deadline = Date.now() + 1000 * SECONDS;
  return new Promise((resolve, reject) => {
    stub[method](request, { deadline }, (error, reply) => (error ? reject(error) : resolve(reply)));
  });
}

async function translate(stub, texts) {
  if (texts.length === 1) {
    const reply = await call(stub, "Translate", { text: texts[0] });
    return [reply.hypotheses[0].text];
  }
  const reply = await call(stub, "TranslateBatch", { items: texts.map((text) => ({ text })) });
  // Each text of a batch has a status of its own, whose code is not set where all went well.
  return reply.results.map(({ status, response }) =>
    status.code ? `${grpc.status[status.code]} ${status.reason}: ${status.message}` : response.hypotheses[0].text,
  );
}

const [address, ...texts] = process.argv.slice(2);
if (texts.length === 0) {
  console.error("node translate.mjs HOST:PORT TEXT...");
  process.exit(2);
}
const stub = new TranslationService(address, grpc.credentials.createInsecure());
try {
  for (const line of await translate(stub, texts)) console.log(line);
} catch (error) {
  // Where no server answered, or a proxy did, there is neither a reason nor an id.
  const [reason] = error.metadata?.get("seq2serve-reason") ?? [];
  const [id] = error.metadata?.get("seq2serve-request-id") ?? [];
  const kind = [grpc.status[error.code], reason].filter(Boolean).join(" ");
  console.error(`${kind}: ${error.details}${id ? ` (request ${id})` : ""}`);
  process.exitCode = 1;
}
stub.close();
