// A profile, cut into the pieces that Medplum can check.
//
// Medplum's crawler applies a profile to the direct children of what it is given and to nothing deeper: below, and in
// slices, it goes on with the base type. So a profile becomes a tree of parts, one for each element that has children
// (`AuditEvent`, `agent`, `agent(client)`, `agent(client).network`, ...). A part is a StructureDefinition of its own: the
// children of the base type, each overlaid with what the profile says. Which values are in a slice, and whether a value
// conforms to its part, is Medplum's verdict each time.

const BACKBONE = 'BackboneElement';

// Medplum knows the resource around a value only where it began with the resource.
const NEEDS_RESOURCE = /%(resource|rootResource)/;

/** Elements of a snapshot as a tree, by their ids. */
function tree(elements) {
  const root = node(elements[0]);
  for (const element of elements.slice(1)) {
    const steps = element.id.split('.').slice(1);
    let at = root;
    for (const [index, step] of steps.entries()) {
      const [name, slice] = step.split(':');
      const last = index === steps.length - 1;
      if (last && !slice) at.children.set(name, node(element));
      at = at.children.get(name);
      if (!at) throw new Error(`the snapshot has no element around ${element.id}`);
      if (last && slice) at.slices.set(slice, node(element));
      if (slice) at = at.slices.get(slice);
    }
  }
  return root;
}

function node(definition) {
  return { definition, children: new Map(), slices: new Map() };
}

export class Profile {
  /** `medplum`: the library; `base`: type -> StructureDefinition of R4; `snapshot`: {url, type, element}. */
  constructor(medplum, base, terminology, snapshot) {
    this.medplum = medplum;
    this.base = base;
    this.terminology = terminology;
    this.url = snapshot.url;
    this.type = snapshot.type;
    this.root = this.#part(tree(snapshot.element), { type: snapshot.type, path: snapshot.type }, snapshot.type);
  }

  /** What Medplum has against `value` (parsed JSON of the profile's type), as sentences; warnings too. */
  problems(value) {
    return this.#check(this.root, { type: this.type, value });
  }

  #part(node, where, path) {
    const root = this.#overlay(this.#definition(where.type, where.path), node.definition, path);
    if (path !== this.type) root.constraint = root.constraint.filter((each) => !NEEDS_RESOURCE.test(each.expression));
    const elements = [];
    const parts = [];
    for (const own of this.#childrenOf(where)) {
      const name = own.path.slice(where.path.length + 1);
      const child = node.children.get(name);
      const element = this.#overlay(own, child?.definition, `${path}.${name}`);
      elements.push(element);
      if (!child) continue;
      const below = placeOf(element, own);
      const { matched, bound } = this.#sorted(child);
      if (!matched.length) delete element.slicing;
      for (const slice of matched) elements.push(...this.#slice(slice, own, below, element.path));
      for (const { definition, condition } of bound) root.constraint.push(counted(name, definition, condition));
      const slices = [...matched, ...bound].map((each) => ({
        name: each.definition.sliceName,
        condition: each.condition,
        part: this.#part(each, below, `${element.path}(${each.definition.sliceName})`),
      }));
      if (child.children.size) parts.push({ name, slices, part: this.#part(child, below, element.path) });
      else if (slices.length) parts.push({ name, slices });
    }
    const definition = {
      resourceType: 'StructureDefinition',
      name: path,
      url: `${this.url}#${path}`,
      status: 'active',
      kind: where.path === this.type && where.type === 'AuditEvent' ? 'resource' : 'complex-type',
      type: where.type,
      snapshot: { element: [root, ...elements] },
    };
    return { definition, schema: this.medplum.parseStructureDefinition(definition), parts };
  }

  /** A child of R4 with what the profile says about it; a required binding becomes an invariant. */
  #overlay(own, said, path) {
    // Medplum tells a list from a single value by `base.max`, which the reduced snapshots lack.
    const base = { ...own.base, path: own.path, max: own.base?.max ?? own.max };
    const element = { ...own, ...said, id: path, path, base };
    element.constraint = [...(own.constraint ?? []), ...(said?.constraint ?? [])];
    if (element.binding?.strength === 'required') {
      const expression = this.terminology.condition(element.type[0].code, element.binding.valueSet);
      const human = `a code of ${element.binding.valueSet}`;
      element.constraint.push({ key: 'binding', severity: 'error', human, expression });
    }
    return element;
  }

  /** The slices that Medplum can tell apart, and those told by a value set, of which it would take any value. */
  #sorted(child) {
    const matched = [];
    const bound = [];
    const paths = (child.definition.slicing?.discriminator ?? []).map((each) => each.path);
    for (const slice of child.slices.values()) {
      const by = paths.map((path) => (path === '$this' ? slice : slice.children.get(path)).definition);
      const [only] = by.filter((each) => each.binding?.strength === 'required');
      if (!only) {
        matched.push(slice);
        continue;
      }
      const condition = this.terminology.condition(only.type[0].code, only.binding.valueSet);
      bound.push({ ...slice, condition: paths[0] === '$this' ? condition : `${paths[0]}.${condition}` });
    }
    return { matched, bound };
  }

