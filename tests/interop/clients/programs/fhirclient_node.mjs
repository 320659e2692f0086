// fhirclient (npm) in Node, with a token that is there already: the message of what it throws quotes the OperationOutcome.
import FHIR from 'fhirclient';
import { base, patient, report, result, step, token } from './report.mjs';

const kept = new Map();
const storage = {
  get: async (key) => kept.get(key),
  set: async (key, value) => kept.set(key, value),
  unset: async (key) => kept.delete(key),
};
const client = FHIR({ url: '/', headers: { host: '127.0.0.1' } }, {}, storage).client({
  serverUrl: base,
  tokenResponse: { access_token: token, token_type: 'Bearer', patient },
});
const told = (error) => ({ status: error.status, message: error.message });

await step('read', async () => (await client.patient.read()).id);
await step('search', async () => {
  const query = `Observation?patient=${patient}&code=${encodeURIComponent('http://loinc.org|718-7')}`;
  return (await client.request(query, { flat: true })).map((each) => each.code.coding[0].code);
});
await step('pages', async () => {
  const found = await client.request(`Observation?patient=${patient}&_count=20`, { flat: true, pageLimit: 0 });
  return found.map((each) => each.id);
});
// It looks in the CapabilityStatement for the parameter that ties the type to the patient.
await step('in context', async () => {
  const found = await client.patient.request('DiagnosticReport', { flat: true, pageLimit: 0 });
  return [...new Set(found.map((each) => each.resourceType))];
});
await step('create', () => client.create(result), told);
await step('update', () => client.update({ ...result, id: 'o1' }), told);
await step('patch', () => client.patch('Observation/o1', [{ op: 'remove', path: '/note' }]), told);
await step('delete', () => client.delete('Observation/o1'), told);
report();
