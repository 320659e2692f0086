// Required bindings as FHIRPath conditions: Medplum itself checks no code against a value set.

/** Value sets and code systems by canonical, looked up one by one. */
export class Terminology {
  #resources = new Map();

  constructor(resources) {
    for (const each of resources) this.#resources.set(`${each.resourceType} ${each.url}`, each);
  }

  /** A FHIRPath condition on a `code`, `Coding` or `CodeableConcept`: true where a code is in the value set. */
  condition(type, canonical) {
    const includes = this.#get('ValueSet', canonical).compose.include;
    if (type === 'code') return anyOf('$this', includes.flatMap((each) => this.#codes(each)));
    const systems = includes.map((each) => `(system = '${each.system}' and (${anyOf('code', this.#codes(each))}))`);
    if (type === 'Coding') return `(${systems.join(' or ')})`;
    if (type === 'CodeableConcept') return `coding.where(${systems.join(' or ')}).exists()`;
    throw new Error(`a required binding of a ${type} is not known here: ${canonical}`);
  }

  #codes(include) {
    if (include.filter || include.valueSet) throw new Error(`an include of ${include.system} is not a list of codes`);
    return (include.concept ?? this.#get('CodeSystem', include.system).concept).map((each) => each.code);
  }

  #get(resourceType, canonical) {
    const found = this.#resources.get(`${resourceType} ${canonical.split('|')[0]}`);
    if (!found) throw new Error(`no ${resourceType} ${canonical}`);
    return found;
  }
}

function anyOf(path, codes) {
  return codes.map((code) => `${path} = '${code}'`).join(' or ');
}