  #slice(slice, own, below, path) {
    const { sliceName } = slice.definition;
    const id = `${path}:${sliceName}`;
    const start = { ...this.#overlay(own, slice.definition, path), id };
    const children = [...slice.children].map(([name, { definition }]) => {
      const child = this.#definition(below.type, `${below.path}.${name}`);
      return { ...this.#overlay(child, definition, `${path}.${name}`), id: `${id}.${name}` };
    });
    return [start, ...children];
  }

  #definition(type, path) {
    const found = this.base.get(type)?.snapshot.element.find((each) => each.path === path);
    if (!found) throw new Error(`R4 has no ${path} in ${type}`);
    return found;
  }

  #childrenOf({ type, path }) {
    const depth = path.split('.').length + 1;
    return this.base
      .get(type)
      .snapshot.element.filter((each) => each.path.startsWith(`${path}.`) && each.path.split('.').length === depth);
  }

  #check(part, typed) {
    const options = { profile: part.definition };
    const problems = this.#asked(() =>
      part === this.root && this.medplum.isResource(typed.value)
        ? this.medplum.validateResource(typed.value, options)
        : this.medplum.validateTypedValue(typed, options)
    );
    for (const { name, slices, part: every } of part.parts) {
      const values = this.medplum.evalFhirPathTyped(name.replace('[x]', ''), [typed]);
      for (const value of values) if (every) problems.push(...this.#check(every, value));
      for (const slice of slices) {
        for (const value of this.#members(part, name, slice, typed, values)) {
          problems.push(...this.#check(slice.part, value));
        }
      }
    }
    return problems;
  }

  #members(part, name, slice, typed, values) {
    if (slice.condition) return this.medplum.evalFhirPathTyped(`${name}.where(${slice.condition})`, [typed]);
    const { slices, discriminator } = part.schema.elements[name].slicing;
    return values.filter(
      (each) => this.medplum.getValueSliceName(each.value, slices, discriminator, part.schema.url) === slice.name
    );
  }

  /** Medplum throws an OperationOutcome where it found errors, returns warnings, and may stumble over odd JSON. */
  #asked(validate) {
    let issues;
    try {
      issues = validate();
    } catch (error) {
      issues = error.outcome?.issue ?? [{ details: { text: `not understood: ${error.message}` } }];
    }
    return issues.map((each) => `${(each.expression ?? []).join(' ')}: ${each.details?.text}`);
  }
}

/** Where R4 describes the children of an element: further down in the same resource, or in a data type of its own. */
function placeOf(element, own) {
  const [type] = element.type.map((each) => each.code);
  return type === BACKBONE ? { type: own.path.split('.')[0], path: own.path } : { type, path: type };
}

/** The cardinality of a slice that is told by a value set. */
function counted(name, { sliceName, min, max }, condition) {
  const count = `${name}.where(${condition}).count()`;
  const expression = max === '*' ? `${count} >= ${min}` : `${count} >= ${min} and ${count} <= ${max}`;
  const human = `${min}..${max} ${name} in slice ${sliceName}`;
  return { key: `slice-${sliceName}`, severity: 'error', human, expression };
}
