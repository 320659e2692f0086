// What a client's program prints: one JSON object, a member for each step, with what the client gave or what it threw.

export const patient = 'ehr-1001';
export const [base, token] = process.argv.slice(2);
export const result = { resourceType: 'Observation', status: 'final', code: { text: 'forged' } };

const steps = {};

export async function step(name, work, told = (error) => error.message) {
  try {
    steps[name] = { gave: await work() };
  } catch (error) {
    steps[name] = { threw: error.constructor.name, told: told(error) };
  }
}

export function report() {
  console.log(JSON.stringify(steps));
}
