// fhir-kit-client (npm): it throws with the answer beside the error, the OperationOutcome in `response.data`.
import { Client } from 'fhir-kit-client';
import { base, patient, report, result, step, token } from './report.mjs';

const client = new Client({ baseUrl: base, bearerToken: token });
const told = (error) => ({ status: error.response?.status, ...error.response?.data });

await step('capabilities', async () => (await client.capabilityStatement()).fhirVersion);
await step('discovery', async () => client.smartAuthMetadata());
await step('read', async () => (await client.read({ resourceType: 'Patient', id: patient })).id);
await step('search', async () => {
  const found = await client.search({ resourceType: 'Observation', searchParams: { patient, code: 'http://loinc.org|718-7' } });
  return found.entry.map((entry) => entry.resource.code.coding[0].code);
});
await step('search by post', async () => {
  const found = await client.search({ resourceType: 'Observation', searchParams: { patient, _count: 5 }, options: { postSearch: true } });
  return found.entry.length;
});
await step('compartment', async () => {
  const compartment = { resourceType: 'Patient', id: patient };
  const found = await client.search({ resourceType: 'DiagnosticReport', compartment, searchParams: { _count: 5 } });
  return found.entry.map((entry) => entry.resource.resourceType);
});
await step('pages', async () => {
  const ids = [];
  let page = await client.search({ resourceType: 'Observation', searchParams: { patient, _count: 20 } });
  while (page) {
    ids.push(...page.entry.map((entry) => entry.resource.id));
    page = await client.nextPage({ bundle: page });
  }
  return ids;
});
await step('reference', async () => {
  const page = await client.search({ resourceType: 'Observation', searchParams: { patient, _count: 1 } });
  const [{ resource }] = page.entry;
  return (await client.resolve({ reference: resource.subject.reference, context: resource })).resourceType;
});
await step('create', () => client.create({ resourceType: 'Observation', body: result }), told);
await step('update', () => client.update({ resourceType: 'Observation', id: 'o1', body: { ...result, id: 'o1' } }), told);
await step('patch', () => client.patch({ resourceType: 'Observation', id: 'o1', JSONPatch: [{ op: 'remove', path: '/note' }] }), told);
await step('delete', () => client.delete({ resourceType: 'Observation', id: 'o1' }), told);
await step('transaction', () => client.transaction({ body: { resourceType: 'Bundle', type: 'transaction', entry: [] } }), told);
await step('operation', () => client.operation({ name: 'everything', resourceType: 'Patient', id: patient, method: 'GET' }), told);
report();
