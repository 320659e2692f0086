// openid-client (npm): signs in at the demonstration's authorization server, then asks the gateway with what it was given.
import { fetchProtectedResource, WWWAuthenticateChallengeError } from 'openid-client';
import * as oidc from 'openid-client';
import { base, patient, report, result, step } from './report.mjs';

const [issuer, clientId, secret, redirectUri, launch] = process.argv.slice(3);
const insecure = { execute: [oidc.allowInsecureRequests] };
const json = { 'content-type': 'application/fhir+json' };
let config;
let tokens;

/** What a browser does with the login page: choose the first professional, go on, come back. */
async function signIn(address) {
  const page = await (await fetch(address)).text();
  const form = new URLSearchParams(address.searchParams);
  form.set('practitioner', page.match(/name="practitioner" value="([^"]+)"/)[1]);
  form.set('decision', 'continue');
  const answer = await fetch(new URL(address.pathname, address), { method: 'POST', body: form, redirect: 'manual' });
  return new URL(answer.headers.get('location'));
}

async function ask(method, path, body) {
  const address = path.startsWith('http') ? path : `${base}/${path}`;
  const answer = await fetchProtectedResource(
    config, tokens.access_token, new URL(address), method, body && JSON.stringify(body), new Headers(body ? json : {}), insecure,
  );
  return { status: answer.status, allow: answer.headers.get('allow'), body: await answer.json() };
}

function challenged(error) {
  if (!(error instanceof WWWAuthenticateChallengeError)) return error.message;
  return { status: error.status, challenges: error.cause };
}

await step('resource', async () => {
  const address = new URL(base);
  address.pathname = `/.well-known/oauth-protected-resource${address.pathname}`;
  const { resource, authorization_servers: servers } = await (await fetch(address)).json();
  return { resource, servers };
});
await step('discovery', async () => {
  config = await oidc.discovery(new URL(issuer), clientId, secret, undefined, insecure);
  return config.serverMetadata().issuer;
});
await step('sign in', async () => {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const address = oidc.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: 'openid fhirUser launch patient/*.rs',
    aud: base,
    launch,
    state,
    nonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  });
  tokens = await oidc.authorizationCodeGrant(config, await signIn(address), {
    pkceCodeVerifier: verifier,
    expectedState: state,
    expectedNonce: nonce,
    idTokenExpected: true,
  });
  return { patient: tokens.patient, fhirUser: tokens.claims().fhirUser };
});
await step('read', async () => (await ask('GET', `Patient/${patient}`)).body.id);
await step('search', async () => {
  const found = await ask('GET', `Observation?patient=${patient}&code=${encodeURIComponent('http://loinc.org|718-7')}`);
  return found.body.entry.map((entry) => entry.resource.code.coding[0].code);
});
await step('pages', async () => {
  const ids = [];
  let path = `Observation?patient=${patient}&_count=20`;
  while (path) {
    const { body } = await ask('GET', path);
    ids.push(...body.entry.map((entry) => entry.resource.id));
    path = body.link.find((link) => link.relation === 'next')?.url;
  }
  return ids;
});
await step('create', () => ask('POST', 'Observation', result));
await step('update', () => ask('PUT', 'Observation/o1', { ...result, id: 'o1' }));
await step('delete', () => ask('DELETE', 'Observation/o1'));
const good = tokens;
tokens = { access_token: 'nonsense' };
await step('nonsense', () => ask('GET', `Patient/${patient}`), challenged);
tokens = { access_token: good.id_token };
await step('id_token', () => ask('GET', `Patient/${patient}`), challenged);
report();
