// @medplum/core (npm): its OperationOutcomeError holds the outcome that we answered.
import { MedplumClient } from '@medplum/core';
import { base, patient, report, result, step, token } from './report.mjs';

const { origin, pathname } = new URL(base);
const client = new MedplumClient({ baseUrl: `${origin}/`, fhirUrlPath: pathname.slice(1), accessToken: token, fetch });
const told = (error) => error.outcome;

await step('read', async () => (await client.readResource('Patient', patient)).id);
await step('search', async () => {
  const found = await client.searchResources('Observation', { patient, code: 'http://loinc.org|718-7' });
  return found.map((each) => each.code.coding[0].code);
});
await step('pages', async () => {
  const ids = [];
  for await (const page of client.searchResourcePages('Observation', { patient, _count: 20 })) {
    ids.push(...page.map((each) => each.id));
  }
  return ids;
});
await step('create', () => client.createResource(result), told);
await step('update', () => client.updateResource({ ...result, id: 'o1' }), told);
await step('patch', () => client.patchResource('Observation', 'o1', [{ op: 'remove', path: '/note' }]), told);
await step('delete', () => client.deleteResource('Observation', 'o1'), told);
await step('transaction', () => client.executeBatch({ resourceType: 'Bundle', type: 'batch', entry: [] }), told);
report();
